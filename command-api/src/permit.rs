//! Whether the one who asks may do what is asked. It is found out on the same states as the decision
//! itself, so the append names them: no command is accepted on a permission, or with a key, that was
//! withdrawn.
//!
//! What somebody cannot see does not exist for them: an organization they are not of, or a project
//! they are not in, is answered like one that is not there.

use api_conventions::authentication::PresentedKey;
use domain::api_key::ApiKey;
use domain::organization::{Authority, Organization, OrganizationError};
use domain::permission::{
    is_of_projects, organization_role_allows, project_role_allows, service_account_may,
};
use domain::project::{Project, ProjectError};
use domain::service_account::{ServiceAccount, ServiceAccountError};
use event_schemas::{
    ApiKeyId, KeyOwner, MemberId, OrganizationId, OrganizationRole, Permission, ProjectId,
    ServiceAccountId,
};

use crate::execute::Session;
use crate::refusal::Refusal;

/// Who asks, where it is somebody whose permissions count.
#[derive(Clone, Copy)]
enum Asking {
    Member {
        member_id: MemberId,
        role: OrganizationRole,
        /// Where they ask with a project's API key: that project.
        only_in: Option<ProjectId>,
    },
    ServiceAccount {
        project_id: ProjectId,
    },
}

impl Asking {
    /// The one project that can be asked about, where there is only one.
    fn only_in(self) -> Option<ProjectId> {
        match self {
            Self::Member { only_in, .. } => only_in,
            Self::ServiceAccount { project_id } => Some(project_id),
        }
    }

    fn may_in(self, project: &Project, permission: Permission) -> bool {
        if self.only_in().is_some() && !is_of_projects(permission) {
            return false;
        }
        match self {
            Self::Member { member_id, role, .. } => {
                organization_role_allows(role, permission)
                    || project
                        .role_of(member_id)
                        .is_some_and(|role| project_role_allows(role, permission))
            }
            Self::ServiceAccount { .. } => service_account_may(permission),
        }
    }
}

impl Session<'_> {
    /// Refuses who may not do this in all of the organization.
    pub async fn permit(
        &mut self,
        organization_id: OrganizationId,
        permission: Permission,
    ) -> Result<(), Refusal> {
        let may = match self.asking(organization_id).await? {
            None => true,
            Some(Asking::Member { role, only_in: None, .. }) => {
                organization_role_allows(role, permission)
            }
            // A project's key is for the project.
            Some(Asking::Member { only_in: Some(_), .. } | Asking::ServiceAccount { .. }) => {
                permission == Permission::OrganizationRead
            }
        };
        if may { Ok(()) } else { Err(Refusal::NotPermitted { permission }) }
    }

    /// Refuses who may not do this in the project.
    pub async fn permit_in(
        &mut self,
        organization_id: OrganizationId,
        project_id: ProjectId,
        permission: Permission,
    ) -> Result<(), Refusal> {
        let Some(asking) = self.asking(organization_id).await? else { return Ok(()) };
        if asking.only_in().is_some_and(|only| only != project_id) {
            return Err(ProjectError::NotFound.into());
        }
        let project = self.read::<Project>(project_id).await?;
        if asking.may_in(project, permission) {
            return Ok(());
        }
        if asking.may_in(project, Permission::ProjectsRead) {
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
        let own = self
            .authority()
            .member_id()
            .is_some_and(|member_id| owner == Some(KeyOwner::Member { member_id }));
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
            Authority::Member(_) | Authority::ApiKey { .. } | Authority::Nobody => {
                Err(Refusal::OperatorOnly)
            }
        }
    }

    /// Refuses where the key that was presented does not work any more, or its owner may not act.
    pub async fn vouch(&mut self, presented: Option<&PresentedKey>) -> Result<(), Refusal> {
        let Some(presented) = presented else { return Ok(()) };
        let now = self.now();
        let key = self.read::<ApiKey>(presented.api_key_id).await?;
        let organization_id =
            key.organization_id().filter(|_| key.accepts(&presented.secret_hash, now));
        let organization_id = organization_id.ok_or(Refusal::CredentialEnded)?;
        match self.acting_owner(organization_id, presented.owner).await {
            Ok(()) => Ok(()),
            Err(Refusal::Failed(error)) => Err(Refusal::Failed(error)),
            Err(_) => Err(Refusal::CredentialEnded),
        }
    }

    /// That the owner of a key may act in the organization.
    pub(crate) async fn acting_owner(
        &mut self,
        organization_id: OrganizationId,
        owner: KeyOwner,
    ) -> Result<(), Refusal> {
        match owner {
            KeyOwner::Member { member_id } => {
                self.active_member(organization_id, member_id).await?;
            }
            KeyOwner::ServiceAccount { service_account_id } => {
                self.open_organization(organization_id).await?;
                self.active_service_account(organization_id, service_account_id).await?;
            }
        }
        Ok(())
    }

    /// Who asks; none where nothing limits them. Somebody of another organization learns nothing of
    /// this one.
    async fn asking(&mut self, organization_id: OrganizationId) -> Result<Option<Asking>, Refusal> {
        let (member_id, only_in) = match self.authority() {
            Authority::Operator | Authority::System => return Ok(None),
            Authority::Nobody => return Err(OrganizationError::NotFound.into()),
            Authority::Member(member_id) => (member_id, None),
            Authority::ApiKey { owner: KeyOwner::Member { member_id }, project_id } => {
                (member_id, Some(project_id))
            }
            Authority::ApiKey { owner: owner @ KeyOwner::ServiceAccount { .. }, project_id } => {
                return match self.acting_owner(organization_id, owner).await {
                    Ok(()) => Ok(Some(Asking::ServiceAccount { project_id })),
                    Err(Refusal::Failed(error)) => Err(Refusal::Failed(error)),
                    Err(_) => Err(OrganizationError::NotFound.into()),
                };
            }
        };
        let organization = self.read::<Organization>(organization_id).await?;
        let role = organization.acting_role(member_id).ok_or(OrganizationError::NotFound)?;
        Ok(Some(Asking::Member { member_id, role, only_in }))
    }
}
