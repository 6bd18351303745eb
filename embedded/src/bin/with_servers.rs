//! Runs a command with private servers around it: `with-servers [--relaxed] COMMAND [ARGUMENT…]`.
//!
//! The command finds them in `ORGLEDGER_TEST_DATABASE_URL` and `ORGLEDGER_TEST_NATS_URL`; both end
//! with it. Its exit code is ours. `--relaxed` does not wait for the disk, for tests on slow ones.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};

use embedded::testing::{DATABASE_VARIABLE, Durability, NATS_VARIABLE, TestServers};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: with-servers [--relaxed] COMMAND [ARGUMENT…]";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("with-servers: {error}");
            ExitCode::from(125)
        }
    }
}

async fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let relaxed = arguments.next_if(|argument| argument == "--relaxed").is_some();
    let durability = if relaxed { Durability::Relaxed } else { Durability::Real };
    let program = arguments.next().ok_or(USAGE)?;

    // From here on a signal does not end us in the middle.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let servers = tokio::select! {
        servers = TestServers::start_with(durability) => servers?,
        _ = interrupt.recv() => abandon(),
        _ = terminate.recv() => abandon(),
    };
    let mut child = Command::new(&program)
        .args(arguments)
        .env(DATABASE_VARIABLE, servers.postgres().url("postgres"))
        .env(NATS_VARIABLE, servers.nats().url())
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            // Ctrl-C reaches the command from the terminal, too: only wait for it.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => forward(&child, Signal::TERM),
        }
    };
    drop(servers);
    Ok(exit_code(status))
}

/// Ends at once, without waiting for the start: the servers' watchdog cleans up after us.
fn abandon() -> ! {
    std::process::exit(130)
}

fn forward(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw)
        && let Err(error) = kill_process(pid, signal)
    {
        eprintln!("with-servers: cannot forward a signal: {error}");
    }
}

/// As a shell reports it: 128 + the signal when a signal ended the command.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
