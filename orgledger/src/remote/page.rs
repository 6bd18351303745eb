//! The page that lists every command to a server.

use std::fmt::Write as _;

use super::operations;

/// `docs/commands.md`.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Commands to a server\n\n\
         Written by `make generate` from the API's description. `orgledger NOUN VERB --help` says what \
         a command takes. `--server` or `ORGLEDGER_SERVER` names the server, `--credential-file` or \
         `ORGLEDGER_CREDENTIAL` who asks, `ORGLEDGER_ORGANIZATION` the organization.\n\n\
         | `orgledger …` | request | what it does |\n|---|---|---|\n",
    );
    for operation in operations() {
        let summary = operation.summary.replace('\n', " ").replace('|', "\\|");
        // Writing to text does not fail.
        let _ = writeln!(
            page,
            "| `{}` | `{} {}` | {summary} |",
            operation.words, operation.method, operation.path
        );
    }
    page
}
