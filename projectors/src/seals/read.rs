//! What was sealed, for who asks.

use chrono::{DateTime, Utc};
use proofs::{
    Hash, HeadLeaf, Note, NoteError, Proof, Span, Tile, TilePlace, Tiles, inclusion_spans,
    organization_hash, resolve, tiles_of,
};
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::error::SealError;
use super::trees::parted;
use super::{signed, unsigned};

/// How far the log is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealStatus {
    /// The name of its keys; none where nothing was sealed yet.
    pub origin: Option<String>,
    /// Every entry up to here is under a signed checkpoint.
    pub position: i64,
    /// How many leaves that has.
    pub size: u64,
    /// When it was signed.
    pub sealed_at: Option<DateTime<Utc>>,
}

/// How far the log is sealed.
pub async fn seal_status(log: &PgPool) -> Result<SealStatus, sqlx::Error> {
    let row = sqlx::query(
        "select s.origin, c.position, c.size, c.sealed_at from seal.state s
         left join lateral (select * from seal.checkpoints order by size desc limit 1) c on true",
    )
    .fetch_one(log)
    .await?;
    Ok(SealStatus {
        origin: row.get(0),
        position: row.get::<Option<i64>, _>(1).unwrap_or_default(),
        size: unsigned(row.get::<Option<i64>, _>(2).unwrap_or_default()),
        sealed_at: row.get(3),
    })
}

fn places(spans: &[Span]) -> (Vec<i16>, Vec<i64>) {
    let places = tiles_of(spans);
    let level = |place: &TilePlace| i16::try_from(place.level).unwrap_or(i16::MAX);
    (places.iter().map(level).collect(), places.iter().map(|place| signed(place.index)).collect())
}

fn tiles(rows: &[sqlx::postgres::PgRow]) -> Tiles {
    let mut tiles = Tiles::default();
    for row in rows {
        let level = u32::try_from(row.get::<i16, _>(0)).unwrap_or_default();
        let place = TilePlace { level, index: unsigned(row.get(1)) };
        tiles.insert(Tile { place, hashes: parted(row.get(2)) });
    }
    tiles
}

/// The hashes of complete subtrees of an organization's tree.
pub(super) async fn subtrees(
    connection: &mut PgConnection,
    organization_id: Uuid,
    span: Span,
) -> Result<Vec<Hash>, SealError> {
    let (levels, indices) = places(&[span]);
    let rows = sqlx::query(
        "select t.level, t.index, t.hashes from unnest($2::smallint[], $3::bigint[]) as w (level, index)
         join seal.tiles t on t.organization_id = $1 and t.level = w.level and t.index = w.index",
    )
    .bind(organization_id)
    .bind(levels)
    .bind(indices)
    .fetch_all(connection)
    .await?;
    let tiles = tiles(&rows);
    let found: Option<Vec<Hash>> =
        span.subtrees().into_iter().map(|subtree| tiles.subtree(subtree)).collect();
    found.ok_or_else(|| SealError::Tree { tree: format!("organization {organization_id}") })
}

/// Nodes of the log's tree.
pub(super) async fn log_nodes(
    connection: &mut PgConnection,
    spans: &[Span],
) -> Result<Vec<Hash>, SealError> {
    let (levels, indices) = places(spans);
    let rows = sqlx::query(
        "select t.level, t.index, t.hashes from unnest($1::smallint[], $2::bigint[]) as w (level, index)
         join seal.log_tiles t using (level, index)",
    )
    .bind(levels)
    .bind(indices)
    .fetch_all(connection)
    .await?;
    resolve(spans, &tiles(&rows)).ok_or_else(|| SealError::Tree { tree: "the log".to_owned() })
}

/// A leaf of the log's tree, with its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlacedHead {
    pub(super) index: u64,
    pub(super) leaf: HeadLeaf,
}

pub(super) const HEAD_COLUMNS: &str = "index, size, root, previous, position, sealed_at";

pub(super) fn placed_head(row: &sqlx::postgres::PgRow, salt: &[u8], id: Uuid) -> PlacedHead {
    PlacedHead {
        index: unsigned(row.get("index")),
        leaf: HeadLeaf {
            organization: organization_hash(salt, id),
            size: unsigned(row.get("size")),
            root: Hash::from_slice(row.get("root")).unwrap_or_else(Hash::of_nothing),
            previous: row.get::<Option<i64>, _>("previous").map(unsigned),
            position: unsigned(row.get("position")),
            sealed_at: row.get("sealed_at"),
        },
    }
}

/// That a leaf of the log's tree is under the first checkpoint that has it, or under the last.
pub(super) async fn head_proof(
    connection: &mut PgConnection,
    head: &PlacedHead,
    last: bool,
) -> Result<Proof, SealError> {
    let order = if last { "desc" } else { "asc" };
    let (size, note): (i64, String) = sqlx::query_as(&format!(
        "select size, note from seal.checkpoints where size > $1 order by size {order} limit 1"
    ))
    .bind(signed(head.index))
    .fetch_one(&mut *connection)
    .await?;
    let broken = |_: NoteError| SealError::Tree { tree: "the log".to_owned() };
    let mut checkpoint = Note::parse(&note).map_err(broken)?;
    checkpoint.signatures.extend(cosignatures(connection, size).await?);
    let spans = inclusion_spans(head.index, unsigned(size)).unwrap_or_default();
    Ok(Proof {
        extra: Some(head.leaf.record()),
        index: head.index,
        path: log_nodes(connection, &spans).await?,
        checkpoint,
    })
}

/// What witnesses said of a checkpoint.
pub(super) async fn cosignatures(
    connection: &mut PgConnection,
    size: i64,
) -> Result<Vec<proofs::Signature>, sqlx::Error> {
    let lines: Vec<String> =
        sqlx::query_scalar("select line from seal.cosignatures where size = $1 order by witness")
            .bind(size)
            .fetch_all(connection)
            .await?;
    Ok(lines.iter().filter_map(|line| proofs::Signature::parse(line)).collect())
}
