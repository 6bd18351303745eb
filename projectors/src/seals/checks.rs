//! What was sealed before must be what stands there now, or nothing more is signed.

use std::collections::BTreeMap;

use event_log::exact::{ExactEntry, read_exact_at};
use proofs::Hash;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::error::SealError;
use super::leaves::leaf_of;
use super::trees::OrganizationTree;
use super::unsigned;

/// The row of `seal.state`, locked.
pub(super) struct State {
    /// Every entry up to here is a leaf.
    pub(super) position: i64,
    /// How many leaves the log's tree has.
    pub(super) size: u64,
    /// The name of its keys.
    pub(super) origin: String,
}

/// Waits to be the one that seals, until the transaction ends.
pub(super) async fn lock_state(tx: &mut PgConnection, origin: &str) -> Result<State, SealError> {
    let row = sqlx::query("select position, size, origin from seal.state for update")
        .fetch_one(&mut *tx)
        .await?;
    let sealed_as: Option<String> = row.get(2);
    match sealed_as {
        Some(there) if there != origin => {
            return Err(SealError::OtherName { key: origin.to_owned(), origin: there });
        }
        Some(_) => {}
        None => {
            sqlx::query("update seal.state set origin = $1").bind(origin).execute(tx).await?;
        }
    }
    Ok(State { position: row.get(0), size: unsigned(row.get(1)), origin: origin.to_owned() })
}

/// Before an organization's tree grows: its edge is the one that was signed, and its last event is the
/// one that was sealed.
pub(super) async fn edges(
    tx: &mut PgConnection,
    trees: &BTreeMap<Uuid, OrganizationTree>,
) -> Result<(), SealError> {
    let signed = trees.values().filter_map(|tree| tree.head_index).collect::<Vec<_>>();
    let heads: Vec<(Uuid, i64, Vec<u8>)> =
        sqlx::query_as("select organization_id, size, root from seal.heads where index = any($1)")
            .bind(signed)
            .fetch_all(&mut *tx)
            .await?;
    for (organization_id, size, root) in heads {
        let Some(tree) = trees.get(&organization_id) else { continue };
        if unsigned(size) == tree.edge.size() && tree.edge.root().0[..] != root[..] {
            return Err(SealError::Tree { tree: format!("organization {organization_id}") });
        }
    }
    let last = |tree: &OrganizationTree| tree.last.map(|(position, _)| position);
    let positions: Vec<i64> = trees.values().filter_map(last).collect();
    let found = read_exact_at(tx, &positions).await?;
    for (organization_id, tree) in trees {
        let Some((position, sealed)) = tree.last else { continue };
        let number = tree.edge.size() - 1;
        let changed = SealError::Changed { position, number, organization_id: *organization_id };
        let there = found.iter().find(|entry| entry.first_position() == position);
        let records = match there {
            Some(ExactEntry::Batch(batch)) => match batch.records_root {
                Some(root) => root,
                // Its records are read by who looks back.
                None => continue,
            },
            Some(ExactEntry::Event(_)) | None => Hash::of_nothing(),
        };
        if there.is_none_or(|entry| leaf_of(entry, number, records) != sealed) {
            return Err(changed);
        }
    }
    Ok(())
}
