//! Custom roles: sets of permissions that an organization defines and grants.

use event_schemas::permission::{is_of_custom_roles, is_of_projects};
use event_schemas::{Grantee, OrganizationEvent, Permission, PermissionSet, ProjectId, RoleId};
use serde::{Deserialize, Serialize};

use super::authority::Reach;
use super::roster::Roster;
use super::{Authority, Decision, OrganizationError, OrganizationError as Refused};
use crate::text::{self, fold};

/// The most roles that an organization may define.
const ROLES_MAX: usize = 200;

/// A role that an organization has defined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CustomRole {
    pub(super) name: String,
    pub(super) permissions: PermissionSet,
}

/// A custom role, granted everywhere in the organization or within a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoleGrant {
    /// The role.
    pub role_id: RoleId,
    /// Within which project; none: everywhere.
    pub project_id: Option<ProjectId>,
}

/// What can be asked of custom roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleCommand {
    /// Define one.
    Define {
        /// Its id.
        role_id: RoleId,
        /// Its name.
        name: String,
        /// What it allows.
        permissions: PermissionSet,
    },
    /// Change its name or what it allows; what is none stays as it is.
    Update {
        /// The role.
        role_id: RoleId,
        /// The new name.
        name: Option<String>,
        /// What it allows from now on.
        permissions: Option<PermissionSet>,
    },
    /// Remove it: nobody has it any more.
    Remove {
        /// The role.
        role_id: RoleId,
    },
    /// Grant it.
    Grant {
        /// The role.
        role_id: RoleId,
        /// To whom.
        grantee: Grantee,
        /// Within which project; none: everywhere.
        project_id: Option<ProjectId>,
    },
    /// Withdraw it.
    Withdraw {
        /// The role.
        role_id: RoleId,
        /// From whom.
        grantee: Grantee,
        /// Within which project; none: everywhere.
        project_id: Option<ProjectId>,
    },
}

impl Roster {
    pub(super) fn decide_role(&self, by: Authority, command: RoleCommand) -> Decision {
        let reach = self.reach(by, Permission::RolesUpdate)?;
        match command {
            RoleCommand::Define { role_id, name, permissions } => {
                self.define_role(reach, role_id, &name, permissions)
            }
            RoleCommand::Update { role_id, name, permissions } => {
                self.update_role(reach, role_id, name.as_deref(), permissions)
            }
            RoleCommand::Remove { role_id } => {
                let Some(role) = self.custom_roles.get(&role_id) else {
                    return Err(Refused::RoleNotFound(role_id));
                };
                reach.covers(role.permissions)?;
                Ok(vec![OrganizationEvent::RoleRemoved { role_id }])
            }
            RoleCommand::Grant { role_id, grantee, project_id } => {
                self.grant_role(reach, role_id, grantee, project_id)
            }
            RoleCommand::Withdraw { role_id, grantee, project_id } => {
                self.withdraw_role(reach, role_id, grantee, project_id)
            }
        }
    }

    fn define_role(
        &self,
        reach: Reach,
        role_id: RoleId,
        name: &str,
        permissions: PermissionSet,
    ) -> Decision {
        let name = text::name(name)?;
        may_be_a_role(permissions)?;
        reach.covers(permissions)?;
        if self.custom_roles.contains_key(&role_id) || self.role_names.contains_key(&fold(&name)) {
            return Err(Refused::RoleNameTaken(name));
        }
        if self.custom_roles.len() >= ROLES_MAX {
            return Err(Refused::TooManyRoles { max: ROLES_MAX });
        }
        Ok(vec![OrganizationEvent::RoleDefined { role_id, name, permissions }])
    }

    fn update_role(
        &self,
        reach: Reach,
        role_id: RoleId,
        name: Option<&str>,
        permissions: Option<PermissionSet>,
    ) -> Decision {
        let role = self.custom_role(role_id)?;
        // Who takes permissions away must have had them to give.
        reach.covers(role.permissions)?;
        let name = name.map(text::name).transpose()?.filter(|name| *name != role.name);
        if let Some(name) = &name
            && self.role_names.get(&fold(name)).is_some_and(|holder| *holder != role_id)
        {
            return Err(Refused::RoleNameTaken(name.clone()));
        }
        let permissions = permissions.filter(|permissions| *permissions != role.permissions);
        if let Some(permissions) = permissions {
            may_be_a_role(permissions)?;
            reach.covers(permissions)?;
        }
        if name.is_none() && permissions.is_none() {
            return Ok(vec![]);
        }
        Ok(vec![OrganizationEvent::RoleUpdated { role_id, name, permissions }])
    }

