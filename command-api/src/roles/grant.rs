//! Grant a custom role.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand, RoleCommand};
use event_schemas::{Grantee, GroupId, MemberId, OrganizationId, Permission, ProjectId, RoleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{PostHeaders, Refusals, RolePath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Who has a role, and where. Exactly one of member and group is named.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleGrantRequest {
    /// The member.
    #[serde(default)]
    pub member_id: Option<MemberId>,
    /// The group: whoever is in it.
    #[serde(default)]
    pub group_id: Option<GroupId>,
    /// Within which project; without one, everywhere in the organization.
    #[serde(default)]
    pub project_id: Option<ProjectId>,
}

impl RoleGrantRequest {
    /// The one who has it; refused where it is not exactly one.
    pub(super) fn grantee(&self) -> Result<Grantee, Refusal> {
        match (self.member_id, self.group_id) {
            (Some(member_id), None) => Ok(Grantee::Member { member_id }),
            (None, Some(group_id)) => Ok(Grantee::Group { group_id }),
            (Some(_), Some(_)) | (None, None) => Err(Refusal::Invalid {
                field: "member_id",
                why: "exactly one of member_id and group_id says who has the role",
            }),
        }
    }
}

/// Grant a custom role.
#[derive(Debug, Clone, Serialize)]
pub struct GrantRole {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The role.
    pub role_id: RoleId,
    /// To whom, and where.
    pub request: RoleGrantRequest,
}

impl Command for GrantRole {
    const NAME: &'static str = "roles.grant";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::RolesUpdate).await?;
        let grantee = self.request.grantee()?;
        let (role_id, project_id) = (self.role_id, self.request.project_id);
        if let Some(project_id) = project_id {
            session.open_project(self.organization_id, project_id).await?;
        }
        let command = RoleCommand::Grant { role_id, grantee, project_id };
        let grant = OrganizationCommand::Role { by: session.authority(), command };
        session.execute::<Organization>(self.organization_id, grant).await?;
        Ok(Done {})
    }
}

/// Grants a custom role to a member or a group, everywhere or within a project.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/roles/{role_id}/grants",
    tag = "roles",
    params(RolePath, PostHeaders),
    request_body = RoleGrantRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn grant_role(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<RolePath>,
    Json(request): Json<RoleGrantRequest>,
) -> Result<Response, Problem> {
    let command =
        GrantRole { organization_id: path.organization_id, role_id: path.role_id, request };
    carry_out(&api, asked, command).await
}
