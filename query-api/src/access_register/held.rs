//! What people have beside their own roles: through the groups that they are in, and by custom roles.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event_schemas::{OrganizationId, ProjectId};
use uuid::Uuid;

use super::rows::{Grouped, Names, fetch, group, select};
use super::{RegisterPerson, RegisterProject, RegisterRole};
use crate::error::QueryError;
use crate::snapshot::Snapshot;
use crate::temporal::Temporal;

/// Since when, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    since: DateTime<Utc>,
    granted_by: String,
}

impl Grant {
    /// What needs both has been there since the later of them.
    fn and<'a>(&'a self, other: &'a Self) -> &'a Self {
        if self.since >= other.since { self } else { other }
    }
}

struct Group {
    name: String,
    role: Option<String>,
    grant: Grant,
}

/// A custom role that a member or group has.
struct CustomRole {
    name: String,
    project_id: Option<Uuid>,
    grant: Grant,
}

/// A group's role in a project.
struct ProjectRole {
    project_id: Uuid,
    role: String,
    grant: Grant,
}

/// All that is held beside people's own roles.
pub(super) struct Held {
    groups: HashMap<Uuid, Group>,
    /// The groups that each member is in.
    memberships: Grouped<(Uuid, Grant)>,
    /// The roles in projects that each group has.
    in_projects: Grouped<ProjectRole>,
    /// The custom roles that each member and each group has.
    custom: Grouped<CustomRole>,
}

type GroupRow = (Uuid, String, Option<String>, DateTime<Utc>, String);
type MembershipRow = (Uuid, Uuid, DateTime<Utc>, String);
type ProjectRow = (Uuid, Uuid, String, DateTime<Utc>, String);
type CustomRow = (Uuid, String, Option<Uuid>, DateTime<Utc>, String);

impl Held {
    pub(super) async fn read(
        snapshot: &mut Snapshot,
        only: Option<OrganizationId>,
        temporal: Temporal,
    ) -> Result<Self, QueryError> {
        let groups = select(
            "select t.group_id, t.name, t.role, t.since, t.granted_by from read.groups t where true",
            &["t"],
            only,
            temporal,
        );
        let groups: Vec<GroupRow> = fetch(snapshot, groups, "").await?;
        let memberships = select(
            "select t.member_id, t.group_id, t.since, t.granted_by
             from read.group_members t where true",
            &["t"],
            only,
            temporal,
        );
        let memberships: Vec<MembershipRow> = fetch(snapshot, memberships, "").await?;
        let in_projects = select(
            "select t.group_id, t.project_id, t.role, t.since, t.granted_by
             from read.project_groups t where true",
            &["t"],
            only,
            temporal,
        );
        let in_projects: Vec<ProjectRow> = fetch(snapshot, in_projects, "").await?;
        let custom = select(
            "select t.grantee_id, r.name, t.project_id, t.since, t.granted_by
             from read.role_grants t join read.roles r on r.role_id = t.role_id where true",
            &["t", "r"],
            only,
            temporal,
        );
        let custom: Vec<CustomRow> = fetch(snapshot, custom, "").await?;
        Ok(Self::of(groups, memberships, in_projects, custom))
    }

    fn of(
        groups: Vec<GroupRow>,
        memberships: Vec<MembershipRow>,
        in_projects: Vec<ProjectRow>,
        custom: Vec<CustomRow>,
    ) -> Self {
        let grant = |since, granted_by| Grant { since, granted_by };
        let groups = groups.into_iter().map(|(id, name, role, since, granted_by)| {
            (id, Group { name, role, grant: grant(since, granted_by) })
        });
        let memberships =
            memberships.into_iter().map(|(member_id, group_id, since, granted_by)| {
                (member_id, (group_id, grant(since, granted_by)))
            });
        let in_projects =
            in_projects.into_iter().map(|(group_id, project_id, role, since, granted_by)| {
                (group_id, ProjectRole { project_id, role, grant: grant(since, granted_by) })
            });
        let custom = custom.into_iter().map(|(grantee, name, project_id, since, granted_by)| {
            (grantee, CustomRole { name, project_id, grant: grant(since, granted_by) })
        });
        Self {
            groups: groups.collect(),
            memberships: group(memberships),
            in_projects: group(in_projects),
            custom: group(custom),
        }
    }

    /// Adds what the person has, where there is room for so many roles; answers the room that is
    /// left. A group of many in many projects is many roles.
    pub(super) fn add_to(
        &self,
        person: &mut RegisterPerson,
        project_names: &Names,
        room: usize,
    ) -> Option<usize> {
        let member_id = person.member_id.0;
        let mut added = Added { person, project_names };
        for custom in self.custom.get(&member_id).into_iter().flatten() {
            added.custom(custom, None, &custom.grant);
        }
        for (group_id, membership) in self.memberships.get(&member_id).into_iter().flatten() {
            let Some(group) = self.groups.get(group_id) else { continue };
            added.person.groups.push(group.name.clone());
            if let Some(role) = &group.role {
                added.role(role, false, Some(group), membership.and(&group.grant));
            }
            for place in self.in_projects.get(group_id).into_iter().flatten() {
                let grant = membership.and(&place.grant);
                added.project(place.project_id, &place.role, false, Some(group), grant);
            }
            for custom in self.custom.get(group_id).into_iter().flatten() {
                added.custom(custom, Some(group), membership.and(&custom.grant));
            }
        }
        person.groups.sort_unstable_by_key(|name| name.to_lowercase());
        let by_name =
            |role: &RegisterRole| (role.custom, role.role.to_lowercase(), role.group.clone());
        person.further_roles.sort_by_cached_key(by_name);
        // Of one project one's own role comes first, then those through groups, then custom ones.
        person.projects.sort_by_cached_key(|place| {
            let name = place.name.to_lowercase();
            (name, place.project_id, place.custom, place.group.clone(), place.role.clone())
        });
        room.checked_sub(person.further_roles.len() + person.projects.len())
    }
}

/// A person to whom roles are added.
struct Added<'a> {
    person: &'a mut RegisterPerson,
    project_names: &'a Names,
}

impl Added<'_> {
    fn custom(&mut self, custom: &CustomRole, group: Option<&Group>, grant: &Grant) {
        match custom.project_id {
            Some(project_id) => self.project(project_id, &custom.name, true, group, grant),
            None => self.role(&custom.name, true, group, grant),
        }
    }

    fn role(&mut self, role: &str, custom: bool, group: Option<&Group>, grant: &Grant) {
        let Grant { since, granted_by } = grant.clone();
        let (role, group) = (role.to_owned(), group.map(|group| group.name.clone()));
        self.person.further_roles.push(RegisterRole { role, custom, group, since, granted_by });
    }

    fn project(
        &mut self,
        project_id: Uuid,
        role: &str,
        custom: bool,
        group: Option<&Group>,
        grant: &Grant,
    ) {
        let Some(name) = self.project_names.get(&project_id) else { return };
        let Grant { since, granted_by } = grant.clone();
        self.person.projects.push(RegisterProject {
            name: name.clone(),
            role: role.to_owned(),
            custom,
            group: group.map(|group| group.name.clone()),
            project_id: ProjectId(project_id),
            since,
            granted_by,
        });
    }
}
