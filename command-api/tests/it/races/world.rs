//! What stands after each position: a plain fold, kept apart from the deciders' own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::log::Entry;
use super::permissions::{Permissions, Tables, of_service_accounts, rank};

/// Everything that has happened.
#[derive(Clone, Default)]
pub(super) struct World {
    pub(super) organizations: BTreeMap<String, Organization>,
    pub(super) projects: BTreeMap<String, Project>,
    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) keys: BTreeMap<String, Key>,
}

#[derive(Clone, Default)]
pub(super) struct Organization {
    pub(super) seat_limit: Option<u64>,
    pub(super) archived: bool,
    pub(super) had_owner: bool,
    pub(super) members: BTreeMap<String, Member>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) roles: BTreeMap<String, CustomRole>,
    pub(super) grants: BTreeSet<Grant>,
    pub(super) invites: BTreeMap<String, Invite>,
}

#[derive(Clone)]
pub(super) struct Member {
    pub(super) login: String,
    pub(super) email: Option<String>,
    pub(super) role: String,
    pub(super) suspended: bool,
}

#[derive(Clone)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) role: Option<String>,
    pub(super) members: BTreeSet<String>,
}

#[derive(Clone)]
pub(super) struct CustomRole {
    pub(super) name: String,
    pub(super) permissions: Permissions,
}

/// A custom role that a member or group has, everywhere or in a project.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Grant {
    pub(super) role: String,
    pub(super) grantee: String,
    pub(super) project: Option<String>,
}

/// An open invite.
#[derive(Clone)]
pub(super) struct Invite {
    pub(super) role: String,
    pub(super) email: String,
    pub(super) invited_by: Option<String>,
    pub(super) projects: Value,
}

#[derive(Clone)]
pub(super) struct Project {
    pub(super) organization: String,
    pub(super) name: String,
    pub(super) archived: bool,
    /// Members and groups, with their role.
    pub(super) assigned: BTreeMap<String, String>,
}

#[derive(Clone)]
pub(super) struct Account {
    pub(super) project: String,
    pub(super) name: String,
    pub(super) works: bool,
}

#[derive(Clone)]
pub(super) struct Key {
    pub(super) organization: String,
    pub(super) project: Option<String>,
    pub(super) owner: String,
    pub(super) of_member: bool,
    pub(super) scopes: Option<Permissions>,
    pub(super) ended: bool,
}

pub(super) fn permissions_in(value: &Value) -> Option<Permissions> {
    let words = value.as_array()?.iter();
    Some(words.map(|word| word.as_str().expect("a word").to_owned()).collect())
}

/// Who has the role that an event grants or withdraws.
pub(super) fn grantee(entry: &Entry) -> String {
    let grantee = &entry.payload["grantee"];
    let id = grantee["member_id"].as_str().or_else(|| grantee["group_id"].as_str());
    id.expect("a member or a group").to_owned()
}

/// What members may do.
impl Organization {
    /// The groups that a member is in, and themselves.
    fn selves(&self, member: &str) -> BTreeSet<String> {
        let groups = self.groups.iter().filter(|(_, group)| group.members.contains(member));
        groups.map(|(id, _)| id.clone()).chain([member.to_owned()]).collect()
    }

    fn built_in_roles(&self, member: &str) -> Vec<String> {
        let groups = self.groups.values().filter(|group| group.members.contains(member));
        let inherited = groups.filter_map(|group| group.role.clone());
        let own = self.members.get(member).map(|member| member.role.clone());
        own.into_iter().chain(inherited).collect()
    }

    pub(super) fn rank_of(&self, member: &str) -> u8 {
        self.built_in_roles(member).iter().map(|role| rank(role)).max().unwrap_or(0)
    }

    pub(super) fn acts(&self, member: &str) -> bool {
        !self.archived && self.members.get(member).is_some_and(|member| !member.suspended)
    }

    pub(super) fn everywhere(&self, tables: &Tables, member: &str) -> Permissions {
        let mut all = self.granted(member, None);
        for role in self.built_in_roles(member) {
            all.extend(tables.of_organization_role(&role).iter().cloned());
        }
        all
    }

    /// What custom roles allow a member everywhere, or within a project.
    fn granted(&self, member: &str, project: Option<&str>) -> Permissions {
        let selves = self.selves(member);
        let grants = self
            .grants
            .iter()
            .filter(|grant| grant.project.as_deref() == project && selves.contains(&grant.grantee));
        let roles = grants.filter_map(|grant| self.roles.get(&grant.role));
        roles.flat_map(|role| role.permissions.iter().cloned()).collect()
    }

