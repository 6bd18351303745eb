//! Buy credits.

use chrono::{DateTime, Utc};
use domain::credit_account::{CreditAccount, CreditAccountCommand};
use event_schemas::{Amount, CreditAccountId, Currency, LotId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{Command, Session};
use crate::refusal::Refusal;

/// The credits to add.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PurchaseCreditsRequest {
    /// How much, above zero.
    pub amount: Amount,
    /// The currency.
    pub currency: Currency,
    /// Until when they can be used; without one, for ever.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
    /// The invoice or order.
    #[serde(default)]
    pub reference: Option<String>,
}

/// Buy credits.
#[derive(Debug, Clone, Serialize)]
pub struct PurchaseCredits {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The credits.
    pub request: PurchaseCreditsRequest,
}

/// Credits that were added.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditsAdded {
    /// The lot that they are.
    pub lot_id: LotId,
}

impl Command for PurchaseCredits {
    const NAME: &'static str = "credits.purchase";
    type Outcome = CreditsAdded;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let request = &self.request;
        let organization = session.open_organization(self.organization_id).await?;
        let account = CreditAccountId::of(self.organization_id, request.currency);
        let lot_id: LotId = session.new_id();
        let command = CreditAccountCommand::Purchase {
            organization,
            lot_id,
            amount: request.amount,
            currency: request.currency,
            expires_at: request.expires_at,
            reference: request.reference.clone(),
            now: session.now(),
        };
        session.execute::<CreditAccount>(account, command).await?;
        Ok(CreditsAdded { lot_id })
    }
}
