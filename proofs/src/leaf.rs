//! What leaves are made of: binary records whose fields each have their length before them, so that no
//! two different records are the same bytes.
//!
//! A record's first field says what it is and its version; the others follow in the order in which they
//! stand here. Numbers are 8 bytes, the highest first; times are microseconds since 1970, in two's
//! complement.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use std::borrow::Cow;
use uuid::Uuid;

use crate::hash::Hash;
use crate::tree::Frontier;

const EVENT: &str = "orgledger event 1";
const USAGE: &str = "orgledger usage 1";
const HEAD: &str = "orgledger head 1";
const ORGANIZATION: &str = "orgledger organization 1";

/// Fields, each with its length as 4 bytes before it.
struct Record(Vec<u8>);

impl Record {
    fn of(kind: &str) -> Self {
        let mut record = Self(Vec::with_capacity(512));
        record.field(kind.as_bytes());
        record
    }

    fn field(&mut self, bytes: &[u8]) {
        // Postgres has no value of 4 GiB.
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: u64) {
        self.field(&number.to_be_bytes());
    }

    fn time(&mut self, time: DateTime<Utc>) {
        self.field(&time.timestamp_micros().to_be_bytes());
    }
}

/// The leaf of an event.
#[derive(Debug, Clone, Copy)]
pub struct EventLeaf<'a> {
    /// Whose tree: the organization, or the nil id for what belongs to none.
    pub organization_id: Uuid,
    /// The leaf's place in that tree, from 0 without gaps.
    pub number: u64,
    /// The event's position in the log.
    pub position: u64,
    /// The event.
    pub event_id: Uuid,
    /// Its stream's type.
    pub aggregate_type: &'a str,
    /// Its stream's id.
    pub aggregate_id: &'a str,
    /// Its place in its stream.
    pub sequence: u64,
    /// Its type.
    pub event_type: &'a str,
    /// Its version.
    pub event_version: &'a str,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When the log learned of it.
    pub recorded_at: DateTime<Utc>,
    /// The payload as it is stored.
    pub payload: &'a str,
    /// The metadata as they are stored.
    pub metadata: &'a str,
}

impl EventLeaf<'_> {
    /// The record.
    pub fn record(&self) -> Vec<u8> {
        let mut record = Record::of(EVENT);
        record.field(self.organization_id.as_bytes());
        record.number(self.number);
        record.number(self.position);
        record.field(self.event_id.as_bytes());
        record.field(self.aggregate_type.as_bytes());
        record.field(self.aggregate_id.as_bytes());
        record.number(self.sequence);
        record.field(self.event_type.as_bytes());
        record.field(self.event_version.as_bytes());
        record.time(self.occurred_at);
        record.time(self.recorded_at);
        record.field(actor_of(self.metadata).as_bytes());
        record.field(&Hash::of(self.payload.as_bytes()).0);
        record.field(&Hash::of(self.metadata.as_bytes()).0);
        record.0
    }

    /// The leaf's hash.
    pub fn hash(&self) -> Hash {
        Hash::leaf(&self.record())
    }
}

/// The leaf of a batch of usage records.
#[derive(Debug, Clone, Copy)]
pub struct UsageLeaf<'a> {
    /// Whose tree.
    pub organization_id: Uuid,
    /// The leaf's place in that tree.
    pub number: u64,
    /// The position of the first record.
    pub first_position: u64,
    /// How many records.
    pub count: u64,
    /// The batch.
    pub batch_id: Uuid,
    /// The earliest day of its records.
    pub first_day: NaiveDate,
    /// The latest.
    pub last_day: NaiveDate,
    /// When the log learned of them.
    pub recorded_at: DateTime<Utc>,
    /// Who sent them.
    pub actor: &'a str,
    /// The metadata as they are stored.
    pub metadata: &'a str,
    /// The root over the records: see [`records_root`].
    pub records: Hash,
}

