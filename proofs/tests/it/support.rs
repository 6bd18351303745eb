//! Bundles of made-up leaves, as the exporter writes them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, Utc};
use proofs::bundle::{BundleWriter, Earlier, EventLine, Line, Manifest, RecordPlace, UsageLine};
use proofs::{
    Checkpoint, Frontier, Hash, HeadLeaf, Note, Proof, SigningKey, Span, Tiles, TreeEdge,
    VerifyingKey, consistency_spans, inclusion_spans, organization_hash, records_root, resolve,
};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub(crate) const ORIGIN: &str = "ledger.example/tests";
pub(crate) const SALT: &[u8] = b"salt";

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::of(ORIGIN, [seed; 32]).unwrap()
}

pub(crate) fn keys() -> Vec<VerifyingKey> {
    vec![key(1).verifying_key()]
}

pub(crate) fn organization_id() -> Uuid {
    Uuid::from_u128(0xabc)
}

fn time(seconds: u64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + i64::try_from(seconds).unwrap(), 123_456_000).unwrap()
}

/// A row as `COPY` writes it: the batch, the ordinal, and a text.
pub(crate) fn row(batch_id: Uuid, ordinal: u32, text: &str) -> Vec<u8> {
    let mut row = 3_u16.to_be_bytes().to_vec();
    for field in [&batch_id.as_bytes()[..], &ordinal.to_be_bytes(), text.as_bytes()] {
        row.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        row.extend_from_slice(field);
    }
    row
}

/// Leaves: every seventh a batch of usage, all else events; now and then one that prices usage again.
pub(crate) struct Story {
    /// With the newline.
    pub(crate) lines: Vec<String>,
    /// The rows of each leaf.
    pub(crate) rows: Vec<Vec<Vec<u8>>>,
    /// The corrections of each leaf, with their newlines.
    pub(crate) corrections: Vec<String>,
    pub(crate) hashes: Vec<Hash>,
}

/// The corrections of an event, and its payload with their hash.
fn repriced(number: u64) -> (String, String) {
    let count = 1 + number % 3;
    let line = |ordinal: u64| format!("{} {ordinal} - > 7 {number} USD\n", Uuid::nil());
    let lines: String = (0..count).map(line).collect();
    let mut hash = String::new();
    for byte in Sha256::digest(&lines) {
        write!(hash, "{byte:02x}").unwrap();
    }
    (lines, format!("{{\"corrections\": {count},\"corrections_hash\":\"{hash}\"}}"))
}

fn event(
    number: u64,
    position: u64,
    event_type: &str,
    leaf: &str,
    payload: &RawValue,
    metadata: &RawValue,
) -> String {
    let line = EventLine {
        number,
        position,
        event_id: Uuid::from_u128(u128::from(number)),
        aggregate_type: "project".into(),
        aggregate_id: "it's \"quoted\"".into(),
        sequence: number + 1,
        event_type: event_type.into(),
        event_version: "1".into(),
        occurred_at: time(0),
        recorded_at: time(number),
        leaf: leaf.into(),
        metadata,
        payload,
    };
    serde_json::to_string(&Line::Event(line)).unwrap()
}

fn usage(
    number: u64,
    position: u64,
    leaf: &str,
    records: Hash,
    count: u64,
    metadata: &RawValue,
) -> String {
    let records = records.to_string();
    let line = UsageLine {
        number,
        first_position: position,
        count,
        batch_id: Uuid::from_u128(u128::from(number)),
        first_day: NaiveDate::from_ymd_opt(2026, 1, 31).unwrap(),
        last_day: NaiveDate::from_ymd_opt(2026, 2, 1).unwrap(),
        recorded_at: time(number),
        actor: "operator:ann".into(),
        records: records.into(),
        leaf: leaf.into(),
        metadata,
    };
    serde_json::to_string(&Line::Usage(line)).unwrap()
}

