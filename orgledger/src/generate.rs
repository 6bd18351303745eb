//! `orgledger generate`: the files that are made from the code and committed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::CommandFactory;
use event_schemas::permission::{
    organization_role_allows, project_role_allows, why_not_of_custom_roles,
};
use event_schemas::{OrganizationRole, Permission, ProjectRole};

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
    files.push(("docs/permissions.md".into(), permissions()));
    files.push(("docs/commands.md".into(), crate::remote::page()));
    files.push(("docs/problems.md".into(), crate::api::problems::markdown()));
    files.push(("docs/openapi.json".into(), crate::api::text(&crate::api::document())));
    files
}

/// Which role may do what, as a page.
fn permissions() -> String {
    let organization: Vec<_> =
        OrganizationRole::ALL.iter().map(|role| (role.as_str(), role.meaning())).collect();
    let project: Vec<_> =
        ProjectRole::ALL.iter().map(|role| (role.as_str(), role.meaning())).collect();
    let in_organization = |permission| {
        OrganizationRole::ALL.iter().map(|r| organization_role_allows(*r, permission)).collect()
    };
    let in_project =
        |permission| ProjectRole::ALL.iter().map(|r| project_role_allows(*r, permission)).collect();
    format!(
        "# Roles and permissions\n\n\
         Written by `make generate` from `event-schemas/src/permission.rs`. A role in the organization \
         allows something everywhere in it; a role in a project allows it within that project. What \
         somebody cannot see does not exist for them: it is answered 404 and not 403.\n\n\
         ## In the organization\n\n{}\n## In a project\n\n{}\n## In no custom role\n\n\
         A custom role has any of the permissions above but these, which decide over access itself; and \
         nobody defines or grants a role with a permission that they do not have. In a project it gives \
         what can be granted in projects.\n\n{}",
        roles_table(&organization, in_organization),
        roles_table(&project, in_project),
        built_in_alone(),
    )
}

/// What belongs to built-in roles alone, and why.
fn built_in_alone() -> String {
    let permissions = Permission::ALL.iter().copied();
    let alone = permissions.filter_map(|it| Some((it, why_not_of_custom_roles(it)?)));
    let mut table = String::from("| permission | why |\n|---|---|\n");
    for (permission, why) in alone {
        table.push_str(&format!("| `{permission}` | {why} |\n"));
    }
    table
}

/// Roles with what they mean, and which of them allows what; what none allows has no line.
fn roles_table(roles: &[(&str, &str)], allows: impl Fn(Permission) -> Vec<bool>) -> String {
    let mut table = String::new();
    for (role, meaning) in roles {
        table.push_str(&format!("- **{role}**: {meaning}\n"));
    }
    let names: Vec<&str> = roles.iter().map(|(role, _)| *role).collect();
    let columns = ":-:|".repeat(roles.len());
    table.push_str(&format!(
        "\n| permission | {} | what |\n|---|{columns}---|\n",
        names.join(" | ")
    ));
    for permission in Permission::ALL.iter().copied() {
        let marks = allows(permission);
        if marks.contains(&true) {
            let marks: Vec<&str> = marks.iter().map(|may| if *may { "✓" } else { "" }).collect();
            let (marks, meaning) = (marks.join(" | "), permission.meaning());
            table.push_str(&format!("| `{permission}` | {marks} | {meaning} |\n"));
        }
    }
    table
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
    for command in crate::remote::commands() {
        settings(&mut page, &mut seen, &command, "commands to a server");
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
