//! What holds after every event, whoever caused it.

use std::collections::BTreeSet;

use super::super::log::Entry;
use super::super::world::{Organization, World};
use super::asker::Broken;

pub(super) fn hold(world: &World, entry: &Entry) -> Broken {
    let Some(organization) = world.organizations.get(&entry.organization) else { return Ok(()) };
    if organization.archived {
        return Ok(());
    }
    keeps_an_owner(organization)?;
    seats(organization, entry)?;
    no_orphaned_invite(organization)?;
    unique("login", organization.members.values().map(|member| member.login.clone()))?;
    unique("address", organization.members.values().filter_map(|member| member.email.clone()))?;
    unique("invited address", organization.invites.values().map(|invite| invite.email.clone()))?;
    unique("group", organization.groups.values().map(|group| group.name.clone()))?;
    unique("role", organization.roles.values().map(|role| role.name.clone()))?;
    let projects = world.projects.values();
    let open =
        projects.filter(|project| project.organization == entry.organization && !project.archived);
    unique("project", open.map(|project| project.name.to_lowercase()))?;
    let accounts = world.accounts.values();
    unique("account", accounts.map(|a| format!("{} {}", a.project, a.name.to_lowercase())))
}

fn keeps_an_owner(organization: &Organization) -> Broken {
    let mut members = organization.members.values();
    if organization.had_owner && !members.any(|member| member.role == "owner" && !member.suspended)
    {
        return Err("the last owner is gone".to_owned());
    }
    Ok(())
}

fn seats(organization: &Organization, entry: &Entry) -> Broken {
    let Some(limit) = organization.seat_limit else { return Ok(()) };
    // A limit that is lowered leaves open invites as they are.
    let takes_one = matches!(entry.event_type.as_str(), "invite.sent" | "member.added")
        && entry.actor_kind != "invite";
    let invited = if takes_one { organization.invites.len() } else { 0 };
    let taken = u64::try_from(organization.members.len() + invited).expect("few");
    if taken > limit { Err(format!("{taken} of {limit} seats are taken")) } else { Ok(()) }
}

fn no_orphaned_invite(organization: &Organization) -> Broken {
    let inviters = organization.invites.values().filter_map(|invite| invite.invited_by.as_ref());
    for inviter in inviters {
        if !organization.members.contains_key(inviter) {
            return Err("an invite has outlived who sent it".to_owned());
        }
    }
    Ok(())
}

fn unique(what: &str, names: impl Iterator<Item = String>) -> Broken {
    let mut seen = BTreeSet::new();
    for name in names {
        if let Some(twice) = seen.replace(name) {
            return Err(format!("the {what} {twice} is there twice"));
        }
    }
    Ok(())
}
