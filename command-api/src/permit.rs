//! Whether the one who asks may do what is asked. It is found out on the same states as the decision
//! itself, so the append names them: no command is accepted on a permission, or with a key, that was
//! withdrawn.
//!
//! What somebody cannot see does not exist for them: an organization they are not of, or a project
//! they are not in, is answered like one that is not there.

use api_conventions::authentication::Presented;
use domain::organization::{Access, Authority, Organization, OrganizationError};
use domain::project::{Project, ProjectError};
use domain::service_account::{ServiceAccount, ServiceAccountError};
use event_schemas::permission::{is_of_projects, service_account_may};
use event_schemas::{
    KeyOwner, OrganizationId, OrganizationRole, Permission, PermissionSet, ProjectId, ProjectRole,
    ServiceAccountId,
};

use crate::execute::Session;
use crate::refusal::Refusal;

/// Who asks, where it is somebody whose permissions count.
pub(crate) struct Asking {
    who: Who,
    /// Where they ask with a project's API key: that project.
    only_in: Option<ProjectId>,
    /// What their API key is limited to.
    scopes: Option<PermissionSet>,
}

enum Who {
    Member(Access),
    ServiceAccount,
    /// The operator, where they were not let in.
    Operator,
}

impl Asking {
    /// What they may do everywhere in the organization.
    pub(crate) fn in_organization(&self) -> PermissionSet {
        match (&self.who, self.only_in) {
            (Who::Member(access), None) => self.within_scopes(access.organization),
            (Who::Operator, _) => PermissionSet::NONE,
            // A project's key is for the project.
            (Who::Member(_), Some(_)) | (Who::ServiceAccount, _) => {
                [Permission::OrganizationRead].into_iter().collect()
            }
        }
    }

    /// What they may do in the project, whatever their key is limited to.
    fn unlimited_in(&self, project_id: ProjectId, project: &Project) -> PermissionSet {
        let all = match &self.who {
            Who::Member(access) => access.in_project(project_id, project),
            Who::ServiceAccount => PermissionSet::that(service_account_may),
            Who::Operator => PermissionSet::NONE,
        };
        match self.only_in {
            Some(_) => all.intersection(PermissionSet::that(is_of_projects)),
            None => all,
        }
    }

    /// What they may do in the project.
    pub(crate) fn in_project(&self, project_id: ProjectId, project: &Project) -> PermissionSet {
        self.within_scopes(self.unlimited_in(project_id, project))
    }

    fn within_scopes(&self, permissions: PermissionSet) -> PermissionSet {
        self.scopes.map_or(permissions, |scopes| permissions.intersection(scopes))
    }

    /// The one project that they can ask about, where their credential opens one alone.
    pub(crate) fn only_in(&self) -> Option<ProjectId> {
        self.only_in
    }

    /// Whether they ask with a key that opens one project alone.
    pub(crate) fn is_confined(&self) -> bool {
        self.only_in.is_some()
    }

    /// Whether it is the operator, whom nobody has let in.
    pub(crate) fn is_operator(&self) -> bool {
        matches!(self.who, Who::Operator)
    }

    /// Who the member is and may do, where it is one.
    pub(crate) fn access(&self) -> Option<&Access> {
        match &self.who {
            Who::Member(access) => Some(access),
            Who::ServiceAccount | Who::Operator => None,
        }
    }