pub(crate) fn story(size: u64) -> Story {
    let metadata =
        RawValue::from_string(r#"{"actor_id": "ann", "actor_kind":"operator"}"#.to_owned())
            .unwrap();
    let mut story =
        Story { lines: Vec::new(), rows: Vec::new(), corrections: Vec::new(), hashes: Vec::new() };
    let mut position = 10;
    for number in 0..size {
        let count = if number % 7 == 3 { 1 + number % 5 } else { 1 };
        let batch_id = Uuid::from_u128(u128::from(number));
        let rows: Vec<Vec<u8>> = (0..u32::try_from(count).unwrap())
            .map(|ordinal| row(batch_id, ordinal, &format!("record {ordinal} of {number}")))
            .collect();
        let is_usage = number % 7 == 3;
        let (corrections, event_type, payload) = if number % 49 == 5 {
            let (corrections, payload) = repriced(number);
            (corrections, "usage.repriced", payload)
        } else {
            let payload = format!("{{\"name\":  \"Ünïcode {number}\",\"n\":1.10}}");
            (String::new(), "project.created", payload)
        };
        let payload = RawValue::from_string(payload).unwrap();
        let write = |leaf: &str| {
            if is_usage {
                let root = records_root(rows.iter().map(Vec::as_slice));
                usage(number, position, leaf, root, count, &metadata)
            } else {
                event(number, position, event_type, leaf, &payload, &metadata)
            }
        };
        let unsealed = write("");
        let line: Line<'_> = serde_json::from_str(&unsealed).unwrap();
        let hash = line.hash(organization_id()).unwrap();
        story.lines.push(write(&hash.to_string()) + "\n");
        story.rows.push(if is_usage { rows } else { Vec::new() });
        story.corrections.push(corrections);
        story.hashes.push(hash);
        position += count;
    }
    story
}

/// What to leave in, and where the tree was sealed.
pub(crate) struct Cut {
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) part: u64,
    pub(crate) sealed_at: Vec<u64>,
}

/// The log's tree with a leaf for each sealing of each of two organizations.
fn log_tree(head: &HeadLeaf, size: usize) -> (TreeEdge, Tiles) {
    let other = HeadLeaf { organization: Hash::of(b"another"), ..*head };
    let mut edge = TreeEdge::default();
    for leaf in [other, *head, other].iter().take(size) {
        edge.push(leaf.hash());
    }
    let mut tiles = Tiles::default();
    edge.take_changed().into_iter().for_each(|tile| tiles.insert(tile));
    (edge, tiles)
}

/// That the log's tree begins with what it was at a size.
pub(crate) fn earlier(story: &Story, size: u64) -> Earlier {
    let head = head(story, story.hashes.len() as u64);
    let (edge, tiles) = log_tree(&head, 3);
    let old = log_tree(&head, usize::try_from(size).unwrap()).0;
    let path = resolve(&consistency_spans(size, edge.size()).unwrap(), &tiles).unwrap();
    Earlier { size, root: old.root(), path }
}

fn proof_of(head: &HeadLeaf, signer: &SigningKey) -> Proof {
    let (edge, tiles) = log_tree(head, 3);
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: edge.size(), root: edge.root() };
    Proof {
        extra: Some(head.record()),
        index: 1,
        path: resolve(&inclusion_spans(1, 3).unwrap(), &tiles).unwrap(),
        checkpoint: Note::sign(&checkpoint.text(), [signer]),
    }
}

fn head(story: &Story, size: u64) -> HeadLeaf {
    let mut frontier = Frontier::default();
    story.hashes[..usize::try_from(size).unwrap()].iter().for_each(|leaf| frontier.push(*leaf));
    HeadLeaf {
        organization: organization_hash(SALT, organization_id()),
        size,
        root: frontier.root(),
        previous: None,
        position: 0,
        sealed_at: time(size),
    }
}

/// A bundle of the story, sealed as it is in `sealed` (which may be another story).
pub(crate) fn bundle_of(story: &Story, sealed: &Story, cut: &Cut, signer: &SigningKey) -> Vec<u8> {
    bundle_with(story, sealed, cut, signer, &[])
}

