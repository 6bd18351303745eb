//! Operations as clap's commands.

use clap::builder::{PossibleValuesParser, TypedValueParser as _, ValueParser};
use clap::{Arg, ArgAction, Command};
use reqwest::Url;
use serde_json::Value;

use super::operation::{Field, Operation, Place};
use super::schema::{Kind, bytes_of};

/// Where a server is that nobody names: where `orgledger dev` serves.
pub(super) const SERVER_DEFAULT: &str = "http://127.0.0.1:8080";

const SERVER: &str = "Server";

/// The program with commands of these operations.
pub(super) fn program<'a>(operations: impl Iterator<Item = &'a Operation>) -> Command {
    let mut nouns: Vec<Command> = Vec::new();
    for operation in operations {
        let noun = &operation.words.noun;
        let verb = verb(operation);
        match nouns.last_mut() {
            Some(last) if last.get_name() == noun => *last = last.clone().subcommand(verb),
            Some(_) | None => nouns.push(
                Command::new(noun.clone())
                    .about(format!("Commands to a server about {}", noun.replace('-', " ")))
                    .subcommand_required(true)
                    .arg_required_else_help(true)
                    .subcommand(verb),
            ),
        }
    }
    Command::new("orgledger")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .args(connection())
        .subcommands(nouns)
}

/// The server and who asks it.
fn connection() -> [Arg; 4] {
    [
        Arg::new("server")
            .long("server")
            .value_name("URL")
            .env("ORGLEDGER_SERVER")
            .default_value(SERVER_DEFAULT)
            .value_parser(ValueParser::new(read_server))
            .help("The server, as https://orgledger.example.com"),
        Arg::new("credential-file")
            .long("credential-file")
            .value_name("FILE")
            .env("ORGLEDGER_CREDENTIAL_FILE")
            .value_parser(clap::value_parser!(std::path::PathBuf))
            .help(
                "The file that holds the credential: an API key's secret, a token of the \
                 organization's issuer or the operator's",
            ),
        Arg::new("credential")
            .long("credential")
            .value_name("SECRET")
            .env("ORGLEDGER_CREDENTIAL")
            .hide_env_values(true)
            .help(
                "The credential itself. On the command line, everybody on this machine can see it \
                 (ps) and the shell remembers it: rather use a file or the variable",
            ),
        Arg::new("headers")
            .long("headers")
            .action(ArgAction::SetTrue)
            .help("Print the answer's headers too, to standard error; its ETag is for --if-match"),
    ]
    .map(|argument| argument.global(true).help_heading(SERVER))
}

fn read_server(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("a server's URL begins with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err("a server's URL has no user, no password and no query".to_owned());
    }
    Ok(url)
}

/// The command of one operation.
fn verb(operation: &Operation) -> Command {
    let about = unwrapped(&operation.summary);
    let mut command = Command::new(operation.words.verb.clone())
        .about(about.trim_end_matches('.').to_owned())
        .override_usage(usage(operation))
        .after_help(footer(operation));
    if !operation.description.is_empty() {
        command = command.long_about(format!("{about}\n\n{}", unwrapped(&operation.description)));
    }
    let mut fields: Vec<&Field> = operation.fields.iter().collect();
    fields.sort_by_key(|field| !field.is_required);
    for field in fields {
        command = command.arg(argument(field));
    }
    command.args(of_request(operation)).arg(format(operation))
}

/// How it is called: with what must be given.
fn usage(operation: &Operation) -> String {
    let mut usage = format!("orgledger {}", operation.words);
    for field in operation.fields.iter().filter(|field| field.is_required) {
        usage.push_str(&format!(" --{} <{}>", field.flag, value_name(field)));
    }
    usage.push_str(" [OPTIONS]");
    usage
}

/// What stands for a value in help.
fn value_name(field: &Field) -> String {
    match &field.kind {
        Kind::OneOf(_) => field.name.to_uppercase(),
        kind => kind.value_name().to_owned(),
    }
}

/// The argument of a field.
fn argument(field: &Field) -> Arg {
    let mut help = unwrapped(&field.help).trim_end_matches('.').to_owned();
    // Everybody's ids are others.
    let tells = field.kind != Kind::Id && !takes_json(&field.kind);
    let example = field.example.as_ref().filter(|_| tells);
    if let Some(example) = example {
        help.push_str(&format!(" [example: {}]", plain(example)));
    }
    help.push_str(match &field.kind {
        Kind::List(of) if takes_json(of) => {
            " [JSON, or @FILE of an array or with one a line; can be repeated]"
        }
        Kind::List(_) => " [can be repeated]",
        kind if takes_json(kind) => " [JSON, or @FILE]",
        _ => "",
    });
    let argument = Arg::new(field.flag.clone())
        .long(field.flag.clone())
        .value_name(value_name(field))
        .value_parser(parser(&field.kind))
        .allow_hyphen_values(matches!(field.kind, Kind::Text | Kind::Integer(..) | Kind::Number))
        .help(help.trim_start().to_owned());
    let argument = match field.kind {
        Kind::List(_) => argument.action(ArgAction::Append),
        Kind::Boolean => {
            argument.num_args(0..=1).require_equals(true).default_missing_value("true")
        }
        _ => argument,
    };
    if field.place == Place::Path && field.name == "organization_id" {
        return argument.required(true).env("ORGLEDGER_ORGANIZATION");
    }
    match (field.is_required, field.place) {
        (true, Place::Body) => argument.required_unless_present("body"),
        (is_required, _) => argument.required(is_required),
    }
}

