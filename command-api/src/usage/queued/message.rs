//! One message: whose usage it is, its records, and what becomes of them.

use api_conventions::Problem;
use api_conventions::words::shortened;
use async_nats::jetstream::Message;
use axum::body::Bytes;
use domain::organization::Authority;
use domain::usage::UsageRecord;
use event_log::clock;
use event_schemas::{Actor, EventMetadata, OrganizationId};
use serde::Serialize;

use crate::execute::CommandContext;
use crate::refusal::ExecuteError;
use crate::routes::USAGE_BODY_BYTES_MAX;
use crate::usage::gate::{Full, Gate, Place};
use crate::usage::received::{Form, Unpacking, form_of, not_as_said, packing_of, unpacked};
use crate::usage::route::answered_in_order;
use crate::usage::sent::{Sent, read_records};
use crate::usage::{RecordFate, UsageRecorder};

/// Who is on record as the sender: NATS has let them publish, and orgledger does not see who it was.
const ACTOR: &str = "nats";

/// How much of a reason is kept, in characters.
const REASON_CHARS_MAX: usize = 1_000;

/// How much is kept of what is wrong with records, in bytes: NATS gives all headers of a message 64 KiB.
const RECORDS_BYTES_MAX: usize = 16 * 1024;

/// A message that could be read.
pub(super) struct Read {
    organization_id: OrganizationId,
    records: Vec<UsageRecord>,
    fates: Vec<Option<RecordFate>>,
    /// Its place in the stream, for the metadata.
    sequence: u64,
    /// Where it was unpacked: the room that it takes meanwhile.
    _place: Option<Place>,
}

/// What became of a message.
pub(super) enum Done {
    /// All of it is in the log.
    Recorded,
    /// What could be recorded is, and the rest cannot be.
    PartlyRejected(Rejected),
    /// Nothing of it can be recorded.
    Rejected(Rejected),
    /// It could not be recorded now.
    NotNow(ExecuteError),
}

/// Why something cannot be recorded.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Rejected {
    /// The message.
    Message {
        /// What is wrong with it.
        reason: String,
    },
    /// Some of its records.
    Records {
        /// How many.
        rejected: usize,
        /// The first of them, as many as there is room for.
        records: Vec<RejectedRecord>,
    },
}

/// A record that cannot be recorded.
#[derive(Debug, Serialize)]
pub(super) struct RejectedRecord {
    /// Which one of the message it is, from 0.
    index: usize,
    #[serde(flatten)]
    fate: RecordFate,
}

impl Rejected {
    fn message(reason: &str) -> Self {
        Self::Message { reason: shortened(reason, REASON_CHARS_MAX).into_owned() }
    }

    /// Those of a message's records that are rejected; none where none is.
    fn of_records(fates: Vec<RecordFate>) -> Option<Self> {
        let (mut rejected, mut records, mut room) = (0, Vec::new(), RECORDS_BYTES_MAX);
        for (index, fate) in fates.into_iter().enumerate().filter(|(_, fate)| is_rejected(fate)) {
            rejected += 1;
            let record = RejectedRecord { index, fate };
            let bytes = serde_json::to_string(&record).map_or(usize::MAX, |text| text.len() + 1);
            room = room.saturating_sub(bytes);
            if room > 0 {
                records.push(record);
            }
        }
        (rejected > 0).then_some(Self::Records { rejected, records })
    }
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // The reason may quote what is in it.
            Self::Message { .. } => f.write_str("the message as a whole"),
            Self::Records { rejected, .. } => write!(f, "{rejected} of its records"),
        }
    }
}

fn is_rejected(fate: &RecordFate) -> bool {
    match fate {
        RecordFate::Recorded { .. } | RecordFate::Duplicate => false,
        RecordFate::Conflict | RecordFate::Invalid { .. } => true,
    }
}

