//! Usage as it is sent: each record is read by itself, so that a bad one never costs its neighbours.

use std::fmt;

use api_conventions::Problem;
use api_conventions::extract::{from_json, malformed};
use api_conventions::words::in_json;
use chrono::{DateTime, Utc};
use domain::usage::UsageRecord;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::RecordFate;
use super::received::Form;
use super::record_text::{Envelope, SentUsageRecord, invalid, read, why_not};

/// The most records of one request.
pub const RECORDS_MAX: usize = 10_000;

/// The version of `CloudEvents` that is understood.
const CLOUD_EVENTS_VERSION: &str = "1.0";

/// Usage to record. A list of records is understood without the object around it, and so is one
/// record alone.
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
                        return Err(serde::de::Error::custom(too_many()));
                    }
                    texts.push(text);
                }
                Ok(SentRecords(texts))
            }
        }
        deserializer.deserialize_seq(Texts)
    }
}

fn too_many() -> String {
    format!("there are more than {RECORDS_MAX} records")
}

/// An event in structured mode. What else it carries is the sender's own.
#[derive(Deserialize, ToSchema)]
#[schema(as = UsageCloudEvent)]
pub(crate) struct CloudEvent<'a> {
    /// The version of `CloudEvents`: 1.0.
    specversion: String,
    /// With the source the request's id, where the record has none.
    id: String,
    /// Where it comes from: ids are unique within it. A record without a request id of its own gets
    /// `source#id`.
    source: String,
    /// What it is. It must be there, and says nothing of the usage.
    #[allow(dead_code)]
    r#type: String,
    /// When the request was made, where the record does not say.
    #[serde(default)]
    time: Option<DateTime<Utc>>,
    /// The record.
    #[serde(borrow)]
    #[schema(value_type = SentUsageRecord)]
    data: &'a RawValue,
    /// Not understood.
    #[serde(default, borrow)]
    #[schema(ignore)]
    data_base64: Option<&'a RawValue>,
}

/// What was read, and the fates of what could not be: none for each record that was.
pub(super) type Sent = (Vec<UsageRecord>, Vec<Option<RecordFate>>);

/// The records that can be read, and the fates of those that cannot.
pub(super) fn read_records(form: Form, text: &[u8]) -> Result<Sent, Problem> {
    match form {
        Form::Lines => Ok(each(lines(text)?, |text| read(text, Envelope::default()))),
        Form::Json => json(text, |text| read(text, Envelope::default())),
        Form::CloudEvent => Ok(each([text.trim_ascii()], event)),
        Form::CloudEvents => json(text, event),
    }
}

/// The texts that a JSON body has: of a list, of an object with one, or one alone.
pub(super) fn json<T>(
    text: &[u8],
    read: impl FnMut(&[u8]) -> Result<T, RecordFate>,
) -> Result<(Vec<T>, Vec<Option<RecordFate>>), Problem> {
    if text.trim_ascii_start().starts_with(b"[") {
        let RecordUsageRequest { records } = from_list(text)?;
        return Ok(each(records.0.iter().map(|text| text.get().as_bytes()), read));
    }
    if is_one_record(text) {
        return Ok(each([text.trim_ascii()], read));
    }
    let RecordUsageRequest { records } = from_json(text)?;
    Ok(each(records.0.iter().map(|text| text.get().as_bytes()), read))
}

/// The same of a body that says it is JSON and may be a text a line, as LiteLLM posts it.
pub(super) fn json_or_lines<T>(
    text: &[u8],
    mut read: impl FnMut(&[u8]) -> Result<T, RecordFate>,
) -> Result<(Vec<T>, Vec<Option<RecordFate>>), Problem> {
    let problem = match json(text, &mut read) {
        Ok(sent) => return Ok(sent),
        Err(problem) => problem,
    };
    let lines = lines(text)?;
    let is_object =
        |line: &&[u8]| line.starts_with(b"{") && serde_json::from_slice::<&RawValue>(line).is_ok();
    if lines.len() > 1 && lines.iter().all(is_object) {
        return Ok(each(lines, read));
    }
    Err(problem)
}

/// A list reads as an object that has it, so that what is wrong with it is said in the same words.
fn from_list(text: &[u8]) -> Result<RecordUsageRequest, Problem> {
    match serde_json::from_slice::<SentRecords>(text) {
        Ok(records) => Ok(RecordUsageRequest { records }),
        Err(error) if error.is_data() => {
            let why = in_json(&error.to_string());
            let why = why.rsplit_once(" at line ").map_or(&*why, |(why, _)| why).to_owned();
            Err(Problem::invalid("records", why))
        }
        Err(error) => Err(malformed(&error)),
    }
}

/// Whether an object is a record, and not one that has a list of them. One that lacks its id is told
/// so, as in a list.
fn is_one_record(text: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(borrow)]
        records: Option<&'a RawValue>,
        #[serde(borrow)]
        request_id: Option<&'a RawValue>,
        #[serde(borrow, rename = "gen_ai.response.id")]
        response_id: Option<&'a RawValue>,
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        #[serde(borrow)]
        project_id: Option<&'a RawValue>,
    }
    serde_json::from_slice::<Fields<'_>>(text).is_ok_and(|fields| {
        let named = fields.request_id.or(fields.response_id).or(fields.id).or(fields.project_id);
        fields.records.is_none() && named.is_some()
    })
}

/// The lines that have something on them.
pub(super) fn lines(text: &[u8]) -> Result<Vec<&[u8]>, Problem> {
    let mut lines = Vec::new();
    for line in text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        if line.is_empty() {
            continue;
        }
        if lines.len() == RECORDS_MAX {
            return Err(Problem::invalid("records", too_many()));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Reads each text by itself: what could be read, and of each text the fate, where it could not.
pub(super) fn each<'a, T>(
    texts: impl IntoIterator<Item = &'a [u8]>,
    mut read: impl FnMut(&[u8]) -> Result<T, RecordFate>,
) -> (Vec<T>, Vec<Option<RecordFate>>) {
    let texts = texts.into_iter();
    let mut records = Vec::with_capacity(texts.size_hint().0);
    let mut fates = Vec::with_capacity(texts.size_hint().0);
    for text in texts {
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

/// The record that an event carries. Its id and time stand in for the record's own.
fn event(text: &[u8]) -> Result<UsageRecord, RecordFate> {
    let event: CloudEvent<'_> =
        serde_json::from_slice(text).map_err(|_| why_not::<CloudEvent<'_>>(text))?;
    if event.specversion != CLOUD_EVENTS_VERSION {
        return Err(invalid(Some("specversion"), "only version 1.0 of CloudEvents is understood"));
    }
    for (name, value) in [("id", &event.id), ("source", &event.source)] {
        if value.is_empty() {
            return Err(invalid(
                Some(name),
                "it is empty, and would not tell this event from others",
            ));
        }
    }
    if event.data_base64.is_some() {
        return Err(invalid(
            Some("data_base64"),
            "the record is in data, which an event has instead",
        ));
    }
    let id = format!("{}#{}", event.source, event.id);
    let envelope = Envelope { id: Some(id), time: event.time };
    read(event.data.get().as_bytes(), envelope)
}
