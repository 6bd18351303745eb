//! Remove a group: nobody inherits anything from it any more.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{GroupCommand, Organization, OrganizationCommand};
use event_schemas::{GroupId, OrganizationId};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, GroupPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Remove a group.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveGroup {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The group.
    pub group_id: GroupId,
}

impl Command for RemoveGroup {
    const NAME: &'static str = "groups.remove";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_group(self.organization_id).await?;
        let command = GroupCommand::Remove { group_id: self.group_id };
        let remove = OrganizationCommand::Group { by: session.authority(), command };
        session.execute::<Organization>(self.organization_id, remove).await?;
        Ok(Done {})
    }
}

/// Removes a group: what its members had through it ends.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization_id}/groups/{group_id}",
    tag = "groups",
    params(GroupPath, ChangeHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn remove_group(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<GroupPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command = RemoveGroup { organization_id: path.organization_id, group_id: path.group_id };
    carry_out(&api, asked, command).await
}