impl Read {
    /// Reads a message; or what becomes of it, where it cannot be read.
    pub(super) async fn of(message: &Message, prefix: &str, gate: &Gate) -> Result<Self, Done> {
        let wrong = |reason: String| Done::Rejected(Rejected::message(&reason));
        let subject = message.subject.as_str();
        let organization = subject.strip_prefix(prefix).and_then(|s| s.strip_prefix(".usage."));
        let organization_id = organization.and_then(|id| id.parse().ok()).ok_or_else(|| {
            wrong(format!("the subject {subject} does not end in an organization's id"))
        })?;
        let (payload, place) = unpacked_payload(message, organization_id, gate).await?;
        let media_type = header(message, "content-type");
        let (records, fates) = read(media_type, &payload).map_err(wrong)?;
        let sequence = message.info().map_or(0, |info| info.stream_sequence);
        Ok(Self { organization_id, records, fates, sequence, _place: place })
    }

    /// Records it.
    pub(super) async fn record(self, recorder: &UsageRecorder) -> Done {
        let Self { organization_id, records, fates, sequence, _place } = self;
        match recorder.record(&context(sequence), organization_id, records).await {
            Ok(answer) => {
                let fates = answered_in_order(fates, answer).records;
                Rejected::of_records(fates).map_or(Done::Recorded, Done::PartlyRejected)
            }
            Err(ExecuteError::Refused(refusal)) => {
                Done::Rejected(Rejected::message(&refusal.to_string()))
            }
            Err(error) => Done::NotNow(error),
        }
    }
}

impl Done {
    /// As a metric's label.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::PartlyRejected(_) => "partly_rejected",
            Self::Rejected(_) => "rejected",
            Self::NotNow(_) => "again",
        }
    }
}

/// A header, however its name is written.
pub(super) fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let headers = message.headers.as_ref()?;
    let is_it = |found: &&async_nats::HeaderName| {
        let found: &str = found.as_ref();
        found.eq_ignore_ascii_case(name)
    };
    let found = headers.iter().map(|(found, _)| found).find(is_it)?;
    headers.get(found.clone()).map(async_nats::HeaderValue::as_str)
}

/// What a message has in it, unpacked as far as a request's body is, with the room that this takes.
async fn unpacked_payload(
    message: &Message,
    organization_id: OrganizationId,
    gate: &Gate,
) -> Result<(Bytes, Option<Place>), Done> {
    let wrong = |reason: String| Done::Rejected(Rejected::message(&reason));
    let encoding = header(message, "content-encoding").unwrap_or_default();
    let packing = packing_of(encoding).map_err(|problem| wrong(said(&problem)))?;
    let Some(packing) = packing else { return Ok((message.payload.clone(), None)) };
    let full = || Done::NotNow(ExecuteError::UsageQueueFull);
    let place = gate.enter(organization_id, 0).map_err(|Full| full())?;
    match unpacked(packing, message.payload.clone(), USAGE_BODY_BYTES_MAX, place).await {
        Ok((payload, place)) => Ok((payload.into(), Some(place))),
        Err(Unpacking::TooLarge) => {
            Err(wrong(format!("it unpacks to more than {USAGE_BODY_BYTES_MAX} bytes")))
        }
        Err(Unpacking::Broken(error)) => Err(wrong(not_as_said(&error))),
        Err(Unpacking::Full | Unpacking::Failed(_)) => Err(full()),
    }
}

fn said(problem: &Problem) -> String {
    problem.within()["detail"].as_str().unwrap_or("it cannot be read").to_owned()
}

/// Without a media type it is JSON or, where it is not, a record a line.
fn read(media_type: Option<&str>, payload: &[u8]) -> Result<Sent, String> {
    if let Some(media_type) = media_type {
        let form = form_of(media_type).map_err(|problem| said(&problem))?;
        return read_records(form, payload).map_err(|problem| said(&problem));
    }
    match read_records(Form::Json, payload) {
        Ok(sent) => Ok(sent),
        Err(problem) => match read_records(Form::Lines, payload) {
            Ok(sent) if !sent.0.is_empty() => Ok(sent),
            Ok(_) | Err(_) => Err(said(&problem)),
        },
    }
}

fn context(sequence: u64) -> CommandContext {
    let now = clock::now();
    CommandContext {
        metadata: EventMetadata {
            actor: Actor::system(ACTOR),
            credential: None,
            correlation_id: format!("nats:{sequence}"),
            causation_id: None,
            traceparent: None,
            source_address: None,
        },
        // NATS has let them publish for this organization.
        authority: Authority::System,
        now,
        occurred_at: now,
        idempotency_key: None,
        expected_sequence: None,
        presented: None,
    }
}
