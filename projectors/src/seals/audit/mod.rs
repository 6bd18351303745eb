//! Whether the log is what was sealed: every entry, tree and signature, from the first on.
//!
//! The log is gone through in the rounds in which it was sealed. For each checkpoint: the entries up to
//! its position become leaves, each compared with the one that was stored; each organization's tree is
//! compared with the leaf of the log's tree that is about it, and the log's tree with what was signed.

mod finding;
mod walk;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use proofs::{Checkpoint, CheckpointError, Note, NoteError, VerifyingKey};
use sqlx::{PgConnection, PgPool, Row as _};

pub use finding::{AuditError, Finding};
use walk::Walk;

use super::{signed, unsigned};

/// How many checkpoints are read at a time.
const CHECKPOINTS_AT_ONCE: i64 = 500;

/// What an audit found to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// The name of the log's keys.
    pub origin: String,
    /// How many organizations have a tree, what belongs to none counted as one.
    pub organizations: u64,
    /// How many events were compared.
    pub events: u64,
    /// How many usage records.
    pub usage_records: u64,
    /// How many usage records are in batches of which some may be archived: of those the leaves were
    /// compared as they were sealed, and the records were not read.
    pub archived_records: u64,
    /// How many corrections of what usage costs.
    pub corrections: u64,
    /// How many checkpoints.
    pub checkpoints: u64,
    /// How many of them, all before the last, no key that one trusts has signed: their trees are part of
    /// the one that is signed.
    pub vouched: u64,
    /// Which keys signed those.
    pub others: BTreeSet<String>,
    /// The last of them.
    pub checkpoint: Checkpoint,
    /// When it was signed, by the leaves under it.
    pub sealed_at: DateTime<Utc>,
    /// The keys that signed it.
    pub signers: Vec<VerifyingKey>,
    /// Every entry up to here is sealed.
    pub position: i64,
    /// The log's head; what is beyond `position` is not sealed yet.
    pub head: i64,
}

/// A checkpoint as it is stored.
struct Stored {
    size: u64,
    root: Vec<u8>,
    position: i64,
    sealed_at: DateTime<Utc>,
    note: String,
}

/// Goes through all of the log, as it stood at one moment. `anchors` are checkpoints that were kept
/// elsewhere, in order of size.
pub async fn audit(
    log: &PgPool,
    keys: &[VerifyingKey],
    anchors: &[Checkpoint],
) -> Result<Audited, AuditError> {
    let mut tx = log.begin_with("begin isolation level repeatable read read only").await?;
    sqlx::query("set local enable_seqscan to off").execute(&mut *tx).await?;
    let row = sqlx::query(
        "select s.origin, s.position, s.size, h.position from seal.state s, log.head h",
    )
    .fetch_one(&mut *tx)
    .await?;
    let (sealed, size, head): (i64, i64, i64) = (row.get(1), row.get(2), row.get(3));
    let origin: Option<String> = row.get(0);
    let origin = origin.ok_or(AuditError::NotSealed)?;
    if head < sealed {
        return Err(Finding::Shorter { head, sealed }.into());
    }
    beyond(&mut tx, head).await?;
    let mut walk = Walk::new(head);
    let mut anchors = anchors.iter().peekable();
    let mut last: Option<(Checkpoint, Stored, Vec<VerifyingKey>)> = None;
    let mut checkpoints = 0;
    let mut vouched = 0;
    let mut others = BTreeSet::new();
    loop {
        let from = last.as_ref().map_or(0, |(checkpoint, _, _)| checkpoint.size);
        let stored = stored(&mut tx, from).await?;
        if stored.is_empty() {
            break;
        }
        for one in stored {
            walk.entries(&mut tx, one.position).await?;
            walk.heads(&mut tx, one.size, |size, root| {
                while let Some(anchor) = anchors.next_if(|anchor| anchor.size <= size) {
                    if anchor.size == size && anchor.root != root {
                        return Err(Finding::Rewritten { size, kept: anchor.root, found: root });
                    }
                }
                Ok(())
            })
            .await?;
            if walk.sealed_at != Some(one.sealed_at) {
                let reason = "it was signed at another time than is sealed".to_owned();
                return Err(Finding::Checkpoint { size: one.size, reason }.into());
            }
            let checkpoint =
                Checkpoint { origin: origin.clone(), size: walk.size(), root: walk.root() };
            checkpoints += 1;
            let signers = match signed_by(&checkpoint, &one, keys)? {
                Signed::By(signers) => signers,
                Signed::ByOthers(by) => {
                    vouched += 1;
                    others.insert(by);
                    Vec::new()
                }
            };
            last = Some((checkpoint, one, signers));
        }
    }
    let (checkpoint, stored, signers) = last.ok_or(AuditError::NotSealed)?;
    // What was signed before is part of the tree that is signed last, so that one signature counts for
    // all: keys may have been replaced since. None counts for the last one but its own.
    if signers.is_empty() {
        let by = others.into_iter().collect::<Vec<_>>().join(", ");
        let reason = format!(
            "it is the last one, and none of the keys that you trust has signed it; signatures are of \
             {by}: where that is the log's key by now, name its public key with --key"
        );
        return Err(Finding::Checkpoint { size: stored.size, reason }.into());
    }
    if let Some(anchor) = anchors.next() {
        return Err(Finding::PutBack { kept: anchor.size, found: checkpoint.size }.into());
    }
    if checkpoint.size != unsigned(size) || stored.position > sealed {
        return Err(Finding::State.into());
    }
    walk.rest(&mut tx, sealed).await?;
    walk.edges(&mut tx).await?;
    // What is not sealed yet has no holes either.
    walk.unsealed(&mut tx, head).await?;
    walk.strays(&mut tx).await?;
    Ok(Audited {
        origin,
        organizations: walk.organizations(),
        events: walk.events,
        usage_records: walk.usage_records,
        archived_records: walk.archived_records,
        corrections: unsigned(walk.corrections),
        checkpoints,
        vouched,
        others,
        checkpoint,
        sealed_at: stored.sealed_at,
        signers,
        position: stored.position,
        head,
    })
}

