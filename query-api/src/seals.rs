//! What proves that the log is what it was: signed checkpoints, and the proof of an entry.

use api_conventions::{POSITION_HEADER, Path, Position, Problem, Query};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use event_schemas::{OrganizationId, Permission};
use proofs::{
    Hash, HeadLeaf, Note, Proof, Signature, Span, TILE_HASHES, Tile, TilePlace, Tiles,
    inclusion_spans, organization_hash, resolve, tiles_of,
};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{Executor as _, PgConnection, PgPool, Row as _};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use crate::error::QueryError;
use crate::parameters::Refusals;
use crate::state::{QueryState, Reflecting};
use crate::viewer::{AnyViewer, Viewer};

/// How soon it is looked again whether what is asked for is sealed. The log is sealed once a second.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(50);

const TEXT: &str = "text/plain; charset=utf-8";

/// An entry of the log, in an organization.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct EntryPath {
    /// The id.
    #[param(value_type = Uuid)]
    organization_id: OrganizationId,
    /// The entry's position in the log.
    #[param(value_type = i64, minimum = 0)]
    position: u64,
}

/// Up to where it must be sealed.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SealedQuery {
    /// Answer only when this position of the log is under a signed checkpoint; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    pub(crate) min_position: Option<Position>,
}

impl SealedQuery {
    fn position_min(&self) -> i64 {
        self.min_position.map_or(0, |Position(position)| position)
    }
}

/// The proof that an entry of the log is what was sealed: the entry's leaf is in its organization's tree,
/// and that tree under a signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct EntryProof {
    /// The position that was asked for.
    pub position: i64,
    /// The first position of the leaf that it is in: of a batch of usage records, that of the first.
    pub first_position: i64,
    /// The leaf's place in the organization's tree.
    pub number: u64,
    /// The leaf's hash, in base64.
    pub leaf: String,
    /// How many leaves that tree had when it was sealed.
    pub size: u64,
    /// The way from the leaf to that tree's root (RFC 6962), in base64.
    pub path: Vec<String>,
    /// That the tree is under a signed checkpoint: a `c2sp.org/tlog-proof@v1`, whose extra data are the
    /// leaf of the log's tree with this tree's size and root.
    pub proof: String,
    /// When it was sealed.
    pub sealed_at: DateTime<Utc>,
}

/// The last signed checkpoint of the log: a C2SP signed note, to be kept elsewhere.
#[utoipa::path(get, path = "/v1/checkpoint", operation_id = "get_checkpoint", tag = "proof",
    params(SealedQuery),
    responses((status = 200, content((String = "text/plain"))), Refusals))]
pub(crate) async fn get_checkpoint(
    State(state): State<QueryState>,
    _viewer: AnyViewer,
    Query(query): Query<SealedQuery>,
) -> Result<Response, Problem> {
    let (position, size, note) = state.sealed(query.position_min()).await?;
    let mut connection = state.seals().acquire().await.map_err(QueryError::from)?;
    let note = with_cosignatures(&mut connection, size, &note).await?;
    let headers =
        [(header::CONTENT_TYPE.as_str(), TEXT.to_owned()), (POSITION_HEADER, position.to_string())];
    Ok((headers, note.to_string()).into_response())
}

/// The proof that the entry at a position is what was sealed. Whoever has the entry computes its leaf, as
/// the README of any evidence says.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/entries/{position}/proof",
    operation_id = "get_entry_proof", tag = "proof", params(EntryPath, SealedQuery),
    responses((status = 200, body = EntryProof), Refusals))]
pub(crate) async fn get_entry_proof(
    State(state): State<QueryState>,
    Path(path): Path<EntryPath>,
    viewer: Viewer,
    Query(query): Query<SealedQuery>,
) -> Result<Reflecting<EntryProof>, Problem> {
    viewer.must(Permission::AuditRead)?;
    // Beyond what a log can have there is nothing.
    let position = i64::try_from(path.position).unwrap_or(i64::MAX);
    if query.min_position.is_some() {
        state.sealed(query.position_min()).await?;
    }
    let (sealed, proof) = entry_proof(state.seals(), path.organization_id, position).await?;
    Ok(Reflecting::new(sealed, proof))
}

