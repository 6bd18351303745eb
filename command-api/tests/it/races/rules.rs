//! The rules, each asked of what stood just before a command, and of what stands after each event.

mod asker;
mod invariants;

use super::log::Entry;
use super::permissions::Tables;
use super::world::{Invite, Key, World, grantee, permissions_in};
use asker::{Asker, Broken, covered};

/// Reads a history from its beginning; what was there up to `given` is taken as it is, and each
/// command after it must have been right. Answers how many commands there were after it.
pub(super) fn check(entries: &[Entry], given: i64) -> Result<usize, String> {
    let tables = Tables::published();
    let mut world = World::default();
    let mut commands = 0;
    // That somebody was refused is on record, and changes nothing.
    let entries: Vec<_> = entries.iter().filter(|e| e.event_type != "refusal.recorded").collect();
    for command in entries.chunk_by(|a, b| a.request == b.request) {
        let before = world.clone();
        let checked = command[0].position > given;
        commands += usize::from(checked);
        for entry in command {
            if checked {
                let judge = Judge { before: &before, tables: &tables, command };
                judge.rules(entry).map_err(|why| report(&why, entry, &entries))?;
            }
            world.fold(entry);
            invariants::hold(&world, entry).map_err(|why| report(&why, entry, &entries))?;
        }
    }
    Ok(commands)
}

/// What was wrong, and what the organization had gone through just before.
fn report(why: &str, entry: &Entry, entries: &[&Entry]) -> String {
    let upto = entries.partition_point(|other| other.position <= entry.position);
    let own = entries[..upto].iter().filter(|other| other.organization == entry.organization);
    let mut last: Vec<_> = own.rev().take(12).map(|entry| format!("{entry:?}")).collect();
    last.reverse();
    format!("position {}: {why}\n{}", entry.position, last.join("\n"))
}

/// One command, and what stood before it.
struct Judge<'a> {
    before: &'a World,
    tables: &'a Tables,
    command: &'a [&'a Entry],
}

