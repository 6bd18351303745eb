//! `orgledger access-register`.

use query_api::access_register::{
    AccessRegister, AccessRegisterQuery, RegisterKey, RegisterOrganization, RegisterPerson,
    RegisterProject, access_register,
};
use query_api::{OrganizationRef, Projection, Temporal};

use super::{failed, text, up_to_date};
use crate::cli::{AccessRegisterArgs, PlaceArgs, RegisterFormat};
use crate::installation::Installation;

const READS: &[Projection] = &[Projection::AccessRegister];

/// Prints the register.
pub(crate) async fn run(place: &PlaceArgs, args: AccessRegisterArgs) -> anyhow::Result<()> {
    let installation = Installation::open_existing(place).await?;
    let query = AccessRegisterQuery {
        organization: args.organization.as_ref().map(|name| name.parse()).transpose()?,
        temporal: Temporal { as_of: args.as_of, at_position: args.at_position },
    };
    let register = read(&installation, &query).await?;
    let text = match args.format {
        RegisterFormat::Table => table(&register),
        RegisterFormat::Json => serde_json::to_string_pretty(&register)?,
        RegisterFormat::Markdown => markdown(&register),
        RegisterFormat::Csv => csv(&register)?,
    };
    crate::print(&text)?;
    installation.close().await
}

/// The register of one organization as it is now, as a table.
pub(crate) async fn table_of(
    installation: &Installation,
    organization: &str,
) -> anyhow::Result<String> {
    let query =
        AccessRegisterQuery { organization: Some(organization.parse()?), temporal: Temporal::NOW };
    Ok(table(&read(installation, &query).await?))
}

async fn read(
    installation: &Installation,
    query: &AccessRegisterQuery,
) -> anyhow::Result<AccessRegister> {
    let mut snapshot = up_to_date(installation, READS).await?;
    access_register(&mut snapshot, query).await.map_err(|error| match &query.organization {
        Some(OrganizationRef::Name(name)) => failed(error, name),
        Some(OrganizationRef::Id(id)) => failed(error, &id.to_string()),
        None => error.into(),
    })
}

fn headline(register: &AccessRegister, organization: &RegisterOrganization) -> String {
    let as_of = register.as_of.map_or_else(|| "now".to_owned(), |time| time.to_rfc3339());
    format!("{}: access as of {as_of}, position {}", organization.name, register.position)
}

fn table(register: &AccessRegister) -> String {
    if register.organizations.is_empty() {
        return format!("no organization at position {}", register.position);
    }
    let tables = register.organizations.iter().map(|organization| {
        let people = organization.people.iter().map(|person| {
            vec![
                person.login.clone(),
                role(person),
                projects(person).join(", "),
                day(person.since),
                person.granted_by.clone(),
            ]
        });
        let mut text = format!(
            "{}\n{}",
            headline(register, organization),
            text::table(
                &["person", "role", "projects", "since", "granted by"],
                &[],
                people.collect()
            )
        );
        let accounts = service_accounts(organization);
        if !accounts.is_empty() {
            let headings = ["service account", "project", "purpose", "key", "rotation due"];
            text.push_str(&format!("\n{}", text::table(&headings, &[], accounts)));
        }
        text
    });
    tables.collect::<Vec<_>>().join("\n\n")
}

/// The register as a security team keeps it by hand.
fn markdown(register: &AccessRegister) -> String {
    let mut text = String::from("# Access register\n");
    for organization in &register.organizations {
        let people: Vec<Vec<String>> = organization
            .people
            .iter()
            .map(|person| {
                vec![
                    person.login.clone(),
                    role(person),
                    projects(person).join(", "),
                    day(person.since),
                    person.last_review.map_or_else(|| "never".to_owned(), day),
                ]
            })
            .collect();
        text.push_str(&format!("\n## {}\n\n### People\n\n", headline(register, organization)));
        let headings = ["Person", "Role", "Projects", "Since", "Last review"];
        text.push_str(&text::markdown(&headings, &people));
        text.push_str("\n### Service accounts\n\n");
        let headings = ["Service account", "Project", "Purpose", "Key", "Rotation due"];
        text.push_str(&text::markdown(&headings, &service_accounts(organization)));
    }
    text
}