    /// What is answered where they lack a permission.
    fn refusal(&self, permission: Permission) -> Refusal {
        match self.who {
            Who::Operator => Refusal::BreakGlassNeeded,
            Who::Member(_) | Who::ServiceAccount => Refusal::NotPermitted { permission },
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
        match self.asking(organization_id).await? {
            Some(asking) if !asking.in_organization().contains(permission) => {
                Err(asking.refusal(permission))
            }
            Some(_) | None => self.of_emergencies(organization_id, permission).await,
        }
    }

    /// Refuses who may not do this in all of another organization than the one that they ask about.
    ///
    /// A credential is good for one organization. Beyond it count those whom the other one knows by
    /// themselves: the operator, where it has let them in, and whoever signed in there with the same
    /// issuer and address. To anybody else it is not there.
    pub(crate) async fn permit_elsewhere(
        &mut self,
        organization_id: OrganizationId,
        permission: Permission,
    ) -> Result<(), Refusal> {
        if matches!(self.authority(), Authority::Operator | Authority::System) {
            return self.permit(organization_id, permission).await;
        }
        let Some(Presented::SignedIn(signed_in)) = self.presented().cloned() else {
            return Err(OrganizationError::NotFound.into());
        };
        let now = self.now();
        let organization = self.read::<Organization>(organization_id).await?;
        let member_id = organization.signed_in(&signed_in.issuer, &signed_in.email);
        let member_id = member_id.filter(|member_id| !organization.member_rests(*member_id, now));
        let access = member_id.and_then(|member_id| organization.access_of(member_id));
        let access = access.ok_or(OrganizationError::NotFound)?;
        if access.organization.contains(permission) {
            return Ok(());
        }
        Err(Refusal::NotPermitted { permission })
    }

    /// Refuses who may not make somebody a member with this role. Where there has been no owner yet,
    /// whoever runs orgledger may name the first.
    pub async fn permit_naming(
        &mut self,
        organization_id: OrganizationId,
        permission: Permission,
        role: OrganizationRole,
    ) -> Result<(), Refusal> {
        if self.authority() == Authority::Operator && role == OrganizationRole::Owner {
            let organization = self.read::<Organization>(organization_id).await?;
            if organization.awaits_first_owner() {
                return Ok(());
            }
        }
        self.permit(organization_id, permission).await
    }

    /// Refuses who may not do this in the project.
    pub async fn permit_in(
        &mut self,
        organization_id: OrganizationId,
        project_id: ProjectId,
        permission: Permission,
    ) -> Result<(), Refusal> {
        let needed = [permission].into_iter().collect();
        self.permit_all_in(organization_id, project_id, needed).await
    }

    /// Refuses who may not give this role in the project: nobody gives more than they have.
    pub async fn permit_granting(
        &mut self,
        organization_id: OrganizationId,
        project_id: ProjectId,
        role: ProjectRole,
    ) -> Result<(), Refusal> {
        self.permit_all_in(organization_id, project_id, role.permissions()).await
    }

    /// Refuses who may not put one role in the project in another's place: nobody gives, or takes away,
    /// more than they have.
    pub async fn permit_replacing(
        &mut self,
        organization_id: OrganizationId,
        project_id: ProjectId,
        present: Option<ProjectRole>,
        role: Option<ProjectRole>,
    ) -> Result<(), Refusal> {
        for role in present.into_iter().chain(role) {
            self.permit_granting(organization_id, project_id, role).await?;
        }
        Ok(())
    }

    async fn permit_all_in(
        &mut self,
        organization_id: OrganizationId,
        project_id: ProjectId,
        needed: PermissionSet,
    ) -> Result<(), Refusal> {
        for permission in needed.iter() {
            self.of_emergencies(organization_id, permission).await?;
        }
        let Some(asking) = self.asking(organization_id).await? else { return Ok(()) };
        if asking.only_in.is_some_and(|only| only != project_id) {
            return Err(ProjectError::NotFound.into());
        }
        let project = self.read::<Project>(project_id).await?;
        let unlimited = asking.unlimited_in(project_id, project);
        let missing = needed.without(asking.within_scopes(unlimited)).iter().next();
        let Some(permission) = missing else { return Ok(()) };
        if unlimited.contains(Permission::ProjectsRead) || matches!(asking.who, Who::Operator) {
            return Err(asking.refusal(permission));
        }
        Err(ProjectError::NotFound.into())
    }

    /// What the one who asks may do in the project; nothing where it is not one of the organization.
    pub(crate) async fn may_in(
        &mut self,
        organization_id: OrganizationId,
        project_id: ProjectId,
    ) -> Result<PermissionSet, Refusal> {
        let asking = self.asking(organization_id).await?;
        let project = self.read::<Project>(project_id).await?;
        if project.organization_id() != Some(organization_id) {
            return Ok(PermissionSet::NONE);
        }
        Ok(match asking {
            None => PermissionSet::that(|_| true),
            Some(asking) if asking.only_in.is_some_and(|only| only != project_id) => {
                PermissionSet::NONE
            }
            Some(asking) => asking.within_scopes(asking.unlimited_in(project_id, project)),
        })
    }

    /// Refuses who may not say who is in a group, or remove one. What a group has in projects, now or
    /// later, stands with the projects: so nobody gives it, or takes it away, who may not do everywhere
    /// what an owner of a project may in it.
    pub(crate) async fn permit_group(
        &mut self,
        organization_id: OrganizationId,
    ) -> Result<(), Refusal> {
        self.permit(organization_id, Permission::GroupsUpdate).await?;
        let Some(asking) = self.asking(organization_id).await? else { return Ok(()) };
        let given = ProjectRole::Owner.permissions();
        match given.without(asking.in_organization()).iter().next() {
            Some(permission) => Err(OrganizationError::PermissionAboveOwn(permission).into()),
            None => Ok(()),
        }
    }

    /// Refuses who may not change the service account.
    pub async fn permit_service_account(
        &mut self,
        organization_id: OrganizationId,
        id: ServiceAccountId,
    ) -> Result<(), Refusal> {
        let account = self.read::<ServiceAccount>(id).await?;
        match account.project_id() {
            // Of another organization's not even the permission that it would take is said.
            Some(project_id) if account.organization_id() == Some(organization_id) => {
                let permission = Permission::ServiceAccountsUpdate;
                self.permit_in(organization_id, project_id, permission).await
            }
            Some(_) | None => Err(ServiceAccountError::NotFound.into()),
        }
    }

    /// Refuses everybody but who runs orgledger, and orgledger itself.
    pub fn permit_operator(&self) -> Result<(), Refusal> {
        match self.authority() {
            Authority::Operator | Authority::System => Ok(()),
            Authority::Member(_)
            | Authority::ApiKey { .. }
            | Authority::Invited(_)
            | Authority::Nobody => Err(Refusal::OperatorOnly),
        }
    }

    /// Who asks; none where nothing limits them. Somebody of another organization learns nothing of
    /// this one.
    pub(crate) async fn asking(
        &mut self,
        organization_id: OrganizationId,
    ) -> Result<Option<Asking>, Refusal> {
        let (member_id, only_in, scopes, rank_max) = match self.authority() {
            Authority::System => return Ok(None),
            Authority::Operator => return self.asking_operator(organization_id).await,
            Authority::Invited(_) | Authority::Nobody => {
                return Err(OrganizationError::NotFound.into());
            }
            Authority::Member(member_id) => (member_id, None, None, None),
            Authority::ApiKey {
                owner: KeyOwner::Member { member_id },
                project_id,
                scopes,
                rank_max,
            } => (member_id, project_id, scopes, rank_max),
            Authority::ApiKey {
                owner: owner @ KeyOwner::ServiceAccount { .. },
                project_id,
                scopes,
                rank_max: _,
            } => {
                return match self.acting_owner(organization_id, owner).await {
                    Ok(()) => {
                        Ok(Some(Asking { who: Who::ServiceAccount, only_in: project_id, scopes }))
                    }
                    Err(Refusal::Failed(error)) => Err(Refusal::Failed(error)),
                    Err(_) => Err(OrganizationError::NotFound.into()),
                };
            }
        };
        let organization = self.read::<Organization>(organization_id).await?;
        let mut access = organization.access_of(member_id).ok_or(OrganizationError::NotFound)?;
        access.rank = rank_max.map_or(access.rank, |rank_max| access.rank.min(rank_max));
        Ok(Some(Asking { who: Who::Member(access), only_in, scopes }))
    }

    /// The operator is limited by nothing while they are let in, and may do nothing before.
    async fn asking_operator(
        &mut self,
        organization_id: OrganizationId,
    ) -> Result<Option<Asking>, Refusal> {
        let (operator, now) = (self.actor_name(), self.now());
        let organization = self.read::<Organization>(organization_id).await?;
        if organization.organization_id().is_none() {
            return Err(OrganizationError::NotFound.into());
        }
        if organization.access_open_to(&operator, now).is_some() {
            return Ok(None);
        }
        Ok(Some(Asking { who: Who::Operator, only_in: None, scopes: None }))
    }
}
