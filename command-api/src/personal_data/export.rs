//! Ask to read all that is known of a member.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::Organization;
use event_schemas::{ApprovalId, ExportId, MemberId, OrganizationId, Permission, SensitiveRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Session};
use crate::parameters::{MemberPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Ask to read all that is known of somebody who is, or was, a member.
#[derive(Debug, Clone, Serialize)]
pub struct ExportPersonalData {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
}

/// An export that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportAsked {
    /// The export to read, for 24 hours; the one who asked alone can. Where it waits for a second
    /// person, from their approval on.
    pub export_id: ExportId,
    /// The approval that it waits for; null where it can be read now.
    pub approval_id: Option<ApprovalId>,
}

impl Command for ExportPersonalData {
    const NAME: &'static str = "personal_data.export";
    type Outcome = ExportAsked;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<ExportAsked, Refusal> {
        session.permit(self.organization_id, Permission::PersonalDataExport).await?;
        let organization = session.read::<Organization>(self.organization_id).await?;
        organization.person_of(self.member_id)?;
        let by = session.asking_member(self.organization_id).await?;
        let export_id: ExportId = session.new_id();
        let request = SensitiveRequest::ExportPersonalData {
            member_id: self.member_id,
            export_id,
            granted_to: by.member_id(),
        };
        let asked = session.do_sensitive(self.organization_id, request).await?;
        Ok(ExportAsked { export_id, approval_id: asked.approval_id })
    }
}

/// Asks to read all that is known of somebody who is, or was, a member. It may need a second person's
/// approval.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/members/{member_id}/personal-data/export",
    tag = "members",
    params(MemberPath, PostHeaders),
    responses((status = 200, description = "It can be read, or waits for approval.", body = Answered<ExportAsked>), Refusals)
)]
pub(crate) async fn export_personal_data(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<MemberPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let MemberPath { organization_id, member_id } = path;
    carry_out(&api, asked, ExportPersonalData { organization_id, member_id }).await
}