impl QueryState {
    /// The last checkpoint, of at least a position: waited for. Its position, size and note.
    async fn sealed(&self, position_min: i64) -> Result<(i64, i64, String), QueryError> {
        let deadline = Instant::now() + self.wait_max();
        loop {
            let last =
                "select position, size, note from seal.checkpoints order by size desc limit 1";
            let last: Option<(i64, i64, String)> =
                sqlx::query_as(last).fetch_optional(self.seals()).await.map_err(not_here)?;
            let reached = last.as_ref().map_or(0, |(position, _, _)| *position);
            match last {
                Some(last) if reached >= position_min => return Ok(last),
                Some(_) | None if Instant::now() < deadline && position_min > 0 => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Some(_) => {
                    return Err(QueryError::NotYetVisible { wanted: position_min, reached });
                }
                None => return Err(QueryError::NotSealed),
            }
        }
    }
}

/// What a request says that wants only what is sealed, and how an answer says up to where it is.
const SEALED: &str = "orgledger-sealed";
const SEALED_POSITION: &str = "orgledger-sealed-position";

/// With `Orgledger-Sealed: true`, an answer waits until all that it reflects is under a signed checkpoint;
/// where that takes too long, there is none.
pub(crate) async fn answer_sealed(
    State(state): State<QueryState>,
    request: Request,
    next: Next,
) -> Response {
    let asked = request.headers().get(SEALED).map(|value| value.as_bytes() == b"true");
    match asked {
        None => return next.run(request).await,
        Some(true) => {}
        Some(false) => {
            return Problem::invalid("Orgledger-Sealed", "it is `true` or left out")
                .into_response();
        }
    }
    let mut response = next.run(request).await;
    let position = response.headers().get(POSITION_HEADER).and_then(|value| value.to_str().ok());
    let Some(position) = position.and_then(|text| text.parse().ok()) else { return response };
    match state.sealed(position).await {
        Ok((sealed, _, _)) => {
            response.headers_mut().insert(SEALED_POSITION, HeaderValue::from(sealed));
            response
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

/// Where the log is elsewhere, so are its seals.
fn not_here(error: sqlx::Error) -> QueryError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        // No such table, no such schema.
        Some("42P01" | "3F000") => QueryError::NotSealed,
        Some(_) | None => error.into(),
    }
}

fn broken() -> QueryError {
    QueryError::unreadable("the stored tree has holes; `orgledger verify` says more")
}

async fn entry_proof(
    seals: &PgPool,
    organization_id: OrganizationId,
    position: i64,
) -> Result<(i64, EntryProof), QueryError> {
    let mut tx = seals.begin_with("begin isolation level repeatable read read only").await?;
    let rows = format!("set local orgledger.organization_id to '{organization_id}'");
    tx.execute(rows.as_str()).await?;
    let nothing = || QueryError::NotFound("sealed entry");
    let row = sqlx::query(
        "select o.salt, h.index, h.size, h.root, h.previous, h.position, h.sealed_at
         from seal.organizations o join seal.heads h on h.index = o.head_index
         where o.organization_id = $1",
    )
    .bind(organization_id.0)
    .fetch_optional(&mut *tx)
    .await
    .map_err(not_here)?
    .ok_or_else(nothing)?;
    let salt: Vec<u8> = row.get(0);
    let index = unsigned(row.get(1));
    let head = HeadLeaf {
        organization: organization_hash(&salt, organization_id.0),
        size: unsigned(row.get(2)),
        root: Hash::from_slice(row.get(3)).ok_or_else(broken)?,
        previous: row.get::<Option<i64>, _>(4).map(unsigned),
        position: unsigned(row.get(5)),
        sealed_at: row.get(6),
    };
    if unsigned(position) > head.position {
        return Err(nothing());
    }
    let (number, first_position, leaf) =
        leaf_at(&mut tx, organization_id, position).await?.ok_or_else(nothing)?;
    let spans = inclusion_spans(number, head.size).ok_or_else(nothing)?;
    let path = nodes(&mut tx, Some(organization_id), &spans).await?;
    let sealed = row.get(5);
    let proof = EntryProof {
        position,
        first_position,
        number,
        leaf: leaf.to_string(),
        size: head.size,
        path: path.iter().map(Hash::to_string).collect(),
        proof: head_proof(&mut tx, index, &head).await?.to_string(),
        sealed_at: head.sealed_at,
    };
    Ok((sealed, proof))
}

/// That a leaf of the log's tree is under the last checkpoint.
async fn head_proof(
    tx: &mut PgConnection,
    index: u64,
    head: &HeadLeaf,
) -> Result<Proof, QueryError> {
    let last = "select size, note from seal.checkpoints order by size desc limit 1";
    let (size, note): (i64, String) = sqlx::query_as(last).fetch_one(&mut *tx).await?;
    let spans = inclusion_spans(index, unsigned(size)).ok_or_else(broken)?;
    Ok(Proof {
        extra: Some(head.record()),
        index,
        path: nodes(tx, None, &spans).await?,
        checkpoint: with_cosignatures(tx, size, &note).await?,
    })
}

/// The leaf that a position is in: its number, first position and hash. Of a position that is another
/// organization's, there is none here.
async fn leaf_at(
    tx: &mut PgConnection,
    organization_id: OrganizationId,
    position: i64,
) -> Result<Option<(u64, i64, Hash)>, QueryError> {
    let tile = sqlx::query(
        "select index, hashes, positions from seal.tiles
         where organization_id = $1 and level = 0 and positions[1] <= $2
         order by positions[1] desc limit 1",
    )
    .bind(organization_id.0)
    .bind(position)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(tile) = tile else { return Ok(None) };
    let positions: Vec<i64> = tile.get::<Option<Vec<i64>>, _>(2).unwrap_or_default();
    let place = positions.partition_point(|first| *first <= position).saturating_sub(1);
    let Some(first_position) = positions.get(place).copied() else { return Ok(None) };
    if first_position != position && !is_in_batch(tx, first_position, position).await? {
        return Ok(None);
    }
    let hashes = parted(tile.get(1));
    let leaf = hashes.get(place).copied().ok_or_else(broken)?;
    let number = unsigned(tile.get(0)) * TILE_HASHES + place as u64;
    Ok(Some((number, first_position, leaf)))
}

/// Whether a batch that begins at one position reaches to another.
async fn is_in_batch(
    tx: &mut PgConnection,
    first_position: i64,
    position: i64,
) -> Result<bool, QueryError> {
    let reaches = "select exists (select from log.usage_batches
                                  where first_position = $1 and first_position + count > $2)";
    let reaches = sqlx::query_scalar(reaches).bind(first_position).bind(position);
    Ok(reaches.fetch_one(tx).await?)
}

