//! Price lists: every version of them, of all and of single organizations, to say which was in force at a
//! time and known at a position.

use event_schemas::{PriceListEvent, RecordedEvent};
use sqlx::PgConnection;

use crate::events::{self, Stream};
use crate::feed::FeedPage;
use crate::projection::{Projection, ProjectionError};

/// Price lists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prices;

impl Projection for Prices {
    const NAME: &'static str = "prices";
    const VERSION: i32 = 1;
    const VIEWS: &'static [&'static str] = &["own_price_lists", "price_lists_of_all"];

    // Prices of all are anybody's to see: that table has no organization, and says so.
    fn tables() -> &'static str {
        "create table price_lists_of_all (
             position bigint primary key,
             event_id uuid not null,
             price_list_id text not null,
             version integer not null,
             provider text not null,
             currency text not null,
             effective_from timestamptz not null,
             source text,
             mark_up_percent text,
             models jsonb not null,
             actor text not null,
             published_at timestamptz not null
         );
         create index on price_lists_of_all (price_list_id, effective_from, position);
         create policy reader on price_lists_of_all for select to orgledger_reader using (true);
         create table own_price_lists (
             organization_id uuid not null,
             like price_lists_of_all,
             primary key (position)
         );
         create index on own_price_lists (organization_id, price_list_id, effective_from, position)"
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        // There are few of them, and each is large.
        for recorded in &page.events {
            match Stream::of(recorded)? {
                Stream::PriceList => publish(tx, recorded).await?,
                Stream::Organization
                | Stream::Project
                | Stream::ServiceAccount
                | Stream::ApiKey
                | Stream::Approval
                | Stream::Person
                | Stream::Refusal
                | Stream::AccessReview
                | Stream::CreditAccount
                | Stream::Budget
                | Stream::Webhook
                | Stream::Usage
                | Stream::UsageMonth
                | Stream::SigningKey
                | Stream::Name => {}
            }
        }
        Ok(())
    }
}

async fn publish(tx: &mut PgConnection, recorded: &RecordedEvent) -> Result<(), ProjectionError> {
    let PriceListEvent::Published {
        price_list_id,
        version,
        organization_id,
        provider,
        provider_matches: _,
        model_matches: _,
        fallback_providers: _,
        mark_up_percent,
        currency,
        effective_from,
        source,
        models,
    } = events::read(recorded)?;
    let (table, columns, values) = match organization_id {
        Some(_) => ("own_price_lists", ", organization_id", ", $13"),
        None => ("price_lists_of_all", "", ""),
    };
    let insert = format!(
        "insert into {table} (position, event_id, price_list_id, version, provider, currency,
             effective_from, source, mark_up_percent, models, actor, published_at{columns})
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12{values})"
    );
    let models = events::json(recorded, &models)?;
    let mut query = sqlx::query(&insert)
        .bind(recorded.position)
        .bind(recorded.event_id)
        .bind(price_list_id.0)
        .bind(i32::try_from(version).unwrap_or(i32::MAX))
        .bind(provider)
        .bind(currency.to_string())
        .bind(effective_from)
        .bind(source)
        .bind(mark_up_percent.map(|percent| percent.to_string()))
        .bind(models)
        .bind(events::actor(recorded)?)
        .bind(recorded.occurred_at);
    if let Some(organization_id) = organization_id {
        query = query.bind(organization_id.0);
    }
    query.execute(tx).await?;
    Ok(())
}