/// A line for each person and role in a project; a person without one has a line too. What is
/// inherited from groups, and custom roles, stand in columns of their own.
fn csv(register: &AccessRegister) -> anyhow::Result<String> {
    let headings = [
        "organization",
        "login",
        "role",
        "suspended",
        "project",
        "project_role",
        "since",
        "granted_by",
        "project_since",
        "project_granted_by",
        "project_via",
        "further_roles",
    ];
    let mut rows = Vec::new();
    for organization in &register.organizations {
        for person in &organization.people {
            let mut line = |project: [String; 5]| {
                let [project, project_role, project_since, project_granted_by, via] = project;
                rows.push(vec![
                    organization.name.clone(),
                    person.login.clone(),
                    person.role.clone(),
                    person.suspended.to_string(),
                    project,
                    project_role,
                    person.since.to_rfc3339(),
                    person.granted_by.clone(),
                    project_since,
                    project_granted_by,
                    via,
                    further_roles(person).join("; "),
                ]);
            };
            if person.projects.is_empty() {
                line(Default::default());
            }
            for project in &person.projects {
                line([
                    project.name.clone(),
                    named(&project.role, project.custom),
                    project.since.to_rfc3339(),
                    project.granted_by.clone(),
                    project
                        .group
                        .as_ref()
                        .map(|group| format!("group {group}"))
                        .unwrap_or_default(),
                ]);
            }
        }
    }
    text::csv(&headings, &rows)
}

fn role(person: &RegisterPerson) -> String {
    let own =
        if person.suspended { format!("{} (suspended)", person.role) } else { person.role.clone() };
    std::iter::once(own).chain(further_roles(person)).collect::<Vec<_>>().join(", ")
}

/// What a person has everywhere beside their own role, such as `admin via group support`.
fn further_roles(person: &RegisterPerson) -> Vec<String> {
    let text = |role: &str, custom, group: Option<&str>| via(named(role, custom), group);
    let roles = person.further_roles.iter();
    roles.map(|role| text(&role.role, role.custom, role.group.as_deref())).collect()
}

fn projects(person: &RegisterPerson) -> Vec<String> {
    let text = |project: &RegisterProject| {
        let role = named(&project.role, project.custom);
        format!("{} ({})", project.name, via(role, project.group.as_deref()))
    };
    person.projects.iter().map(text).collect()
}

/// A role by its name: nobody is to take a role that an organization has defined for a built-in one.
fn named(role: &str, custom: bool) -> String {
    if custom { format!("custom role {role}") } else { role.to_owned() }
}

fn via(role: String, group: Option<&str>) -> String {
    match group {
        Some(group) => format!("{role} via group {group}"),
        None => role,
    }
}

/// A row for each key of each service account; an account without a key has a row too.
fn service_accounts(organization: &RegisterOrganization) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for account in &organization.service_accounts {
        let name = if account.disabled {
            format!("{} (disabled)", account.name)
        } else {
            account.name.clone()
        };
        let mut row = |key: String, rotation_due: String| {
            let project = account.project.clone().unwrap_or_default();
            let purpose = account.purpose.clone().unwrap_or_default();
            rows.push(vec![name.clone(), project, purpose, key, rotation_due]);
        };
        if account.keys.is_empty() {
            row(String::new(), String::new());
        }
        for key in &account.keys {
            row(key_text(key), key.rotation_due_at.map(day).unwrap_or_default());
        }
    }
    rows
}

fn key_text(key: &RegisterKey) -> String {
    let state = if key.state == "active" { String::new() } else { format!(", {}", key.state) };
    format!("{} ({}{state})", key.name, key.redacted)
}

fn day(time: chrono::DateTime<chrono::Utc>) -> String {
    time.format("%Y-%m-%d").to_string()
}
