//! Whether the one who asks may do what is asked. It is found out on the same states as the decision
//! itself, so the append names them: no command is accepted on a permission that was withdrawn.
//!
//! What somebody cannot see does not exist for them: an organization they are not of, or a project
//! they are not in, is answered like one that is not there.

use domain::api_key::ApiKey;
use domain::organization::{Authority, Organization, OrganizationError};
use domain::permission::{organization_role_allows, project_role_allows};
use domain::project::{Project, ProjectError};
use domain::service_account::{ServiceAccount, ServiceAccountError};
use event_schemas::{
    ApiKeyId, KeyOwner, MemberId, OrganizationId, OrganizationRole, Permission, ProjectId,
    ServiceAccountId,
};

use crate::execute::Session;
use crate::refusal::Refusal;

impl Session<'_> {
    /// Refuses who may not do this in all of the organization.
    pub async fn permit(
        &mut self,
        organization_id: OrganizationId,
        permission: Permission,
    ) -> Result<(), Refusal> {
        let Some((_, role)) = self.acting_member(organization_id).await? else { return Ok(()) };
        if organization_role_allows(role, permission) {
            return Ok(());
        }
        Err(Refusal::NotPermitted { permission })
    }

    /// Refuses who may not do this in the project.
    pub async fn permit_in(
        &mut self,
        organization_id: OrganizationId,
        project_id: ProjectId,
        permission: Permission,
    ) -> Result<(), Refusal> {
        let Some((member_id, role)) = self.acting_member(organization_id).await? else {
            return Ok(());
        };
        if organization_role_allows(role, permission) {
            return Ok(());
        }
        let project = self.read::<Project>(project_id).await?;
        let project_role = project.role_of(member_id);
        let may = |permission| project_role.is_some_and(|r| project_role_allows(r, permission));
        if may(permission) {
            return Ok(());
        }
        let sees = Permission::ProjectsRead;
        if organization_role_allows(role, sees) || may(sees) {
            return Err(Refusal::NotPermitted { permission });
        }
        Err(ProjectError::NotFound.into())
    }

    /// Refuses who may not have a key of that owner in the project.
    pub async fn permit_key_of(
        &mut self,
        organization_id: OrganizationId,
        project_id: ProjectId,
        owner: Option<KeyOwner>,
    ) -> Result<(), Refusal> {
        let own = match (self.authority(), owner) {
            (Authority::Member(by), Some(KeyOwner::Member { member_id })) => by == member_id,
            (Authority::Member(_), Some(KeyOwner::ServiceAccount { .. }) | None)
            | (Authority::Operator | Authority::System | Authority::Nobody, _) => false,
        };
        let permission = if own { Permission::ApiKeysOwn } else { Permission::ApiKeysUpdate };
        self.permit_in(organization_id, project_id, permission).await
    }

    /// Refuses who may not change the key; answers its project.
    pub async fn permit_key(
        &mut self,
        organization_id: OrganizationId,
        api_key_id: ApiKeyId,
    ) -> Result<ProjectId, Refusal> {
        let project_id = self.own_api_key(organization_id, api_key_id).await?;
        let owner = self.read::<ApiKey>(api_key_id).await?.owner();
        self.permit_key_of(organization_id, project_id, owner).await?;
        Ok(project_id)
    }

    /// Refuses who may not change the service account.
    pub async fn permit_service_account(
        &mut self,
        organization_id: OrganizationId,
        id: ServiceAccountId,
    ) -> Result<(), Refusal> {
        match self.read::<ServiceAccount>(id).await?.project_id() {
            Some(project_id) => {
                let permission = Permission::ServiceAccountsUpdate;
                self.permit_in(organization_id, project_id, permission).await
            }
            None => Err(ServiceAccountError::NotFound.into()),
        }
    }

    /// Refuses everybody but who runs orgledger, and orgledger itself.
    pub fn permit_operator(&self) -> Result<(), Refusal> {
        match self.authority() {
            Authority::Operator | Authority::System => Ok(()),
            Authority::Member(_) | Authority::Nobody => Err(Refusal::OperatorOnly),
        }
    }

    /// The member who asks, with their role; none where it is not a member who asks. A member of
    /// another organization learns nothing of this one.
    async fn acting_member(
        &mut self,
        organization_id: OrganizationId,
    ) -> Result<Option<(MemberId, OrganizationRole)>, Refusal> {
        let member_id = match self.authority() {
            Authority::Operator | Authority::System => return Ok(None),
            Authority::Member(member_id) => member_id,
            Authority::Nobody => return Err(OrganizationError::NotFound.into()),
        };
        let organization = self.read::<Organization>(organization_id).await?;
        let role = organization.acting_role(member_id).ok_or(OrganizationError::NotFound)?;
        Ok(Some((member_id, role)))
    }
}
