//! Groups: members who inherit what the group may do.

use std::collections::BTreeSet;

use event_schemas::{
    GroupId, MemberId, OrganizationEvent, OrganizationRole, Permission, PermissionSet,
};
use serde::{Deserialize, Serialize};

use super::authority::Reach;
use super::custom_roles::RoleGrant;
use super::roster::Roster;
use super::{Authority, Decision, OrganizationError, OrganizationError as Refused};
use crate::text::{self, fold};

/// The most groups of an organization.
const GROUPS_MAX: usize = 1_000;

/// A group of members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) name: String,
    /// The role that its members inherit.
    pub(super) role: Option<OrganizationRole>,
    pub(super) members: BTreeSet<MemberId>,
    pub(super) custom_roles: BTreeSet<RoleGrant>,
}

/// What can be asked of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupCommand {
    /// Make one, without members.
    Create {
        /// Its id.
        group_id: GroupId,
        /// Its name.
        name: String,
        /// The role that its members inherit.
        role: Option<OrganizationRole>,
    },
    /// Give it another name.
    Rename {
        /// The group.
        group_id: GroupId,
        /// The new name.
        name: String,
    },
    /// Change the role that its members inherit.
    ChangeRole {
        /// The group.
        group_id: GroupId,
        /// The role from now on.
        role: Option<OrganizationRole>,
    },
    /// Remove it: nobody inherits anything from it any more.
    Remove {
        /// The group.
        group_id: GroupId,
    },
    /// Put a member into it.
    AddMember {
        /// The group.
        group_id: GroupId,
        /// The member.
        member_id: MemberId,
    },
    /// Take a member out of it.
    RemoveMember {
        /// The group.
        group_id: GroupId,
        /// The member.
        member_id: MemberId,
    },
}

impl Roster {
    pub(super) fn decide_group(&self, by: Authority, command: GroupCommand) -> Decision {
        let reach = self.reach(by, Permission::GroupsUpdate)?;
        match command {
            GroupCommand::Create { group_id, name, role } => {
                self.create_group(reach, group_id, &name, role)
            }
            GroupCommand::Rename { group_id, name } => self.rename_group(group_id, &name),
            GroupCommand::ChangeRole { group_id, role } => {
                self.change_group_role(reach, group_id, role)
            }
            GroupCommand::Remove { group_id } => {
                self.group_in_reach(reach, group_id)?;
                Ok(vec![OrganizationEvent::GroupRemoved { group_id }])
            }
            GroupCommand::AddMember { group_id, member_id } => {
                let group = self.group_in_reach(reach, group_id)?;
                if let Some(role) = group.role {
                    reach.grants_role(role)?;
                }
                self.present(member_id).ok_or(Refused::MemberNotFound(member_id))?;
                if group.members.contains(&member_id) {
                    return Ok(vec![]);
                }
                Ok(vec![OrganizationEvent::GroupMemberAdded { group_id, member_id }])
            }
            GroupCommand::RemoveMember { group_id, member_id } => {
                let group = self.group_in_reach(reach, group_id)?;
                if !group.members.contains(&member_id) {
                    return Ok(vec![]);
                }
                Ok(vec![OrganizationEvent::GroupMemberRemoved { group_id, member_id }])
            }
        }
    }

    fn create_group(
        &self,
        reach: Reach,
        group_id: GroupId,
        name: &str,
        role: Option<OrganizationRole>,
    ) -> Decision {
        let name = text::name(name)?;
        may_be_inherited(reach, role)?;
        if self.groups.contains_key(&group_id) || self.former_groups.contains(&group_id) {
            return Err(Refused::GroupIdTaken(group_id));
        }
        if self.group_names.contains_key(&fold(&name)) {
            return Err(Refused::GroupNameTaken(name));
        }
        if self.groups.len() >= GROUPS_MAX {
            return Err(Refused::TooManyGroups { max: GROUPS_MAX });
        }
        Ok(vec![OrganizationEvent::GroupCreated { group_id, name, role }])
    }

