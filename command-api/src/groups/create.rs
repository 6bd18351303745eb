//! Make a group.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{GroupCommand, Organization, OrganizationCommand};
use event_schemas::{GroupId, OrganizationId, OrganizationRole, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// A group to make.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGroupRequest {
    /// Its name, unique among the organization's groups, compared without case.
    pub name: String,
    /// The role in the organization that its members inherit; by default none beyond their own.
    /// Nobody inherits the role of an owner.
    #[serde(default)]
    pub role: Option<OrganizationRole>,
}

/// Make a group.
#[derive(Debug, Clone, Serialize)]
pub struct CreateGroup {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The group.
    pub request: CreateGroupRequest,
}

/// A group that was made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GroupCreated {
    /// Its id.
    pub group_id: GroupId,
}

impl Command for CreateGroup {
    const NAME: &'static str = "groups.create";
    type Outcome = GroupCreated;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.permit(self.organization_id, Permission::GroupsUpdate).await?;
        let group_id: GroupId = session.new_id();
        let CreateGroupRequest { name, role } = self.request.clone();
        let by = session.authority();
        let command = GroupCommand::Create { group_id, name, role };
        let create = OrganizationCommand::Group { by, command };
        session.execute::<Organization>(self.organization_id, create).await?;
        Ok(GroupCreated { group_id })
    }
}

/// Makes a group, without members.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/groups",
    tag = "groups",
    params(OrganizationPath, PostHeaders),
    request_body = CreateGroupRequest,
    responses((status = 201, description = "It is made.", body = Answered<GroupCreated>), Refusals)
)]
pub(crate) async fn create_group(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<CreateGroupRequest>,
) -> Result<Response, Problem> {
    let command = CreateGroup { organization_id: path.organization_id, request };
    create(&api, asked, command, |created| {
        format!("/v1/organizations/{}/groups/{}", path.organization_id, created.group_id)
    })
    .await
}
