//! Put a member into a group.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{GroupCommand, Organization, OrganizationCommand};
use event_schemas::{GroupId, MemberId, OrganizationId};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, GroupMemberPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Put a member into a group.
#[derive(Debug, Clone, Serialize)]
pub struct AddGroupMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The group.
    pub group_id: GroupId,
    /// The member.
    pub member_id: MemberId,
}

impl Command for AddGroupMember {
    const NAME: &'static str = "group_members.add";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_group(self.organization_id).await?;
        let (group_id, member_id) = (self.group_id, self.member_id);
        let command = GroupCommand::AddMember { group_id, member_id };
        let command = OrganizationCommand::Group { by: session.authority(), command };
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}

/// Puts a member into a group: they inherit what it may do.
#[utoipa::path(
    put,
    path = "/v1/organizations/{organization_id}/groups/{group_id}/members/{member_id}",
    tag = "groups",
    params(GroupMemberPath, ChangeHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn add_group_member(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<GroupMemberPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let GroupMemberPath { organization_id, group_id, member_id } = path;
    let command = AddGroupMember { organization_id, group_id, member_id };
    carry_out(&api, asked, command).await
}
