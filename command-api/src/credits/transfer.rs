//! Let credits go to another organization.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::credit_account::{CreditAccount, CreditAccountCommand, Incoming, Outgoing};
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

/// The credits that go.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferCreditsRequest {
    /// The lot to take them from.
    pub lot_id: LotId,
    /// The currency.
    pub currency: Currency,
    /// How much, above zero; without one, all that is left of the lot.
    #[serde(default)]
    pub amount: Option<Amount>,
    /// The organization that they go to.
    pub to_organization_id: OrganizationId,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Let credits go to another organization.
#[derive(Debug, Clone, Serialize)]
pub struct TransferCredits {
    /// The organization that they leave.
    pub organization_id: OrganizationId,
    /// The credits.
    pub request: TransferCreditsRequest,
}

/// Credits that went to another organization.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditsTransferred {
    /// The lot that they are there.
    pub to_lot_id: LotId,
    /// How much it was.
    pub amount: Amount,
}

impl Command for TransferCredits {
    const NAME: &'static str = "credits.transfer";
    type Outcome = CreditsTransferred;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let (from, request) = (self.organization_id, &self.request);
        session.permit(from, Permission::CreditsUpdate).await?;
        text_in("reason", text::reason(request.reason.as_deref()))?;
        let organization = session.open_organization(from).await?;
        let to = request.to_organization_id;
        if to == from {
            let field = "to_organization_id";
            return Err(Refusal::Invalid { field, why: "it is the organization itself" });
        }
        session.permit_elsewhere(to, Permission::CreditsUpdate).await?;
        let receiving = session.open_organization(to).await?;
        let (lot_id, currency) = (request.lot_id, request.currency);
        let left = session.left_of_lot(from, currency, lot_id).await?;
        let account = CreditAccountId::of(from, currency);
        let lot = session.read::<CreditAccount>(&account).await?.lot(from, lot_id)?;
        let to_lot_id: LotId = session.new_id();
        let out = CreditAccountCommand::TransferOut {
            outgoing: Outgoing {
                organization,
                lot_id,
                amount: request.amount,
                left,
                now: session.now(),
            },
            to: receiving,
            to_lot_id,
            reason: request.reason.clone(),
        };
        session.execute::<CreditAccount>(&account, out).await?;
        let amount = session.gone_of_lot(&account, from, lot_id).await? - lot.gone;
        let incoming = CreditAccountCommand::TransferIn {
            incoming: Incoming {
                organization: receiving,
                lot_id: to_lot_id,
                amount,
                currency,
                expires_at: lot.expires_at,
                priority: lot.priority,
                from_organization_id: from,
                from_lot_id: lot_id,
            },
            reason: request.reason.clone(),
        };
        session.belongs_to(to);
        session.execute::<CreditAccount>(CreditAccountId::of(to, currency), incoming).await?;
        Ok(CreditsTransferred { to_lot_id, amount })
    }
}

/// Lets credits go to another organization: all that is left of a lot, or some. They keep their
/// expiry and priority. It takes the permission in both organizations: the operator has it where both
/// have let them in, a person who signs in where both know them. To anybody else the other
/// organization is not there.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/credits/transfers",
    tag = "credits",
    params(OrganizationPath, PostHeaders),
    request_body = TransferCreditsRequest,
    responses(
        (status = 201, description = "It is made.", body = Answered<CreditsTransferred>),
        Refusals
    )
)]
pub(crate) async fn transfer_credits(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<TransferCreditsRequest>,
) -> Result<Response, Problem> {
    let command = TransferCredits { organization_id: path.organization_id, request };
    create(&api, asked, command, |_| {
        format!("/v1/organizations/{}/credit-movements", path.organization_id)
    })
    .await
}
