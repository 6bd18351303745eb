//! Add a member without an invite.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId, OrganizationRole, Permission, PersonId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// A member to add. Where the login is a member's already, they get the role.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMemberRequest {
    /// The name that the person is known by, compared without case.
    pub login: String,
    /// The person's address.
    #[serde(default)]
    pub email: Option<String>,
    /// The role; by default the one that the organization's settings name.
    #[serde(default)]
    pub role: Option<OrganizationRole>,
}

/// Add a member without an invite.
#[derive(Debug, Clone, Serialize)]
pub struct AddMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub request: AddMemberRequest,
}

/// A member who was added, or was there already.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MemberAdded {
    /// The member's id.
    pub member_id: MemberId,
}

impl Command for AddMember {
    const NAME: &'static str = "members.add";
    type Outcome = MemberAdded;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let organization = session.read::<Organization>(self.organization_id).await?;
        let role = self.request.role.unwrap_or(organization.settings().default_role);
        session.permit_naming(self.organization_id, Permission::MembersUpdate, role).await?;
        let organization = session.read::<Organization>(self.organization_id).await?;
        let present = organization.member_by_login(&self.request.login);
        let member_id = present.unwrap_or_else(|| session.new_id());
        let person_id: PersonId = session.new_id();
        let add = OrganizationCommand::AddMember {
            by: session.authority(),
            member_id,
            person_id,
            login: self.request.login.clone(),
            email: self.request.email.clone(),
            role,
        };
        session.execute::<Organization>(self.organization_id, add).await?;
        session.takes_in(self.organization_id, member_id).await?;
        Ok(MemberAdded { member_id })
    }
}

/// Adds a member without an invite. Where the login is a member's already, they get the role.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/members",
    tag = "members",
    params(OrganizationPath, PostHeaders),
    request_body = AddMemberRequest,
    responses((status = 201, description = "It is made.", body = Answered<MemberAdded>), Refusals)
)]
pub(crate) async fn add_member(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<AddMemberRequest>,
) -> Result<Response, Problem> {
    let command = AddMember { organization_id: path.organization_id, request };
    create(&api, asked, command, |created| {
        format!("/v1/organizations/{}/members/{}", path.organization_id, created.member_id)
    })
    .await
}
