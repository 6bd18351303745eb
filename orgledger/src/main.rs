//! The one binary of orgledger.

mod analyst;
mod anchors;
mod api;
mod cli;
mod command_line;
mod crossings;
mod demo;
mod dev;
mod evidence;
mod expiry;
mod generate;
mod import;
mod importing;
mod installation;
mod kept;
mod lots_left;
mod probe;
mod rebuild;
mod remote;
mod replay;
mod report;
mod rewrap_keys;
mod serve;
mod services;
mod show;
mod signing_keys;
mod usage;
mod verify;
mod watch;
mod webhooks;

use std::io::IsTerminal;
use std::process::ExitCode;

use cli::{Cli, Command, LogFormat};
use command_line::Line;
use tracing_subscriber::EnvFilter;

/// A command makes many small things that live briefly, on every thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match command_line::read(&std::env::args_os().collect::<Vec<_>>()) {
        Line::Here(cli) => *cli,
        Line::ToServer(call) => return call.run().await,
    };
    log_to_stderr(&cli);
    ended(run(cli).await)
}

/// How the program ends; what went wrong is said.
fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orgledger: {}", printable(&told(&error)));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let place = &cli.place;
    match cli.command {
        Command::Dev(args) => dev::run(place, &args).await,
        Command::Demo(args) => show::run(place, &args).await,
        Command::Serve(args) => serve::run(place, &args).await,
        Command::Migrate => serve::migrate(place).await,
        Command::Import(import) => importing::run(place, import).await,
        Command::AccessRegister(args) => report::access_register::run(place, args).await,
        Command::Costs(args) => report::costs::run(place, args).await,
        Command::Balance(args) => report::balance::run(place, args).await,
        Command::Statement(args) => report::statement::run(place, args).await,
        Command::AuditLog(args) => report::audit_log::run(place, args).await,
        Command::Diff(args) => report::diff::run(place, args).await,
        Command::Why(args) => report::why::run(place, &args).await,
        Command::Replay(args) => replay::run(place, args).await,
        Command::Rebuild(args) => rebuild::run(place, &args).await,
        Command::Analyst(command) => analyst::run(place, command).await,
        Command::Usage(command) => usage::run(place, command).await,
        Command::RewrapKeys => rewrap_keys::run(place).await,
        Command::SigningKey(command) => signing_keys::run(place, command).await,
        Command::Evidence(command) => evidence::run(place, command).await,
        Command::Verify(args) => verify::run(place, &args).await,
        Command::Status(args) => report::status::run(place, &args).await,
        Command::Probe(args) => probe::run(&args.url).await,
        Command::Generate(args) => generate::run(args.check),
    }
}

/// Services log what they do; commands for a person only what needs attention. `RUST_LOG` overrides.
fn log_to_stderr(cli: &Cli) {
    let default = match cli.command {
        Command::Serve(_) | Command::Dev(_) => "info,sqlx=warn,async_nats=off",
        Command::Demo(_)
        | Command::Migrate
        | Command::Import(_)
        | Command::AccessRegister(_)
        | Command::Costs(_)
        | Command::Balance(_)
        | Command::Statement(_)
        | Command::AuditLog(_)
        | Command::Diff(_)
        | Command::Why(_)
        | Command::Replay(_)
        | Command::Rebuild(_)
        | Command::Analyst(_)
        | Command::Usage(_)
        | Command::RewrapKeys
        | Command::SigningKey(_)
        | Command::Evidence(_)
        | Command::Verify(_)
        | Command::Status(_)
        | Command::Probe(_)
        | Command::Generate(_) => "warn,sqlx=error,async_nats=error",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match cli.place.log_format {
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
        LogFormat::Text => subscriber.with_ansi(std::io::stderr().is_terminal()).init(),
    }
}

/// An error with its causes, each said once: some of our errors quote their cause themselves.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// A text without what moves the cursor, colours the terminal or turns lines around: a file may say
/// anything. Lines stay lines. What is JSON stays the same JSON.
fn printable(text: &str) -> String {
    let turns = |letter| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut printable = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter != '\n' && (letter.is_control() || turns(letter)) {
            printable.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            printable.push(letter);
        }
    }
    printable
}

/// The same of what must be one line.
fn printable_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

/// Whether the reader of our output went away, as `head` does: no failure of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// Writes a file to standard output, as it is.
fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Prints to standard output; an error instead of a panic where nobody reads any more.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::{printable, printable_line};

    #[test]
    fn what_a_file_says_stays_what_it_says_and_does_nothing() {
        assert_eq!(printable("Ünïcode — ok\nsecond"), "Ünïcode — ok\nsecond");
        assert_eq!(printable("\r\x1b[2KVERIFIED"), "\\u000d\\u001b[2KVERIFIED");
        assert_eq!(printable("\u{9b}2K\u{202e}\t"), "\\u009b2K\\u202e\\u0009");
        assert_eq!(printable_line("one\norgledger: two"), "one\\norgledger: two");
    }
}