impl UsageLeaf<'_> {
    /// The record.
    pub fn record(&self) -> Vec<u8> {
        let mut record = Record::of(USAGE);
        record.field(self.organization_id.as_bytes());
        record.number(self.number);
        record.number(self.first_position);
        record.number(self.count);
        record.field(self.batch_id.as_bytes());
        record.field(self.first_day.to_string().as_bytes());
        record.field(self.last_day.to_string().as_bytes());
        record.time(self.recorded_at);
        record.field(self.actor.as_bytes());
        record.field(&Hash::of(self.metadata.as_bytes()).0);
        record.field(&self.records.0);
        record.0
    }

    /// The leaf's hash.
    pub fn hash(&self) -> Hash {
        Hash::leaf(&self.record())
    }
}

/// The root over usage records in their order: an RFC 6962 tree whose leaves are the rows in Postgres's
/// binary COPY format.
pub fn records_root<'a>(rows: impl IntoIterator<Item = &'a [u8]>) -> Hash {
    let mut frontier = Frontier::default();
    rows.into_iter().for_each(|row| frontier.push(Hash::leaf(row)));
    frontier.root()
}

/// Who did something, as `kind:id`, out of stored metadata; empty where they do not say.
pub fn actor_of(metadata: &str) -> String {
    #[derive(Deserialize)]
    struct Metadata<'a> {
        #[serde(borrow)]
        actor_kind: Cow<'a, str>,
        #[serde(borrow)]
        actor_id: Cow<'a, str>,
    }
    match serde_json::from_str::<Metadata<'_>>(metadata) {
        Ok(Metadata { actor_kind, actor_id }) => format!("{actor_kind}:{actor_id}"),
        Err(_) => String::new(),
    }
}

/// What the log's tree names an organization by: nobody learns from it which one it is, or whether it
/// is there at all, without the salt.
pub fn organization_hash(salt: &[u8], organization_id: Uuid) -> Hash {
    let mut record = Record::of(ORGANIZATION);
    record.field(salt);
    record.field(organization_id.as_bytes());
    Hash::of(&record.0)
}

/// The leaf that says where an organization's tree stands, in the tree of the whole log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLeaf {
    /// Whose: [`organization_hash`].
    pub organization: Hash,
    /// How many leaves its tree has.
    pub size: u64,
    /// Its tree's root.
    pub root: Hash,
    /// The leaf that said so before this one; none for the first.
    pub previous: Option<u64>,
    /// The position of the last entry in its tree.
    pub position: u64,
    /// When it was sealed, by the sealer's clock.
    pub sealed_at: DateTime<Utc>,
}

/// Why bytes are no leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a leaf of the log's tree that this program knows")]
pub struct LeafError;

impl HeadLeaf {
    /// The record.
    pub fn record(&self) -> Vec<u8> {
        let mut record = Record::of(HEAD);
        record.field(&self.organization.0);
        record.number(self.size);
        record.field(&self.root.0);
        match self.previous {
            Some(previous) => record.number(previous),
            None => record.field(&[]),
        }
        record.number(self.position);
        record.time(self.sealed_at);
        record.0
    }

    /// The leaf's hash.
    pub fn hash(&self) -> Hash {
        Hash::leaf(&self.record())
    }

    /// Reads a record.
    pub fn parse(record: &[u8]) -> Result<Self, LeafError> {
        let mut rest = record;
        let mut fields = Vec::with_capacity(7);
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| LeafError)?;
            let (field, after) = after.split_at_checked(length).ok_or(LeafError)?;
            fields.push(field);
            if fields.len() > 7 {
                return Err(LeafError);
            }
            rest = after;
        }
        let [kind, organization, size, root, previous, position, sealed_at] = fields[..] else {
            return Err(LeafError);
        };
        if !rest.is_empty() || kind != HEAD.as_bytes() {
            return Err(LeafError);
        }
        let number = |field: &[u8]| field.try_into().map(u64::from_be_bytes).map_err(|_| LeafError);
        let micros = sealed_at.try_into().map(i64::from_be_bytes).map_err(|_| LeafError)?;
        Ok(Self {
            organization: Hash::from_slice(organization).ok_or(LeafError)?,
            size: number(size)?,
            root: Hash::from_slice(root).ok_or(LeafError)?,
            previous: if previous.is_empty() { None } else { Some(number(previous)?) },
            position: number(position)?,
            sealed_at: DateTime::from_timestamp_micros(micros).ok_or(LeafError)?,
        })
    }
}
