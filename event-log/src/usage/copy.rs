//! Rows in Postgres's binary COPY format, and their way into the log.
//! Source: PostgreSQL documentation, COPY, "Binary Format".

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Row;

/// The columns, in the order in which [`encode`] writes them.
pub(crate) const COLUMNS: &str = "batch_id, ordinal, organization_id, project_id, api_key_id, member_id, \
    service_account_id, end_user, feature, provider, model, request_id, occurred_at, \
    occurred_day, request_key, content_key, input_tokens, cached_input_tokens, \
    cache_write_tokens, output_tokens, reasoning_tokens, price_version, cost_pico, currency, tags, \
    units, service_tier, error_type, duration_ms";

const COLUMNS_COUNT: i16 = 29;

pub(super) const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Days from 1 January of year 1 to 2000-01-01, where Postgres counts from.
pub(super) const POSTGRES_EPOCH_DAYS: i32 = 730_120;
/// Microseconds from the Unix epoch to 2000-01-01.
pub(super) const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Rows in their order, each with its batch and its place in it, with the file's header and trailer.
/// `encoded` is given each row's bytes, which are those that `exact::copy_records` reads.
pub(super) fn encode<'r>(
    rows: &'r [Row<'_>],
    places: &[(Uuid, i32)],
    mut encoded: impl FnMut(&'r Row<'_>, &[u8]),
) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Fields(Vec::with_capacity(rows.len() * 320 + 32));
    out.0.extend_from_slice(SIGNATURE);
    out.0.extend_from_slice(&[0; 8]); // flags, header extension
    for (row, (batch_id, ordinal)) in rows.iter().zip(places) {
        let record = row.record;
        let begin = out.0.len();
        out.0.extend_from_slice(&COLUMNS_COUNT.to_be_bytes());
        out.uuid(*batch_id);
        out.field(&ordinal.to_be_bytes());
        out.uuid(row.organization_id.0);
        out.uuid(record.project_id.0);
        out.optional_uuid(record.api_key_id.map(|id| id.0));
        out.optional_uuid(record.member_id.map(|id| id.0));
        out.optional_uuid(record.service_account_id.map(|id| id.0));
        out.optional(record.end_user.as_deref().map(str::as_bytes));
        out.text(&record.feature);
        out.text(&record.provider);
        out.text(&record.model);
        out.text(&record.request_id);
        out.time(record.occurred_at);
        out.day(row.day);
        out.uuid(row.request_key);
        out.uuid(row.content_key);
        out.bigint(record.input_tokens);
        out.bigint(record.cached_input_tokens);
        out.bigint(record.cache_write_tokens);
        out.bigint(record.output_tokens);
        out.bigint(record.reasoning_tokens);
        match record.price {
            Some(price) => {
                out.bigint(price.version);
                out.bigint(price.cost_pico);
                out.text(price.currency.as_str());
            }
            None => (0..3).for_each(|_| out.optional(None)),
        }
        if record.tags.is_empty() {
            out.text("{}");
        } else {
            out.text(&serde_json::to_string(&record.tags)?);
        }
        if record.units.is_empty() {
            out.optional(None);
        } else {
            out.text(&serde_json::to_string(&record.units)?);
        }
        out.optional(record.service_tier.as_deref().map(str::as_bytes));
        out.optional(record.error_type.as_deref().map(str::as_bytes));
        match record.duration_ms {
            Some(duration_ms) => out.bigint(duration_ms),
            None => out.optional(None),
        }
        encoded(row, &out.0[begin..]);
    }
    out.0.extend_from_slice(&(-1_i16).to_be_bytes());
    Ok(out.0)
}

/// Copies rows of one month, as they are encoded, straight into its partition, which is there. The
/// parent has row-level security, and Postgres copies into no such table.
pub(super) async fn copy_month(
    tx: &mut PgConnection,
    day: NaiveDate,
    data: Vec<u8>,
) -> Result<(), sqlx::Error> {
    let partition = format!("log.usage_records_{:04}_{:02}", day.year(), day.month());
    let into = format!("copy {partition} ({COLUMNS}) from stdin (format binary)");
    let mut copy = tx.copy_in_raw(&into).await?;
    copy.send(data).await?;
    copy.finish().await?;
    Ok(())
}

struct Fields(Vec<u8>);

impl Fields {
    fn field(&mut self, bytes: &[u8]) {
        // A field is at most a text of a few hundred bytes; see the limits in `domain::usage`.
        self.0.extend_from_slice(&i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.field(bytes),
            None => self.0.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }

    fn text(&mut self, text: &str) {
        self.field(text.as_bytes());
    }

    fn uuid(&mut self, id: Uuid) {
        self.field(id.as_bytes());
    }

    fn optional_uuid(&mut self, id: Option<Uuid>) {
        self.optional(id.as_ref().map(|id| id.as_bytes().as_slice()));
    }

    fn bigint(&mut self, number: i64) {
        self.field(&number.to_be_bytes());
    }

    fn time(&mut self, time: DateTime<Utc>) {
        self.bigint(time.timestamp_micros() - POSTGRES_EPOCH_MICROS);
    }

    fn day(&mut self, day: NaiveDate) {
        self.field(&(day.num_days_from_ce() - POSTGRES_EPOCH_DAYS).to_be_bytes());
    }
}
