//! What a command line is: a command on this machine, or one to a server.
//!
//! Commands to a server are two words, NOUN VERB. Some nouns are commands on this machine too, which
//! take no further word, or words of their own: `costs` reads the data directory, `costs get` asks a
//! server; `usage archive` is a command here, `usage record` asks a server. Only where the words may
//! be a server's are its commands made, from the API's description.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _, FromArgMatches as _};

use crate::cli::Cli;
use crate::remote::{self, Call, Operation};

/// What was typed.
pub(crate) enum Line {
    /// A command on this machine.
    Here(Box<Cli>),
    /// A command to a server.
    ToServer(Box<Call>),
}

/// Reads a command line; ends the program where it asks for help or is wrong.
pub(crate) fn read(line: &[OsString]) -> Line {
    let here = Cli::command();
    let words = words(line);
    let is_here = |word: &str| here.find_subcommand(word);
    match words[..] {
        [] | ["help"] => read_here(with_nouns(here), line),
        ["help", word] if is_here(word).is_some() => read_here(with_nouns(here), line),
        ["help", noun, ref verb @ ..] => {
            let helped: Vec<OsString> = std::iter::once(&"orgledger")
                .chain([&noun])
                .chain(verb)
                .chain([&"--help"])
                .map(OsString::from)
                .collect();
            read_about(here, noun, verb.first().copied(), helped, line)
        }
        [word] if is_here(word).is_some() && asks_help(line) => read_here(with_nouns(here), line),
        [word, ref further @ ..] => match is_here(word) {
            Some(command) if further.is_empty() => {
                let has_verbs = command.has_subcommands();
                read_here(if has_verbs { with_nouns(here) } else { here }, line)
            }
            Some(command) if takes_word(command, further[0]) => read_here(here, line),
            Some(_) | None => read_about(here, word, further.first().copied(), line.to_vec(), line),
        },
    }
}

fn asks_help(line: &[OsString]) -> bool {
    line.iter().any(|one| one == "--help" || one == "-h")
}

/// Whether a word may follow a command on this machine.
pub(crate) fn takes_word(command: &Command, word: &str) -> bool {
    command.find_subcommand(word).is_some() || command.get_positionals().next().is_some()
}

/// Reads a command line about a noun as one to a server, where there is such a noun.
fn read_about(
    here: Command,
    noun: &str,
    verb: Option<&str>,
    to_server: Vec<OsString>,
    line: &[OsString],
) -> Line {
    let operations = remote::operations();
    let is_verb = |one: &&Operation| Some(&*one.words.verb) == verb;
    let mut about_it = operations.iter().filter(|one| one.words.noun == noun).peekable();
    let is_noun = about_it.peek().is_some();
    let is_both = here.find_subcommand(noun).is_some();
    if !is_noun || (is_both && about_it.find(is_verb).is_none()) {
        let known = if is_noun { here } else { with_stubs(here, &operations) };
        return read_here(known, line);
    }
    match Call::read(operations, noun, to_server) {
        Some(call) => Line::ToServer(Box::new(call)),
        None => read_here(here, line),
    }
}

fn read_here(command: Command, line: &[OsString]) -> Line {
    let read = command.try_get_matches_from(line).and_then(|given| Cli::from_arg_matches(&given));
    match read {
        Ok(cli) => Line::Here(Box::new(cli)),
        Err(error) => {
            // Where nobody reads it, there is nobody to tell.
            let _ = error.print();
            if error.kind() == ErrorKind::UnknownArgument && names_server(line) {
                eprintln!(
                    "\nThis is a command on this machine; `orgledger help` lists those to a server."
                );
            }
            std::process::exit(error.exit_code())
        }
    }
}

/// Whether a line has options that only commands to a server take.
fn names_server(line: &[OsString]) -> bool {
    let mut options = line.iter().map(|one| one.to_string_lossy());
    options.any(|one| one.starts_with("--server") || one.starts_with("--credential"))
}

/// The words of a line that are no options and not their values: before a command's own options
/// there are none without a value.
fn words(line: &[OsString]) -> Vec<&str> {
    let mut words = Vec::new();
    let mut is_value = false;
    for one in line.iter().skip(1).map(|one| one.to_str().unwrap_or_default()) {
        if std::mem::take(&mut is_value) {
            continue;
        }
        if one.starts_with('-') {
            let stands_alone = matches!(one, "--help" | "-h" | "--version" | "-V" | "--headers");
            is_value = !stands_alone && !one.contains('=');
        } else {
            words.push(one);
        }
    }
    words
}

/// What help says of all commands to a server, in lines as wide as clap's.
const ON_SERVERS: &str = "\
They take --server, --credential-file and --credential, or ORGLEDGER_SERVER, ORGLEDGER_CREDENTIAL_FILE
and ORGLEDGER_CREDENTIAL; where none is named, the server is http://127.0.0.1:8080. A noun that is also
a command on this machine asks a server where a verb follows: `costs` reads the data directory, `costs
get` asks a server.";

/// With what can be said to a server, for help.
fn with_nouns(here: Command) -> Command {
    let operations = remote::operations();
    let nouns = remote::verbs_by_noun(&operations);
    let width = nouns.keys().map(|noun| noun.len()).max().unwrap_or_default();
    let mut listed = String::new();
    let mut here = here;
    for (noun, verbs) in &nouns {
        let verbs = verbs.join(", ");
        listed.push_str(&format!("  {noun:width$}  {verbs}\n"));
        if here.find_subcommand(noun).is_some() {
            let first = verbs.split(',').next().unwrap_or_default();
            let also = format!(
                "With one of these verbs it asks a server instead ({verbs}): `orgledger help {noun} {first}`"
            );
            here = here.mut_subcommand(noun, |command| command.after_help(also));
        }
    }
    here.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n\
         Commands on this machine:\n{{subcommands}}\n\n\
         Commands to a server (`orgledger help NOUN` says more):\n{listed}\n\
         {ON_SERVERS}\n\nOptions on this machine:\n{{options}}"
    ))
}

/// With every noun as a command, so that one that is mistyped is recognised.
fn with_stubs(here: Command, operations: &[Operation]) -> Command {
    let nouns = remote::verbs_by_noun(operations);
    let missing: Vec<Command> = nouns
        .keys()
        .filter(|noun| here.find_subcommand(noun).is_none())
        .map(|noun| Command::new((*noun).to_owned()))
        .collect();
    here.subcommands(missing)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_told_from_options() {
        for (line, expected) in [
            ("members list --organization x", &["members", "list"][..]),
            ("--server http://x members list --all", &["members", "list"]),
            ("--server=http://x --headers members list", &["members", "list"]),
            ("members --credential-file f list", &["members", "list"]),
            ("costs --organization get", &["costs"]),
            ("--help", &[]),
            ("help members add", &["help", "members", "add"]),
        ] {
            let line: Vec<_> =
                std::iter::once("orgledger").chain(line.split(' ')).map(Into::into).collect();
            assert_eq!(words(&line), expected);
        }
    }
}
