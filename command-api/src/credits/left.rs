//! What is left of a lot: evidence of the usage lane, which the account's stream does not know.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use domain::credit_account::{CreditAccount, LotLeft};
use event_schemas::{CreditAccountId, Currency, LotId, OrganizationId};
use tokio::time::Instant;

use crate::execute::Session;
use crate::refusal::{ExecuteError, Refusal};

/// How long a command waits for the balances to come as far as the account.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// How long before they are asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// What is left of a lot as far as is known; none where the lot is not known yet.
pub type LeftOfLot<'a> =
    Pin<Box<dyn Future<Output = Result<Option<LotLeft>, sqlx::Error>> + Send + 'a>>;

/// Knows what is left of lots: the balances, wherever they are kept.
pub trait LotsLeft: Send + Sync {
    /// What is left of a lot of that account.
    fn left(
        &self,
        organization_id: OrganizationId,
        currency: Currency,
        lot_id: LotId,
    ) -> LeftOfLot<'_>;
}

impl Session<'_> {
    /// What is left of a lot that the account has, as of the account's last event or later. It waits
    /// for that; usage that is being recorded meanwhile is waited for by nobody.
    pub(crate) async fn left_of_lot(
        &mut self,
        organization_id: OrganizationId,
        currency: Currency,
        lot_id: LotId,
    ) -> Result<LotLeft, Refusal> {
        let account_id = CreditAccountId::of(organization_id, currency);
        let account = self.read::<CreditAccount>(account_id).await?;
        account.lot(organization_id, lot_id)?;
        let events = account.events();
        let Some(lots) = self.lots_left() else { return Err(ExecuteError::BalancesBehind.into()) };
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let left = lots.left(organization_id, currency, lot_id).await;
            match left.map_err(ExecuteError::Database)? {
                Some(left) if left.events >= events => return Ok(left),
                Some(_) | None if Instant::now() >= deadline => {
                    return Err(ExecuteError::BalancesBehind.into());
                }
                Some(_) | None => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}
