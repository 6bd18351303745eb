//! Reading what a decision rests on: an open organization, a project in it, an active member.

use domain::api_key::{ApiKey, ApiKeyError};
use domain::organization::{ActiveMember, OpenOrganization, Organization};
use domain::project::{OpenProject, Project};
use domain::service_account::{ActiveServiceAccount, ServiceAccount};
use event_schemas::{ApiKeyId, Environment, MemberId, OrganizationId, ProjectId, ServiceAccountId};

use crate::api_keys::secret::{self, NewSecret};
use crate::execute::Session;
use crate::refusal::{ExecuteError, Refusal};

impl Session<'_> {
    /// That the organization is there and open.
    pub async fn open_organization(
        &mut self,
        id: OrganizationId,
    ) -> Result<OpenOrganization, Refusal> {
        Ok(self.read::<Organization>(id).await?.active()?)
    }

    /// That the member is one of the organization and not suspended.
    pub async fn active_member(
        &mut self,
        organization_id: OrganizationId,
        member_id: MemberId,
    ) -> Result<ActiveMember, Refusal> {
        Ok(self.read::<Organization>(organization_id).await?.member(member_id)?)
    }

    /// That the project is one of the organization and open, and the organization too.
    pub async fn open_project(
        &mut self,
        organization_id: OrganizationId,
        project_id: ProjectId,
    ) -> Result<OpenProject, Refusal> {
        self.open_organization(organization_id).await?;
        Ok(self.read::<Project>(project_id).await?.open(organization_id)?)
    }

    /// That the service account is one of the organization and works.
    pub async fn active_service_account(
        &mut self,
        organization_id: OrganizationId,
        id: ServiceAccountId,
    ) -> Result<ActiveServiceAccount, Refusal> {
        Ok(self.read::<ServiceAccount>(id).await?.active(organization_id)?)
    }

    /// That the key is one of the organization, which is open; answers its project.
    pub async fn own_api_key(
        &mut self,
        organization_id: OrganizationId,
        api_key_id: ApiKeyId,
    ) -> Result<ProjectId, Refusal> {
        self.open_organization(organization_id).await?;
        let key = self.read::<ApiKey>(api_key_id).await?;
        match (key.organization_id(), key.project_id()) {
            (Some(owner), Some(project_id)) if owner == organization_id => Ok(project_id),
            (Some(_) | None, _) => Err(ApiKeyError::NotFound.into()),
        }
    }

    /// A new secret for an API key of a project in that environment.
    pub fn new_secret(&self, environment: Option<Environment>) -> Result<NewSecret, Refusal> {
        Ok(secret::generate(self.pepper(), environment).map_err(ExecuteError::Random)?)
    }
}
