//! Settle anew who vouches for an organization's people, and what needs two of them.

use api_conventions::{IfMatchRequired, Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use event_schemas::{OrganizationId, Permission, SecuritySettings, SensitiveRequest};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::approvals::Sensitive;
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, Refusals, ReplaceHeaders, VersionRequired};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Settle anew who vouches for an organization's people, and what needs two of them.
#[derive(Debug, Clone, Serialize)]
pub struct ReplaceSecurity {
    /// The organization.
    pub organization_id: OrganizationId,
    /// All of it: what is left out is not kept.
    pub security: SecuritySettings,
}

impl Command for ReplaceSecurity {
    const NAME: &'static str = "organizations.replace_security";
    type Outcome = Sensitive;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Sensitive, Refusal> {
        session.permit(self.organization_id, Permission::SecurityUpdate).await?;
        let security = self.security.clone();
        let request = SensitiveRequest::ReplaceSecuritySettings { security };
        session.do_sensitive(self.organization_id, request).await
    }
}

/// Replaces who vouches for people signing in and what needs a second person's approval, as a whole.
/// Needs `If-Match`, so that nobody else's change is overwritten unseen. It may itself need a second
/// person's approval.
#[utoipa::path(
    put,
    path = "/v1/organizations/{organization_id}/security",
    tag = "organizations",
    params(OrganizationPath, ReplaceHeaders),
    request_body = SecuritySettings,
    responses((status = 200, description = "It is so now.", body = Answered<Sensitive>), VersionRequired, Refusals)
)]
pub(crate) async fn replace_security_settings(
    State(api): State<CommandApi>,
    asked: Asked,
    _: IfMatchRequired,
    Path(path): Path<OrganizationPath>,
    Json(security): Json<SecuritySettings>,
) -> Result<Response, Problem> {
    let command = ReplaceSecurity { organization_id: path.organization_id, security };
    carry_out(&api, asked, command).await
}
