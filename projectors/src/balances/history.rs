//! Rows that are written once: movements, crossings, and what lots came to.

use event_schemas::{Amount, CreditAccountEvent, OrganizationId, RecordedEvent};
use sqlx::PgConnection;
use sqlx::types::chrono::{DateTime, Utc};
use uuid::Uuid;

use super::entries::{Key, movement};
use super::states::LotStates;
use crate::events;
use crate::projection::ProjectionError;

/// What came into an account or left it.
struct Movement {
    position: i64,
    event_id: Uuid,
    key: Key,
    kind: &'static str,
    lot_id: Uuid,
    amount: Amount,
    expires_at: Option<DateTime<Utc>>,
    other: Option<OrganizationId>,
    note: Option<String>,
    actor: String,
    occurred_at: DateTime<Utc>,
}

/// A balance that came to zero or below, or back above it.
struct Crossing {
    key: Key,
    position: i64,
    exhausted: bool,
    balance: Amount,
}

/// A crossing that is on record, and all before it.
struct OnRecord {
    key: Key,
    crossed_at: i64,
    position: i64,
}

/// What a page adds.
#[derive(Default)]
pub(super) struct History {
    movements: Vec<Movement>,
    crossings: Vec<Crossing>,
    on_record: Vec<OnRecord>,
    pub(super) lots: LotStates,
}

impl History {
    /// An event, and what it did to the balance.
    pub(super) fn event(
        &mut self,
        key: Key,
        recorded: &RecordedEvent,
        event: &CreditAccountEvent,
        amount: Option<Amount>,
    ) -> Result<(), ProjectionError> {
        if let (Some(moved), Some(amount)) = (movement(event), amount) {
            self.movements.push(Movement {
                position: recorded.position,
                event_id: recorded.event_id,
                key,
                kind: moved.kind,
                lot_id: moved.lot_id,
                amount,
                expires_at: moved.expires_at,
                other: moved.other,
                note: moved.note.map(str::to_owned),
                actor: events::actor(recorded)?,
                occurred_at: recorded.occurred_at,
            });
        }
        if let Some(crossed_at) = on_record(event) {
            self.on_record.push(OnRecord { key, crossed_at, position: recorded.position });
        }
        Ok(())
    }

    pub(super) fn crossed(&mut self, key: Key, position: i64, exhausted: bool, balance: Amount) {
        self.crossings.push(Crossing { key, position, exhausted, balance });
    }

    pub(super) async fn write(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        if !self.movements.is_empty() {
            write_movements(tx, &self.movements).await?;
        }
        if !self.crossings.is_empty() {
            write_crossings(tx, &self.crossings).await?;
        }
        if !self.on_record.is_empty() {
            write_on_record(tx, &self.on_record).await?;
        }
        self.lots.write(tx).await
    }
}

fn on_record(event: &CreditAccountEvent) -> Option<i64> {
    match event {
        CreditAccountEvent::Exhausted { crossed_at, .. }
        | CreditAccountEvent::Restored { crossed_at, .. } => Some(*crossed_at),
        CreditAccountEvent::Purchased { .. }
        | CreditAccountEvent::Granted { .. }
        | CreditAccountEvent::Refunded { .. }
        | CreditAccountEvent::TransferredOut { .. }
        | CreditAccountEvent::TransferredIn { .. }
        | CreditAccountEvent::Expired { .. }
        | CreditAccountEvent::PolicyChanged { .. } => None,
    }
}

async fn write_movements(tx: &mut PgConnection, movements: &[Movement]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into credit_movements (position, event_id, organization_id, currency, kind, lot_id,
             amount, expires_at, other_organization_id, note, actor, occurred_at)
         select a, b, c, d, e, f, g::numeric, h, i, j, k, l
         from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[],
             $7::text[], $8::timestamptz[], $9::uuid[], $10::text[], $11::text[],
             $12::timestamptz[]) as t(a, b, c, d, e, f, g, h, i, j, k, l)",
    )
    .bind(movements.iter().map(|m| m.position).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.event_id).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.key.0.0).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.key.1.to_string()).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.kind).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.lot_id).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.amount.to_string()).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.expires_at).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.other.map(|id| id.0)).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.note.as_deref()).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.actor.as_str()).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.occurred_at).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_crossings(tx: &mut PgConnection, crossings: &[Crossing]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into credit_crossings (organization_id, currency, position, exhausted, balance)
         select a, b, c, d, e::numeric
         from unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[], $5::text[])
             as t(a, b, c, d, e)",
    )
    .bind(crossings.iter().map(|c| c.key.0.0).collect::<Vec<_>>())
    .bind(crossings.iter().map(|c| c.key.1.to_string()).collect::<Vec<_>>())
    .bind(crossings.iter().map(|c| c.position).collect::<Vec<_>>())
    .bind(crossings.iter().map(|c| c.exhausted).collect::<Vec<_>>())
    .bind(crossings.iter().map(|c| c.balance.to_string()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// With a crossing those before it are settled too: the account does not go back. What crossed after
/// the event is not on record by it, whatever the event says: on the page it stands there already.
async fn write_on_record(tx: &mut PgConnection, known: &[OnRecord]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update credit_crossings c set recorded_at_position = r.position
         from (select x.organization_id, x.currency, x.position as crossed,
                   min(t.d) as position
               from credit_crossings x
               join unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[]) as t(a, b, c, d)
                   on x.organization_id = t.a and x.currency = t.b and x.position <= least(t.c, t.d)
               where x.recorded_at_position is null group by 1, 2, 3) r
         where c.organization_id = r.organization_id and c.currency = r.currency
             and c.position = r.crossed",
    )
    .bind(known.iter().map(|k| k.key.0.0).collect::<Vec<_>>())
    .bind(known.iter().map(|k| k.key.1.to_string()).collect::<Vec<_>>())
    .bind(known.iter().map(|k| k.crossed_at).collect::<Vec<_>>())
    .bind(known.iter().map(|k| k.position).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}