impl Judge<'_> {
    fn rules(&self, entry: &Entry) -> Broken {
        if entry.actor_kind == "invite" {
            return self.accepting(entry);
        }
        let asker = Asker::of(self.before, self.tables, entry)?;
        self.place_is_open(entry)?;
        match entry.event_type.split('.').next().unwrap_or_default() {
            "organization" => asker.may(match entry.event_type.as_str() {
                "organization.archived" => "organization.archive",
                _ => "organization.update",
            }),
            "invite" => self.invite(&asker, entry),
            "member" => self.member(&asker, entry),
            "role" => self.custom_role(&asker, entry),
            "group" | "group_member" => self.group(&asker, entry),
            "project" => self.project(&asker, entry),
            "project_member" | "project_group" => self.assignment(&asker, entry),
            "service_account" => {
                let project = self.project_of(entry).expect("an account has one");
                asker.may_in(&project, "service_accounts.update")
            }
            "api_key" => self.key(&asker, entry),
            "credits" => asker.may("credits.update"),
            // A name is claimed and given up with what it names.
            "name" if self.command.iter().any(|other| other.stream != entry.stream) => Ok(()),
            _ => Err("nobody asks for this".to_owned()),
        }
    }

    /// The holder of an invite's token becomes what the invite says, and nothing else.
    fn accepting(&self, entry: &Entry) -> Broken {
        let organization = &self.before.organizations[&entry.organization];
        let Some(invite) = organization.invites.get(&entry.actor_id) else {
            return Err("the invite is not open".to_owned());
        };
        if organization.archived {
            return Err("the organization is closed".to_owned());
        }
        let joined = self.command.iter().find(|other| other.event_type == "member.added");
        let member = joined.map(|joined| joined.text("member_id")).unwrap_or_default();
        let right = match entry.event_type.as_str() {
            "invite.accepted" => entry.text("invite_id") == entry.actor_id,
            "member.added" => {
                entry.text("role") == invite.role
                    && entry.text("email").to_lowercase() == invite.email
            }
            "project_member.assigned" => {
                let offered = invite.projects.as_array().into_iter().flatten().any(|grant| {
                    grant["project_id"] == entry.stream.as_str()
                        && grant["role"] == entry.payload["role"]
                });
                // Whoever sent it last could give it at this very moment.
                let could_give = invite.invited_by.as_deref().is_none_or(|inviter| {
                    let own = self.before.member_in(self.tables, inviter, &entry.stream);
                    covered(self.tables.of_project_role(entry.text("role")), &own).is_ok()
                });
                let is_theirs = entry.text("member_id") == member;
                offered && could_give && is_theirs && !self.is_closed(&entry.stream)
            }
            "api_key.created" => entry.payload["owner"]["member_id"] == member,
            _ => false,
        };
        right.then_some(()).ok_or_else(|| "the invite does not offer this".to_owned())
    }

    /// The project that an event is about, where it is about one.
    fn project_of(&self, entry: &Entry) -> Option<String> {
        match entry.event_type.split('.').next().unwrap_or_default() {
            "project" | "project_member" | "project_group" => Some(entry.stream.clone()),
            "api_key" => match self.before.keys.get(&entry.stream) {
                Some(key) => key.project.clone(),
                None => entry.given("project_id"),
            },
            "service_account" => match self.before.accounts.get(&entry.stream) {
                Some(account) => Some(account.project.clone()),
                None => entry.given("project_id"),
            },
            "role" => entry.given("project_id"),
            _ => None,
        }
    }

    fn is_closed(&self, project: &str) -> bool {
        self.before.projects.get(project).is_some_and(|project| project.archived)
    }

    /// In what is closed, things only end.
    fn place_is_open(&self, entry: &Entry) -> Broken {
        let Some(id) = self.project_of(entry).filter(|_| entry.event_type != "project.created")
        else {
            return Ok(());
        };
        if self.before.projects[&id].organization != entry.organization {
            return Err("the project is another organization's".to_owned());
        }
        let ends = ["removed", "revoked", "expired", "disabled", "withdrawn"];
        let happened = entry.event_type.rsplit('.').next().unwrap_or_default();
        if self.is_closed(&id) && !ends.contains(&happened) {
            return Err("the project is closed".to_owned());
        }
        Ok(())
    }

    fn open_invite(&self, entry: &Entry) -> &Invite {
        let organization = &self.before.organizations[&entry.organization];
        organization.invites.get(entry.text("invite_id")).expect("the fold has looked")
    }

    fn invite(&self, asker: &Asker, entry: &Entry) -> Broken {
        match entry.event_type.as_str() {
            "invite.sent" => {
                asker.may("members.invite")?;
                asker.gives_role(entry.text("role"))?;
                let projects = entry.payload["projects"].as_array().into_iter().flatten();
                projects.into_iter().try_for_each(|grant| {
                    let id = grant["project_id"].as_str().expect("an id");
                    if self.is_closed(id) {
                        return Err("the project is closed".to_owned());
                    }
                    let role = grant["role"].as_str().expect("a role");
                    covered(self.tables.of_project_role(role), &asker.inside(id))
                })
            }
            // It says of a token who can know it, beside what sent it.
            "invite.token_shared" => {
                let sends = ["invite.sent", "invite.resent"];
                let sent = self.command.iter().any(|other| {
                    sends.contains(&&*other.event_type)
                        && other.given("invite_id") == entry.given("invite_id")
                });
                sent.then_some(()).ok_or_else(|| "no invite was sent with it".to_owned())
            }
            "invite.resent" => {
                asker.may("members.invite")?;
                asker.gives_role(&self.open_invite(entry).role)
            }
            "invite.revoked" => {
                let invite = self.open_invite(entry);
                // What somebody has offered ends with their membership, whoever ends that.
                let inviter_goes = self.command.iter().any(|other| {
                    other.event_type == "member.removed"
                        && other.given("member_id") == invite.invited_by
                });
                if inviter_goes {
                    return Ok(());
                }
                asker.may("members.invite")?;
                asker.covers_role(&invite.role)
            }
            _ => Err("nobody asks for this".to_owned()),
        }
    }

    #[expect(clippy::unused_self, reason = "as its siblings are asked")]
    fn member(&self, asker: &Asker, entry: &Entry) -> Broken {
        let subject = entry.text("member_id");
        match entry.event_type.as_str() {
            "member.added" => {
                asker.may("members.update")?;
                asker.gives_role(entry.text("role"))
            }
            "member.removed" if asker.is(subject) && asker.is_unlimited() => Ok(()),
            "member.removed" => {
                asker.may("members.remove")?;
                asker.covers_member(subject)
            }
            "member.role_changed" => {
                asker.may("members.update")?;
                asker.covers_member(subject)?;
                asker.gives_role_to(entry.text("role"), &[subject])
            }
            _ => {
                asker.may("members.update")?;
                asker.covers_member(subject)
            }
        }
    }

    fn custom_role(&self, asker: &Asker, entry: &Entry) -> Broken {
        asker.may("roles.update")?;
        let organization = &self.before.organizations[&entry.organization];
        let present = organization.roles.get(entry.text("role_id"));
        let next = permissions_in(&entry.payload["permissions"]);
        let own = asker.everywhere();
        for permissions in present.map(|role| role.permissions.clone()).into_iter().chain(next) {
            covered(&permissions, &own)?;
        }
        if entry.event_type == "role.granted" {
            let to = grantee(entry);
            let is_there =
                organization.members.contains_key(&to) || organization.groups.contains_key(&to);
            return is_there.then_some(()).ok_or_else(|| "granted to nobody".to_owned());
        }
        Ok(())
    }

    fn group(&self, asker: &Asker, entry: &Entry) -> Broken {
        asker.may("groups.update")?;
        let organization = &self.before.organizations[&entry.organization];
        let id = entry.text("group_id");
        let present = organization.groups.get(id);
        if entry.event_type == "group.renamed" {
            return Ok(());
        }
        if let Some(group) = present {
            group.role.as_deref().map_or(Ok(()), |role| asker.covers_role(role))?;
            covered(&organization.granted_to_group(id), &asker.everywhere())?;
        }
        if entry.event_type.starts_with("group_member.") || entry.event_type == "group.removed" {
            // What it has in projects stands with the projects.
            covered(self.tables.of_project_role("owner"), &asker.everywhere())?;
        }
        let (role, to) = match entry.event_type.as_str() {
            "group_member.added" => {
                let role = present.and_then(|group| group.role.clone());
                (role, vec![entry.text("member_id")])
            }
            _ => {
                let members = present.into_iter().flat_map(|group| &group.members);
                (entry.given("role"), members.map(String::as_str).collect())
            }
        };
        match role.as_deref() {
            Some("owner") => Err("an owner is one by themselves alone".to_owned()),
            Some(role) => asker.gives_role_to(role, &to),
            None => Ok(()),
        }
    }

    #[expect(clippy::unused_self, reason = "as its siblings are asked")]
    fn project(&self, asker: &Asker, entry: &Entry) -> Broken {
        match entry.event_type.as_str() {
            "project.created" => asker.may("projects.create"),
            "project.archived" => asker.may_in(&entry.stream, "projects.archive"),
            _ => asker.may_in(&entry.stream, "projects.update"),
        }
    }

    fn assignment(&self, asker: &Asker, entry: &Entry) -> Broken {
        asker.may_in(&entry.stream, "project_members.update")?;
        let project = &self.before.projects[&entry.stream];
        let organization = &self.before.organizations[&entry.organization];
        let member = entry.given("member_id");
        let id = member.clone().unwrap_or_else(|| entry.text("group_id").to_owned());
        let own = asker.inside(&entry.stream);
        let present = project.assigned.get(&id).cloned();
        for role in present.into_iter().chain(entry.given("role")) {
            covered(self.tables.of_project_role(&role), &own)?;
        }
        let may_be = match member {
            Some(member) => organization.acts(&member),
            None => organization.groups.contains_key(&id),
        };
        if entry.event_type.ends_with(".removed") || may_be {
            return Ok(());
        }
        Err("assigned to nobody".to_owned())
    }

    fn key(&self, asker: &Asker, entry: &Entry) -> Broken {
        // It says of a secret who can know it, and changes nothing of what anybody may.
        if entry.event_type == "api_key.secret_shared" {
            return Ok(());
        }
        let is_new = entry.event_type == "api_key.created";
        let mut after = self.before.clone();
        if is_new {
            after.fold(entry);
        }
        let key: &Key = &after.keys[&entry.stream];
        if let (Some(own), Some(scopes)) = (asker.scopes(), &key.scopes) {
            covered(scopes, own)?;
        } else if asker.scopes().is_some() {
            return Err("it opens more than the key it was asked with".to_owned());
        }
        let own = key.of_member && asker.is(&key.owner);
        if own && !is_new && key.project.is_none() {
            let confined = asker.is_confined();
            return (!confined).then_some(()).ok_or_else(|| "a project's key".to_owned());
        }
        let permission = if own { "api_keys.own" } else { "api_keys.update" };
        match &key.project {
            Some(project) => asker.may_in(project, permission)?,
            None => asker.may(permission)?,
        }
        if own {
            return Ok(());
        }
        asker.outranks_owner_of(key)?;
        let shows_a_secret = is_new || entry.event_type == "api_key.rotated";
        if shows_a_secret { asker.may_all_that_opens(key) } else { Ok(()) }
    }
}