/// The same, with what shows that the log begins with what it was.
pub(crate) fn bundle_with(
    story: &Story,
    sealed: &Story,
    cut: &Cut,
    signer: &SigningKey,
    continued: &[Earlier],
) -> Vec<u8> {
    let mut writer = begin(sealed, cut, signer, None, continued);
    let mut start = cut.first;
    while start < cut.end {
        let end = cut.end.min(start + cut.part);
        let range = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
        let within = cut.sealed_at.iter().copied().rfind(|at| *at > start && *at <= end);
        let earlier = within.map(|at| proof_of(&head(sealed, at), signer));
        let lines = story.lines[range.clone()].concat();
        let rows = story.rows[range.clone()].concat().concat();
        writer.part(lines.as_bytes(), &rows, earlier.as_ref()).unwrap();
        let corrections = story.corrections[range].concat();
        if !corrections.is_empty() {
            writer.corrections(corrections.as_bytes()).unwrap();
        }
        start = end;
    }
    writer.finish().unwrap()
}

/// A record's place in its batch, as the exporter writes it.
pub(crate) fn place_of(story: &Story, number: u64, ordinal: u64) -> RecordPlace {
    let rows = &story.rows[usize::try_from(number).unwrap()];
    let mut edge = TreeEdge::default();
    for row in rows {
        edge.push(Hash::leaf(row));
    }
    let mut tiles = Tiles::default();
    edge.take_changed().into_iter().for_each(|tile| tiles.insert(tile));
    let spans = inclusion_spans(ordinal, rows.len() as u64).unwrap();
    RecordPlace { ordinal, path: Manifest::texts(&resolve(&spans, &tiles).unwrap()) }
}

/// A bundle of one record of a leaf, with these rows.
pub(crate) fn record_bundle(
    story: &Story,
    number: u64,
    place: RecordPlace,
    rows: &[Vec<u8>],
) -> Vec<u8> {
    let cut = Cut { first: number, end: number + 1, part: 1, sealed_at: Vec::new() };
    let mut writer = begin(story, &cut, &key(1), Some(place), &[earlier(story, 2)]);
    let line = &story.lines[usize::try_from(number).unwrap()];
    writer.part(line.as_bytes(), &rows.concat(), None).unwrap();
    writer.finish().unwrap()
}

fn begin(
    sealed: &Story,
    cut: &Cut,
    signer: &SigningKey,
    record: Option<RecordPlace>,
    continued: &[Earlier],
) -> BundleWriter<Vec<u8>> {
    let size = sealed.hashes.len() as u64;
    let mut edge = TreeEdge::default();
    let mut tiles = Tiles::default();
    sealed.hashes.iter().for_each(|leaf| edge.push(*leaf));
    edge.take_changed().into_iter().for_each(|tile| tiles.insert(tile));
    let nodes = |start, end| -> Vec<Hash> {
        let subtrees = Span { start, end }.subtrees();
        subtrees.into_iter().map(|one| tiles.subtree(one).unwrap()).collect()
    };
    let manifest = Manifest {
        format: Manifest::FORMAT.to_owned(),
        origin: ORIGIN.to_owned(),
        organization_id: organization_id(),
        salt: STANDARD.encode(SALT),
        size,
        first: cut.first,
        end: cut.end,
        before: Manifest::texts(&nodes(0, cut.first)),
        after: Manifest::texts(&nodes(cut.end, size)),
        record,
    };
    let top = proof_of(&head(sealed, size), signer);
    let mut writer = BundleWriter::new(Vec::new(), &manifest, &top, &keys()).unwrap();
    for earlier in continued {
        writer.earlier(earlier).unwrap();
    }
    writer.schema("project.created.v1.json", "{}").unwrap();
    writer
}

/// The whole story, in parts of 64, sealed now and then.
pub(crate) fn whole(story: &Story) -> Cut {
    Cut { first: 0, end: story.lines.len() as u64, part: 64, sealed_at: vec![50, 64, 65, 130, 200] }
}
