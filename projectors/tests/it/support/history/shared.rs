//! Groups and custom roles of a story: what members share.

use event_schemas::permission::is_of_custom_roles;
use event_schemas::{
    Grantee, OrganizationEvent, OrganizationRole, Permission, PermissionSet, ProjectEvent,
    ProjectRole,
};
use uuid::Uuid;

use super::{Event, Story};

/// Those that are there, each with its organization last.
#[derive(Default)]
pub(super) struct Shared {
    groups: Vec<(Uuid, Uuid)>,
    /// Group, member, organization.
    group_members: Vec<(Uuid, Uuid, Uuid)>,
    /// Project, group, organization.
    project_groups: Vec<(Uuid, Uuid, Uuid)>,
    roles: Vec<(Uuid, Uuid)>,
    grants: Vec<(Uuid, Grantee, Option<Uuid>, Uuid)>,
}

fn is(grantee: Grantee, id: Uuid) -> bool {
    match grantee {
        Grantee::Member { member_id } => member_id.0 == id,
        Grantee::Group { group_id } => group_id.0 == id,
    }
}

impl Shared {
    pub(super) fn organization_archived(&mut self, id: Uuid) {
        self.groups.retain(|(_, of)| *of != id);
        self.group_members.retain(|(_, _, of)| *of != id);
        self.project_groups.retain(|(_, _, of)| *of != id);
        self.roles.retain(|(_, of)| *of != id);
        self.grants.retain(|(_, _, _, of)| *of != id);
    }

    pub(super) fn member_removed(&mut self, id: Uuid) {
        self.group_members.retain(|(_, member, _)| *member != id);
        self.grants.retain(|(_, grantee, _, _)| !is(*grantee, id));
    }

    pub(super) fn project_archived(&mut self, id: Uuid) {
        self.project_groups.retain(|(project, _, _)| *project != id);
        self.grants.retain(|(_, _, project, _)| *project != Some(id));
    }

    fn group_removed(&mut self, id: Uuid) {
        self.groups.retain(|(group, _)| *group != id);
        self.group_members.retain(|(group, _, _)| *group != id);
        self.project_groups.retain(|(_, group, _)| *group != id);
        self.grants.retain(|(_, grantee, _, _)| !is(*grantee, id));
    }
}

impl Story {
    pub(super) fn group(&mut self) -> Option<(Uuid, Event)> {
        match self.random.below(10) {
            0 | 1 => self.group_begins(),
            2 => self.group_changes(),
            3 => self.project_group_changes(),
            4 | 5 => self.project_group(),
            6 => {
                let (group, member, of) = self.random.pick(&self.shared.group_members)?;
                self.shared.group_members.retain(|(g, m, _)| (*g, *m) != (group, member));
                let (group_id, member_id) = (group.into(), member.into());
                let event = OrganizationEvent::GroupMemberRemoved { group_id, member_id };
                Some((of, Event::Organization(event)))
            }
            _ => {
                let (group, of) = self.random.pick(&self.shared.groups)?;
                let member = self.member_of(of)?;
                if self.shared.group_members.contains(&(group, member, of)) {
                    return None;
                }
                self.shared.group_members.push((group, member, of));
                let (group_id, member_id) = (group.into(), member.into());
                let event = OrganizationEvent::GroupMemberAdded { group_id, member_id };
                Some((of, Event::Organization(event)))
            }
        }
    }

    fn member_of(&mut self, of: Uuid) -> Option<Uuid> {
        let here: Vec<Uuid> =
            self.members.iter().filter(|(_, o)| *o == of).map(|(member, _)| *member).collect();
        self.random.pick(&here)
    }

    fn project_of(&mut self, of: Uuid) -> Option<Uuid> {
        let here: Vec<Uuid> =
            self.projects.iter().filter(|(_, o)| *o == of).map(|(project, _)| *project).collect();
        self.random.pick(&here)
    }

    fn group_begins(&mut self) -> Option<(Uuid, Event)> {
        let of = self.random.pick(&self.organizations)?;
        let group = self.random.uuid();
        self.shared.groups.push((group, of));
        let event = OrganizationEvent::GroupCreated {
            group_id: group.into(),
            name: format!("group {}", self.minutes),
            role: self.role(),
        };
        Some((of, Event::Organization(event)))
    }

    fn role(&mut self) -> Option<OrganizationRole> {
        let role = self.random.pick(OrganizationRole::ALL);
        if self.random.one_in(2) { role } else { None }
    }

