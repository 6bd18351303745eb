//! Record that the time of a lot of credits is over.

use domain::credit_account::{CreditAccount, CreditAccountCommand};
use event_schemas::{CreditAccountId, Currency, LotId, OrganizationId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Record that the time of a lot of credits is over.
#[derive(Debug, Clone, Serialize)]
pub struct ExpireCredits {
    /// The organization, archived or not.
    pub organization_id: OrganizationId,
    /// The currency.
    pub currency: Currency,
    /// The lot.
    pub lot_id: LotId,
}

impl Command for ExpireCredits {
    const NAME: &'static str = "credits.expire";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_operator()?;
        let account = CreditAccountId::of(self.organization_id, self.currency);
        let command = CreditAccountCommand::Expire { lot_id: self.lot_id, now: session.now() };
        session.execute::<CreditAccount>(account, command).await?;
        Ok(Done {})
    }
}
