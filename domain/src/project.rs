//! A project: what work is grouped and paid by. Only members of its organization are in it, and an
//! archived project takes no members, keys or usage.

use std::collections::BTreeMap;

use event_schemas::{
    Environment, GroupId, MemberId, OrganizationId, ProjectEvent, ProjectId, ProjectRole,
};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::organization::{ActiveMember, ExistingGroup, OpenOrganization};
use crate::text::{self, TextError};

/// A project, from nothing to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Project {
    /// It has not been created.
    #[default]
    Absent,
    /// It is open.
    Active(ProjectDetails),
    /// It was closed for good. Its members can still be taken out.
    Archived(ProjectDetails),
}

/// What a project is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectDetails {
    project_id: ProjectId,
    organization_id: OrganizationId,
    name: String,
    environment: Option<Environment>,
    members: BTreeMap<MemberId, ProjectRole>,
    groups: BTreeMap<GroupId, ProjectRole>,
}

/// The proof that a project is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenProject {
    project_id: ProjectId,
    organization_id: OrganizationId,
}

impl OpenProject {
    /// The project.
    pub fn project_id(&self) -> ProjectId {
        self.project_id
    }

    /// The organization that owns it.
    pub fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }
}

/// What can be asked of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectCommand {
    /// Create it, without members.
    Create {
        /// The organization that will own it.
        organization: OpenOrganization,
        /// Its id.
        project_id: ProjectId,
        /// Its name.
        name: String,
        /// The stage that it serves, where it has one.
        environment: Option<Environment>,
    },
    /// Rename it or move it to another stage; what is none stays as it is.
    Update {
        /// Its organization.
        organization: OpenOrganization,
        /// The new name.
        name: Option<String>,
        /// The new stage.
        environment: Option<Environment>,
    },
    /// Close it for good.
    Archive {
        /// Its organization.
        organization: OpenOrganization,
    },
    /// Give a member of the organization a role in it.
    AssignMember {
        /// The member.
        member: ActiveMember,
        /// The role.
        role: ProjectRole,
    },
    /// Take a member out of it.
    RemoveMember {
        /// Its organization.
        organization: OpenOrganization,
        /// The member.
        member_id: MemberId,
    },
    /// Give a group of the organization a role in it.
    AssignGroup {
        /// The group.
        group: ExistingGroup,
        /// The role.
        role: ProjectRole,
    },
    /// Take a group out of it.
    RemoveGroup {
        /// Its organization.
        organization: OpenOrganization,
        /// The group.
        group_id: GroupId,
    },
}

/// Why a project refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    /// It has not been created, or belongs to another organization.
    #[error("there is no such project")]
    NotFound,
    /// It has been created before.
    #[error("the project exists already")]
    AlreadyExists,
    /// It was closed.
    #[error("the project is archived")]
    Archived,
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}

type Decision = Result<Vec<ProjectEvent>, ProjectError>;

impl Decider for Project {
    const STREAM: &'static str = "project";
    type Command = ProjectCommand;
    type Event = ProjectEvent;
    type Error = ProjectError;

    fn decide(&self, command: ProjectCommand) -> Decision {
        match command {
            ProjectCommand::Create { organization, project_id, name, environment } => {
                self.create(organization.organization_id(), project_id, &name, environment)
            }
            ProjectCommand::Update { organization, name, environment } => {
                self.update(organization.organization_id(), name.as_deref(), environment)
            }
            ProjectCommand::Archive { organization } => {
                self.archive(organization.organization_id())
            }
            ProjectCommand::AssignMember { member, role } => self.assign(member, role),
            ProjectCommand::RemoveMember { organization, member_id } => {
                self.remove(organization.organization_id(), member_id)
            }
            ProjectCommand::AssignGroup { group, role } => self.assign_group(group, role),
            ProjectCommand::RemoveGroup { organization, group_id } => {
                self.remove_group(organization.organization_id(), group_id)
            }
        }
    }

    fn evolve(&mut self, event: &ProjectEvent) {
        match event {
            ProjectEvent::Created { project_id, organization_id, name, environment } => {
                *self = Self::Active(ProjectDetails {
                    project_id: *project_id,
                    organization_id: *organization_id,
                    name: name.clone(),
                    environment: *environment,
                    members: BTreeMap::new(),
                    groups: BTreeMap::new(),
                });
            }
            ProjectEvent::Updated { name, environment } => {
                self.change(|project| project.updated(name.as_deref(), *environment));
            }
            ProjectEvent::Archived {} => self.archived(),
            ProjectEvent::MemberAssigned { member_id, role }
            | ProjectEvent::MemberRoleChanged { member_id, role, previous_role: _ } => {
                self.change(|project| {
                    project.members.insert(*member_id, *role);
                });
            }
            ProjectEvent::MemberRemoved { member_id } => {
                self.change(|project| {
                    project.members.remove(member_id);
                });
            }
            ProjectEvent::GroupAssigned { group_id, role }
            | ProjectEvent::GroupRoleChanged { group_id, role, previous_role: _ } => {
                self.change(|project| {
                    project.groups.insert(*group_id, *role);
                });
            }
            ProjectEvent::GroupRemoved { group_id } => {
                self.change(|project| {
                    project.groups.remove(group_id);
                });
            }
        }
    }
}

/// What may happen to it.
impl Project {
    fn create(
        &self,
        organization_id: OrganizationId,
        project_id: ProjectId,
        name: &str,
        environment: Option<Environment>,
    ) -> Decision {
        match self {
            Self::Absent => {
                let name = text::name(name)?;
                Ok(vec![ProjectEvent::Created { project_id, organization_id, name, environment }])
            }
            Self::Active(_) | Self::Archived(_) => Err(ProjectError::AlreadyExists),
        }
    }