    fn group_changes(&mut self) -> Option<(Uuid, Event)> {
        let (group, of) = self.random.pick(&self.shared.groups)?;
        let group_id = group.into();
        let event = match self.random.below(4) {
            0 => {
                self.shared.group_removed(group);
                OrganizationEvent::GroupRemoved { group_id }
            }
            1 => {
                let name = format!("group renamed {}", self.minutes);
                OrganizationEvent::GroupRenamed { group_id, name }
            }
            _ => {
                let role = self.role();
                OrganizationEvent::GroupRoleChanged { group_id, role, previous_role: None }
            }
        };
        Some((of, Event::Organization(event)))
    }

    fn project_group(&mut self) -> Option<(Uuid, Event)> {
        let (group, of) = self.random.pick(&self.shared.groups)?;
        let project = self.project_of(of)?;
        if self.shared.project_groups.contains(&(project, group, of)) {
            return None;
        }
        self.shared.project_groups.push((project, group, of));
        let role = self.random.pick(ProjectRole::ALL)?;
        let event = ProjectEvent::GroupAssigned { group_id: group.into(), role };
        Some((of, Event::Project(project, event)))
    }

    fn project_group_changes(&mut self) -> Option<(Uuid, Event)> {
        let (project, group, of) = self.random.pick(&self.shared.project_groups)?;
        let group_id = group.into();
        let event = if self.random.one_in(2) {
            self.shared.project_groups.retain(|(p, g, _)| (*p, *g) != (project, group));
            ProjectEvent::GroupRemoved { group_id }
        } else {
            let role = self.random.pick(ProjectRole::ALL)?;
            let previous_role = ProjectRole::Reader;
            ProjectEvent::GroupRoleChanged { group_id, role, previous_role }
        };
        Some((of, Event::Project(project, event)))
    }

    pub(super) fn custom_role(&mut self) -> Option<(Uuid, Event)> {
        let (of, event) = match self.random.below(10) {
            0 | 1 => {
                let of = self.random.pick(&self.organizations)?;
                let role = self.random.uuid();
                self.shared.roles.push((role, of));
                let name = format!("role {}", self.minutes);
                let permissions = self.permissions();
                (of, OrganizationEvent::RoleDefined { role_id: role.into(), name, permissions })
            }
            2 => {
                let (role, of) = self.random.pick(&self.shared.roles)?;
                let name = self.random.one_in(2).then(|| format!("role renamed {}", self.minutes));
                let permissions = if name.is_none() { Some(self.permissions()) } else { None };
                (of, OrganizationEvent::RoleUpdated { role_id: role.into(), name, permissions })
            }
            3 if self.random.one_in(2) => {
                let (role, of) = self.random.pick(&self.shared.roles)?;
                self.shared.roles.retain(|(other, _)| *other != role);
                self.shared.grants.retain(|(other, _, _, _)| *other != role);
                (of, OrganizationEvent::RoleRemoved { role_id: role.into() })
            }
            4 => {
                let grant = self.random.pick(&self.shared.grants)?;
                self.shared.grants.retain(|other| *other != grant);
                let (role, grantee, project, of) = grant;
                let (role_id, project_id) = (role.into(), project.map(Into::into));
                (of, OrganizationEvent::RoleWithdrawn { role_id, grantee, project_id })
            }
            _ => return self.role_granted(),
        };
        Some((of, Event::Organization(event)))
    }

    fn role_granted(&mut self) -> Option<(Uuid, Event)> {
        let (role, of) = self.random.pick(&self.shared.roles)?;
        let grantee = if self.random.one_in(3) {
            let here = self.shared.groups.iter().filter(|(_, o)| *o == of);
            let here: Vec<Uuid> = here.map(|(group, _)| *group).collect();
            Grantee::Group { group_id: self.random.pick(&here)?.into() }
        } else {
            Grantee::Member { member_id: self.member_of(of)?.into() }
        };
        let project = if self.random.one_in(2) { self.project_of(of) } else { None };
        let grant = (role, grantee, project, of);
        if self.shared.grants.contains(&grant) {
            return None;
        }
        self.shared.grants.push(grant);
        let (role_id, project_id) = (role.into(), project.map(Into::into));
        let event = OrganizationEvent::RoleGranted { role_id, grantee, project_id };
        Some((of, Event::Organization(event)))
    }

    fn permissions(&mut self) -> PermissionSet {
        let all: Vec<Permission> =
            Permission::ALL.iter().copied().filter(|one| is_of_custom_roles(*one)).collect();
        (0..=self.random.below(4)).filter_map(|_| self.random.pick(&all)).collect()
    }
}
