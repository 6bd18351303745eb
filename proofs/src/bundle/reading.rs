//! The leaves and records of a bundle, as they are read.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use uuid::Uuid;

use super::earlier::Earlier;
use super::line::Line;
use super::part::{Lines, NextLine};
use super::trouble::{ProvenRecord, Suspect, Trouble, Verified};
use super::verify::read_head;
use super::{HEAD, Manifest, RecordPlace};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::copy::{CopyRows, RowPlace};
use crate::hash::{Digits, Hash};
use crate::keys::VerifyingKey;
use crate::leaf::{HeadLeaf, organization_hash};
use crate::note::NoteError;
use crate::path::verify_inclusion;
use crate::tlog_proof::ProofError;
use crate::tree::{Frontier, Span};

/// How many batches of usage a part may have; the writer makes parts of fewer leaves.
const PART_BATCHES_MAX: usize = 65_536;

/// The type of an event that corrects what usage costs.
const REPRICED: &str = "usage.repriced";

/// How much of `usage/…` is read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// A batch whose records are still to come.
struct Batch {
    leaf: Suspect,
    id: Uuid,
    count: u64,
    records: Hash,
}

/// What an event says of its corrections.
#[derive(Deserialize)]
struct Corrected<'a> {
    corrections: u64,
    #[serde(borrow)]
    corrections_hash: Cow<'a, str>,
}

/// An event whose corrections are still to come.
struct Repriced {
    leaf: Suspect,
    count: u64,
    hash: String,
}

/// A bundle that is being verified.
pub(super) struct Reading<'k> {
    pub(super) manifest: Manifest,
    keys: &'k [VerifyingKey],
    organization: Hash,
    /// Over the leaves as they are.
    frontier: Frontier,
    /// Over the leaves as they are claimed to be, since one is not.
    claimed: Option<(Frontier, Suspect)>,
    /// All leaves before this one are proven.
    proven: u64,
    batches: VecDeque<Batch>,
    repriced: VecDeque<Repriced>,
    checkpoints: Vec<Checkpoint>,
    found: Verified,
}

impl<'k> Reading<'k> {
    /// Begins, with the proof of where the tree stands.
    pub(super) fn begin(
        manifest: Manifest,
        head: impl Read,
        keys: &'k [VerifyingKey],
    ) -> Result<Self, Trouble> {
        let malformed = || Trouble::Manifest("its hashes are none".to_owned());
        if manifest.record.is_some() && manifest.end - manifest.first != 1 {
            return Err(Trouble::Manifest("a record is of one leaf".to_owned()));
        }
        let salt = STANDARD.decode(&manifest.salt).map_err(|_| malformed())?;
        let before = hashes(&manifest.before).ok_or_else(malformed)?;
        let frontier = Frontier::of(manifest.first, before).ok_or_else(malformed)?;
        let organization = organization_hash(&salt, manifest.organization_id);
        let (head, checkpoint, signers) = read_head(HEAD, head, keys)?;
        if head.organization != organization || head.size != manifest.size {
            return Err(Trouble::OtherHead(HEAD.to_owned()));
        }
        if checkpoint.origin != manifest.origin {
            return Err(Trouble::OtherHead(HEAD.to_owned()));
        }
        let found = Verified {
            origin: manifest.origin.clone(),
            organization_id: manifest.organization_id,
            first: manifest.first,
            end: manifest.end,
            size: manifest.size,
            events: 0,
            usage_records: 0,
            corrections: 0,
            positions: None,
            recorded_at: None,
            head,
            checkpoint,
            signers,
            checkpoints: Vec::new(),
            others: 0,
            earlier: Vec::new(),
            record: None,
        };
        let proven = manifest.first;
        Ok(Self {
            manifest,
            keys,
            organization,
            frontier,
            claimed: None,
            proven,
            batches: VecDeque::new(),
            repriced: VecDeque::new(),
            checkpoints: Vec::new(),
            found,
        })
    }

    /// That the log begins with what it was before.
    pub(super) fn earlier(&mut self, name: &str, entry: impl Read) -> Result<(), Trouble> {
        let earlier = Earlier::read(name, entry, &self.found.checkpoint)?;
        self.found.earlier.push((earlier.size, earlier.root));
        Ok(())
    }

    /// How many leaves of the tree have been read, those before the bundle counted.
    pub(super) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Whether records of batches are to come.
    pub(super) fn wants_records(&self) -> bool {
        !self.batches.is_empty()
    }

