//! Which role allows what, as the documentation says it, and not as the code does.

use std::collections::{BTreeMap, BTreeSet};

const PUBLISHED: &str = include_str!("../../../../docs/permissions.md");

/// Permissions, by their words.
pub(super) type Permissions = BTreeSet<String>;

/// The two tables of the documentation: roles with what they allow.
pub(super) struct Tables {
    organization: BTreeMap<String, Permissions>,
    project: BTreeMap<String, Permissions>,
}

impl Tables {
    pub(super) fn published() -> Self {
        let (organization, project) =
            PUBLISHED.split_once("## In a project").expect("a section for each table");
        let tables = Self { organization: table(organization), project: table(project) };
        assert_eq!((tables.organization.len(), tables.project.len()), (6, 3));
        tables
    }

    pub(super) fn of_organization_role(&self, role: &str) -> &Permissions {
        &self.organization[role]
    }

    pub(super) fn of_project_role(&self, role: &str) -> &Permissions {
        &self.project[role]
    }

    /// What a role in a project can allow at all.
    pub(super) fn of_projects(&self) -> Permissions {
        self.project.values().flatten().cloned().collect()
    }
}

/// A service account works in its project, and administers nothing.
pub(super) fn of_service_accounts() -> Permissions {
    ["projects.read", "service_accounts.read", "usage.read", "usage.record"]
        .map(str::to_owned)
        .into()
}

/// How far an organization role reaches.
pub(super) fn rank(role: &str) -> u8 {
    match role {
        "owner" => 2,
        "admin" => 1,
        "billing" | "member" | "reader" | "auditor" => 0,
        unknown => panic!("no role is called {unknown}"),
    }
}

fn table(section: &str) -> BTreeMap<String, Permissions> {
    let mut rows = section.lines().filter(|line| line.starts_with('|')).map(cells);
    let head = rows.next().expect("a head");
    let roles = &head[1..head.len() - 1];
    let mut table: BTreeMap<String, Permissions> = BTreeMap::new();
    for row in rows.skip(1) {
        let permission = row[0].trim_matches('`').to_owned();
        for (role, cell) in roles.iter().zip(&row[1..]) {
            let allowed = table.entry((*role).to_owned()).or_default();
            if *cell == "✓" {
                allowed.insert(permission.clone());
            }
        }
    }
    table
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}