/// Nodes of an organization's tree, or of the log's.
async fn nodes(
    tx: &mut PgConnection,
    organization_id: Option<OrganizationId>,
    spans: &[Span],
) -> Result<Vec<Hash>, QueryError> {
    let places = tiles_of(spans);
    let level = |place: &TilePlace| i16::try_from(place.level).unwrap_or(i16::MAX);
    let index = |place: &TilePlace| i64::try_from(place.index).unwrap_or(i64::MAX);
    let table = match organization_id {
        Some(id) => format!("(select * from seal.tiles where organization_id = '{id}')"),
        None => "seal.log_tiles".to_owned(),
    };
    let rows = sqlx::query(&format!(
        "select t.level, t.index, t.hashes from unnest($1::smallint[], $2::bigint[]) as w (level, index)
         join {table} t on t.level = w.level and t.index = w.index"
    ))
    .bind(places.iter().map(level).collect::<Vec<_>>())
    .bind(places.iter().map(index).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    let mut tiles = Tiles::default();
    rows.iter().map(tile).for_each(|tile| tiles.insert(tile));
    resolve(spans, &tiles).ok_or_else(broken)
}

fn tile(row: &PgRow) -> Tile {
    let level = u32::try_from(row.get::<i16, _>(0)).unwrap_or_default();
    Tile { place: TilePlace { level, index: unsigned(row.get(1)) }, hashes: parted(row.get(2)) }
}

fn parted(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks_exact(32).filter_map(Hash::from_slice).collect()
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A checkpoint with what witnesses said of it.
async fn with_cosignatures(
    connection: &mut PgConnection,
    size: i64,
    note: &str,
) -> Result<Note, QueryError> {
    let mut note = Note::parse(note).map_err(QueryError::unreadable)?;
    let lines: Vec<String> =
        sqlx::query_scalar("select line from seal.cosignatures where size = $1 order by witness")
            .bind(size)
            .fetch_all(connection)
            .await?;
    note.signatures.extend(lines.iter().filter_map(|line| Signature::parse(line)));
    Ok(note)
}
