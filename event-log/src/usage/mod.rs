//! The usage lane: records in typed columns, with positions of the same log.
//!
//! Rows first, positions last. A writer copies its rows, then takes the head lock, inserts the
//! batches with their ranges of positions and commits: bulk ingest holds the lock for a commit only.
//!
//! Group commit, as in the other lane: a writer takes what waits, of many senders and in turns of
//! their organizations, and writes it in one transaction.

pub mod archive;
mod copy;
mod corrections;
mod group;
mod known;
pub mod months;
mod queue;
mod read;
mod weight;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::{
    ApiKeyId, Currency, MemberId, Month, OrganizationId, ProjectId, RecordedUsage,
    ServiceAccountId, Units,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

#[cfg(test)]
pub(crate) use copy::COLUMNS;
pub(crate) use corrections::are_those_of;
pub use corrections::{
    ExactCorrections, NewCorrection, PricedRecords, RecordCorrection, RecordsOf, corrections_hash,
    corrections_of, exact_corrections, price_of, read_as_priced, read_corrections,
};
pub use months::archived_months;
pub use queue::{ORGANIZATION_RECORDS_WAITING_MAX, RECORDS_WAITING_MAX};
pub use read::{UsageOfRequest, positions_of_request, read_usage, usage_of_request};
pub use weight::correction_cuts;
pub(crate) use weight::record_cuts;
pub use write::{GROUP_RECORDS_MAX, UsageWriter};

use crate::append::StreamKey;

/// A usage record to write: checked, attributed and priced.
#[derive(Debug, Clone)]
pub struct NewUsage {
    /// The project.
    pub project_id: ProjectId,
    /// The key that was used, where known.
    pub api_key_id: Option<ApiKeyId>,
    /// The member whose key it was.
    pub member_id: Option<MemberId>,
    /// The service account whose key it was.
    pub service_account_id: Option<ServiceAccountId>,
    /// The customer's own user.
    pub end_user: Option<String>,
    /// What the customer's product calls it; empty where it said nothing.
    pub feature: String,
    /// Who served the model.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The request: unique in the organization.
    pub request_id: String,
    /// When the request was made.
    pub occurred_at: DateTime<Utc>,
    /// Input tokens, cached and written ones included.
    pub input_tokens: i64,
    /// Input tokens that came out of the provider's cache.
    pub cached_input_tokens: i64,
    /// Input tokens that were written to the provider's cache.
    pub cache_write_tokens: i64,
    /// Output tokens, reasoning included.
    pub output_tokens: i64,
    /// Output tokens that were reasoning.
    pub reasoning_tokens: i64,
    /// What else it used. A total includes its parts: audio in the input is in `input_tokens`, too.
    pub units: Units,
    /// The service tier in the provider's words, such as `batch` or `priority`; none for the plain
    /// one.
    pub service_tier: Option<String>,
    /// Why the request failed, in OpenTelemetry's `error.type`; none where it succeeded.
    pub error_type: Option<String>,
    /// How long the request took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// What it cost; none where no price is known.
    pub price: Option<Price>,
    /// The customer's own labels.
    pub tags: BTreeMap<String, String>,
}

/// What a record cost, and by which price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// The position of the `price_list.published` event that priced it.
    pub version: i64,
    /// Pico-units (10⁻¹²) of the currency.
    pub cost_pico: i64,
    /// The currency.
    pub currency: Currency,
}

impl NewUsage {
    /// The day that the record is filed under, in UTC.
    pub fn day(&self) -> NaiveDate {
        self.occurred_at.date_naive()
    }

    /// What identifies the record: organization and request.
    pub fn request_key(&self, organization_id: OrganizationId) -> Uuid {
        request_key(organization_id, &self.request_id)
    }

