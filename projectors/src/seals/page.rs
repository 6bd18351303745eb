//! One page of the log, sealed in one transaction.

use std::collections::BTreeMap;
use std::time::Instant;

use event_log::ReadError;
use event_log::exact::{ExactBatch, ExactEntry, read_exact};
use event_log::usage::months::first_missing;
use proofs::{Hash, SigningKey};
use sqlx::PgPool;
use uuid::Uuid;

use super::error::SealError;
use super::leaves::{batches_of, leaf_of, records_of};
use super::sound::{Order, corrections_fault};
use super::trees::{self, OrganizationTree};
use super::{begin_by_index, checks, sign};

/// When to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// With this page.
    Now,
    /// With the page that reaches the log's head.
    AtHead,
}

/// How far sealing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sealed {
    /// Every entry up to here is a leaf.
    pub(super) position: i64,
    /// Whether that was the log's head.
    pub(super) at_head: bool,
    /// Whether all of it is signed.
    pub(super) is_signed: bool,
}

/// Seals the next page. Where nothing is new, it does nothing but sign what is not signed yet.
pub(super) async fn seal_page(
    log: &PgPool,
    keys: &[SigningKey],
    when: When,
) -> Result<Sealed, SealError> {
    let started = Instant::now();
    let mut tx = begin_by_index(log).await?;
    let origin = keys.first().ok_or(SealError::NoKey)?.name();
    let state = checks::lock_state(&mut tx, origin).await?;
    let head: i64 = sqlx::query_scalar("select position from log.head").fetch_one(&mut *tx).await?;
    if head < state.position {
        return Err(SealError::Shorter { head, sealed: state.position });
    }
    let page = read_exact(&mut tx, state.position, head).await?;
    // Who wrote a batch has hashed its records already. What it is made of is read where that was
    // not done yet, and by who looks back.
    let mut batches = batches_of(&page.entries);
    batches.retain(|batch| batch.records_root.is_none());
    let records = records_of(&mut tx, &batches).await?;
    let mut organization_ids: Vec<Uuid> =
        page.entries.iter().map(ExactEntry::organization_id).collect();
    organization_ids.sort_unstable();
    organization_ids.dedup();
    let mut loaded = trees::load(&mut tx, &organization_ids).await?;
    checks::edges(&mut tx, &loaded).await?;
    for batch in &batches {
        let wrong = |what| SealError::Records {
            batch_id: batch.batch_id,
            position: batch.first_position,
            what,
        };
        let found = records.get(&batch.batch_id);
        let fault =
            found.map_or_else(|| Some("it has no records".to_owned()), |found| found.fault(batch));
        let Some(what) = fault else { continue };
        let archived = first_missing(&mut tx, batch.first_day, batch.last_day).await?;
        return Err(archived
            .map_or_else(|| wrong(what), |month| SealError::Log(ReadError::Archived { month })));
    }
    let mut order = Order::after(&mut tx, state.position).await?;
    if let Some(fault) = order.fault(&mut tx, &page.entries).await? {
        return Err(fault.into());
    }
    if let Some(fault) = corrections_fault(&mut tx, &page.entries, |_| {}).await? {
        return Err(fault.into());
    }
    let root = |batch: &ExactBatch| {
        let read = || records.get(&batch.batch_id).map(|records| records.root);
        batch.records_root.or_else(read).unwrap_or_else(Hash::of_nothing)
    };
    append(&mut loaded, &page.entries, root);
    if !loaded.is_empty() {
        trees::store(&mut tx, &mut loaded).await?;
        sqlx::query("update seal.state set position = $1")
            .bind(page.upto)
            .execute(&mut *tx)
            .await?;
    }
    let at_head = page.upto == head;
    let is_signed = at_head || when == When::Now;
    if is_signed {
        sign::sign(&mut tx, keys, &state, page.upto).await?;
    }
    tx.commit().await?;
    metrics::histogram!("orgledger_seal_page_seconds").record(started.elapsed().as_secs_f64());
    Ok(Sealed { position: page.upto, at_head, is_signed })
}

fn append(
    trees: &mut BTreeMap<Uuid, OrganizationTree>,
    entries: &[ExactEntry],
    root: impl Fn(&ExactBatch) -> Hash,
) {
    for entry in entries {
        let records = match entry {
            ExactEntry::Event(_) => Hash::of_nothing(),
            ExactEntry::Batch(batch) => root(batch),
        };
        if let Some(tree) = trees.get_mut(&entry.organization_id()) {
            let leaf = leaf_of(entry, tree.edge.size(), records);
            tree.push(entry.first_position(), entry.last_position(), leaf);
        }
    }
}
