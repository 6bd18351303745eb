//! What is held in an organization, as the log has it: what a review looks at, and whether it is
//! still so when the review is closed.

use domain::access_review::{AccessReviewError, LINES_MAX};
use domain::api_key::ApiKey;
use domain::organization::Organization;
use domain::project::Project;
use domain::service_account::ServiceAccount;
use event_log::read::of_organization;
use event_schemas::{
    ApiKeyId, Grantee, HeldAccess, KeyOwner, OrganizationId, ProjectId, ReviewScope,
};

use crate::execute::Session;
use crate::refusal::{ExecuteError, Refusal};

/// One more than there may be, so that too many is seen without reading all of them.
#[allow(clippy::cast_possible_wrap)] // A small constant.
const FOUND_MAX: i64 = LINES_MAX as i64 + 1;

impl Session<'_> {
    /// All that is held of what the scope looks at: first what the roster knows, then roles in
    /// projects, then API keys. What has ended, or belongs to what has, is not held.
    pub(super) async fn held_access(
        &mut self,
        organization_id: OrganizationId,
        scope: ReviewScope,
    ) -> Result<Vec<HeldAccess>, Refusal> {
        if let ReviewScope::Project { project_id } = scope {
            self.open_project(organization_id, project_id).await?;
        }
        let mut held = self.read::<Organization>(organization_id).await?.held(scope);
        few_enough(held.len())?;
        for project_id in self.projects_looked_at(organization_id, scope).await? {
            held.extend(self.project_roles(organization_id, project_id).await?);
            few_enough(held.len())?;
        }
        let api_keys = self.api_keys_looked_at(organization_id, scope).await?;
        few_enough(api_keys.len())?;
        for api_key_id in api_keys {
            let key = self.api_key_held(api_key_id).await?;
            let Some(key) = key else { continue };
            if self.is_held(organization_id, &key).await? {
                held.push(key);
                few_enough(held.len())?;
            }
        }
        Ok(held)
    }

    /// Whether something is held still. What is held again was given anew by somebody, and counts.
    pub(super) async fn is_held(
        &mut self,
        organization_id: OrganizationId,
        held: &HeldAccess,
    ) -> Result<bool, Refusal> {
        if !self.read::<Organization>(organization_id).await?.still_holds(held) {
            return Ok(false);
        }
        match *held {
            HeldAccess::MemberRole { .. }
            | HeldAccess::GroupMembership { .. }
            | HeldAccess::RoleGrant { .. } => Ok(true),
            HeldAccess::ProjectRole { project_id, holder, .. } => {
                let project = self.read::<Project>(project_id).await?;
                let role = match holder {
                    Grantee::Member { member_id } => project.role_of(member_id),
                    Grantee::Group { group_id } => project.role_of_group(group_id),
                };
                Ok(role.is_some() && project.open(organization_id).is_ok())
            }
            HeldAccess::ApiKey { api_key_id, owner, project_id, .. } => {
                let now = self.now();
                if self.read::<ApiKey>(api_key_id).await?.usable(now).is_err() {
                    return Ok(false);
                }
                if let KeyOwner::ServiceAccount { service_account_id } = owner {
                    let account = self.read::<ServiceAccount>(service_account_id).await?;
                    if account.active(organization_id).is_err() {
                        return Ok(false);
                    }
                }
                let Some(project_id) = project_id else { return Ok(true) };
                Ok(self.read::<Project>(project_id).await?.open(organization_id).is_ok())
            }
        }
    }

    async fn projects_looked_at(
        &mut self,
        organization_id: OrganizationId,
        scope: ReviewScope,
    ) -> Result<Vec<ProjectId>, Refusal> {
        match scope {
            ReviewScope::Project { project_id } => Ok(vec![project_id]),
            ReviewScope::Organization {} | ReviewScope::ProjectRoles {} => {
                let pool = self.log().pool();
                let found = of_organization::projects(pool, organization_id, FOUND_MAX).await;
                Ok(found.map_err(ExecuteError::Database)?)
            }
            ReviewScope::Members {}
            | ReviewScope::Admins {}
            | ReviewScope::GroupMemberships {}
            | ReviewScope::RoleGrants {}
            | ReviewScope::ApiKeys {} => Ok(Vec::new()),
        }
    }

    async fn project_roles(
        &mut self,
        organization_id: OrganizationId,
        project_id: ProjectId,
    ) -> Result<Vec<HeldAccess>, Refusal> {
        let project = self.read::<Project>(project_id).await?;
        let members =
            project.members().map(|(member_id, role)| (Grantee::Member { member_id }, role));
        let groups = project.groups().map(|(group_id, role)| (Grantee::Group { group_id }, role));
        let roles: Vec<HeldAccess> = members
            .chain(groups)
            .map(|(holder, role)| HeldAccess::ProjectRole { project_id, holder, role })
            .collect();
        let mut held = Vec::with_capacity(roles.len());
        for role in roles {
            if self.is_held(organization_id, &role).await? {
                held.push(role);
            }
        }
        Ok(held)
    }

    async fn api_keys_looked_at(
        &mut self,
        organization_id: OrganizationId,
        scope: ReviewScope,
    ) -> Result<Vec<ApiKeyId>, Refusal> {
        let within = match scope {
            ReviewScope::Project { project_id } => Some(project_id),
            ReviewScope::Organization {} | ReviewScope::ApiKeys {} => None,
            ReviewScope::Members {}
            | ReviewScope::Admins {}
            | ReviewScope::ProjectRoles {}
            | ReviewScope::GroupMemberships {}
            | ReviewScope::RoleGrants {} => return Ok(Vec::new()),
        };
        let pool = self.log().pool();
        let found = of_organization::api_keys(pool, organization_id, within, FOUND_MAX).await;
        Ok(found.map_err(ExecuteError::Database)?)
    }

    async fn api_key_held(&mut self, api_key_id: ApiKeyId) -> Result<Option<HeldAccess>, Refusal> {
        let key = self.read::<ApiKey>(api_key_id).await?;
        let (project_id, scopes) = (key.project_id(), key.scopes());
        let held = |owner| HeldAccess::ApiKey { api_key_id, owner, project_id, scopes };
        Ok(key.owner().map(held))
    }
}

fn few_enough(lines: usize) -> Result<(), Refusal> {
    if lines > LINES_MAX {
        return Err(AccessReviewError::TooManyLines { max: LINES_MAX }.into());
    }
    Ok(())
}
