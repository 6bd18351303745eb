//! Ending what a review has decided is to end: each by the rules of what it is, in the name of the
//! one who closes the review.

use domain::Decider as _;
use domain::access_review::Revocation;
use domain::api_key::{ApiKey, ApiKeyCommand};
use domain::organization::{
    GroupCommand, Organization, OrganizationCommand, OrganizationError, RoleCommand,
};
use domain::project::{Project, ProjectCommand};
use event_schemas::{Grantee, HeldAccess, OrganizationId, Permission};

use crate::execute::Session;
use crate::refusal::Refusal;

impl Session<'_> {
    /// Refuses who could not end this access themselves, now. That an owner has to stay is found out
    /// when it ends: until then there may be another.
    pub(super) async fn permit_revoking(
        &mut self,
        organization_id: OrganizationId,
        revocation: &Revocation,
    ) -> Result<(), Refusal> {
        match revocation.held {
            HeldAccess::MemberRole { member_id, .. } => {
                if self.authority().member_id() == Some(member_id) {
                    self.permit_leaving(organization_id).await?;
                } else {
                    self.permit(organization_id, Permission::MembersRemove).await?;
                }
            }
            HeldAccess::GroupMembership { .. } => {
                self.permit_group(organization_id).await?;
            }
            HeldAccess::RoleGrant { .. } => {
                self.permit(organization_id, Permission::RolesUpdate).await?;
            }
            HeldAccess::ProjectRole { project_id, holder, .. } => {
                let permission = Permission::ProjectMembersUpdate;
                self.permit_in(organization_id, project_id, permission).await?;
                let project = self.read::<Project>(project_id).await?;
                let present = match holder {
                    Grantee::Member { member_id } => project.role_of(member_id),
                    Grantee::Group { group_id } => project.role_of_group(group_id),
                };
                self.permit_replacing(organization_id, project_id, present, None).await?;
                return self.outranks(organization_id, holder).await;
            }
            HeldAccess::ApiKey { api_key_id, .. } => {
                self.permit_key(organization_id, api_key_id).await?;
                return Ok(());
            }
        }
        let Some(command) = self.of_roster(revocation) else { return Ok(()) };
        match self.read::<Organization>(organization_id).await?.decide(command) {
            Ok(_) | Err(OrganizationError::LastOwner) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends it. Who may was found out before, for all that ends together: what ends first may be
    /// what the permission to end the rest came from.
    pub(super) async fn revoke(
        &mut self,
        organization_id: OrganizationId,
        revocation: &Revocation,
    ) -> Result<(), Refusal> {
        if let Some(command) = self.of_roster(revocation) {
            self.execute::<Organization>(organization_id, command).await?;
            return Ok(());
        }
        match revocation.held {
            HeldAccess::ProjectRole { project_id, holder, .. } => {
                let organization = self.open_organization(organization_id).await?;
                let command = match holder {
                    Grantee::Member { member_id } => {
                        ProjectCommand::RemoveMember { organization, member_id }
                    }
                    Grantee::Group { group_id } => {
                        ProjectCommand::RemoveGroup { organization, group_id }
                    }
                };
                self.execute::<Project>(project_id, command).await?;
            }
            HeldAccess::ApiKey { api_key_id, .. } => {
                let command = ApiKeyCommand::Revoke { reason: Some(revocation.reason.clone()) };
                self.execute::<ApiKey>(api_key_id, command).await?;
            }
            HeldAccess::MemberRole { .. }
            | HeldAccess::GroupMembership { .. }
            | HeldAccess::RoleGrant { .. } => {}
        }
        Ok(())
    }

    /// What ends it on the organization's stream, where that is what ends it.
    fn of_roster(&self, revocation: &Revocation) -> Option<OrganizationCommand> {
        let by = self.authority();
        match revocation.held {
            HeldAccess::MemberRole { member_id, .. } => {
                let reason = Some(revocation.reason.clone());
                Some(OrganizationCommand::RemoveMember { by, member_id, reason })
            }
            HeldAccess::GroupMembership { group_id, member_id, .. } => {
                let command = GroupCommand::RemoveMember { group_id, member_id };
                Some(OrganizationCommand::Group { by, command })
            }
            HeldAccess::RoleGrant { role_id, grantee, project_id, .. } => {
                let command = RoleCommand::Withdraw { role_id, grantee, project_id };
                Some(OrganizationCommand::Role { by, command })
            }
            HeldAccess::ProjectRole { .. } | HeldAccess::ApiKey { .. } => None,
        }
    }

    /// Refuses where the holder is a member above the one who asks.
    async fn outranks(
        &mut self,
        organization_id: OrganizationId,
        holder: Grantee,
    ) -> Result<(), Refusal> {
        let Grantee::Member { member_id } = holder else { return Ok(()) };
        let Some(asking) = self.asking(organization_id).await? else { return Ok(()) };
        let Some(access) = asking.access() else { return Ok(()) };
        let organization = self.read::<Organization>(organization_id).await?;
        if organization.ranks_above(member_id, access) {
            return Err(OrganizationError::MemberAboveOwn(member_id).into());
        }
        Ok(())
    }
}

/// In which order things end: a member last, since what is theirs ends with them; and what the one
/// who closes the review holds after what others do, since they may be able to close it by that.
pub(super) fn order(revocation: &Revocation, is_own: bool) -> (bool, u8) {
    let kind = match revocation.held {
        HeldAccess::ApiKey { .. } => 0,
        HeldAccess::ProjectRole { .. } => 1,
        HeldAccess::RoleGrant { .. } => 2,
        HeldAccess::GroupMembership { .. } => 3,
        HeldAccess::MemberRole { .. } => 4,
    };
    (is_own, kind)
}
