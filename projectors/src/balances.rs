//! What was bought, given and used up, by organization and currency.

use event_schemas::{Amount, CreditAccountEvent, Currency, OrganizationId};
use sqlx::PgConnection;
use sqlx::types::chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::events::{self, Stream};
use crate::feed::{FeedPage, UsageSource};
use crate::projection::{Projection, ProjectionError};

/// Balances, and the movements of credits that they are made of.
#[derive(Debug, Clone, Copy)]
pub struct Balances;

impl Projection for Balances {
    const NAME: &'static str = "balances";
    const VERSION: i32 = 1;
    const VIEWS: &'static [&'static str] = &["balances", "credit_movements"];

    fn tables() -> &'static str {
        "create table credit_movements (
             position bigint primary key,
             organization_id uuid not null,
             currency text not null,
             kind text not null,
             lot_id uuid not null,
             amount numeric(38,12) not null,
             expires_at timestamptz,
             note text,
             actor text not null,
             occurred_at timestamptz not null
         );
         create index on credit_movements (organization_id, currency, position);
         create table balances (
             organization_id uuid not null,
             currency text not null,
             purchased numeric(38,12) not null default 0,
             granted numeric(38,12) not null default 0,
             consumed numeric(38,12) not null default 0,
             primary key (organization_id, currency)
         ) with (fillfactor = 50)"
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        let movements = movements(page)?;
        if !movements.is_empty() {
            insert_movements(tx, &movements).await?;
        }
        if let Some(source) = page.usage_source(tx).await? {
            add_consumed(tx, &source).await?;
        }
        Ok(())
    }
}

/// Credits that came into an account.
struct Movement {
    position: i64,
    organization_id: OrganizationId,
    currency: Currency,
    kind: &'static str,
    lot_id: Uuid,
    amount: Amount,
    expires_at: Option<DateTime<Utc>>,
    note: Option<String>,
    actor: String,
    occurred_at: DateTime<Utc>,
}

fn movements(page: &FeedPage) -> Result<Vec<Movement>, ProjectionError> {
    let mut movements = Vec::new();
    for recorded in &page.events {
        let event: CreditAccountEvent = match Stream::of(recorded)? {
            Stream::CreditAccount => events::read(recorded)?,
            Stream::Organization
            | Stream::Project
            | Stream::ServiceAccount
            | Stream::ApiKey
            | Stream::AccessReview
            | Stream::Approval
            | Stream::Refusal
            | Stream::PriceList
            | Stream::Name
            | Stream::Person => continue,
        };
        let (kind, organization_id, lot_id, amount, currency, expires_at, note) = match event {
            CreditAccountEvent::Purchased {
                organization_id,
                lot_id,
                amount,
                currency,
                expires_at,
                reference,
            } => ("purchased", organization_id, lot_id, amount, currency, expires_at, reference),
            CreditAccountEvent::Granted {
                organization_id,
                lot_id,
                amount,
                currency,
                expires_at,
                reason,
            } => ("granted", organization_id, lot_id, amount, currency, expires_at, reason),
        };
        movements.push(Movement {
            position: recorded.position,
            organization_id,
            currency,
            kind,
            lot_id: lot_id.0,
            amount,
            expires_at,
            note,
            actor: events::actor(recorded)?,
            occurred_at: recorded.occurred_at,
        });
    }
    Ok(movements)
}

/// Amounts travel as text, and become `numeric` without having been anything else.
async fn insert_movements(
    tx: &mut PgConnection,
    movements: &[Movement],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with moved as (
             insert into credit_movements (position, organization_id, currency, kind, lot_id,
                 amount, expires_at, note, actor, occurred_at)
             select position, organization_id, currency, kind, lot_id, amount::numeric(38,12),
                 expires_at, note, actor, occurred_at
             from unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[],
                 $7::timestamptz[], $8::text[], $9::text[], $10::timestamptz[])
                 as m(position, organization_id, currency, kind, lot_id, amount, expires_at, note,
                      actor, occurred_at)
             returning organization_id, currency, kind, amount
         )
         insert into balances as b (organization_id, currency, purchased, granted)
         select organization_id, currency,
             coalesce(sum(amount) filter (where kind = 'purchased'), 0),
             coalesce(sum(amount) filter (where kind = 'granted'), 0)
         from moved group by organization_id, currency
         on conflict (organization_id, currency) do update
             set purchased = b.purchased + excluded.purchased,
                 granted = b.granted + excluded.granted",
    )
    .bind(movements.iter().map(|m| m.position).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.organization_id.0).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.currency.to_string()).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.kind).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.lot_id).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.amount.to_string()).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.expires_at).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.note.as_deref()).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.actor.as_str()).collect::<Vec<_>>())
    .bind(movements.iter().map(|m| m.occurred_at).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// A sum of whole pico-units is exact, and so is its product with one of them: twelve places.
async fn add_consumed(tx: &mut PgConnection, source: &UsageSource) -> Result<(), sqlx::Error> {
    sqlx::query(&format!(
        "insert into balances as b (organization_id, currency, consumed)
         select organization_id, currency, sum(cost_pico) * 0.000000000001
         from {} where batch_id = any($1) and occurred_day between $2 and $3
             and cost_pico is not null
         group by organization_id, currency
         on conflict (organization_id, currency) do update
             set consumed = b.consumed + excluded.consumed",
        source.table
    ))
    .bind(&source.batch_ids)
    .bind(source.first_day)
    .bind(source.last_day)
    .execute(tx)
    .await?;
    Ok(())
}
