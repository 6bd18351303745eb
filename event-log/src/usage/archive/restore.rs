//! Bringing a month's records back among the others.

use std::path::Path;

use event_schemas::Month;
use sqlx::{Connection as _, PgConnection};

use super::ArchiveError;
use super::files::Records;
use super::manifest::Tally;
use super::source::Source;
use super::write::{Archive, compare};
use crate::usage::copy;
use crate::usage::months::{MonthState, attach, detached, make_detached, uncover};

/// Attaches the table of a month that is detached and was not dropped, where it has the records whose
/// SHA-256 is on record. `connection` acts as a role that reads the log.
pub async fn restore_kept(
    owner: &mut PgConnection,
    connection: &mut PgConnection,
    month: Month,
    rows_sha256: &str,
) -> Result<(), ArchiveError> {
    let mut tx = owner.begin().await?;
    uncover(&mut tx, month).await.map_err(super::MonthError::from)?;
    let source = Source::of_table(connection, &mut tx, month, detached(month));
    let there = source.totals().await?;
    if there.rows_sha256 != rows_sha256 {
        return Err(ArchiveError::Differs {
            what: detached(month),
            other: "the log",
            difference: format!(
                "SHA-256 of the records: {} and not {rows_sha256}",
                there.rows_sha256
            ),
        });
    }
    attach(&mut tx, month, MonthState::Detached).await?;
    Ok(tx.commit().await?)
}

/// Copies the records of an archive, which was [opened](super::open), into a table and attaches it:
/// all of it in one transaction. What is copied is held against the manifest once more.
pub async fn restore_dropped(
    owner: &mut PgConnection,
    month: Month,
    directory: &Path,
    archive: &Archive,
    progress: &mut (dyn FnMut(i64) + Send),
) -> Result<(), ArchiveError> {
    let mut tx = owner.begin().await?;
    make_detached(&mut tx, month).await.map_err(super::MonthError::from)?;
    let into = format!("copy {} ({}) from stdin (format binary)", detached(month), copy::COLUMNS);
    let mut tally = Tally::new();
    for file in &archive.manifest.files {
        let records = Records::of(directory, &file.name)?;
        for group in 0..records.groups() {
            let copied = records.copied(group, &mut tally)?;
            let mut copy = tx.copy_in_raw(&into).await?;
            copy.send(copied).await?;
            copy.finish().await?;
        }
        progress(tally.records());
    }
    compare(&tally.totals(), &archive.manifest.totals, directory, "the manifest")?;
    attach(&mut tx, month, MonthState::Dropped).await?;
    Ok(tx.commit().await?)
}
