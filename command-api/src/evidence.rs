//! Reading what a decision rests on: an open organization, a project in it, an active member.

use domain::api_key::{ApiKey, ApiKeyError, KeyPlace};
use domain::organization::{ActiveMember, ExistingGroup, OpenOrganization, Organization, Reviewer};
use domain::project::{OpenProject, Project, ProjectError};
use domain::service_account::{ActiveServiceAccount, ServiceAccount};
use event_schemas::{
    ApiKeyId, GroupId, MemberId, OrganizationId, ProjectId, ProjectRole, ServiceAccountId,
    is_time_zone_name,
};

use crate::api_keys::secret::{self, NewSecret, SecretOf};
use crate::execute::Session;
use crate::refusal::{ExecuteError, Refusal};

/// Postgres's code for a parameter's value that it does not know.
fn is_unknown_value(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("22023")
}

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

    /// That the project is one of the organization, open or not, and the organization open.
    pub async fn own_project(
        &mut self,
        organization_id: OrganizationId,
        project_id: ProjectId,
    ) -> Result<(), Refusal> {
        self.open_organization(organization_id).await?;
        match self.read::<Project>(project_id).await?.organization_id() {
            Some(owner) if owner == organization_id => Ok(()),
            Some(_) | None => Err(ProjectError::NotFound.into()),
        }
    }

    /// The role in a project that is asked for, or else the one that the organization's settings name.
    pub async fn project_role(
        &mut self,
        organization_id: OrganizationId,
        asked: Option<ProjectRole>,
    ) -> Result<ProjectRole, Refusal> {
        let organization = self.read::<Organization>(organization_id).await?;
        Ok(asked.unwrap_or_else(|| organization.settings().default_project_role))
    }

    /// That the service account is one of the organization and works.
    pub async fn active_service_account(
        &mut self,
        organization_id: OrganizationId,
        id: ServiceAccountId,
    ) -> Result<ActiveServiceAccount, Refusal> {
        Ok(self.read::<ServiceAccount>(id).await?.active(organization_id)?)
    }

    /// That the group is one of the organization, which is open.
    pub async fn existing_group(
        &mut self,
        organization_id: OrganizationId,
        group_id: GroupId,
    ) -> Result<ExistingGroup, Refusal> {
        Ok(self.read::<Organization>(organization_id).await?.existing_group(group_id)?)
    }

    /// That the one who asks may review access in the organization, which is open.
    pub async fn reviewer(&mut self, organization_id: OrganizationId) -> Result<Reviewer, Refusal> {
        let by = self.authority();
        Ok(self.read::<Organization>(organization_id).await?.reviewer(by)?)
    }

    /// What a key of that project, or an admin key, opens; and what its secret says of that.
    pub async fn key_place(
        &mut self,
        organization_id: OrganizationId,
        project_id: Option<ProjectId>,
    ) -> Result<(KeyPlace, SecretOf), Refusal> {
        let Some(project_id) = project_id else {
            let organization = self.open_organization(organization_id).await?;
            return Ok((KeyPlace::Organization(organization), SecretOf::Organization));
        };
        let project = self.open_project(organization_id, project_id).await?;
        let environment = self.read::<Project>(project_id).await?.environment();
        Ok((KeyPlace::Project(project), SecretOf::Project(environment)))
    }

    /// That the key is one of the organization, which is open; answers its project.
    pub async fn own_api_key(
        &mut self,
        organization_id: OrganizationId,
        api_key_id: ApiKeyId,
    ) -> Result<Option<ProjectId>, Refusal> {
        self.open_organization(organization_id).await?;
        let key = self.read::<ApiKey>(api_key_id).await?;
        match key.organization_id() {
            Some(owner) if owner == organization_id => Ok(key.project_id()),
            Some(_) | None => Err(ApiKeyError::NotFound.into()),
        }
    }

    /// Whether the log's Postgres has a time zone of that name. What is not one by its form is the
    /// organization's own to refuse.
    pub(crate) async fn knows_time_zone(&mut self, name: &str) -> Result<bool, Refusal> {
        if name == "UTC" || !is_time_zone_name(name) {
            return Ok(true);
        }
        let local = sqlx::query("select now() at time zone $1").bind(name);
        match local.execute(self.log().pool()).await {
            Ok(_) => Ok(true),
            Err(error) if is_unknown_value(&error) => Ok(false),
            Err(error) => Err(ExecuteError::Database(error).into()),
        }
    }

    /// A new secret for an API key.
    pub fn new_secret(&self, of: SecretOf) -> Result<NewSecret, Refusal> {
        Ok(secret::generate(self.pepper(), of).map_err(ExecuteError::Random)?)
    }

    /// A new token for an invite.
    pub fn new_invite_token(&self) -> Result<NewSecret, Refusal> {
        Ok(secret::generate_invite_token(self.pepper()).map_err(ExecuteError::Random)?)
    }
}