    /// Whether corrections of events are to come.
    pub(super) fn wants_corrections(&self) -> bool {
        !self.repriced.is_empty()
    }

    /// An earlier place of this organization's tree; none where a key signed it that is not trusted, as
    /// one may that was replaced since. Then what comes later proves the same.
    pub(super) fn proven_head(
        &mut self,
        name: &str,
        entry: impl Read,
    ) -> Result<Option<HeadLeaf>, Trouble> {
        let (head, checkpoint, _) = match read_head(name, entry, self.keys) {
            Err(Trouble::Proof {
                error: ProofError::Checkpoint(CheckpointError::Note(NoteError::Unsigned(_))),
                ..
            }) => {
                self.found.others += 1;
                return Ok(None);
            }
            read => read?,
        };
        let is_here = head.organization == self.organization
            && head.size > self.frontier.size()
            && head.size <= self.manifest.end
            && checkpoint.origin == self.manifest.origin;
        if !is_here {
            return Err(Trouble::OtherHead(name.to_owned()));
        }
        self.checkpoints.push(checkpoint);
        Ok(Some(head))
    }

    /// The leaves of a part.
    pub(super) fn lines(
        &mut self,
        entry: impl Read,
        head: Option<HeadLeaf>,
    ) -> Result<(), Trouble> {
        let mut lines = Lines::of(entry);
        let begun = self.frontier.size();
        loop {
            let number = self.frontier.size();
            let broken = |reason: &str| Trouble::Line { number, reason: reason.to_owned() };
            match lines.next_line()? {
                NextLine::End => break,
                NextLine::Broken => return Err(broken("the line has no end")),
                NextLine::Line(line) => {
                    let line =
                        serde_json::from_slice(line).map_err(|error| broken(&error.to_string()))?;
                    self.leaf(&line)?;
                }
            }
            if let Some(head) = head.filter(|head| head.size == self.frontier.size()) {
                self.prove(self.frontier.root(), head)?;
            }
        }
        if self.frontier.size() == begun {
            let reason = "the part has no leaves".to_owned();
            return Err(Trouble::Line { number: begun, reason });
        }
        match head {
            Some(head) if head.size > self.frontier.size() => {
                let reason = "the part ends before it".to_owned();
                Err(Trouble::Line { number: self.frontier.size(), reason })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn leaf(&mut self, line: &Line<'_>) -> Result<(), Trouble> {
        let expected = self.frontier.size();
        let (first, count) = line.positions();
        let suspect = || Suspect { number: line.number(), position: first, name: line.name() };
        if line.number() != expected || expected >= self.manifest.end {
            return Err(Trouble::Missing { expected, found: suspect() });
        }
        let unreadable =
            |reason: &str| Trouble::Line { number: expected, reason: reason.to_owned() };
        let hash = line.hash(self.manifest.organization_id);
        let hash = hash.ok_or_else(|| unreadable("its records have no root"))?;
        let claimed = line.claimed().ok_or_else(|| unreadable("its hash is none"))?;
        if let Some((frontier, _)) = &mut self.claimed {
            frontier.push(claimed);
        } else if claimed != hash {
            let mut frontier = self.frontier.clone();
            frontier.push(claimed);
            self.claimed = Some((frontier, suspect()));
        }
        self.frontier.push(hash);
        let last = count.checked_sub(1).and_then(|more| first.checked_add(more));
        let last = last.ok_or_else(|| unreadable("its positions are none"))?;
        let is_later = self.found.positions.is_none_or(|(_, before)| first > before)
            && self.found.recorded_at.is_none_or(|before| line.recorded_at() >= before);
        // Where a leaf was changed already, that is what is to be said.
        if !is_later && self.claimed.is_none() {
            return Err(Trouble::Order(suspect()));
        }
        self.found.positions = Some((self.found.positions.map_or(first, |(start, _)| start), last));
        self.found.recorded_at = Some(line.recorded_at());
        match line {
            Line::Event(event) => {
                self.found.events += 1;
                if event.event_type == REPRICED {
                    let read = serde_json::from_str::<Corrected<'_>>(event.payload.get());
                    match read {
                        Ok(Corrected { corrections: count, corrections_hash }) => {
                            let hash = corrections_hash.into_owned();
                            self.repriced.push_back(Repriced { leaf: suspect(), count, hash });
                        }
                        Err(_) if self.claimed.is_some() => {}
                        Err(_) => return Err(unreadable("it does not say what it corrects")),
                    }
                    if self.repriced.len() > PART_BATCHES_MAX {
                        return Err(unreadable("the part corrects too often"));
                    }
                }
            }
            Line::Usage(usage) => {
                self.found.usage_records = self.found.usage_records.saturating_add(usage.count);
                let records = Hash::from_base64(&usage.records)
                    .ok_or_else(|| unreadable("its records have no root"))?;
                let (id, leaf) = (usage.batch_id, suspect());
                self.batches.push_back(Batch { leaf, id, count, records });
                if self.batches.len() > PART_BATCHES_MAX {
                    return Err(unreadable("the part has too many batches"));
                }
            }
        }
        Ok(())
    }

    /// Compares the leaves so far with where the tree stood.
    fn prove(&mut self, root: Hash, head: HeadLeaf) -> Result<(), Trouble> {
        let (from, to) = (self.proven, head.size);
        self.proven = to;
        match (root == head.root, self.claimed.take()) {
            (true, None) => Ok(()),
            (true, Some((_, suspect))) => Err(Trouble::ChangedHash(suspect)),
            (false, Some((claimed, suspect))) => {
                let after = hashes(&self.manifest.after).unwrap_or_default();
                let claimed = completed(claimed, head.size, &after);
                let is_claimed = claimed.is_some_and(|claimed| claimed.root() == head.root);
                Err(if is_claimed {
                    Trouble::Changed(suspect)
                } else {
                    Trouble::ChangedSome { from, to, suspect: Some(suspect) }
                })
            }
            (false, None) => Err(Trouble::ChangedSome { from, to, suspect: None }),
        }
    }

    /// The one record that is here, of the one batch.
    pub(super) fn record(&mut self, entry: impl Read, place: &RecordPlace) -> Result<(), Trouble> {
        let Some(batch) = self.batches.pop_front() else {
            return Err(Trouble::Manifest("the leaf of a record is a batch".to_owned()));
        };
        let wrong = |what: String| Trouble::Records { batch: batch.leaf.clone(), what };
        let path = hashes(&place.path).ok_or_else(|| wrong("its path has no hashes".to_owned()))?;
        let (found, row) =
            single_row(entry)?.ok_or_else(|| wrong("it is not one row".to_owned()))?;
        if found.batch_id != batch.id || u64::try_from(found.ordinal) != Ok(place.ordinal) {
            let (number, of) = (found.ordinal, found.batch_id);
            return Err(wrong(format!("record {number} of batch {of} stands in its place")));
        }
        verify_inclusion(Hash::leaf(&row), place.ordinal, batch.count, &path, batch.records)
            .map_err(|error| wrong(format!("record {} is none of them: {error}", place.ordinal)))?;
        self.found.usage_records = 1;
        self.found.record = Some(ProvenRecord {
            batch_id: batch.id,
            ordinal: place.ordinal,
            count: batch.count,
            position: batch.leaf.position.saturating_add(place.ordinal),
            row,
        });
        Ok(())
    }

    /// The records of the part's batches.
    pub(super) fn records(&mut self, mut entry: impl Read) -> Result<(), Trouble> {
        if let Some(place) = self.manifest.record.take() {
            return self.record(entry, &place);
        }
        let mut rows = CopyRows::default();
        let mut piece = vec![0; PIECE_BYTES];
        let mut tree = Frontier::default();
        loop {
            let read = entry.read(&mut piece)?;
            rows.push(&piece[..read]);
            loop {
                let of = |batches: &VecDeque<Batch>, what: String| {
                    let leaf = batches.front().map(|batch| batch.leaf.clone());
                    let none = Suspect { number: 0, position: 0, name: "no batch".to_owned() };
                    Trouble::Records { batch: leaf.unwrap_or(none), what }
                };
                let row = match rows.next_row() {
                    Ok(row) => row,
                    Err(error) => return Err(of(&self.batches, error.to_string())),
                };
                let Some((place, row)) = row else { break };
                let is_next = self.batches.front().is_some_and(|batch| {
                    batch.id == place.batch_id && u64::try_from(place.ordinal) == Ok(tree.size())
                });
                if !is_next {
                    let what = format!(
                        "record {} is missing, and record {} of batch {} stands in its place",
                        tree.size(),
                        place.ordinal,
                        place.batch_id
                    );
                    return Err(of(&self.batches, what));
                }
                tree.push(Hash::leaf(row));
                let is_last = self.batches.front().is_some_and(|batch| batch.count == tree.size());
                if let Some(batch) = is_last.then(|| self.batches.pop_front()).flatten() {
                    if tree.root() != batch.records {
                        let what = "one of them was changed".to_owned();
                        return Err(Trouble::Records { batch: batch.leaf, what });
                    }
                    tree = Frontier::default();
                }
            }
            if read == 0 {
                break;
            }
        }
        match self.batches.pop_front() {
            Some(batch) => {
                let what = format!("record {} is missing", tree.size());
                Err(Trouble::Records { batch: batch.leaf, what })
            }
            None if !rows.has_ended() => {
                let end = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                Err(end.into())
            }
            None => Ok(()),
        }
    }

    /// The corrections of the part's events.
    pub(super) fn corrections(&mut self, entry: impl Read) -> Result<(), Trouble> {
        let mut lines = Lines::of(entry);
        while let Some(Repriced { leaf, count, hash }) = self.repriced.pop_front() {
            let mut found = Digits::new();
            let mut missing = None;
            for number in 0..count {
                let NextLine::Line(line) = lines.next_line()? else {
                    missing = Some(format!("correction {number} is missing"));
                    break;
                };
                found.update(line);
                found.update(b"\n");
            }
            let changed = || (found.finish() != hash).then(|| "one of them was changed".to_owned());
            if let Some(what) = missing.or_else(changed) {
                return Err(Trouble::Corrections { event: leaf, what });
            }
            self.found.corrections = self.found.corrections.saturating_add(count);
        }
        match lines.next_line()? {
            NextLine::End => Ok(()),
            NextLine::Line(_) | NextLine::Broken => Err(Trouble::OtherEntry {
                expected: "the end of the corrections".to_owned(),
                found: "another".to_owned(),
            }),
        }
    }

    /// Refuses where the part's events have corrections, which are not here.
    pub(super) fn without_corrections(&mut self) -> Result<(), Trouble> {
        let left_out = self.repriced.drain(..).find(|repriced| repriced.count > 0);
        left_out.map_or(Ok(()), |Repriced { leaf: event, .. }| {
            Err(Trouble::Corrections { event, what: "they are not in the file".to_owned() })
        })
    }

    /// Ends, where all of it holds.
    pub(super) fn end(mut self) -> Result<Verified, Trouble> {
        let malformed = || Trouble::Manifest("its hashes are none".to_owned());
        let after = hashes(&self.manifest.after).ok_or_else(malformed)?;
        let whole = completed(self.frontier.clone(), self.manifest.size, &after);
        let whole = whole.ok_or_else(malformed)?;
        let head = self.found.head;
        self.prove(whole.root(), head)?;
        if self.manifest.record.is_some() {
            return Err(Trouble::Manifest("the leaf of a record is a batch".to_owned()));
        }
        self.checkpoints.push(self.found.checkpoint.clone());
        self.found.checkpoints = self.checkpoints;
        Ok(self.found)
    }
}

/// The row of an entry that has one alone; none where it is anything else.
fn single_row(mut entry: impl Read) -> std::io::Result<Option<(RowPlace, Vec<u8>)>> {
    let mut rows = CopyRows::default();
    let mut piece = vec![0; PIECE_BYTES];
    let mut found = None;
    loop {
        let read = entry.read(&mut piece)?;
        rows.push(&piece[..read]);
        loop {
            match rows.next_row() {
                Ok(Some((place, row))) if found.is_none() => found = Some((place, row.to_vec())),
                Ok(None) => break,
                Ok(Some(_)) | Err(_) => return Ok(None),
            }
        }
        if read == 0 {
            return Ok(found.filter(|_| rows.has_ended()));
        }
    }
}

fn hashes(texts: &[String]) -> Option<Vec<Hash>> {
    texts.iter().map(|text| Hash::from_base64(text)).collect()
}

/// A tree with the complete subtrees that follow, up to its size; none where they do not fit.
fn completed(mut tree: Frontier, size: u64, after: &[Hash]) -> Option<Frontier> {
    if tree.size() == size {
        return Some(tree);
    }
    let subtrees = Span { start: tree.size(), end: size }.subtrees();
    if subtrees.len() != after.len() {
        return None;
    }
    for (subtree, root) in subtrees.iter().zip(after) {
        if !tree.push_subtree(subtree.level, *root) {
            return None;
        }
    }
    Some(tree)
}
