//! Commands to a server: every operation of its API, as the words NOUN VERB.
//!
//! They are made from the OpenAPI document, so a new route is a new command without a line here.

mod answer;
mod arguments;
mod connection;
mod operation;
mod ordered;
mod page;
mod request;
mod schema;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;
use clap::ArgMatches;

use connection::Connection;
pub(crate) use operation::Operation;
use ordered::Json;
pub(crate) use page::page;

/// Every command that there is to a server, by its words.
pub(crate) fn operations() -> Vec<Operation> {
    // A document of ours is always JSON.
    let document = serde_json::to_value(crate::api::document()).unwrap_or_default();
    operation::operations(&document)
}

/// Every command to a server as clap knows it, and first the program with what all of them take.
pub(crate) fn commands() -> Vec<clap::Command> {
    let program = arguments::program(operations().iter());
    let nouns: Vec<_> = program.get_subcommands().cloned().collect();
    let verbs = nouns.iter().flat_map(clap::Command::get_subcommands).cloned();
    std::iter::once(program).chain(verbs).collect()
}

/// The verbs of each noun.
pub(crate) fn verbs_by_noun(operations: &[Operation]) -> BTreeMap<&str, Vec<&str>> {
    let mut verbs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for operation in operations {
        verbs.entry(&operation.words.noun).or_default().push(&operation.words.verb);
    }
    verbs
}

/// A command to a server, as it was typed.
pub(crate) struct Call {
    operation: Operation,
    given: ArgMatches,
}

impl Call {
    /// Reads the command line of a command about that noun; ends the program where it asks for help
    /// or is wrong.
    pub(crate) fn read(
        operations: Vec<Operation>,
        noun: &str,
        line: Vec<OsString>,
    ) -> Option<Self> {
        let about_it = || operations.iter().filter(|operation| operation.words.noun == noun);
        let mut given = arguments::program(about_it()).get_matches_from(line);
        let (_, mut given) = given.remove_subcommand()?;
        let (verb, given) = given.remove_subcommand()?;
        let mut about_it = operations.into_iter().filter(|operation| operation.words.noun == noun);
        let operation = about_it.find(|operation| operation.words.verb == verb)?;
        Some(Self { operation, given })
    }

    /// Asks the server and prints what it answers.
    pub(crate) async fn run(self) -> ExitCode {
        crate::ended(self.ask().await)
    }

    async fn ask(&self) -> anyhow::Result<()> {
        let Self { operation, given } = self;
        let connection = Connection::open(given)?;
        let mut request = request::request(operation, given)?;
        let mut answer = connection.ask(&request).await?;
        if given.get_flag("headers") {
            answer::print_headers(&answer);
        }
        let mut document = answer::document(&request, &answer)?;
        if operation.has_pages
            && given.get_flag("all")
            && let Some(whole) = &mut document
        {
            let mut next = whole.get("next_cursor").and_then(Json::as_text).map(str::to_owned);
            while let Some(cursor) = next {
                request.at_cursor(&cursor);
                answer = connection.ask(&request).await?;
                let page = answer::document(&request, &answer)?.context("a page is no JSON")?;
                next = answer::add_page(whole, page);
            }
            if let Some(next) = whole.get_mut("next_cursor") {
                *next = Json::Null;
            }
        }
        let format = given.get_one::<String>("format").map(String::as_str);
        answer::print(format == Some("table"), document.as_ref(), &answer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use serde_json::Value;

    use super::{arguments, operation, operations, verbs_by_noun};
    use crate::cli::Cli;
    use crate::command_line::takes_word;

    #[test]
    fn every_operation_has_words_of_its_own() {
        let document: Value = serde_json::to_value(crate::api::document()).unwrap();
        let methods = ["get", "post", "put", "patch", "delete"];
        let paths = document["paths"].as_object().unwrap();
        let there: usize = paths
            .values()
            .map(|item| methods.iter().filter(|method| item.get(**method).is_some()).count())
            .sum();
        let operations = operation::operations(&document);
        assert_eq!(operations.len(), there);
        assert!(there > 40, "only {there} operations were looked at");
        let mut said = BTreeSet::new();
        for one in &operations {
            let is_word = |word: &str| {
                !word.is_empty()
                    && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
            };
            assert!(is_word(&one.words.noun) && is_word(&one.words.verb), "{:?}", one.words);
            assert!(said.insert(one.words.clone()), "two operations are called '{}'", one.words);
        }
    }

    #[test]
    fn clap_takes_every_command() {
        arguments::program(operations().iter()).debug_assert();
    }

    #[test]
    fn no_noun_hides_behind_a_command_on_this_machine() {
        let operations = operations();
        let nouns = verbs_by_noun(&operations);
        for command in Cli::command().get_subcommands() {
            for verb in nouns.get(command.get_name()).into_iter().flatten() {
                let name = command.get_name();
                assert!(!takes_word(command, verb), "'{name} {verb}' is a command on this machine");
            }
        }
    }

    #[test]
    fn everything_in_a_path_can_be_given() {
        for operation in operations() {
            for segment in operation.path.split('/') {
                let Some(name) = segment.strip_prefix('{') else { continue };
                let name = name.trim_end_matches('}');
                let mut fields = operation.fields.iter();
                assert!(fields.any(|field| field.name == name), "{}: {name}", operation.words);
            }
        }
    }
}