async fn stored(tx: &mut PgConnection, after: u64) -> Result<Vec<Stored>, sqlx::Error> {
    let rows = sqlx::query(
        "select size, root, position, sealed_at, note from seal.checkpoints
         where size > $1 order by size limit $2",
    )
    .bind(signed(after))
    .bind(CHECKPOINTS_AT_ONCE)
    .fetch_all(tx)
    .await?;
    let one = |row: &sqlx::postgres::PgRow| Stored {
        size: unsigned(row.get(0)),
        root: row.get(1),
        position: row.get(2),
        sealed_at: row.get(3),
        note: row.get(4),
    };
    Ok(rows.iter().map(one).collect())
}

/// Who has signed a checkpoint.
enum Signed {
    /// These keys, which one trusts.
    By(Vec<VerifyingKey>),
    /// Others, by their names.
    ByOthers(String),
}

/// A checkpoint is of the tree that it says; and who has signed it.
fn signed_by(
    found: &Checkpoint,
    stored: &Stored,
    keys: &[VerifyingKey],
) -> Result<Signed, AuditError> {
    let wrong = |reason: String| Finding::Checkpoint { size: stored.size, reason };
    if found.root.0[..] != stored.root[..] {
        return Err(wrong("it is of another tree".to_owned()).into());
    }
    let note = Note::parse(&stored.note).map_err(|error| wrong(error.to_string()))?;
    let (checkpoint, signed) = match Checkpoint::verify(&note, keys) {
        Ok((checkpoint, signers)) => {
            (checkpoint, Signed::By(signers.into_iter().cloned().collect()))
        }
        Err(CheckpointError::Note(NoteError::Unsigned(by))) => {
            let checkpoint = Checkpoint::parse(&note.text);
            (checkpoint.map_err(|error| wrong(error.to_string()))?, Signed::ByOthers(by))
        }
        Err(error) => return Err(wrong(error.to_string()).into()),
    };
    if checkpoint != *found {
        return Err(wrong("what is signed is another tree".to_owned()).into());
    }
    Ok(signed)
}

/// Nothing stands beyond the log's head.
async fn beyond(tx: &mut PgConnection, head: i64) -> Result<(), AuditError> {
    let first: Option<i64> = sqlx::query_scalar(
        "select min(position) from (
             select min(position) as position from log.events where position > $1
             union all
             select min(first_position) from log.usage_batches where first_position > $1) b",
    )
    .bind(head)
    .fetch_one(tx)
    .await?;
    match first {
        Some(position) => Err(Finding::Beyond { position, head }.into()),
        None => Ok(()),
    }
}
