//! What a member may do: by their own role, by the custom roles granted to them, and by all that the
//! groups which they are in have.

use std::collections::{BTreeMap, BTreeSet};

use event_schemas::permission::is_of_projects;
use event_schemas::{GroupId, MemberId, OrganizationRole, PermissionSet, ProjectId};

use super::Organization;
use super::custom_roles::RoleGrant;
use super::roster::{Member, Roster};
use crate::project::Project;

/// What somebody may do who may act in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Who.
    pub member_id: MemberId,
    /// How far their role reaches, by themselves or through a group.
    pub rank: u8,
    /// What they may do everywhere in the organization.
    pub organization: PermissionSet,
    /// What custom roles allow them within single projects.
    pub projects: BTreeMap<ProjectId, PermissionSet>,
    /// The groups that they are in.
    pub groups: BTreeSet<GroupId>,
}

impl Access {
    /// What they may do in a project: what they may everywhere, and what their own role in it, a
    /// group's, or a custom role within it allows.
    pub fn in_project(&self, project_id: ProjectId, project: &Project) -> PermissionSet {
        let own = project.role_of(self.member_id);
        let groups = self.groups.iter().filter_map(|group_id| project.role_of_group(*group_id));
        let custom = self.projects.get(&project_id).copied().unwrap_or_default();
        own.into_iter()
            .chain(groups)
            .map(event_schemas::ProjectRole::permissions)
            .fold(self.organization.union(custom), PermissionSet::union)
    }
}

impl Organization {
    /// What a member may do who may act: one who is not suspended. Where the organization is not
    /// open, or they are not of it, there is nothing to be told.
    pub fn access_of(&self, member_id: MemberId) -> Option<Access> {
        let member = self.open_roster().ok()?.present(member_id)?;
        if member.suspended { None } else { self.access_unless_suspended(member_id) }
    }

    /// What a member may do, or may again once they are reinstated.
    pub fn access_unless_suspended(&self, member_id: MemberId) -> Option<Access> {
        let roster = self.open_roster().ok()?;
        let member = roster.present(member_id)?;
        let mut projects: BTreeMap<ProjectId, PermissionSet> = BTreeMap::new();
        for grant in roster.grants(member) {
            if let Some(project_id) = grant.project_id {
                let known = projects.entry(project_id).or_default();
                let of_projects = PermissionSet::that(is_of_projects);
                *known = known.union(roster.allowed_by(grant).intersection(of_projects));
            }
        }
        Some(Access {
            member_id,
            rank: roster.rank(member),
            organization: roster.permissions(member),
            projects,
            groups: member.groups.clone(),
        })
    }

    /// Whether a member ranks above another who acts: then what is theirs is not for the other to
    /// make or see.
    pub fn ranks_above(&self, member_id: MemberId, acting: &Access) -> bool {
        let Ok(roster) = self.open_roster() else { return true };
        roster.present(member_id).is_some_and(|member| roster.rank(member) > acting.rank)
    }
}

impl Roster {
    /// How far a member's role reaches, by themselves or through a group.
    pub(super) fn rank(&self, member: &Member) -> u8 {
        self.roles(member).map(OrganizationRole::rank).max().unwrap_or(0)
    }

    /// What a member may do everywhere in the organization.
    pub(super) fn permissions(&self, member: &Member) -> PermissionSet {
        let built_in = self
            .roles(member)
            .map(OrganizationRole::permissions)
            .fold(PermissionSet::NONE, PermissionSet::union);
        self.grants(member)
            .filter(|grant| grant.project_id.is_none())
            .fold(built_in, |all, grant| all.union(self.allowed_by(grant)))
    }

    fn roles(&self, member: &Member) -> impl Iterator<Item = OrganizationRole> {
        let groups = member.groups.iter().filter_map(|group_id| self.groups.get(group_id)?.role);
        std::iter::once(member.role).chain(groups)
    }

    fn grants<'a>(&'a self, member: &'a Member) -> impl Iterator<Item = &'a RoleGrant> {
        let groups = member.groups.iter().filter_map(|group_id| self.groups.get(group_id));
        member.custom_roles.iter().chain(groups.flat_map(|group| &group.custom_roles))
    }

    pub(super) fn allowed_by(&self, grant: &RoleGrant) -> PermissionSet {
        self.custom_roles.get(&grant.role_id).map(|role| role.permissions).unwrap_or_default()
    }
}
