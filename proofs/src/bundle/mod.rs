//! Evidence bundles: what an organization's tree holds, in a tar file that is verified offline.
//!
//! The entries, in this order:
//!
//! - `README.md`: for the person who opens it;
//! - `manifest.json`: a [`Manifest`];
//! - `head.tlog-proof`: that the organization's tree stands where the manifest says, under a signed
//!   checkpoint; the proof's extra data are the [`crate::HeadLeaf`]'s record;
//! - `consistency/000001.txt` and so on: that the log under that checkpoint begins with what it was
//!   before ([`Earlier`]), for who kept checkpoints of that size;
//! - `schemas/…`: the schemas of events;
//! - and for each part of the leaves, numbered from 1: `proofs/000001.tlog-proof` where the tree was
//!   sealed within the part, `events/000001.ndjson` with a [`Line`] for each leaf,
//!   `usage/000001.copy` with the records of the part's batches, where it has any, and
//!   `corrections/000001.txt` with a line for each correction of what usage costs that its events
//!   have the hash of.
//!
//! A bundle may be of a single usage record ([`RecordPlace`]): its one leaf is the record's batch, and
//! `usage/000001.copy` has its row alone.

mod earlier;
mod line;
mod part;
mod reading;
mod trouble;
mod verify;
mod write;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use earlier::{EARLIER_MAX, Earlier};
pub use line::{EventLine, Line, UsageLine};
pub use trouble::{ProvenRecord, Suspect, Trouble, Verified};
pub use verify::verify;
pub use write::BundleWriter;

use crate::hash::Hash;

/// What a bundle says of itself. Nothing of it is believed before it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`Manifest::FORMAT`].
    pub format: String,
    /// Which log.
    pub origin: String,
    /// Whose events; the nil id for those that belong to no organization.
    pub organization_id: Uuid,
    /// What the organization's name in the log's tree is salted with, in base64.
    pub salt: String,
    /// How many leaves the organization's tree has.
    pub size: u64,
    /// The first leaf that the bundle has.
    pub first: u64,
    /// The leaf after the last that it has.
    pub end: u64,
    /// The complete subtrees before the first leaf, from the left, in base64.
    pub before: Vec<String>,
    /// Those after the last leaf.
    pub after: Vec<String>,
    /// The one record of the leaf's batch that the bundle has; none where it has all of all batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordPlace>,
}

/// A record's place in its batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordPlace {
    /// Which one, from 0.
    pub ordinal: u64,
    /// From the record's sibling up to the root over the batch's records, in base64.
    pub path: Vec<String>,
}

impl Manifest {
    /// The format that this program writes and reads.
    pub const FORMAT: &str = "orgledger evidence 1";

    /// Hashes as they stand in a manifest.
    pub fn texts(hashes: &[Hash]) -> Vec<String> {
        hashes.iter().map(Hash::to_string).collect()
    }
}

/// The names of entries.
const README: &str = "README.md";
const MANIFEST: &str = "manifest.json";
const HEAD: &str = "head.tlog-proof";
const CONSISTENCY: &str = "consistency/";
const SCHEMAS: &str = "schemas/";

fn proof_name(part: u64) -> String {
    format!("proofs/{part:06}.tlog-proof")
}

fn consistency_name(number: usize) -> String {
    format!("{CONSISTENCY}{number:06}.txt")
}

fn events_name(part: u64) -> String {
    format!("events/{part:06}.ndjson")
}

fn usage_name(part: u64) -> String {
    format!("usage/{part:06}.copy")
}

fn corrections_name(part: u64) -> String {
    format!("corrections/{part:06}.txt")
}
