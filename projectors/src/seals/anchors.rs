//! Checkpoints on their way outside: how far each place has come, and what witnesses answered.

use event_log::clock;
use proofs::{Hash, Signature, consistency_spans};
use sqlx::{PgPool, Row as _};

use super::error::SealError;
use super::read::log_nodes;
use super::{signed, unsigned};

/// A checkpoint to take elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its size.
    pub size: u64,
    /// The signed note.
    pub note: String,
    /// The size of the last one that the place has; 0 where it has none.
    pub after: u64,
}

/// The newest checkpoint, where a place has not got it yet.
pub async fn outgoing(log: &PgPool, place: &str) -> Result<Option<Outgoing>, sqlx::Error> {
    let row = sqlx::query(
        "select c.size, c.note, coalesce(a.size, 0)
         from (select size, note from seal.checkpoints order by size desc limit 1) c
         left join seal.anchors a on a.place = $1
         where c.size > coalesce(a.size, 0)",
    )
    .bind(place)
    .fetch_optional(log)
    .await?;
    Ok(row.map(|row| Outgoing {
        size: unsigned(row.get(0)),
        note: row.get(1),
        after: unsigned(row.get(2)),
    }))
}

/// Remembers that a place has a checkpoint.
pub async fn arrived(log: &PgPool, place: &str, size: u64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into seal.anchors as a (place, size, anchored_at) values ($1, $2, $3)
         on conflict (place) do update set size = excluded.size, anchored_at = excluded.anchored_at
             where excluded.size > a.size",
    )
    .bind(place)
    .bind(signed(size))
    .bind(clock::now())
    .execute(log)
    .await?;
    Ok(())
}

/// Keeps what a witness said of a checkpoint.
pub async fn cosigned(
    log: &PgPool,
    size: u64,
    witness: &str,
    line: &Signature,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into seal.cosignatures (size, witness, line) values ($1, $2, $3)
         on conflict (size, witness) do nothing",
    )
    .bind(signed(size))
    .bind(witness)
    .bind(line.to_string())
    .execute(log)
    .await?;
    Ok(())
}

/// That the log's tree of one size begins with that of another (RFC 6962, 2.1.2); none where the first
/// is the larger.
pub async fn consistency(log: &PgPool, old: u64, new: u64) -> Result<Option<Vec<Hash>>, SealError> {
    let Some(spans) = consistency_spans(old, new) else { return Ok(None) };
    let mut connection = log.acquire().await?;
    log_nodes(&mut connection, &spans).await.map(Some)
}