    fn grant_role(
        &self,
        reach: Reach,
        role_id: RoleId,
        grantee: Grantee,
        project_id: Option<ProjectId>,
    ) -> Decision {
        let role = self.custom_role(role_id)?;
        reach.covers(role.permissions)?;
        let within_projects = role.permissions.iter().any(is_of_projects);
        if project_id.is_some() && !within_projects {
            return Err(Refused::RoleNotOfProjects(role_id));
        }
        if self.has_grant(grantee, RoleGrant { role_id, project_id })? {
            return Ok(vec![]);
        }
        Ok(vec![OrganizationEvent::RoleGranted { role_id, grantee, project_id }])
    }

    fn withdraw_role(
        &self,
        reach: Reach,
        role_id: RoleId,
        grantee: Grantee,
        project_id: Option<ProjectId>,
    ) -> Decision {
        let role = self.custom_role(role_id)?;
        reach.covers(role.permissions)?;
        if !self.has_grant(grantee, RoleGrant { role_id, project_id })? {
            return Ok(vec![]);
        }
        Ok(vec![OrganizationEvent::RoleWithdrawn { role_id, grantee, project_id }])
    }

    fn has_grant(&self, grantee: Grantee, grant: RoleGrant) -> Result<bool, OrganizationError> {
        Ok(match grantee {
            Grantee::Member { member_id } => self
                .present(member_id)
                .ok_or(Refused::MemberNotFound(member_id))?
                .custom_roles
                .contains(&grant),
            Grantee::Group { group_id } => self.group(group_id)?.custom_roles.contains(&grant),
        })
    }

    /// The custom roles that a member or group has by themselves.
    pub(super) fn granted_to(&self, grantee: Grantee) -> impl Iterator<Item = &RoleGrant> {
        let grants = match grantee {
            Grantee::Member { member_id } => {
                self.present(member_id).map(|member| &member.custom_roles)
            }
            Grantee::Group { group_id } => {
                self.groups.get(&group_id).map(|group| &group.custom_roles)
            }
        };
        grants.into_iter().flatten()
    }

    fn custom_role(&self, role_id: RoleId) -> Result<&CustomRole, OrganizationError> {
        self.custom_roles.get(&role_id).ok_or(Refused::RoleNotFound(role_id))
    }
}

/// A role allows something, and nothing that decides over access itself.
fn may_be_a_role(permissions: PermissionSet) -> Result<(), OrganizationError> {
    if permissions.is_empty() {
        return Err(Refused::RoleWithoutPermissions);
    }
    match permissions.iter().find(|permission| !is_of_custom_roles(*permission)) {
        Some(permission) => Err(Refused::NotOfCustomRoles(permission)),
        None => Ok(()),
    }
}

/// What has happened to custom roles.
impl Roster {
    pub(super) fn role_defined(&mut self, role_id: RoleId, name: &str, permissions: PermissionSet) {
        self.role_names.insert(fold(name), role_id);
        self.custom_roles.insert(role_id, CustomRole { name: name.to_owned(), permissions });
    }

    pub(super) fn role_updated(
        &mut self,
        role_id: RoleId,
        name: Option<&str>,
        permissions: Option<PermissionSet>,
    ) {
        let Some(role) = self.custom_roles.get_mut(&role_id) else { return };
        if let Some(name) = name {
            self.role_names.remove(&fold(&role.name));
            self.role_names.insert(fold(name), role_id);
            name.clone_into(&mut role.name);
        }
        if let Some(permissions) = permissions {
            role.permissions = permissions;
        }
    }

    pub(super) fn role_removed(&mut self, role_id: RoleId) {
        if let Some(role) = self.custom_roles.remove(&role_id) {
            self.role_names.remove(&fold(&role.name));
        }
        for member in self.members_mut() {
            member.custom_roles.retain(|grant| grant.role_id != role_id);
        }
        for group in self.groups.values_mut() {
            group.custom_roles.retain(|grant| grant.role_id != role_id);
        }
    }

    pub(super) fn role_granted(&mut self, grantee: Grantee, grant: RoleGrant) {
        if let Some(grants) = self.grants_of(grantee) {
            grants.insert(grant);
        }
    }

    pub(super) fn role_withdrawn(&mut self, grantee: Grantee, grant: RoleGrant) {
        if let Some(grants) = self.grants_of(grantee) {
            grants.remove(&grant);
        }
    }

    fn grants_of(
        &mut self,
        grantee: Grantee,
    ) -> Option<&mut std::collections::BTreeSet<RoleGrant>> {
        match grantee {
            Grantee::Member { member_id } => {
                self.present_mut(member_id).map(|member| &mut member.custom_roles)
            }
            Grantee::Group { group_id } => {
                self.groups.get_mut(&group_id).map(|group| &mut group.custom_roles)
            }
        }
    }
}
