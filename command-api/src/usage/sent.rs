//! Usage as it is sent: each record is read by itself, so that a bad one never costs its neighbours.

use std::collections::BTreeMap;
use std::fmt;

use api_conventions::words::in_json;
use chrono::{DateTime, Utc};
use domain::usage::UsageRecord;
use event_schemas::{ApiKeyId, MemberId, ProjectId, ServiceAccountId};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::RecordFate;

/// The most records of one request.
pub const RECORDS_MAX: usize = 10_000;

/// A usage record to record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SentUsageRecord {
    /// The project.
    project_id: ProjectId,
    /// The key that was used, where known. The record is then its owner's, whoever else is named.
    #[serde(default)]
    api_key_id: Option<ApiKeyId>,
    /// The member whose usage it is, where no key says so.
    #[serde(default)]
    member_id: Option<MemberId>,
    /// The service account whose usage it is, where neither key nor member says so.
    #[serde(default)]
    service_account_id: Option<ServiceAccountId>,
    /// Your own user, in your words.
    #[serde(default)]
    end_user: Option<String>,
    /// What your product calls it.
    #[serde(default)]
    feature: String,
    /// Who served the model.
    provider: String,
    /// The model, as the provider names it.
    model: String,
    /// The request: unique in the organization. Sent again with the same content it counts once;
    /// with other content it is a conflict, and the first one stays.
    request_id: String,
    /// When the request was made.
    occurred_at: DateTime<Utc>,
    /// Input tokens, cached and written ones included.
    #[serde(default)]
    input_tokens: i64,
    /// Input tokens that came out of the provider's cache.
    #[serde(default)]
    cached_input_tokens: i64,
    /// Input tokens that were written to the provider's cache.
    #[serde(default)]
    cache_write_tokens: i64,
    /// Output tokens, reasoning included.
    #[serde(default)]
    output_tokens: i64,
    /// Output tokens that were reasoning.
    #[serde(default)]
    reasoning_tokens: i64,
    /// Your own labels.
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// Usage to record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordUsageRequest {
    /// Up to 10,000 records.
    #[schema(value_type = Vec<SentUsageRecord>, max_items = 10_000)]
    records: SentRecords,
}

/// The records' texts, not yet understood.
#[derive(Debug)]
struct SentRecords(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for SentRecords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = SentRecords;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of usage records")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SentRecords, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element()? {
                    // Stops at once: a body of nothing but commas must not become millions of texts.
                    if texts.len() == RECORDS_MAX {
                        let why = format!("there are more than {RECORDS_MAX} records");
                        return Err(serde::de::Error::custom(why));
                    }
                    texts.push(text);
                }
                Ok(SentRecords(texts))
            }
        }
        deserializer.deserialize_seq(Texts)
    }
}

impl From<SentUsageRecord> for UsageRecord {
    fn from(sent: SentUsageRecord) -> Self {
        Self {
            project_id: sent.project_id,
            api_key_id: sent.api_key_id,
            member_id: sent.member_id,
            service_account_id: sent.service_account_id,
            end_user: sent.end_user,
            feature: sent.feature,
            provider: sent.provider,
            model: sent.model,
            request_id: sent.request_id,
            occurred_at: sent.occurred_at,
            input_tokens: sent.input_tokens,
            cached_input_tokens: sent.cached_input_tokens,
            cache_write_tokens: sent.cache_write_tokens,
            output_tokens: sent.output_tokens,
            reasoning_tokens: sent.reasoning_tokens,
            tags: sent.tags,
        }
    }
}

/// The records that can be read, and the fates of those that cannot.
pub(super) fn read_records(
    request: &RecordUsageRequest,
) -> (Vec<UsageRecord>, Vec<Option<RecordFate>>) {
    let SentRecords(sent) = &request.records;
    let mut records = Vec::with_capacity(sent.len());
    let mut fates = Vec::with_capacity(sent.len());
    for text in sent {
        match read(text) {
            Ok(record) => {
                records.push(record);
                fates.push(None);
            }
            Err(invalid) => fates.push(Some(invalid)),
        }
    }
    (records, fates)
}

fn read(text: &RawValue) -> Result<UsageRecord, RecordFate> {
    let mut deserializer = serde_json::Deserializer::from_str(text.get());
    let sent: Result<SentUsageRecord, _> = serde_path_to_error::deserialize(&mut deserializer);
    sent.map(UsageRecord::from).map_err(|error| {
        let reason = error.inner().to_string();
        // The place in the record's own text says nothing to who sent many of them.
        let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(why, _)| why).to_owned();
        let field = field(&error.path().to_string(), &reason);
        RecordFate::Invalid { field, reason: in_json(&reason) }
    })
}

/// The field that is wrong. Of one that is missing or unknown serde says the name only in words.
fn field(path: &str, why: &str) -> Option<String> {
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| why.strip_prefix(start)?.split('`').next());
    named.or((path != ".").then_some(path)).map(str::to_owned)
}
