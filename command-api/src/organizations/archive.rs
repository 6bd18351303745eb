//! Archive an organization.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::name::NameScope;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{OrganizationId, Permission, SensitiveRequest};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::approvals::Sensitive;
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Close an organization for good: all access in it ends.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveOrganization {
    /// The organization.
    pub organization_id: OrganizationId,
}

impl Command for ArchiveOrganization {
    const NAME: &'static str = "organizations.archive";
    type Outcome = Sensitive;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Sensitive, Refusal> {
        session.permit(self.organization_id, Permission::OrganizationArchive).await?;
        let request = SensitiveRequest::ArchiveOrganization {};
        session.do_sensitive(self.organization_id, request).await
    }
}

/// Closes an organization for good.
pub(crate) async fn archive(session: &mut Session<'_>, id: OrganizationId) -> Result<(), Refusal> {
    session.execute::<Organization>(id, OrganizationCommand::Archive).await?;
    let name = session.read::<Organization>(id).await?.name().unwrap_or_default().to_owned();
    session.release_name(NameScope::Organization, &name, id).await
}

/// Closes an organization for good: all access in it ends. It may need a second person's approval.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/archive",
    tag = "organizations",
    params(OrganizationPath, PostHeaders),
    responses((status = 200, description = "It is closed, or waits for approval.", body = Answered<Sensitive>), Refusals)
)]
pub(crate) async fn archive_organization(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command = ArchiveOrganization { organization_id: path.organization_id };
    carry_out(&api, asked, command).await
}