    /// What a group's members have by custom roles of the group's.
    pub(super) fn granted_to_group(&self, group: &str) -> Permissions {
        let grants = self.grants.iter().filter(|grant| grant.grantee == group);
        let roles = grants.filter_map(|grant| self.roles.get(&grant.role));
        roles.flat_map(|role| role.permissions.iter().cloned()).collect()
    }
}

impl World {
    /// What a member may do in a project.
    pub(super) fn member_in(&self, tables: &Tables, member: &str, project: &str) -> Permissions {
        let place = &self.projects[project];
        let organization = &self.organizations[&place.organization];
        let mut all = organization.everywhere(tables, member);
        let of_projects = tables.of_projects();
        all.extend(
            organization
                .granted(member, Some(project))
                .into_iter()
                .filter(|permission| of_projects.contains(permission)),
        );
        for one in organization.selves(member) {
            if let Some(role) = place.assigned.get(&one) {
                all.extend(tables.of_project_role(role).iter().cloned());
            }
        }
        all
    }

    /// What whoever holds a key may do, by the key's owner alone.
    pub(super) fn owner_in(&self, tables: &Tables, key: &Key, project: &str) -> Permissions {
        if key.of_member {
            self.member_in(tables, &key.owner, project)
        } else {
            of_service_accounts()
        }
    }

    /// Takes one event in.
    pub(super) fn fold(&mut self, entry: &Entry) {
        let stream = entry.stream.clone();
        let kind = entry.event_type.split('.').next().unwrap_or_default();
        match kind {
            "project" | "project_member" | "project_group" => self.fold_project(entry),
            "service_account" => match entry.event_type.as_str() {
                "service_account.created" => {
                    let (project, name) = (entry.text("project_id"), entry.text("name"));
                    let (project, name) = (project.to_owned(), name.to_owned());
                    self.accounts.insert(stream, Account { project, name, works: true });
                }
                "service_account.removed" => {
                    self.accounts.remove(&stream);
                }
                _ => self.accounts.get_mut(&stream).expect("made before").works = false,
            },
            "api_key" => self.fold_key(entry),
            "name" | "credits" | "refusal" => {}
            _ => {
                let organization = self.organizations.entry(entry.organization.clone());
                organization.or_default().fold(entry);
            }
        }
    }

    fn fold_project(&mut self, entry: &Entry) {
        if entry.event_type == "project.created" {
            let made = Project {
                organization: entry.organization.clone(),
                name: entry.text("name").to_owned(),
                archived: false,
                assigned: BTreeMap::new(),
            };
            self.projects.insert(entry.stream.clone(), made);
            return;
        }
        let project = self.projects.get_mut(&entry.stream).expect("made before");
        let assigned = entry.given("member_id").or_else(|| entry.given("group_id"));
        match (entry.event_type.rsplit('.').next(), assigned) {
            (Some("archived"), _) => project.archived = true,
            (Some("updated"), _) => {
                project.name = entry.given("name").unwrap_or(project.name.clone());
            }
            (Some("removed"), Some(id)) => {
                project.assigned.remove(&id);
            }
            (_, Some(id)) => {
                project.assigned.insert(id, entry.text("role").to_owned());
            }
            (_, None) => panic!("unknown: {entry:?}"),
        }
    }

    fn fold_key(&mut self, entry: &Entry) {
        match entry.event_type.as_str() {
            "api_key.created" => {
                let owner = &entry.payload["owner"];
                let of_member = owner["kind"] == "member";
                let id = if of_member { "member_id" } else { "service_account_id" };
                let key = Key {
                    organization: entry.organization.clone(),
                    project: entry.given("project_id"),
                    owner: owner[id].as_str().expect("an owner").to_owned(),
                    of_member,
                    scopes: permissions_in(&entry.payload["scopes"]),
                    ended: false,
                };
                self.keys.insert(entry.stream.clone(), key);
            }
            "api_key.revoked" | "api_key.expired" => {
                self.keys.get_mut(&entry.stream).expect("made before").ended = true;
            }
            _ => {}
        }
    }
}

impl Organization {
    fn fold(&mut self, entry: &Entry) {
        match entry.event_type.split('.').next().unwrap_or_default() {
            "organization" => match entry.event_type.as_str() {
                "organization.archived" => self.archived = true,
                _ => {
                    self.seat_limit = entry.payload["seat_limit"].as_u64().or(self.seat_limit);
                }
            },
            "invite" => self.fold_invite(entry),
            "member" => self.fold_member(entry),
            "role" => self.fold_role(entry),
            "group" | "group_member" => self.fold_group(entry),
            "break_glass" => {}
            _ => panic!("unknown: {entry:?}"),
        }
    }

