//! Writing an archive of a month that is closed, and looking at one that is there.

use std::path::Path;

use event_schemas::Month;
use sqlx::PgConnection;
use uuid::Uuid;

use super::ArchiveError;
use super::files::{Files, manifest_path, read_file, read_manifest, write_manifest};
use super::manifest::{FORMAT, Manifest, Tally, Totals};
use super::rows::{self, COLUMNS};
use super::source::{Source, count};

/// An archive that was read back and found whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// What is in it.
    pub manifest: Manifest,
    /// SHA-256 of the manifest, in hexadecimal.
    pub manifest_sha256: String,
}

/// Writes an archive of a month into a directory of its own, and reads it back. Where one is there, it
/// is read and held against the database instead. `connection` acts as a role that reads the log;
/// `progress` is told how many records were written.
pub async fn write(
    connection: &mut PgConnection,
    month: Month,
    directory: &Path,
    progress: &mut (dyn FnMut(i64) + Send),
) -> Result<Archive, ArchiveError> {
    std::fs::create_dir_all(directory).map_err(ArchiveError::file("make", directory))?;
    let log_id = log_id(connection).await?;
    if read_manifest(directory, log_id, month)?.is_some() {
        let archive = open(connection, month, directory).await?;
        let there = Source::of_log(connection, month).await?.totals().await?;
        compare(&archive.manifest.totals, &there, directory, "the database")?;
        return Ok(archive);
    }
    let mut source = Source::of_log(connection, month).await?;
    let mut files = Files::new(directory);
    while let Some(page) = source.next().await? {
        let before = source.tally.records();
        let mut values = rows::empty();
        Source::rows(&mut source.tally, &page, |position, fields| {
            rows::push(&mut values, position, fields)
        })?;
        let records = source.tally.records() - before;
        if records > 0 {
            files.write(&values, records)?;
        }
        progress(source.tally.records());
    }
    let names = files.finish()?;
    let totals = source.tally.totals();
    let records = count(connection, month).await?;
    if records != totals.records {
        return Err(ArchiveError::Differs {
            what: format!("the usage of {month}"),
            other: "log.usage_batches",
            difference: format!("{records} records, and {} of batches", totals.records),
        });
    }
    let mut tally = Tally::new();
    let files = names.iter().map(|name| read_file(directory, name, &mut tally));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    compare(&tally.totals(), &totals, directory, "what was written")?;
    let columns = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let manifest = Manifest { format: FORMAT.to_owned(), log_id, month, columns, totals, files };
    let manifest_sha256 = write_manifest(directory, &manifest)?;
    Ok(Archive { manifest, manifest_sha256 })
}

/// Reads an archive of a month of this log: its files are what the manifest says.
pub async fn open(
    connection: &mut PgConnection,
    month: Month,
    directory: &Path,
) -> Result<Archive, ArchiveError> {
    let log_id = log_id(connection).await?;
    let (manifest, manifest_sha256) = read_manifest(directory, log_id, month)?
        .ok_or_else(|| ArchiveError::NoManifest(directory.to_owned()))?;
    let mut tally = Tally::new();
    for file in &manifest.files {
        let there = read_file(directory, &file.name, &mut tally)?;
        if there != *file {
            return Err(ArchiveError::Differs {
                what: directory.join(&file.name).display().to_string(),
                other: "the manifest",
                difference: format!("{there:?} and not {file:?}"),
            });
        }
    }
    compare(&tally.totals(), &manifest.totals, directory, "the manifest")?;
    Ok(Archive { manifest, manifest_sha256 })
}

/// That an archive comes to the same as something else.
pub(super) fn compare(
    archive: &Totals,
    there: &Totals,
    directory: &Path,
    other: &'static str,
) -> Result<(), ArchiveError> {
    match archive.difference(there) {
        None => Ok(()),
        Some(difference) => {
            let what = manifest_path(directory).display().to_string();
            Err(ArchiveError::Differs { what, other, difference })
        }
    }
}

/// Which log this is.
async fn log_id(connection: &mut PgConnection) -> Result<Uuid, sqlx::Error> {
    sqlx::query_scalar("select log_id from log.identity").fetch_one(connection).await
}
