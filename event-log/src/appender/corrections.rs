//! The part of an append that corrects what records cost.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use uuid::Uuid;

use crate::usage::NewCorrection;

/// Corrections, column by column.
#[derive(Default)]
pub(super) struct CorrectionColumns {
    places: Vec<i64>,
    ordinals: Vec<i32>,
    organization_ids: Vec<Uuid>,
    batch_ids: Vec<Uuid>,
    record_ordinals: Vec<i32>,
    occurred_at: Vec<DateTime<Utc>>,
    occurred_days: Vec<NaiveDate>,
    versions_before: Vec<Option<i64>>,
    costs_before: Vec<Option<i64>>,
    currencies_before: Vec<Option<String>>,
    versions: Vec<i64>,
    costs: Vec<i64>,
    currencies: Vec<String>,
}

impl CorrectionColumns {
    /// Adds what an append corrects, whose first event has that place in the plan.
    pub(super) fn push_all(&mut self, corrections: &[NewCorrection], first: i64) {
        for of_event in corrections.chunk_by(|one, next| one.event == next.event) {
            for (ordinal, correction) in (0..).zip(of_event) {
                let event = i64::try_from(correction.event).unwrap_or(i64::MAX);
                self.places.push(first.saturating_add(event));
                self.ordinals.push(ordinal);
                self.push(correction);
            }
        }
    }

    fn push(&mut self, correction: &NewCorrection) {
        let NewCorrection { organization_id, batch_id, record_ordinal, occurred_at, .. } =
            correction;
        let (before, after) = (correction.before, correction.after);
        self.organization_ids.push(organization_id.0);
        self.batch_ids.push(*batch_id);
        self.record_ordinals.push(*record_ordinal);
        self.occurred_at.push(*occurred_at);
        self.occurred_days.push(occurred_at.date_naive());
        self.versions_before.push(before.map(|price| price.version));
        self.costs_before.push(before.map(|price| price.cost_pico));
        self.currencies_before.push(before.map(|price| price.currency.to_string()));
        self.versions.push(after.version);
        self.costs.push(after.cost_pico);
        self.currencies.push(after.currency.to_string());
    }

    /// The part of the statement, with its parameters from that number on. Hardly any append corrects
    /// anything, so the others do not carry it along.
    pub(super) fn statement(&self, first_parameter: usize) -> String {
        if self.places.is_empty() {
            return String::new();
        }
        let kinds = [
            "bigint",
            "integer",
            "uuid",
            "uuid",
            "integer",
            "timestamptz",
            "date",
            "bigint",
            "bigint",
            "text",
            "bigint",
            "bigint",
            "text",
        ];
        let arrays: Vec<String> = (first_parameter..)
            .zip(kinds)
            .map(|(number, kind)| format!("${number}::{kind}[]"))
            .collect();
        format!(
            ", corrected as (
                 insert into log.usage_corrections (position, ordinal, organization_id, batch_id,
                     record_ordinal, occurred_at, occurred_day, price_version_before,
                     cost_pico_before, currency_before, price_version, cost_pico, currency,
                     recorded_at)
                 select head.stood_at + place, c.ordinal, c.organization_id, c.batch_id,
                     c.record_ordinal, c.occurred_at, c.occurred_day, c.version_before,
                     c.cost_before, c.currency_before, c.version, c.cost, c.currency,
                     head.recorded_at
                 from head, unnest({}) as c(place, ordinal, organization_id, batch_id,
                     record_ordinal, occurred_at, occurred_day, version_before, cost_before,
                     currency_before, version, cost, currency)
             )",
            arrays.join(", ")
        )
    }

    /// Binds them behind what is bound already.
    pub(super) fn bind<O>(
        self,
        query: QueryAs<'_, Postgres, O, PgArguments>,
    ) -> QueryAs<'_, Postgres, O, PgArguments> {
        if self.places.is_empty() {
            return query;
        }
        query
            .bind(self.places)
            .bind(self.ordinals)
            .bind(self.organization_ids)
            .bind(self.batch_ids)
            .bind(self.record_ordinals)
            .bind(self.occurred_at)
            .bind(self.occurred_days)
            .bind(self.versions_before)
            .bind(self.costs_before)
            .bind(self.currencies_before)
            .bind(self.versions)
            .bind(self.costs)
            .bind(self.currencies)
    }
}