    fn fold_invite(&mut self, entry: &Entry) {
        let id = entry.text("invite_id");
        match entry.event_type.as_str() {
            "invite.sent" => {
                let invite = Invite {
                    role: entry.text("role").to_owned(),
                    email: entry.text("email").to_lowercase(),
                    invited_by: entry.given("invited_by"),
                    projects: entry.payload["projects"].clone(),
                };
                self.invites.insert(id.to_owned(), invite);
            }
            "invite.resent" => {
                let invite = self.invites.get_mut(id);
                let invite = invite.unwrap_or_else(|| panic!("not open: {entry:?}"));
                invite.invited_by = entry.given("resent_by").or(invite.invited_by.take());
            }
            "invite.token_shared" => {
                assert!(self.invites.contains_key(id), "not open: {entry:?}");
            }
            _ => assert!(self.invites.remove(id).is_some(), "not open: {entry:?}"),
        }
    }

    fn fold_member(&mut self, entry: &Entry) {
        let id = entry.text("member_id").to_owned();
        if entry.event_type == "member.added" {
            let member = Member {
                login: entry.text("login").to_lowercase(),
                email: entry.given("email").map(|email| email.to_lowercase()),
                role: entry.text("role").to_owned(),
                suspended: false,
            };
            self.had_owner |= member.role == "owner";
            assert!(self.members.insert(id, member).is_none(), "twice: {entry:?}");
            return;
        }
        let member = self.members.get_mut(&id);
        let member = member.unwrap_or_else(|| panic!("no member any more: {entry:?}"));
        match entry.event_type.as_str() {
            "member.renamed" => member.login = entry.text("login").to_lowercase(),
            "member.role_changed" => {
                entry.text("role").clone_into(&mut member.role);
                self.had_owner |= member.role == "owner";
            }
            "member.suspended" => member.suspended = true,
            "member.reinstated" => member.suspended = false,
            "member.removed" => {
                self.members.remove(&id);
                self.groups.values_mut().for_each(|group| _ = group.members.remove(&id));
                self.grants.retain(|grant| grant.grantee != id);
            }
            _ => panic!("unknown: {entry:?}"),
        }
    }

    fn fold_role(&mut self, entry: &Entry) {
        let id = entry.text("role_id").to_owned();
        let grant = |entry| Grant {
            role: id.clone(),
            grantee: grantee(entry),
            project: entry.given("project_id"),
        };
        match entry.event_type.as_str() {
            "role.defined" => {
                let permissions = permissions_in(&entry.payload["permissions"]).expect("a list");
                let name = entry.text("name").to_lowercase();
                self.roles.insert(id, CustomRole { name, permissions });
            }
            "role.updated" => {
                let role = self.roles.get_mut(&id).expect("defined before");
                if let Some(name) = entry.given("name") {
                    role.name = name.to_lowercase();
                }
                if let Some(permissions) = permissions_in(&entry.payload["permissions"]) {
                    role.permissions = permissions;
                }
            }
            "role.removed" => {
                self.roles.remove(&id).expect("defined before");
                self.grants.retain(|grant| grant.role != id);
            }
            "role.granted" => _ = self.grants.insert(grant(entry)),
            _ => _ = self.grants.remove(&grant(entry)),
        }
    }

    fn fold_group(&mut self, entry: &Entry) {
        let id = entry.text("group_id").to_owned();
        if entry.event_type == "group.created" {
            let name = entry.text("name").to_lowercase();
            let group = Group { name, role: entry.given("role"), members: BTreeSet::new() };
            self.groups.insert(id, group);
            return;
        }
        let group = self.groups.get_mut(&id);
        let group = group.unwrap_or_else(|| panic!("no group any more: {entry:?}"));
        let member = entry.text("member_id");
        match entry.event_type.as_str() {
            "group.renamed" => group.name = entry.text("name").to_lowercase(),
            "group.role_changed" => group.role = entry.given("role"),
            "group.removed" => {
                self.groups.remove(&id);
                self.grants.retain(|grant| grant.grantee != id);
            }
            "group_member.added" => {
                assert!(self.members.contains_key(member), "no member any more: {entry:?}");
                group.members.insert(member.to_owned());
            }
            _ => _ = group.members.remove(member),
        }
    }
}
