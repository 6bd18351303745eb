//! `orgledger generate`: the files that are made from the code and committed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::CommandFactory;

use crate::cli::Cli;

/// Writes every generated file; with `check`, only compares.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let root = Path::new(".");
    if !root.join("event-schemas").is_dir() {
        bail!("run this in the root of the repository");
    }
    let mut stale = Vec::new();
    for (path, contents) in files() {
        let path = root.join(path);
        let there = std::fs::read_to_string(&path).ok();
        if there.as_ref() == Some(&contents) {
            continue;
        }
        if check {
            stale.push(path.display().to_string());
            continue;
        }
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(&path, contents)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote {}", path.display());
    }
    if !stale.is_empty() {
        bail!("not what the code says; run `make generate`: {}", stale.join(", "));
    }
    Ok(())
}

fn files() -> Vec<(PathBuf, String)> {
    let mut files: Vec<(PathBuf, String)> = event_schemas::published::files()
        .into_iter()
        .map(|(path, contents)| (Path::new("event-schemas").join(path), contents))
        .collect();
    files.push(("docs/configuration.md".into(), configuration()));
    files.push(("docs/openapi.json".into(), crate::api::text(&crate::api::document())));
    files
}

/// Every setting that has an environment variable, as a page.
fn configuration() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Written by `make generate` from the command line's definition. A flag counts before its \
         variable. `RUST_LOG` says what is logged, as `tracing-subscriber` reads it.\n\n\
         | variable | flag | of | default | what |\n|---|---|---|---|---|\n",
    );
    let command = Cli::command();
    let mut seen = BTreeSet::new();
    settings(&mut page, &mut seen, &command, "every command");
    for subcommand in command.get_subcommands() {
        let of = format!("`{}`", subcommand.get_name());
        settings(&mut page, &mut seen, subcommand, &of);
    }
    page
}

fn settings(
    page: &mut String,
    seen: &mut BTreeSet<(String, String)>,
    command: &clap::Command,
    of: &str,
) {
    for argument in command.get_arguments() {
        let (Some(variable), Some(flag)) = (argument.get_env(), argument.get_long()) else {
            continue;
        };
        let variable = variable.to_string_lossy().into_owned();
        if !seen.insert((variable.clone(), of.to_owned())) {
            continue;
        }
        let defaults = argument.get_default_values().iter().map(|value| value.to_string_lossy());
        let default = defaults.collect::<Vec<_>>().join(" ");
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        let what = argument.get_help().map(ToString::to_string).unwrap_or_default();
        page.push_str(&format!("| `{variable}` | `--{flag}` | {of} | {default} | {what} |\n"));
    }
}
