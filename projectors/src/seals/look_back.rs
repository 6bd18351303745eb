//! What was sealed before is read again while sealing goes on.

use event_log::exact::{ExactBatch, ExactEntry, read_exact_at};
use event_log::usage::archived_months;
use proofs::Hash;
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::error::SealError;
use super::leaves::{batches_of, leaf_of, records_of};
use super::sound::corrections_fault;
use super::trees::parted;
use super::{begin_by_index, unsigned};

/// How many usage records are read again at a time, so that looking back never holds up sealing: about
/// 25 ms a round. A batch is read whole.
const RECORDS_MAX: i64 = 5_000;

/// How many organizations are looked at when sealing begins: those that changed last.
const RECENT_MAX: i64 = 64;

/// Looks back at what was sealed, a tile of leaves at a time, round and round.
#[derive(Default)]
pub(super) struct LookBack {
    /// The tile that was looked at last.
    at: Option<(Uuid, i64)>,
    /// The batch of that tile up to which records were read, by its position; none where all were.
    records_upto: Option<i64>,
}

const TILE: &str =
    "select organization_id, index, hashes, positions from seal.tiles where level = 0";

impl LookBack {
    /// Looks at the end of each tree that changed last.
    pub(super) async fn begin(log: &PgPool) -> Result<Self, SealError> {
        let mut connection = begin_by_index(log).await?;
        let recent: Vec<(Uuid, i64)> = sqlx::query_as(
            "select organization_id, (size - 1) / 256 from seal.organizations
             order by position desc limit $1",
        )
        .bind(RECENT_MAX)
        .fetch_all(&mut *connection)
        .await?;
        for (organization_id, index) in recent {
            let tile = sqlx::query(&format!("{TILE} and organization_id = $1 and index = $2"))
                .bind(organization_id)
                .bind(index)
                .fetch_optional(&mut *connection)
                .await?;
            let missing = || SealError::Tree { tree: format!("organization {organization_id}") };
            look(&mut connection, &tile.ok_or_else(missing)?, 0).await?;
        }
        Ok(Self::default())
    }

    /// Looks at the next tile, or on at one that has more records than are read at a time.
    pub(super) async fn next(&mut self, log: &PgPool) -> Result<(), SealError> {
        let mut connection = begin_by_index(log).await?;
        let (organization_id, index) = self.at.unwrap_or((Uuid::nil(), -1));
        let at = if self.records_upto.is_some() { ">=" } else { ">" };
        let tile = sqlx::query(&format!(
            "{TILE} and (organization_id, index) {at} ($1, $2) order by organization_id, index limit 1"
        ))
        .bind(organization_id)
        .bind(index)
        .fetch_optional(&mut *connection)
        .await?;
        self.at = tile.as_ref().map(|tile| (tile.get(0), tile.get(1)));
        let records_after = self.records_upto.take().unwrap_or_default();
        if let Some(tile) = tile {
            self.records_upto = look(&mut connection, &tile, records_after).await?;
        }
        Ok(())
    }
}

/// Makes sure that the entries of a tile are what was sealed; of batches, some of those that begin after
/// a position. Answers the position of the last of them, where that was not all.
async fn look(
    connection: &mut PgConnection,
    tile: &sqlx::postgres::PgRow,
    records_after: i64,
) -> Result<Option<i64>, SealError> {
    let organization_id: Uuid = tile.get(0);
    let first = unsigned(tile.get(1)) * proofs::TILE_HASHES;
    let hashes = parted(tile.get(2));
    let positions: Vec<i64> = tile.get::<Option<Vec<i64>>, _>(3).unwrap_or_default();
    let entries = read_exact_at(connection, &positions).await?;
    let (batches, upto) = some_of(batches_of(&entries), records_after);
    let records = records_of(connection, &batches).await?;
    // Asked after they were read: what has been archived until now may have been missing. What is in an
    // archive stands on record by its hash, and is looked at again when it was restored.
    let archived = archived_months(connection).await?;
    let is_here = |batch: &&&ExactBatch| {
        !archived.iter().any(|month| month.meets(batch.first_day, batch.last_day))
    };
    let read: Vec<Uuid> = batches.iter().filter(is_here).map(|batch| batch.batch_id).collect();
    let mut corrections = 0;
    for (number, (position, sealed)) in (first..).zip(positions.iter().zip(&hashes)) {
        let changed = SealError::Changed { position: *position, number, organization_id };
        let place = entries.binary_search_by_key(position, ExactEntry::first_position);
        let Some(entry) = place.ok().map(|place| &entries[place]) else { return Err(changed) };
        let root = match entry {
            ExactEntry::Event(_) => Hash::of_nothing(),
            ExactEntry::Batch(batch) if !read.contains(&batch.batch_id) => continue,
            ExactEntry::Batch(batch) => {
                records.get(&batch.batch_id).map_or_else(Hash::of_nothing, |found| found.root)
            }
        };
        if leaf_of(entry, number, root) != *sealed {
            return Err(changed);
        }
        if corrections < RECORDS_MAX {
            let counted = |count| corrections += count;
            let of_entry = std::slice::from_ref(entry);
            if let Some(fault) = corrections_fault(connection, of_entry, counted).await? {
                return Err(fault.into());
            }
        }
    }
    Ok(upto)
}

/// Of the batches after a position, as many as are read at a time; and where those end, if there are more.
fn some_of(mut batches: Vec<&ExactBatch>, after: i64) -> (Vec<&ExactBatch>, Option<i64>) {
    batches.retain(|batch| batch.first_position > after);
    let mut records = 0;
    let few = batches.iter().take_while(|batch| {
        records += batch.count;
        records <= RECORDS_MAX
    });
    let few = few.count().max(1);
    let more = batches.len() > few;
    batches.truncate(few);
    let end = batches.last().map(|batch| batch.first_position);
    (batches, end.filter(|_| more))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first_position: i64, count: i64) -> ExactBatch {
        ExactBatch {
            first_position,
            batch_id: Uuid::nil(),
            organization_id: Uuid::nil(),
            count,
            first_day: chrono::NaiveDate::MIN,
            last_day: chrono::NaiveDate::MIN,
            actor: String::new(),
            metadata: String::new(),
            recorded_at: chrono::DateTime::UNIX_EPOCH,
            records_root: None,
        }
    }

    #[test]
    fn every_batch_has_its_turn() {
        let counts = [1, 4_999, 1, RECORDS_MAX, 80_000, 3_000, 2_000, 1, 70];
        let mut position = 1;
        let all: Vec<ExactBatch> = counts
            .map(|count| {
                position += count;
                batch(position - count, count)
            })
            .to_vec();
        let (mut turns, mut after) = (Vec::new(), 0);
        loop {
            let (some, end) = some_of(all.iter().collect(), after);
            turns.push(some.iter().map(|batch| batch.count).collect::<Vec<_>>());
            let Some(end) = end else { break };
            after = end;
        }
        let expected: [&[i64]; 6] =
            [&[1, 4_999], &[1], &[5_000], &[80_000], &[3_000, 2_000], &[1, 70]];
        assert_eq!(turns, expected);
        assert_eq!(some_of(Vec::new(), 0), (Vec::new(), None));
    }
}
