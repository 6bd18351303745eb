//! The rule that both time axes follow.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// When an event happened, and where it stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When it happened.
    pub time: DateTime<Utc>,
    /// Its position.
    pub position: i64,
}

/// What a row says, without when.
pub trait Row: Clone {
    /// What it says it of.
    type Key: Clone + Eq + Hash;

    /// What it says it of.
    fn key(&self) -> Self::Key;

    /// What it ends with: the ids of everything that it belongs to.
    fn parents(&self) -> Vec<Uuid>;
}

/// What was true from one time to another, as the log knew it from one position to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Version<R> {
    /// What was true.
    pub row: R,
    /// From when it was true.
    pub valid_from: DateTime<Utc>,
    /// Until when; none where it still is.
    pub valid_to: Option<DateTime<Utc>>,
    /// The first position at which the log said so.
    pub known_from: i64,
    /// The first position at which it no longer did; none where it still does.
    pub known_to: Option<i64>,
    /// The position of the event that made it true.
    pub opened_by: i64,
    /// The position of the event that ended it.
    pub closed_by: Option<i64>,
}

/// The rows of one table that a page of the log touches, and the page's events folded over them.
///
/// An event says what is true from its time on, until another says otherwise. One that is recorded
/// later overrules what was recorded before from its own time on, be that time in the past or not.
/// So the value at time `T`, as known at position `n`, is the one set by the latest event up to `n`
/// among those that happened at or before `T`.
pub struct Fold<R: Row> {
    /// First the rows that the table held, in the order given; then the new ones.
    versions: Vec<Version<R>>,
    stored: usize,
    /// What the log says now of each key: the versions that are known still.
    current: HashMap<R::Key, Vec<usize>>,
    children: HashMap<Uuid, HashSet<R::Key>>,
}

impl<R: Row> Fold<R> {
    /// A fold over rows that the table holds. Every row that an event of the page could change has
    /// to be among them: known still, and still valid at the earliest time of the page.
    pub fn over(stored: Vec<Version<R>>) -> Self {
        let mut fold = Self {
            stored: stored.len(),
            versions: Vec::with_capacity(stored.len()),
            current: HashMap::new(),
            children: HashMap::new(),
        };
        for version in stored {
            fold.push(version);
        }
        fold
    }

    /// What is said of a key with no end in sight: what its stream came to in the log's order.
    pub fn open(&self, key: &R::Key) -> Option<&R> {
        let indices = self.current.get(key)?;
        let mut versions = indices.iter().map(|index| &self.versions[*index]);
        versions.find(|version| version.valid_to.is_none()).map(|version| &version.row)
    }

    /// From that moment on, this is true.
    pub fn set(&mut self, at: Moment, row: R) {
        self.end(at, &row.key());
        self.push(Version {
            row,
            valid_from: at.time,
            valid_to: None,
            known_from: at.position,
            known_to: None,
            opened_by: at.position,
            closed_by: None,
        });
    }

    /// From that moment on, what was said last of the key is true with a change. Of what has ended
    /// nothing can be changed.
    pub fn change(&mut self, at: Moment, key: &R::Key, change: impl FnOnce(&mut R)) {
        if let Some(mut row) = self.open(key).cloned() {
            change(&mut row);
            self.set(at, row);
        }
    }

    /// From that moment on, nothing is true of the key.
    pub fn end(&mut self, at: Moment, key: &R::Key) {
        let indices = self.current.remove(key).unwrap_or_default();
        let mut kept = Vec::with_capacity(indices.len() + 1);
        for index in indices {
            let version = &mut self.versions[index];
            if version.valid_to.is_some_and(|end| end <= at.time) {
                kept.push(index);
                continue;
            }
            let before = (version.valid_from < at.time).then(|| Version {
                valid_to: Some(at.time),
                closed_by: Some(at.position),
                known_from: at.position,
                ..version.clone()
            });
            version.known_to = Some(at.position);
            if let Some(before) = before {
                kept.push(self.versions.len());
                self.versions.push(before);
            }
        }
        self.current.insert(key.clone(), kept);
    }

    /// From that moment on, nothing is true of whatever belongs to the parent.
    pub fn end_children(&mut self, at: Moment, parent: Uuid) {
        let keys: Vec<R::Key> = self.children.get(&parent).into_iter().flatten().cloned().collect();
        for key in keys {
            self.end(at, &key);
        }
    }

    /// The rows to insert.
    pub fn inserted(&self) -> &[Version<R>] {
        &self.versions[self.stored..]
    }

    /// The rows that the table held, by their place among those given, and from which position on
    /// the log no longer says so.
    pub fn overruled(&self) -> impl Iterator<Item = (usize, i64)> {
        let stored = self.versions[..self.stored].iter().enumerate();
        stored.filter_map(|(index, version)| Some((index, version.known_to?)))
    }

    fn push(&mut self, version: Version<R>) {
        let key = version.row.key();
        for parent in version.row.parents() {
            self.children.entry(parent).or_default().insert(key.clone());
        }
        self.current.entry(key).or_default().push(self.versions.len());
        self.versions.push(version);
    }
}
