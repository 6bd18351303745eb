//! What is left of lots of credits, for commands that take some out of them: the balances know it.

use command_api::credits::{LeftOfLot, LotsLeft};
use domain::credit_account::LotLeft;
use event_schemas::{Currency, LotId, OrganizationId};
use query_api::QueryError;
use query_api::balances::lots::left_of_lot;
use sqlx::PgPool;

/// The balances in this database.
pub(crate) struct LotsOfBalances {
    /// Acts as `orgledger_reader`.
    pub(crate) read: PgPool,
}

impl LotsLeft for LotsOfBalances {
    fn left(
        &self,
        organization_id: OrganizationId,
        currency: Currency,
        lot_id: LotId,
    ) -> LeftOfLot<'_> {
        Box::pin(async move {
            match left_of_lot(&self.read, organization_id, currency, lot_id).await {
                Ok(left) => Ok(left.map(|left| LotLeft {
                    amount: left.amount,
                    events: left.events,
                    position: left.position,
                })),
                Err(QueryError::Database(error)) => Err(error),
                Err(error) => Err(sqlx::Error::Decode(Box::new(error))),
            }
        })
    }
}
