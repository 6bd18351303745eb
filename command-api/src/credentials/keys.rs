//! Who may have and change which API keys.

use api_conventions::authentication::Presented;
use domain::api_key::ApiKey;
use domain::organization::{Organization, OrganizationError};
use domain::project::Project;
use event_schemas::permission::{is_of_projects, service_account_may};
use event_schemas::{
    ApiKeyId, KeyOwner, OrganizationId, Permission, PermissionSet, ProjectId, ProjectRole,
};

use crate::execute::Session;
use crate::refusal::Refusal;

impl Session<'_> {
    /// Refuses who may not make a key of that owner: in a project, or (an admin key) for all that
    /// its owner may do. Nobody makes a key for a member above themselves, nor one that opens more
    /// than the key they ask with.
    pub async fn permit_key_of(
        &mut self,
        organization_id: OrganizationId,
        project_id: Option<ProjectId>,
        owner: Option<KeyOwner>,
        scopes: Option<PermissionSet>,
    ) -> Result<(), Refusal> {
        self.permit_keys_of(organization_id, project_id, owner).await?;
        self.covers_key(organization_id, owner, scopes).await?;
        self.opens_no_more(organization_id, project_id, owner, scopes).await?;
        self.with_newest_secret().await
    }

    /// Refuses who may not have the key's new secret; answers its project. Who has the secret can do
    /// what the key opens.
    pub async fn permit_secret_of(
        &mut self,
        organization_id: OrganizationId,
        api_key_id: ApiKeyId,
    ) -> Result<Option<ProjectId>, Refusal> {
        let project_id = self.permit_key(organization_id, api_key_id).await?;
        let key = self.read::<ApiKey>(api_key_id).await?;
        let (owner, scopes) = (key.owner(), key.scopes());
        self.opens_no_more(organization_id, project_id, owner, scopes).await?;
        self.with_newest_secret().await?;
        Ok(project_id)
    }

    /// Refuses a secret that was rotated out, in its grace: whoever still has it gets no other for it,
    /// which would outlive the grace or take the key over.
    async fn with_newest_secret(&mut self) -> Result<(), Refusal> {
        let Some(Presented::ApiKey(presented)) = self.presented() else { return Ok(()) };
        let (api_key_id, hash) = (presented.api_key_id, presented.secret_hash.clone());
        if self.read::<ApiKey>(api_key_id).await?.is_newest(&hash) {
            return Ok(());
        }
        Err(Refusal::SecretRotatedOut)
    }

    /// Refuses who may not change the key; answers its project. An admin key is its owner's to
    /// rename, rotate and revoke, whatever their role.
    pub async fn permit_key(
        &mut self,
        organization_id: OrganizationId,
        api_key_id: ApiKeyId,
    ) -> Result<Option<ProjectId>, Refusal> {
        let project_id = self.own_api_key(organization_id, api_key_id).await?;
        let key = self.read::<ApiKey>(api_key_id).await?;
        let (owner, scopes) = (key.owner(), key.scopes());
        if project_id.is_none() && self.is_own(owner) {
            let asking = self.asking(organization_id).await?;
            if asking.is_some_and(|asking| asking.is_confined()) {
                return Err(Refusal::NotPermitted { permission: Permission::ApiKeysOwn });
            }
            self.covers_key(organization_id, owner, scopes).await?;
            return Ok(None);
        }
        self.permit_keys_of(organization_id, project_id, owner).await?;
        self.covers_key(organization_id, owner, scopes).await?;
        Ok(project_id)
    }

    async fn permit_keys_of(
        &mut self,
        organization_id: OrganizationId,
        project_id: Option<ProjectId>,
        owner: Option<KeyOwner>,
    ) -> Result<(), Refusal> {
        let permission =
            if self.is_own(owner) { Permission::ApiKeysOwn } else { Permission::ApiKeysUpdate };
        match project_id {
            Some(project_id) => self.permit_in(organization_id, project_id, permission).await,
            None => self.permit(organization_id, permission).await,
        }
    }

    fn is_own(&self, owner: Option<KeyOwner>) -> bool {
        let asks = self.authority().member_id();
        asks.is_some_and(|member_id| owner == Some(KeyOwner::Member { member_id }))
    }

    async fn covers_key(
        &mut self,
        organization_id: OrganizationId,
        owner: Option<KeyOwner>,
        scopes: Option<PermissionSet>,
    ) -> Result<(), Refusal> {
        let Some(asking) = self.asking(organization_id).await? else { return Ok(()) };
        // The key's own, not those of its secret: what is made with a secret that others know is known
        // to them, and opens no more than they may do.
        let own = match self.presented() {
            Some(Presented::ApiKey(key)) => {
                let api_key_id = key.api_key_id;
                self.read::<ApiKey>(api_key_id).await?.scopes()
            }
            Some(Presented::SignedIn(_) | Presented::Invite(_)) | None => None,
        };
        if let Some(own) = own {
            let asked = scopes.unwrap_or_else(|| PermissionSet::that(|_| true));
            if let Some(permission) = asked.without(own).iter().next() {
                return Err(OrganizationError::PermissionAboveOwn(permission).into());
            }
        }
        let (Some(KeyOwner::Member { member_id }), Some(access)) = (owner, asking.access()) else {
            return Ok(());
        };
        let organization = self.read::<Organization>(organization_id).await?;
        if organization.ranks_above(member_id, access) {
            return Err(OrganizationError::MemberAboveOwn(member_id).into());
        }
        Ok(())
    }

    /// Refuses to show a secret to one who could do with it what they may not do themselves: a
    /// member of the same rank may have been granted other permissions.
    async fn opens_no_more(
        &mut self,
        organization_id: OrganizationId,
        project_id: Option<ProjectId>,
        owner: Option<KeyOwner>,
        scopes: Option<PermissionSet>,
    ) -> Result<(), Refusal> {
        if self.is_own(owner) {
            return Ok(());
        }
        let (Some(asking), Some(owner)) = (self.asking(organization_id).await?, owner) else {
            return Ok(());
        };
        let access = match owner {
            // A secret outlives its owner's suspension.
            KeyOwner::Member { member_id } => {
                let organization = self.read::<Organization>(organization_id).await?;
                let access = organization.access_unless_suspended(member_id);
                Some(access.ok_or(OrganizationError::MemberNotFound(member_id))?)
            }
            KeyOwner::ServiceAccount { .. } => None,
        };
        let everywhere = access
            .as_ref()
            .map_or_else(|| PermissionSet::that(service_account_may), |access| access.organization);
        let (opened, own) = if let Some(project_id) = project_id {
            let project = self.read::<Project>(project_id).await?;
            let opened = access.map_or(everywhere, |access| access.in_project(project_id, project));
            let own = asking.in_project(project_id, project);
            (opened.intersection(PermissionSet::that(is_of_projects)), own)
        } else {
            // What the owner has in projects, now or later, it opens too.
            (everywhere.union(ProjectRole::Owner.permissions()), asking.in_organization())
        };
        let opened = scopes.map_or(opened, |scopes| opened.intersection(scopes));
        match opened.without(own).iter().next() {
            Some(permission) => Err(OrganizationError::PermissionAboveOwn(permission).into()),
            None => Ok(()),
        }
    }
}
