//! What a part of a batch draws of lots: as the projection would, had the batch ended there.
//!
//! The soonest to expire is drawn first, then the lower priority, then the older; of a batch the earlier
//! request draws first; and what corrections gave back and no lot took is drawn before any lot.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_schemas::{Amount, OrganizationId};
use sqlx::Row as _;
use uuid::Uuid;

use super::{amount, balances_before};
use crate::error::QueryError;
use crate::snapshot::{Projection, Snapshot};
use crate::within_batch::{UsedAt, Within};

/// What records of a batch had drawn of lots at a position within it. The lists are equally long.
#[derive(Debug, Default)]
pub(super) struct Draws {
    /// The position before the batch, which they come after; none where the position is within none.
    pub(super) after: Option<i64>,
    pub(super) lots: Vec<Uuid>,
    /// Exact decimals.
    pub(super) amounts: Vec<String>,
}

/// What can be drawn in one currency.
#[derive(Debug, Default)]
struct Account {
    /// What is there without a lot, and without an end.
    returned: Amount,
    /// In the order in which they are drawn.
    lots: Vec<OpenLot>,
}

#[derive(Debug)]
struct OpenLot {
    id: Uuid,
    expires_at: Option<DateTime<Utc>>,
    remaining: Amount,
    drawn: Amount,
}

impl Draws {
    /// What was drawn by the records up to a position of the batch that it lies in. A batch is recorded at
    /// once: one that was not yet at the time `as_of` drew nothing.
    pub(super) async fn within_batch(
        snapshot: &mut Snapshot,
        organization_id: OrganizationId,
        position: i64,
        as_of: Option<DateTime<Utc>>,
    ) -> Result<Self, QueryError> {
        let Some(within) =
            Within::of(snapshot, Projection::Balances, organization_id, position).await?
        else {
            return Ok(Self::default());
        };
        let before = within.first_position - 1;
        let mut draws = Self { after: Some(before), ..Self::default() };
        if as_of.is_some_and(|time| within.recorded_at > time) {
            return Ok(draws);
        }
        let used = within.known(snapshot.connection()).await?;
        let mut accounts = accounts(snapshot, organization_id, before).await?;
        for used in &used {
            if let Some(account) = accounts.get_mut(&used.currency) {
                account.draw(used);
            }
        }
        for lot in accounts.into_values().flat_map(|account| account.lots) {
            draws.lots.push(lot.id);
            draws.amounts.push(lot.drawn.to_string());
        }
        Ok(draws)
    }
}

impl Account {
    fn draw(&mut self, used: &UsedAt) {
        let amount = Amount::from_pico(used.pico);
        let returned = amount.min(self.returned);
        self.returned = self.returned - returned;
        let mut rest = amount - returned;
        for lot in &mut self.lots {
            if lot.expires_at.is_some_and(|end| end <= used.at) {
                continue;
            }
            let taken = rest.min(lot.remaining);
            lot.remaining = lot.remaining - taken;
            lot.drawn = lot.drawn + taken;
            rest = rest - taken;
        }
    }
}

/// What could be drawn at a position, by currency.
async fn accounts(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    position: i64,
) -> Result<BTreeMap<String, Account>, QueryError> {
    let rows = sqlx::query(
        "select l.lot_id, l.currency, l.expires_at, s.remaining::text
         from read.credit_lots l
         join lateral (
             select remaining from read.credit_lot_states s
             where s.lot_id = l.lot_id and s.position <= $2
             order by s.position desc limit 1) s on s.remaining > 0
         where l.organization_id = $1 and l.position <= $2
         order by l.expires_at nulls last, l.priority, l.position",
    )
    .bind(organization_id.0)
    .bind(position)
    .fetch_all(snapshot.connection())
    .await?;
    let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
    for row in &rows {
        let lot = OpenLot {
            id: row.try_get("lot_id")?,
            expires_at: row.try_get("expires_at")?,
            remaining: amount(row, "remaining")?,
            drawn: Amount::ZERO,
        };
        accounts.entry(row.try_get("currency")?).or_default().lots.push(lot);
    }
    // What is there beyond the lots is what was returned; less than they have is overdraft.
    for balance in balances_before(snapshot, organization_id, None, Some(position)).await? {
        if let Some(account) = accounts.get_mut(&balance.currency) {
            let in_lots = account.lots.iter().map(|lot| lot.remaining);
            let beyond = in_lots.fold(balance.balance, |beyond, remaining| beyond - remaining);
            account.returned = beyond.max(Amount::ZERO);
        }
    }
    Ok(accounts)
}
