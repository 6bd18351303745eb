//! Pay back what was bought and is left.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::credit_account::{CreditAccount, CreditAccountCommand, Outgoing};
use domain::text;
use event_schemas::{Amount, CreditAccountId, Currency, LotId, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::checks::text_in;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// The credits to pay back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundCreditsRequest {
    /// The lot that the purchase is.
    pub lot_id: LotId,
    /// The currency.
    pub currency: Currency,
    /// How much, above zero; without one, all that is left of the lot.
    #[serde(default)]
    pub amount: Option<Amount>,
    /// The credit note.
    #[serde(default)]
    pub reference: Option<String>,
}

/// Pay back what was bought and is left.
#[derive(Debug, Clone, Serialize)]
pub struct RefundCredits {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The credits.
    pub request: RefundCreditsRequest,
}

/// Credits that were paid back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditsRefunded {
    /// The lot that they were taken from.
    pub lot_id: LotId,
    /// How much it was.
    pub amount: Amount,
}

impl Command for RefundCredits {
    const NAME: &'static str = "credits.refund";
    type Outcome = CreditsRefunded;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.permit(self.organization_id, Permission::CreditsUpdate).await?;
        let RefundCreditsRequest { lot_id, currency, amount, reference } = &self.request;
        text_in("reference", text::reason(reference.as_deref()))?;
        let organization = session.open_organization(self.organization_id).await?;
        let left = session.left_of_lot(self.organization_id, *currency, *lot_id).await?;
        let (lot_id, amount) = (*lot_id, *amount);
        let outgoing = Outgoing { organization, lot_id, amount, left, now: session.now() };
        let account = CreditAccountId::of(self.organization_id, *currency);
        let gone = session.gone_of_lot(&account, self.organization_id, lot_id).await?;
        let command = CreditAccountCommand::Refund { outgoing, reference: reference.clone() };
        session.execute::<CreditAccount>(&account, command).await?;
        let now = session.gone_of_lot(&account, self.organization_id, lot_id).await?;
        Ok(CreditsRefunded { lot_id, amount: now - gone })
    }
}

impl Session<'_> {
    /// How much has left a lot, but for usage, with all that this session has decided.
    pub(super) async fn gone_of_lot(
        &mut self,
        account: &CreditAccountId,
        organization_id: OrganizationId,
        lot_id: LotId,
    ) -> Result<Amount, Refusal> {
        Ok(self.read::<CreditAccount>(account).await?.lot(organization_id, lot_id)?.gone)
    }
}

/// Records that what was bought and is left of it was paid back, all or some. It goes back where it
/// came from: the request names the purchase's lot.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/credits/refunds",
    tag = "credits",
    params(OrganizationPath, PostHeaders),
    request_body = RefundCreditsRequest,
    responses((status = 201, description = "It is made.", body = Answered<CreditsRefunded>), Refusals)
)]
pub(crate) async fn refund_credits(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<RefundCreditsRequest>,
) -> Result<Response, Problem> {
    let command = RefundCredits { organization_id: path.organization_id, request };
    create(&api, asked, command, |_| {
        format!("/v1/organizations/{}/credit-movements", path.organization_id)
    })
    .await
}
