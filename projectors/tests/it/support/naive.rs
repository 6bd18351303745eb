//! The register as somebody would compute it who had all the time in the world: for every question
//! the whole history, one event after the other.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use event_schemas::{ApiKeyEvent, KeyOwner, OrganizationEvent, ProjectEvent, ServiceAccountEvent};
use uuid::Uuid;

use super::history::{Event, Happening};

type Key = (&'static str, Uuid, Uuid);

/// A position, a time, and what was true from then on.
type Saying = (i64, DateTime<Utc>, Option<String>);

/// Three of the register's tables, as text: who, in what role or state, since when, by whom.
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
        .filter_map(|((table, a, b), said)| Some(format!("{table} {a} {b} {}", value(said)?)))
        .collect()
}

impl State {
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
                    let key = ("member", member_id.0, nil);
                    self.of.insert(key, BTreeSet::from([organization, member_id.0]));
                    self.say(position, *at, key, Some(row(role.as_str())));
                }
                OrganizationEvent::MemberRoleChanged { member_id, role, .. } => {
                    let role = role.as_str().to_owned();
                    self.change(position, *at, ("member", member_id.0, nil), |now| {
                        *now = Row { text: role, since: *at, by, ..now.clone() };
                    });
                }
                OrganizationEvent::MemberSuspended { member_id, .. } => {
                    let key = ("member", member_id.0, nil);
                    self.change(position, *at, key, |now| now.suspended = true);
                }
                OrganizationEvent::MemberReinstated { member_id } => {
                    let key = ("member", member_id.0, nil);
                    self.change(position, *at, key, |now| now.suspended = false);
                }
                OrganizationEvent::MemberRemoved { member_id, .. } => {
                    self.end_all(position, *at, member_id.0, true);
                }
                // A new name changes the row, but nothing of what is compared here.
                OrganizationEvent::MemberRenamed { member_id, .. } => {
                    self.change(position, *at, ("member", member_id.0, nil), |_| {});
                }
                _ => {}
            },
            Event::Project(project, event) => match event {
                ProjectEvent::Archived {} => self.end_all(position, *at, *project, false),
                ProjectEvent::MemberAssigned { member_id, role } => {
                    let key = ("project_member", *project, member_id.0);
                    self.of.insert(key, BTreeSet::from([organization, *project, member_id.0]));
                    self.say(position, *at, key, Some(row(role.as_str())));
                }
                ProjectEvent::MemberRoleChanged { member_id, role, .. } => {
                    let changed = row(role.as_str());
                    let key = ("project_member", *project, member_id.0);
                    self.change(position, *at, key, |now| *now = changed);
                }
                ProjectEvent::MemberRemoved { member_id } => {
                    self.say(position, *at, ("project_member", *project, member_id.0), None);
                }
                _ => {}
            },
            Event::ServiceAccount(account, ServiceAccountEvent::Removed {}) => {
                self.end_all(position, *at, *account, false);
            }
            Event::ApiKey(id, event) => {
                let key = ("api_key", *id, nil);
                match event {
                    ApiKeyEvent::Created { project_id, owner, .. } => {
                        let owner = match owner {
                            KeyOwner::Member { member_id } => member_id.0,
                            KeyOwner::ServiceAccount { service_account_id } => service_account_id.0,
                        };
                        let of = BTreeSet::from([organization, project_id.0, owner]);
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
            Event::ServiceAccount(..) | Event::Credits(..) => {}
        }
    }

    fn say(&mut self, position: i64, at: DateTime<Utc>, key: Key, row: Option<Row>) {
        let text = row.as_ref().map(|row| {
            // A key's row says when it was created, but not since when it has its state.
            let since = if key.0 == "api_key" { String::new() } else { row.since.to_rfc3339() };
            format!("{} {} {since} {}", row.text, row.suspended, row.by)
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