    /// What the sender said of it, but for when it happened and what it cost: the same again is a
    /// duplicate, another is a conflict.
    pub fn content_key(&self) -> Uuid {
        let mut hash = Sha256::new();
        // Lengths before texts, so that no two records run together into one.
        let mut text = |text: &str| {
            hash.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(text.as_bytes());
        };
        let mut written = Uuid::encode_buffer();
        let mut id = |id: Option<Uuid>| match id {
            Some(id) => text(id.hyphenated().encode_lower(&mut written)),
            None => text(""),
        };
        id(Some(self.project_id.0));
        id(self.api_key_id.map(|id| id.0));
        if self.api_key_id.is_none() {
            // A key's owner comes with the key, and was not said by the sender.
            id(self.member_id.map(|id| id.0));
            id(self.service_account_id.map(|id| id.0));
        }
        text(self.end_user.as_deref().unwrap_or_default());
        text(&self.feature);
        text(&self.provider);
        text(&self.model);
        for (key, value) in &self.tags {
            text(key);
            text(value);
        }
        for tokens in [
            self.input_tokens,
            self.cached_input_tokens,
            self.cache_write_tokens,
            self.output_tokens,
            self.reasoning_tokens,
        ] {
            hash.update(tokens.to_be_bytes());
        }
        self.more_content(&mut hash);
        short(hash)
    }

    /// What records have been able to say since they carry units. One that says none of it keeps
    /// the key that it had before. How long a request took is no content, as when it happened is
    /// not.
    fn more_content(&self, hash: &mut Sha256) {
        let texts = [("service_tier", &self.service_tier), ("error_type", &self.error_type)];
        for (field, text) in texts {
            if let Some(text) = text {
                hash.update(field);
                hash.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                hash.update(text.as_bytes());
            }
        }
        for (unit, count) in self.units.iter() {
            hash.update(unit.as_str());
            hash.update(count.to_be_bytes());
        }
    }
}

/// What identifies a record: organization and request.
fn request_key(organization_id: OrganizationId, request_id: &str) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(organization_id.0.as_bytes());
    hash.update(request_id.as_bytes());
    short(hash)
}

/// The first 16 bytes of a SHA-256, as the UUID column type holds them.
fn short(hash: Sha256) -> Uuid {
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(bytes)
}

/// Records of one organization that are written together.
#[derive(Debug, Clone)]
pub struct UsageWrite {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The records, in the sender's order.
    pub records: Vec<NewUsage>,
    /// Every stream that checking and attributing them read, with the sequence it stood at.
    pub expected: Vec<(StreamKey, i64)>,
    /// The position up to which the price book knew the published prices.
    pub prices_upto: i64,
    /// Who sent them, and the rest of the metadata, as the text that is stored.
    pub metadata: Arc<str>,
    /// Who sent them.
    pub actor: String,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is in the log, at this position.
    Recorded {
        /// The position.
        position: i64,
    },
    /// It was there already, with the same content: it counts once.
    Duplicate,
    /// The request was recorded with other content: that one stays.
    Conflict,
    /// Usage of its month is archived, or about to be: it is not in the log unless it was before.
    Archived {
        /// The month.
        month: Month,
    },
}

/// What became of records that were written together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageWritten {
    /// One fate for each record, in the sender's order.
    pub fates: Vec<Fate>,
    /// The position up to which the log must be read to see all of them.
    pub position: i64,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum UsageWriteError {
    /// What the records were checked against or priced by has moved on: do it again.
    #[error("what the records were checked against has moved on")]
    Stale,
    /// Other writers kept writing the same requests.
    #[error("the same requests are being recorded by others; try again in a moment")]
    Contended,
    /// Too many records wait, of this organization or of all.
    #[error("too many records are waiting; try again in a moment")]
    Full,
    /// The database failed.
    #[error("the log's database failed: {0}")]
    Sqlx(Arc<sqlx::Error>),
    /// The log is shutting down.
    #[error("the log is shutting down")]
    Closed,
}

/// What a record is found by.
#[derive(Clone, Copy)]
struct Keys {
    day: NaiveDate,
    request_key: Uuid,
    content_key: Uuid,
}

impl Keys {
    fn of(record: &NewUsage, organization_id: OrganizationId) -> Self {
        Self {
            day: record.day(),
            request_key: record.request_key(organization_id),
            content_key: record.content_key(),
        }
    }
}

/// A record as it is copied: with its place in the group and its keys.
#[derive(Clone, Copy)]
struct Row<'a> {
    record: &'a NewUsage,
    organization_id: OrganizationId,
    /// Which of the writes it came with.
    write: usize,
    /// Its place in the sender's order.
    index: usize,
    day: NaiveDate,
    request_key: Uuid,
    content_key: Uuid,
}

/// A record as consumers see it.
pub type Recorded = RecordedUsage;
