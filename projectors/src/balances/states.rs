//! What lots came to, entry by entry, so that they can be asked for as they were.

use std::collections::{BTreeMap, BTreeSet};

use event_schemas::{Amount, OrganizationId};
use sqlx::PgConnection;
use sqlx::types::chrono::{DateTime, Utc};
use uuid::Uuid;

use super::account::{Account, Lot};
use super::entries::Entry;

/// What a lot came to.
struct State {
    organization_id: OrganizationId,
    recorded_at: DateTime<Utc>,
    lot: Lot,
}

/// What a page's entries made of lots, by lot and position.
#[derive(Default)]
pub(super) struct LotStates(BTreeMap<(Uuid, i64), State>);

impl LotStates {
    /// Keeps what an entry has made of the lots that it changed.
    pub(super) fn changed(&mut self, entry: &Entry<'_>, account: &Account, lots: &BTreeSet<Uuid>) {
        if lots.is_empty() {
            return;
        }
        let (organization_id, _) = entry.key();
        for lot in account.lots().filter(|lot| lots.contains(&lot.id)) {
            let recorded_at = entry.recorded_at();
            let state = State { organization_id, recorded_at, lot: lot.clone() };
            self.0.insert((lot.id, entry.position()), state);
        }
    }

    /// A batch may come on several pages: what it comes to in the end stands.
    pub(super) async fn write(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let texts = |of: fn(&Lot) -> Amount| -> Vec<String> {
            self.0.values().map(|state| of(&state.lot).to_string()).collect()
        };
        sqlx::query(
            "insert into credit_lot_states (lot_id, organization_id, position, recorded_at,
                 remaining, drawn, refunded, transferred_out, expired)
             select a, b, c, d, e::numeric, f::numeric, g::numeric, h::numeric, i::numeric
             from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::text[],
                 $6::text[], $7::text[], $8::text[], $9::text[]) as t(a, b, c, d, e, f, g, h, i)
             on conflict (lot_id, position) do update
                 set remaining = excluded.remaining, drawn = excluded.drawn,
                     refunded = excluded.refunded, transferred_out = excluded.transferred_out,
                     expired = excluded.expired",
        )
        .bind(self.0.keys().map(|(lot_id, _)| *lot_id).collect::<Vec<_>>())
        .bind(self.0.values().map(|state| state.organization_id.0).collect::<Vec<_>>())
        .bind(self.0.keys().map(|(_, position)| *position).collect::<Vec<_>>())
        .bind(self.0.values().map(|state| state.recorded_at).collect::<Vec<_>>())
        .bind(texts(|lot| lot.remaining))
        .bind(texts(|lot| lot.drawn))
        .bind(texts(|lot| lot.refunded))
        .bind(texts(|lot| lot.transferred_out))
        .bind(texts(|lot| lot.expired))
        .execute(tx)
        .await?;
        Ok(())
    }
}