    fn rename_group(&self, group_id: GroupId, name: &str) -> Decision {
        let group = self.group(group_id)?;
        let name = text::name(name)?;
        if self.group_names.get(&fold(&name)).is_some_and(|holder| *holder != group_id) {
            return Err(Refused::GroupNameTaken(name));
        }
        if name == group.name {
            return Ok(vec![]);
        }
        Ok(vec![OrganizationEvent::GroupRenamed { group_id, name }])
    }

    fn change_group_role(
        &self,
        reach: Reach,
        group_id: GroupId,
        role: Option<OrganizationRole>,
    ) -> Decision {
        let group = self.group_in_reach(reach, group_id)?;
        may_be_inherited(reach, role)?;
        let previous_role = group.role;
        if role == previous_role {
            return Ok(vec![]);
        }
        Ok(vec![OrganizationEvent::GroupRoleChanged { group_id, role, previous_role }])
    }

    pub(super) fn group(&self, group_id: GroupId) -> Result<&Group, OrganizationError> {
        self.groups.get(&group_id).ok_or(Refused::GroupNotFound(group_id))
    }

    /// Nobody fills, empties or removes a group that may do more than they may.
    fn group_in_reach(&self, reach: Reach, group_id: GroupId) -> Result<&Group, OrganizationError> {
        let group = self.group(group_id)?;
        group.role.map_or(Ok(()), |role| reach.covers_role(role))?;
        let custom = group.custom_roles.iter().filter_map(|g| self.custom_roles.get(&g.role_id));
        reach.covers(custom.fold(PermissionSet::NONE, |all, role| all.union(role.permissions)))?;
        Ok(group)
    }
}

/// An owner is one by themselves alone: so the last one is always known.
fn may_be_inherited(reach: Reach, role: Option<OrganizationRole>) -> Result<(), OrganizationError> {
    match role {
        Some(OrganizationRole::Owner) => Err(Refused::OwnersAreNotInherited),
        Some(role) => reach.grants_role(role),
        None => Ok(()),
    }
}

/// What has happened to groups.
impl Roster {
    pub(super) fn group_created(
        &mut self,
        group_id: GroupId,
        name: &str,
        role: Option<OrganizationRole>,
    ) {
        self.group_names.insert(fold(name), group_id);
        let group = Group {
            name: name.to_owned(),
            role,
            members: BTreeSet::new(),
            custom_roles: BTreeSet::new(),
        };
        self.groups.insert(group_id, group);
    }

    pub(super) fn group_renamed(&mut self, group_id: GroupId, name: &str) {
        if let Some(group) = self.groups.get_mut(&group_id) {
            self.group_names.remove(&fold(&group.name));
            self.group_names.insert(fold(name), group_id);
            name.clone_into(&mut group.name);
        }
    }

    pub(super) fn group_role_changed(&mut self, group_id: GroupId, role: Option<OrganizationRole>) {
        if let Some(group) = self.groups.get_mut(&group_id) {
            group.role = role;
        }
    }

    pub(super) fn group_removed(&mut self, group_id: GroupId) {
        let Some(group) = self.groups.remove(&group_id) else { return };
        self.group_names.remove(&fold(&group.name));
        self.former_groups.insert(group_id);
        for member_id in group.members {
            if let Some(member) = self.present_mut(member_id) {
                member.groups.remove(&group_id);
            }
        }
    }

    pub(super) fn group_member_added(&mut self, group_id: GroupId, member_id: MemberId) {
        let Some(group) = self.groups.get_mut(&group_id) else { return };
        group.members.insert(member_id);
        if let Some(member) = self.present_mut(member_id) {
            member.groups.insert(group_id);
        }
    }

    pub(super) fn group_member_removed(&mut self, group_id: GroupId, member_id: MemberId) {
        if let Some(group) = self.groups.get_mut(&group_id) {
            group.members.remove(&member_id);
        }
        if let Some(member) = self.present_mut(member_id) {
            member.groups.remove(&group_id);
        }
    }
}