    fn update(
        &self,
        organization_id: OrganizationId,
        name: Option<&str>,
        environment: Option<Environment>,
    ) -> Decision {
        let project = self.active_in(organization_id)?;
        let name = name.map(text::name).transpose()?.filter(|name| *name != project.name);
        let environment = environment.filter(|stage| Some(*stage) != project.environment);
        if name.is_none() && environment.is_none() {
            return Ok(vec![]);
        }
        Ok(vec![ProjectEvent::Updated { name, environment }])
    }

    fn archive(&self, organization_id: OrganizationId) -> Decision {
        self.of(organization_id)?;
        match self {
            Self::Active(_) => Ok(vec![ProjectEvent::Archived {}]),
            Self::Absent | Self::Archived(_) => Ok(vec![]),
        }
    }

    fn assign(&self, member: ActiveMember, role: ProjectRole) -> Decision {
        let project = self.active_in(member.organization_id())?;
        let member_id = member.member_id();
        match project.members.get(&member_id).copied() {
            None => Ok(vec![ProjectEvent::MemberAssigned { member_id, role }]),
            Some(present) if present == role => Ok(vec![]),
            Some(previous_role) => {
                Ok(vec![ProjectEvent::MemberRoleChanged { member_id, role, previous_role }])
            }
        }
    }

    fn remove(&self, organization_id: OrganizationId, member_id: MemberId) -> Decision {
        let project = self.of(organization_id)?;
        if !project.members.contains_key(&member_id) {
            return Ok(vec![]);
        }
        Ok(vec![ProjectEvent::MemberRemoved { member_id }])
    }

    fn assign_group(&self, group: ExistingGroup, role: ProjectRole) -> Decision {
        let project = self.active_in(group.organization_id())?;
        let group_id = group.group_id();
        match project.groups.get(&group_id).copied() {
            None => Ok(vec![ProjectEvent::GroupAssigned { group_id, role }]),
            Some(present) if present == role => Ok(vec![]),
            Some(previous_role) => {
                Ok(vec![ProjectEvent::GroupRoleChanged { group_id, role, previous_role }])
            }
        }
    }

    fn remove_group(&self, organization_id: OrganizationId, group_id: GroupId) -> Decision {
        let project = self.of(organization_id)?;
        if !project.groups.contains_key(&group_id) {
            return Ok(vec![]);
        }
        Ok(vec![ProjectEvent::GroupRemoved { group_id }])
    }
}

/// What it says of itself.
impl Project {
    /// The evidence that it is open; refused where it is absent, another organization's or
    /// archived.
    pub fn open(&self, organization_id: OrganizationId) -> Result<OpenProject, ProjectError> {
        let project_id = self.active_in(organization_id)?.project_id;
        Ok(OpenProject { project_id, organization_id })
    }

    /// The organization that owns it, once it has been created.
    pub fn organization_id(&self) -> Option<OrganizationId> {
        self.details().map(|project| project.organization_id)
    }

    /// Its id, once it has been created.
    pub fn project_id(&self) -> Option<ProjectId> {
        self.details().map(|project| project.project_id)
    }

    /// Its name, once it has been created.
    pub fn name(&self) -> Option<&str> {
        self.details().map(|project| project.name.as_str())
    }

    /// The stage that it serves, where it has one.
    pub fn environment(&self) -> Option<Environment> {
        self.details().and_then(|project| project.environment)
    }

    /// What role a member has in it. Whether they are still a member, the organization knows.
    pub fn role_of(&self, member_id: MemberId) -> Option<ProjectRole> {
        self.details()?.members.get(&member_id).copied()
    }

    /// What role a group has in it. Whether there still is such a group, the organization knows.
    pub fn role_of_group(&self, group_id: GroupId) -> Option<ProjectRole> {
        self.details()?.groups.get(&group_id).copied()
    }

    /// The groups assigned to it with their roles, in order of id.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, ProjectRole)> {
        self.details()
            .into_iter()
            .flat_map(|project| project.groups.iter().map(|(id, role)| (*id, *role)))
    }

    /// The members assigned to it with their roles, in order of id.
    pub fn members(&self) -> impl Iterator<Item = (MemberId, ProjectRole)> {
        self.details()
            .into_iter()
            .flat_map(|project| project.members.iter().map(|(id, role)| (*id, *role)))
    }

    fn details(&self) -> Option<&ProjectDetails> {
        match self {
            Self::Absent => None,
            Self::Active(project) | Self::Archived(project) => Some(project),
        }
    }

    fn of(&self, organization_id: OrganizationId) -> Result<&ProjectDetails, ProjectError> {
        self.details()
            .filter(|project| project.organization_id == organization_id)
            .ok_or(ProjectError::NotFound)
    }

    fn active_in(&self, organization_id: OrganizationId) -> Result<&ProjectDetails, ProjectError> {
        let project = self.of(organization_id)?;
        match self {
            Self::Active(_) => Ok(project),
            Self::Absent | Self::Archived(_) => Err(ProjectError::Archived),
        }
    }

    fn archived(&mut self) {
        match std::mem::take(self) {
            Self::Absent => {}
            Self::Active(project) | Self::Archived(project) => *self = Self::Archived(project),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut ProjectDetails)) {
        match self {
            Self::Absent => {}
            Self::Active(project) | Self::Archived(project) => change(project),
        }
    }
}

impl ProjectDetails {
    fn updated(&mut self, name: Option<&str>, environment: Option<Environment>) {
        if let Some(name) = name {
            name.clone_into(&mut self.name);
        }
        if environment.is_some() {
            self.environment = environment;
        }
    }
}

#[cfg(test)]
mod tests;