fn takes_json(kind: &Kind) -> bool {
    match kind {
        Kind::Json => true,
        Kind::List(of) => takes_json(of),
        Kind::Text
        | Kind::Id
        | Kind::Time
        | Kind::OneOf(_)
        | Kind::Integer(..)
        | Kind::Number
        | Kind::Boolean => false,
    }
}

fn parser(kind: &Kind) -> ValueParser {
    let values = match kind {
        Kind::OneOf(values) => Some(values),
        Kind::List(of) => match &**of {
            Kind::OneOf(values) => Some(values),
            _ => None,
        },
        _ => None,
    };
    match values {
        Some(values) => PossibleValuesParser::new(values.clone()).map(Value::String).into(),
        None => {
            let kind = kind.clone();
            ValueParser::new(move |text: &str| kind.read(text))
        }
    }
}

/// What requests take that have a body, a key, a version or pages.
fn of_request(operation: &Operation) -> Vec<Arg> {
    let mut arguments = of_body(operation);
    if operation.takes_key {
        arguments.push(text_argument(
            "idempotency-key",
            "KEY",
            "The command's own name: the same one where it is sent again; by default a new one",
        ));
    }
    if operation.takes_version {
        arguments.push(text_argument(
            "if-match",
            "ETAG",
            "Only where it still has this ETag, as --headers shows it",
        ));
    }
    if operation.has_pages {
        arguments.push(text_argument(
            "cursor",
            "CURSOR",
            "The page after the one whose next_cursor this is",
        ));
        let all = Arg::new("all").long("all").action(ArgAction::SetTrue);
        arguments.push(all.conflicts_with("cursor").help("All pages, as one"));
    }
    arguments
}

fn text_argument(name: &'static str, value_name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value_name).help(help)
}

fn of_body(operation: &Operation) -> Vec<Arg> {
    let Some(body) = &operation.body else { return Vec::new() };
    let has_fields = operation.fields.iter().any(|field| field.place == Place::Body);
    let what = if has_fields { "; flags replace what is in it" } else { "" };
    let whole = text_argument("body", "JSON", "")
        .required(body.is_required && !has_fields)
        .allow_hyphen_values(true)
        .value_parser(ValueParser::new(|text: &str| {
            bytes_of(if text == "-" { "@-" } else { text })
        }))
        .help(format!("The whole body: itself, @FILE, or - for standard input{what}"));
    let mut arguments = vec![whole];
    if body.media_types.len() > 1 {
        arguments.push(
            text_argument("content-type", "TYPE", "What the body is")
                .requires("body")
                .default_value(body.media_types[0].clone())
                .value_parser(PossibleValuesParser::new(body.media_types.clone())),
        );
    }
    arguments
}

/// How to print: JSON and tables are ours, the rest is the operation's.
fn format(operation: &Operation) -> Arg {
    let mut formats = vec!["json".to_owned(), "table".to_owned()];
    formats.extend(operation.formats.iter().filter(|one| *one != "json").cloned());
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .default_value("json")
        .value_parser(PossibleValuesParser::new(formats))
        .help("How to print; JSON is on one line where it does not go to a terminal")
}

/// The request that is sent, and how a call could look.
fn footer(operation: &Operation) -> String {
    let mut text = String::new();
    let example = operation.body.as_ref().and_then(|body| body.example.as_ref());
    if let Some(Value::Object(example)) = example {
        text.push_str(&format!("Example: orgledger {}", operation.words));
        for field in &operation.fields {
            let value = match field.place {
                Place::Body => example.get(&field.name),
                Place::Path => field.example.as_ref(),
                Place::Query | Place::Header => None,
            };
            match (value, field.place) {
                (None | Some(Value::Null), Place::Path) => {
                    text.push_str(&format!(" --{} {}", field.flag, value_name(field)));
                }
                (None | Some(Value::Null), Place::Query | Place::Header | Place::Body) => {}
                (Some(value), _) => {
                    text.push_str(&format!(" --{} {}", field.flag, quoted(&plain(value))));
                }
            }
        }
        text.push_str("\n\n");
    }
    text.push_str(&format!("Sends {} {}", operation.method, operation.path));
    text
}

/// A value as somebody types it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// Text that a shell takes as one word.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.:/@+,=".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A description's lines end where its source was wrapped; paragraphs stay.
fn unwrapped(text: &str) -> String {
    let paragraphs =
        text.split("\n\n").map(|paragraph| paragraph.lines().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
