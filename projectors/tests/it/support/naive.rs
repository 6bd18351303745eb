//! The register as somebody would compute it who had all the time in the world: for every question
//! the whole history, one event after the other.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use event_schemas::{
    ApiKeyEvent, Grantee, KeyOwner, OrganizationEvent, OrganizationRole, PermissionSet,
    ProjectEvent, ServiceAccountEvent,
};
use uuid::Uuid;

use super::history::{Event, Happening};

/// A table, and whose row it is, as far as its key goes.
type Key = (&'static str, Uuid, Uuid, Uuid);

/// A position, a time, and what was true from then on.
type Saying = (i64, DateTime<Utc>, Option<String>);

/// Those of the register's tables that say who may do what, as text: who, in what role or state, since when, by whom.
#[derive(Default)]
struct State {
    /// What is true of each, in the order of the log.
    now: BTreeMap<Key, Row>,
    said: BTreeMap<Key, Vec<Saying>>,
    /// What each belongs to.
    of: BTreeMap<Key, BTreeSet<Uuid>>,
}

#[derive(Clone)]
struct Row {
    text: String,
    suspended: bool,
    since: DateTime<Utc>,
    by: String,
}

/// The rows that the register should have as of a time, as known at a position.
pub(crate) fn as_of(
    happenings: &[Happening],
    time: DateTime<Utc>,
    position: i64,
) -> BTreeSet<String> {
    let mut state = State::default();
    for (position, happening) in (1..=position).zip(happenings) {
        state.apply(position, happening);
    }
    let value = |said: &Vec<Saying>| {
        said.iter().rfind(|(_, from, _)| *from <= time).and_then(|(_, _, text)| text.clone())
    };
    state
        .said
        .iter()
        .filter_map(|((table, a, b, c), said)| {
            Some(format!("{table} {a} {b} {c} {}", value(said)?))
        })
        .collect()
}

impl State {
    #[expect(clippy::too_many_lines, reason = "an arm for each event")]
    fn apply(&mut self, position: i64, happening: &Happening) {
        let Happening { organization_id, actor, occurred_at: at, event } = happening;
        let nil = Uuid::nil();
        let by = actor.to_string();
        let organization = organization_id.0;
        let row = |text: &str| Row {
            text: text.to_owned(),
            suspended: false,
            since: *at,
            by: by.clone(),
        };
        match event {
            Event::Organization(event) => match event {
                OrganizationEvent::Archived {} => self.end_all(position, *at, organization, true),
                OrganizationEvent::MemberAdded { member_id, role, .. } => {
                    let key = ("member", member_id.0, nil, nil);
                    self.of.insert(key, BTreeSet::from([organization, member_id.0]));
                    self.say(position, *at, key, Some(row(role.as_str())));
                }
                OrganizationEvent::MemberRoleChanged { member_id, role, .. } => {
                    let role = role.as_str().to_owned();
                    self.change(position, *at, ("member", member_id.0, nil, nil), |now| {
                        *now = Row { text: role, since: *at, by, ..now.clone() };
                    });
                }
                OrganizationEvent::MemberSuspended { member_id, .. } => {
                    let key = ("member", member_id.0, nil, nil);
                    self.change(position, *at, key, |now| now.suspended = true);
                }
                OrganizationEvent::MemberReinstated { member_id } => {
                    let key = ("member", member_id.0, nil, nil);
                    self.change(position, *at, key, |now| now.suspended = false);
                }
                OrganizationEvent::MemberRemoved { member_id, .. } => {
                    self.end_all(position, *at, member_id.0, true);
                }
                // A new name changes the row, but nothing of what is compared here.
                OrganizationEvent::MemberRenamed { member_id, .. } => {
                    self.change(position, *at, ("member", member_id.0, nil, nil), |_| {});
                }
                OrganizationEvent::Created { .. } => {
                    let key = ("organization", organization, nil, nil);
                    self.of.insert(key, BTreeSet::from([organization]));
                    self.say(position, *at, key, Some(row("null 0")));
                }
                OrganizationEvent::SettingsChanged { settings } => {
                    let admins = settings.admins_max.map_or("null".to_owned(), |n| n.to_string());
                    self.change(position, *at, ("organization", organization, nil, nil), |now| {
                        let (_, approvals) = now.text.split_once(' ').unwrap();
                        now.text = format!("{admins} {approvals}");
                    });
                }
                OrganizationEvent::SecurityChanged { security } => {
                    let approvals = security.approvals.len();
                    self.change(position, *at, ("organization", organization, nil, nil), |now| {
                        let (admins, _) = now.text.split_once(' ').unwrap();
                        now.text = format!("{admins} {approvals}");
                    });
                }
                OrganizationEvent::Updated { .. } => {
                    self.change(position, *at, ("organization", organization, nil, nil), |_| {});
                }
                other => self.group_or_role(position, happening, other),
            },
            Event::Project(project, event) => match event {
                ProjectEvent::GroupAssigned { group_id, role } => {
                    let key = ("project_group", *project, group_id.0, nil);
                    self.of.insert(key, BTreeSet::from([organization, *project, group_id.0]));
                    self.say(position, *at, key, Some(row(role.as_str())));
                }
                ProjectEvent::GroupRoleChanged { group_id, role, .. } => {
                    let changed = row(role.as_str());
                    let key = ("project_group", *project, group_id.0, nil);
                    self.change(position, *at, key, |now| *now = changed);
                }
                ProjectEvent::GroupRemoved { group_id } => {
                    self.say(position, *at, ("project_group", *project, group_id.0, nil), None);
                }
                ProjectEvent::Archived {} => self.end_all(position, *at, *project, false),
                ProjectEvent::MemberAssigned { member_id, role } => {
                    let key = ("project_member", *project, member_id.0, nil);
                    self.of.insert(key, BTreeSet::from([organization, *project, member_id.0]));
                    self.say(position, *at, key, Some(row(role.as_str())));
                }
                ProjectEvent::MemberRoleChanged { member_id, role, .. } => {
                    let changed = row(role.as_str());
                    let key = ("project_member", *project, member_id.0, nil);
                    self.change(position, *at, key, |now| *now = changed);
                }
                ProjectEvent::MemberRemoved { member_id } => {
                    self.say(position, *at, ("project_member", *project, member_id.0, nil), None);
                }
                _ => {}
            },
            Event::ServiceAccount(account, ServiceAccountEvent::Removed {}) => {
                self.end_all(position, *at, *account, false);
            }
            Event::ApiKey(id, event) => {
                let key = ("api_key", *id, nil, nil);
                match event {
                    ApiKeyEvent::Created { project_id, owner, .. } => {
                        let owner = match owner {
                            KeyOwner::Member { member_id } => member_id.0,
                            KeyOwner::ServiceAccount { service_account_id } => service_account_id.0,
                        };
                        let project = project_id.map(|id| id.0);
                        let of = [organization, owner].into_iter().chain(project).collect();
                        self.of.insert(key, of);
                        self.say(position, *at, key, Some(row("active")));
                    }
                    ApiKeyEvent::Revoked { .. } => {
                        self.change(position, *at, key, |now| "revoked".clone_into(&mut now.text));
                    }
                    ApiKeyEvent::Expired {} => {
                        self.change(position, *at, key, |now| "expired".clone_into(&mut now.text));
                    }
                    _ => self.change(position, *at, key, |_| {}),
                }
            }
            Event::ServiceAccount(..)
            | Event::Credits(..)
            | Event::Budget(..)
            | Event::Approval(..)
            | Event::Webhook(..)
            | Event::AccessReview(..)
            | Event::Refusal(..)
            | Event::Prices(..) => {}
        }
    }

    fn group_or_role(&mut self, position: i64, happening: &Happening, event: &OrganizationEvent) {
        let nil = Uuid::nil();
        let (at, by) = (happening.occurred_at, happening.actor.to_string());
        let organization = happening.organization_id.0;
        let row = |text: String| Row { text, suspended: false, since: at, by: by.clone() };
        match event {
            OrganizationEvent::RoleDefined { role_id, permissions, .. } => {
                let key = ("role", role_id.0, nil, nil);
                self.of.insert(key, BTreeSet::from([organization]));
                self.say(position, at, key, Some(row(words(*permissions))));
            }
            OrganizationEvent::RoleUpdated { role_id, permissions, .. } => {
                self.change(position, at, ("role", role_id.0, nil, nil), |now| {
                    now.text = permissions.map_or_else(|| now.text.clone(), words);
                });
            }
            OrganizationEvent::RoleRemoved { role_id } => {
                self.say(position, at, ("role", role_id.0, nil, nil), None);
                self.end_all(position, at, role_id.0, true);
            }
            OrganizationEvent::RoleGranted { role_id, grantee, project_id } => {
                let (kind, grantee) = of_grantee(*grantee);
                let project = project_id.map_or(nil, |id| id.0);
                let key = ("role_grant", role_id.0, grantee, project);
                let of = [organization, role_id.0, grantee].into_iter();
                self.of.insert(key, of.chain(project_id.map(|id| id.0)).collect());
                self.say(position, at, key, Some(row(kind.to_owned())));
            }
            OrganizationEvent::RoleWithdrawn { role_id, grantee, project_id } => {
                let (_, grantee) = of_grantee(*grantee);
                let project = project_id.map_or(nil, |id| id.0);
                self.say(position, at, ("role_grant", role_id.0, grantee, project), None);
            }
            OrganizationEvent::GroupCreated { group_id, role, .. } => {
                let key = ("group", group_id.0, nil, nil);
                self.of.insert(key, BTreeSet::from([organization, group_id.0]));
                self.say(position, at, key, Some(row(inherited(*role))));
            }
            OrganizationEvent::GroupRoleChanged { group_id, role, .. } => {
                let changed = row(inherited(*role));
                self.change(position, at, ("group", group_id.0, nil, nil), |now| *now = changed);
            }
            OrganizationEvent::GroupRenamed { group_id, .. } => {
                self.change(position, at, ("group", group_id.0, nil, nil), |_| {});
            }
            OrganizationEvent::GroupRemoved { group_id } => {
                self.end_all(position, at, group_id.0, true);
            }
            OrganizationEvent::GroupMemberAdded { group_id, member_id } => {
                let key = ("group_member", group_id.0, member_id.0, nil);
                self.of.insert(key, BTreeSet::from([organization, group_id.0, member_id.0]));
                self.say(position, at, key, Some(row(String::new())));
            }
            OrganizationEvent::GroupMemberRemoved { group_id, member_id } => {
                self.say(position, at, ("group_member", group_id.0, member_id.0, nil), None);
            }
            // Invites are not compared; the rest was looked at before.
            _ => {}
        }
    }

    fn say(&mut self, position: i64, at: DateTime<Utc>, key: Key, row: Option<Row>) {
        let text = row.as_ref().map(|row| {
            // Rows of these tables do not say since when they have what is compared.
            let untimed = ["api_key", "organization", "role"].contains(&key.0);
            let since = if untimed { String::new() } else { row.since.to_rfc3339() };
            let nobodys = ["organization", "role"].contains(&key.0);
            let by = if nobodys { "" } else { &row.by };
            format!("{} {} {since} {by}", row.text, row.suspended)
        });
        self.said.entry(key).or_default().push((position, at, text));
        match row {
            Some(row) => drop(self.now.insert(key, row)),
            None => drop(self.now.remove(&key)),
        }
    }

    fn change(
        &mut self,
        position: i64,
        at: DateTime<Utc>,
        key: Key,
        change: impl FnOnce(&mut Row),
    ) {
        if let Some(mut row) = self.now.get(&key).cloned() {
            change(&mut row);
            self.say(position, at, key, Some(row));
        }
    }

    fn end_all(&mut self, position: i64, at: DateTime<Utc>, parent: Uuid, members_too: bool) {
        let keys: Vec<Key> =
            self.of.iter().filter(|(_, of)| of.contains(&parent)).map(|(key, _)| *key).collect();
        for key in keys {
            if members_too || key.0 != "member" {
                self.say(position, at, key, None);
            }
        }
    }
}

fn words(permissions: PermissionSet) -> String {
    permissions.iter().map(event_schemas::Permission::as_str).collect::<Vec<_>>().join(",")
}

fn inherited(role: Option<OrganizationRole>) -> String {
    role.map_or("none", OrganizationRole::as_str).to_owned()
}

fn of_grantee(grantee: Grantee) -> (&'static str, Uuid) {
    match grantee {
        Grantee::Member { member_id } => ("member", member_id.0),
        Grantee::Group { group_id } => ("group", group_id.0),
    }
}
