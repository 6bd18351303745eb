//! Give credits.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::credit_account::{Addition, CreditAccount, CreditAccountCommand};
use event_schemas::{
    Amount, CreditAccountId, Currency, LotId, OrganizationId, PRIORITY_DEFAULT, Permission,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::CreditsAdded;
use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::checks::storable;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// The credits to add.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantCreditsRequest {
    /// How much, above zero.
    pub amount: Amount,
    /// The currency.
    pub currency: Currency,
    /// Until when they can be used; without one, for ever.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
    /// Which of two lots that expire at the same time is drawn first: the lower; without one, 100.
    #[serde(default)]
    #[schema(maximum = 65535)]
    pub priority: Option<u16>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Give credits.
#[derive(Debug, Clone, Serialize)]
pub struct GrantCredits {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The credits.
    pub request: GrantCreditsRequest,
}

impl Command for GrantCredits {
    const NAME: &'static str = "credits.grant";
    type Outcome = CreditsAdded;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.permit(self.organization_id, Permission::CreditsUpdate).await?;
        let request = &self.request;
        storable("expires_at", request.expires_at)?;
        let organization = session.open_organization(self.organization_id).await?;
        let account = CreditAccountId::of(self.organization_id, request.currency);
        let lot_id: LotId = session.new_id();
        let addition = Addition {
            organization,
            lot_id,
            amount: request.amount,
            currency: request.currency,
            expires_at: request.expires_at,
            priority: request.priority.unwrap_or(PRIORITY_DEFAULT),
            now: session.now(),
        };
        let command = CreditAccountCommand::Grant { addition, reason: request.reason.clone() };
        session.execute::<CreditAccount>(account, command).await?;
        Ok(CreditsAdded { lot_id })
    }
}

/// Records that credits were given.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/credits/grants",
    tag = "credits",
    params(OrganizationPath, PostHeaders),
    request_body = GrantCreditsRequest,
    responses((status = 201, description = "It is made.", body = Answered<CreditsAdded>), Refusals)
)]
pub(crate) async fn grant_credits(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<GrantCreditsRequest>,
) -> Result<Response, Problem> {
    let command = GrantCredits { organization_id: path.organization_id, request };
    create(&api, asked, command, |_| {
        format!("/v1/organizations/{}/credit-movements", path.organization_id)
    })
    .await
}
