//! Settle anew what an organization settles for itself.

use api_conventions::{IfMatchRequired, Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{OrganizationId, OrganizationSettings, Permission};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{OrganizationPath, Refusals, ReplaceHeaders, VersionRequired};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Settle anew what an organization settles for itself.
#[derive(Debug, Clone, Serialize)]
pub struct ReplaceSettings {
    /// The organization.
    pub organization_id: OrganizationId,
    /// All of it: what is left out is not kept.
    pub settings: OrganizationSettings,
}

impl Command for ReplaceSettings {
    const NAME: &'static str = "organizations.replace_settings";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::SettingsUpdate).await?;
        if !session.knows_time_zone(&self.settings.time_zone).await? {
            let why = "it is not a time zone that the database knows";
            return Err(Refusal::Invalid { field: "time_zone", why });
        }
        let (by, settings) = (session.authority(), self.settings.clone());
        let change = OrganizationCommand::ChangeSettings { by, settings };
        session.execute::<Organization>(self.organization_id, change).await?;
        Ok(Done {})
    }
}

/// Replaces the organization's settings, as a whole: what is left out is settled no more.
/// Needs `If-Match`, so that nobody else's change is overwritten unseen.
#[utoipa::path(
    put,
    path = "/v1/organizations/{organization_id}/settings",
    tag = "organizations",
    params(OrganizationPath, ReplaceHeaders),
    request_body = OrganizationSettings,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), VersionRequired, Refusals)
)]
pub(crate) async fn replace_organization_settings(
    State(api): State<CommandApi>,
    asked: Asked,
    _: IfMatchRequired,
    Path(path): Path<OrganizationPath>,
    Json(settings): Json<OrganizationSettings>,
) -> Result<Response, Problem> {
    let command = ReplaceSettings { organization_id: path.organization_id, settings };
    carry_out(&api, asked, command).await
}
