//! Signing: a leaf of the log's tree for each organization that changed, and a checkpoint.

use event_log::clock;
use proofs::{Checkpoint, Hash, HeadLeaf, Note, SigningKey, organization_hash};
use sqlx::PgConnection;
use uuid::Uuid;

use super::checks::State;
use super::error::SealError;
use super::trees::{self, OrganizationTree};
use super::{signed, unsigned};

/// Signs where every organization's tree stands that has grown since it was signed last.
pub(super) async fn sign(
    tx: &mut PgConnection,
    keys: &[SigningKey],
    state: &State,
    position: i64,
) -> Result<(), SealError> {
    let grown: Vec<Uuid> = sqlx::query_scalar(
        "select organization_id from seal.organizations where size > head_size order by organization_id",
    )
    .fetch_all(&mut *tx)
    .await?;
    if grown.is_empty() {
        return Ok(());
    }
    let grown = trees::load(tx, &grown).await?;
    let mut log = trees::load_log(tx, state.size).await?;
    check_signed(tx, state, log.root()).await?;
    let sealed_at = clock::now();
    let mut heads = Vec::with_capacity(grown.len());
    for (organization_id, tree) in &grown {
        let head = head(*organization_id, tree, sealed_at);
        heads.push((log.size(), *organization_id, head));
        log.push(head.hash());
    }
    let checkpoint =
        Checkpoint { origin: state.origin.clone(), size: log.size(), root: log.root() };
    trees::store_log(tx, &mut log).await?;
    store_heads(tx, &heads).await?;
    sqlx::query(
        "with checkpoint as (
             insert into seal.checkpoints (size, root, position, sealed_at, note)
             values ($1, $2, $3, $4, $5)
         )
         update seal.state set size = $1",
    )
    .bind(signed(checkpoint.size))
    .bind(&checkpoint.root.0[..])
    .bind(position)
    .bind(sealed_at)
    .bind(Note::sign(&checkpoint.text(), keys).to_string())
    .execute(tx)
    .await?;
    Ok(())
}

fn head(
    organization_id: Uuid,
    tree: &OrganizationTree,
    sealed_at: chrono::DateTime<chrono::Utc>,
) -> HeadLeaf {
    // What is hashed is what the database keeps: microseconds.
    let micros = chrono::SubsecRound::trunc_subsecs(sealed_at, 6);
    HeadLeaf {
        organization: organization_hash(&tree.salt, organization_id),
        size: tree.edge.size(),
        root: tree.edge.root(),
        previous: tree.head_index.map(unsigned),
        position: unsigned(tree.position),
        sealed_at: micros,
    }
}

/// The log's tree is the one that was signed last.
async fn check_signed(tx: &mut PgConnection, state: &State, root: Hash) -> Result<(), SealError> {
    let last: Option<(i64, Vec<u8>, String)> =
        sqlx::query_as("select size, root, note from seal.checkpoints order by size desc limit 1")
            .fetch_optional(tx)
            .await?;
    let Some((size, signed_root, note)) = last else {
        let is_new = state.size == 0;
        return is_new.then_some(()).ok_or_else(|| SealError::Tree { tree: "the log".to_owned() });
    };
    let text = Checkpoint { origin: state.origin.clone(), size: state.size, root }.text();
    let is_signed = Note::parse(&note).is_ok_and(|note| note.text == text);
    if unsigned(size) == state.size && root.0[..] == signed_root[..] && is_signed {
        return Ok(());
    }
    Err(SealError::Tree { tree: "the log".to_owned() })
}

async fn store_heads(
    tx: &mut PgConnection,
    heads: &[(u64, Uuid, HeadLeaf)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with heads as (
             insert into seal.heads (index, organization_id, size, root, previous, position, sealed_at)
             select * from unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bytea[], $5::bigint[],
                 $6::bigint[], $7::timestamptz[])
             returning index, organization_id, size
         )
         update seal.organizations o set head_index = heads.index, head_size = heads.size
         from heads where heads.organization_id = o.organization_id",
    )
    .bind(heads.iter().map(|(index, _, _)| signed(*index)).collect::<Vec<_>>())
    .bind(heads.iter().map(|(_, organization_id, _)| *organization_id).collect::<Vec<_>>())
    .bind(heads.iter().map(|(_, _, head)| signed(head.size)).collect::<Vec<_>>())
    .bind(heads.iter().map(|(_, _, head)| head.root.0.to_vec()).collect::<Vec<_>>())
    .bind(heads.iter().map(|(_, _, head)| head.previous.map(signed)).collect::<Vec<_>>())
    .bind(heads.iter().map(|(_, _, head)| signed(head.position)).collect::<Vec<_>>())
    .bind(heads.iter().map(|(_, _, head)| head.sealed_at).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}
