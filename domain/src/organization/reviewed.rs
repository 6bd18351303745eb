//! What an organization tells an access review: who may review, what its people hold, and whether
//! they still do.

use std::collections::BTreeSet;

use event_schemas::{
    Grantee, GroupId, HeldAccess, KeyOwner, MemberId, OrganizationId, OrganizationRole, Permission,
    ReviewScope,
};

use super::roster::{Member, Roster};
use super::{Authority, Organization, OrganizationError};

/// The proof that somebody may review access in an open organization, and whose access is their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewer {
    organization_id: OrganizationId,
    /// Themselves, and who may be them: by whose invite they came in. Not owners, though they invite
    /// everybody at first: their own access is for others in any case.
    own: BTreeSet<MemberId>,
    groups: BTreeSet<GroupId>,
}

impl Reviewer {
    /// The organization.
    pub fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }

    /// Whether the access is theirs, by themselves or through a group that they are in, or that of a member
    /// by whose invite they came.
    pub fn holds(&self, held: &HeldAccess) -> bool {
        let is_me = |member_id: &MemberId| self.own.contains(member_id);
        match held {
            HeldAccess::MemberRole { member_id, .. }
            | HeldAccess::GroupMembership { member_id, .. }
            | HeldAccess::ApiKey { owner: KeyOwner::Member { member_id }, .. } => is_me(member_id),
            HeldAccess::ProjectRole { holder, .. }
            | HeldAccess::RoleGrant { grantee: holder, .. } => match holder {
                Grantee::Member { member_id } => is_me(member_id),
                Grantee::Group { group_id } => self.groups.contains(group_id),
            },
            HeldAccess::ApiKey { owner: KeyOwner::ServiceAccount { .. }, .. } => false,
        }
    }
}

impl Roster {
    fn one_with(&self, member_id: MemberId) -> BTreeSet<MemberId> {
        let mut own = self.inviters_of(member_id);
        own.retain(|inviter| !self.is_owner(*inviter));
        own.insert(member_id);
        own
    }
}

impl Organization {
    /// The evidence that the one who asks may review access.
    pub fn reviewer(&self, by: Authority) -> Result<Reviewer, OrganizationError> {
        let roster = self.open_roster()?;
        roster.reach(by, Permission::AccessReviewsUpdate)?;
        let member = by.member_id().and_then(|member_id| roster.present(member_id));
        Ok(Reviewer {
            organization_id: roster.organization_id(),
            own: member.map(|member| roster.one_with(member.member_id)).unwrap_or_default(),
            groups: member.map(|member| member.groups.clone()).unwrap_or_default(),
        })
    }

    /// What its roster says is held, of what the scope looks at: roles in the organization, places
    /// in groups and custom roles. Projects and keys know the rest.
    pub fn held(&self, scope: ReviewScope) -> Vec<HeldAccess> {
        let Ok(roster) = self.open_roster() else { return Vec::new() };
        let all =
            roster.member_roles().chain(roster.group_memberships()).chain(roster.grants_held());
        all.filter(|held| is_looked_at(scope, held)).collect()
    }

    /// Whether something is still held, as far as the roster knows: of a role in a project and of
    /// an API key only whether there still is whose it is.
    pub fn still_holds(&self, held: &HeldAccess) -> bool {
        let Ok(roster) = self.open_roster() else { return false };
        match held {
            HeldAccess::MemberRole { member_id, .. } => roster.present(*member_id).is_some(),
            HeldAccess::GroupMembership { group_id, member_id, .. } => {
                roster.present(*member_id).is_some_and(|member| member.groups.contains(group_id))
            }
            HeldAccess::RoleGrant { role_id, grantee, project_id, .. } => roster
                .granted_to(*grantee)
                .any(|grant| grant.role_id == *role_id && grant.project_id == *project_id),
            HeldAccess::ProjectRole { holder, .. } => match holder {
                Grantee::Member { member_id } => roster.present(*member_id).is_some(),
                Grantee::Group { group_id } => roster.group(*group_id).is_ok(),
            },
            HeldAccess::ApiKey { owner, .. } => match owner {
                KeyOwner::Member { member_id } => roster.present(*member_id).is_some(),
                KeyOwner::ServiceAccount { .. } => true,
            },
        }
    }
}

impl Roster {
    fn member_roles(&self) -> impl Iterator<Item = HeldAccess> {
        let held = |member: &Member| HeldAccess::MemberRole {
            member_id: member.member_id,
            role: member.role,
        };
        self.members().map(held)
    }

    fn group_memberships(&self) -> impl Iterator<Item = HeldAccess> {
        self.groups.iter().flat_map(|(group_id, group)| {
            group.members.iter().map(|member_id| HeldAccess::GroupMembership {
                group_id: *group_id,
                member_id: *member_id,
                role: group.role,
            })
        })
    }

    fn grants_held(&self) -> impl Iterator<Item = HeldAccess> {
        let members = self.members().map(|member| Grantee::Member { member_id: member.member_id });
        let groups = self.groups.keys().map(|group_id| Grantee::Group { group_id: *group_id });
        members.chain(groups).flat_map(move |grantee| {
            self.granted_to(grantee).map(move |grant| HeldAccess::RoleGrant {
                role_id: grant.role_id,
                grantee,
                project_id: grant.project_id,
                permissions: self.allowed_by(grant),
            })
        })
    }
}

/// Whether a scope looks at something that the roster knows.
fn is_looked_at(scope: ReviewScope, held: &HeldAccess) -> bool {
    let is_admin = |role: OrganizationRole| role.rank() > 0;
    match scope {
        ReviewScope::Organization {} => true,
        ReviewScope::Project { project_id: of } => {
            matches!(held, HeldAccess::RoleGrant { project_id: Some(within), .. } if *within == of)
        }
        ReviewScope::Members {} => matches!(held, HeldAccess::MemberRole { .. }),
        ReviewScope::Admins {} => match held {
            HeldAccess::MemberRole { role, .. } => is_admin(*role),
            HeldAccess::GroupMembership { role, .. } => role.is_some_and(is_admin),
            HeldAccess::ProjectRole { .. }
            | HeldAccess::RoleGrant { .. }
            | HeldAccess::ApiKey { .. } => false,
        },
        ReviewScope::GroupMemberships {} => matches!(held, HeldAccess::GroupMembership { .. }),
        ReviewScope::RoleGrants {} => matches!(held, HeldAccess::RoleGrant { .. }),
        ReviewScope::ProjectRoles {} | ReviewScope::ApiKeys {} => false,
    }
}
