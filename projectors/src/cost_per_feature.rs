//! What was used and what it cost, by the hour: by feature, project, key, member, service account
//! and model.

use sqlx::PgConnection;

use crate::events::Stream;
use crate::feed::{FeedPage, UsageSource};
use crate::projection::{Projection, ProjectionError};

/// Usage by the hour.
#[derive(Debug, Clone, Copy)]
pub struct CostPerFeature;

impl Projection for CostPerFeature {
    const NAME: &'static str = "cost_per_feature";
    const VERSION: i32 = 1;
    const VIEWS: &'static [&'static str] = &["usage_hourly"];

    fn tables() -> &'static str {
        // The unique index begins with what every question names and ends with what it ranges over
        // least, so that it serves the questions, too.
        "create table usage_hourly (
             organization_id uuid not null,
             project_id uuid not null,
             api_key_id uuid,
             member_id uuid,
             service_account_id uuid,
             feature text not null,
             provider text not null,
             model text not null,
             currency text,
             hour timestamptz not null,
             requests bigint not null,
             input_tokens bigint not null,
             cached_input_tokens bigint not null,
             cache_write_tokens bigint not null,
             output_tokens bigint not null,
             reasoning_tokens bigint not null,
             cost numeric(38,12),
             unpriced_requests bigint not null,
             unique nulls not distinct (organization_id, hour, project_id, feature, provider, model,
                 api_key_id, member_id, service_account_id, currency)
         ) with (fillfactor = 70)"
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        for event in &page.events {
            match Stream::of(event)? {
                Stream::Organization
                | Stream::Project
                | Stream::ServiceAccount
                | Stream::ApiKey
                | Stream::AccessReview
                | Stream::Approval
                | Stream::Refusal
                | Stream::CreditAccount
                | Stream::PriceList
                | Stream::Name
                | Stream::Person => {}
            }
        }
        if let Some(source) = page.usage_source(tx).await? {
            add_usage(tx, &source).await?;
        }
        Ok(())
    }
}

/// A sum of whole pico-units is exact, and so is its product with one of them: twelve places.
async fn add_usage(tx: &mut PgConnection, source: &UsageSource) -> Result<(), sqlx::Error> {
    sqlx::query(&format!(
        "insert into usage_hourly as h (organization_id, project_id, api_key_id, member_id,
             service_account_id, feature, provider, model, currency, hour, requests, input_tokens,
             cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost,
             unpriced_requests)
         select organization_id, project_id, api_key_id, member_id, service_account_id, feature,
             provider, model, currency, date_trunc('hour', occurred_at, 'UTC'), count(*),
             sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens),
             sum(output_tokens), sum(reasoning_tokens), sum(cost_pico) * 0.000000000001,
             count(*) filter (where cost_pico is null)
         from {} where batch_id = any($1) and occurred_day between $2 and $3
         group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
         on conflict (organization_id, hour, project_id, feature, provider, model, api_key_id,
             member_id, service_account_id, currency) do update
             set requests = h.requests + excluded.requests,
                 input_tokens = h.input_tokens + excluded.input_tokens,
                 cached_input_tokens = h.cached_input_tokens + excluded.cached_input_tokens,
                 cache_write_tokens = h.cache_write_tokens + excluded.cache_write_tokens,
                 output_tokens = h.output_tokens + excluded.output_tokens,
                 reasoning_tokens = h.reasoning_tokens + excluded.reasoning_tokens,
                 cost = h.cost + excluded.cost,
                 unpriced_requests = h.unpriced_requests + excluded.unpriced_requests",
        source.table
    ))
    .bind(&source.batch_ids)
    .bind(source.first_day)
    .bind(source.last_day)
    .execute(tx)
    .await?;
    Ok(())
}
