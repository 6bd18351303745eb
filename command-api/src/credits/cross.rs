//! Record that credits have run out, or no longer have.

use domain::credit_account::{CreditAccount, CreditAccountCommand, Crossing};
use event_schemas::{Amount, CreditAccountId, Currency, OrganizationId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Record that credits have run out, or no longer have.
#[derive(Debug, Clone, Serialize)]
pub struct RecordCreditCrossing {
    /// The organization, archived or not.
    pub organization_id: OrganizationId,
    /// The currency.
    pub currency: Currency,
    /// Whether they have run out.
    pub exhausted: bool,
    /// The balance after what crossed it.
    pub balance: Amount,
    /// The position of what crossed it.
    pub crossed_at: i64,
}

impl Command for RecordCreditCrossing {
    const NAME: &'static str = "credits.record_crossing";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_operator()?;
        let Self { exhausted, balance, crossed_at, .. } = *self;
        let account = CreditAccountId::of(self.organization_id, self.currency);
        let command = CreditAccountCommand::Cross(Crossing { exhausted, balance, crossed_at });
        session.execute::<CreditAccount>(account, command).await?;
        Ok(Done {})
    }
}
