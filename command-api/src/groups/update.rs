//! Change a group's name, or the role that its members inherit.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{GroupCommand, Organization, OrganizationCommand};
use event_schemas::{GroupId, OrganizationId, OrganizationRole, Permission};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, GroupPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// What to change; what is left out stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateGroupRequest {
    /// The new name.
    #[serde(default)]
    pub name: Option<String>,
    /// The role that its members inherit from now on; null takes it away.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OrganizationRole>)]
    pub role: Option<Option<OrganizationRole>>,
}

/// Change a group.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateGroup {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The group.
    pub group_id: GroupId,
    /// What to change.
    pub request: UpdateGroupRequest,
}

/// What is there was given, even where it is null.
fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

impl Command for UpdateGroup {
    const NAME: &'static str = "groups.update";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::GroupsUpdate).await?;
        let group_id = self.group_id;
        session.existing_group(self.organization_id, group_id).await?;
        let rename = self.request.name.clone().map(|name| GroupCommand::Rename { group_id, name });
        let change = self.request.role.map(|role| GroupCommand::ChangeRole { group_id, role });
        for command in rename.into_iter().chain(change) {
            let command = OrganizationCommand::Group { by: session.authority(), command };
            session.execute::<Organization>(self.organization_id, command).await?;
        }
        Ok(Done {})
    }
}

/// Changes a group's name, or the role that its members inherit.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{organization_id}/groups/{group_id}",
    tag = "groups",
    params(GroupPath, ChangeHeaders),
    request_body = UpdateGroupRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn update_group(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<GroupPath>,
    Json(request): Json<UpdateGroupRequest>,
) -> Result<Response, Problem> {
    let command =
        UpdateGroup { organization_id: path.organization_id, group_id: path.group_id, request };
    carry_out(&api, asked, command).await
}
