//! The files of an archive, written and read back.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use event_schemas::Month;
use parquet_file::{ParquetReader, ParquetWriter, Values};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::ArchiveError;
use super::manifest::{ArchiveFile, FORMAT, Manifest, Tally, hex};
use super::rows::{self, CopiedRows};
use crate::usage::copy;

/// How many records a file has before another is begun.
const FILE_RECORDS: i64 = 2_000_000;

/// The manifest's name.
const MANIFEST: &str = "manifest.json";

/// What the names of files end in that are not whole yet.
const PART: &str = ".part";

/// Where the manifest of an archive is.
pub(super) fn manifest_path(directory: &Path) -> PathBuf {
    directory.join(MANIFEST)
}

/// Files of records as they are written, one after the other.
pub(super) struct Files<'a> {
    directory: &'a Path,
    current: Option<(PathBuf, ParquetWriter<BufWriter<File>>, i64)>,
    names: Vec<String>,
}

impl<'a> Files<'a> {
    pub(super) fn new(directory: &'a Path) -> Self {
        Self { directory, current: None, names: Vec::new() }
    }

    /// Writes a row group.
    pub(super) fn write(&mut self, values: &[Values], records: i64) -> Result<(), ArchiveError> {
        let (path, mut writer, written) = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        writer.write(values).map_err(ArchiveError::parquet("write", &path))?;
        self.current = Some((path, writer, written + records));
        if written + records >= FILE_RECORDS { self.end() } else { Ok(()) }
    }

    /// Ends the last file, and answers the names of all.
    pub(super) fn finish(mut self) -> Result<Vec<String>, ArchiveError> {
        self.end()?;
        sync_directory(self.directory)?;
        Ok(self.names)
    }

    fn begin(&mut self) -> Result<(PathBuf, ParquetWriter<BufWriter<File>>, i64), ArchiveError> {
        let name = format!("records-{:04}.parquet", self.names.len() + 1);
        let path = self.directory.join(format!("{name}{PART}"));
        let file = File::create(&path).map_err(ArchiveError::file("write", &path))?;
        let writer = ParquetWriter::new(BufWriter::new(file), rows::columns());
        let writer = writer.map_err(ArchiveError::parquet("write", &path))?;
        self.names.push(name);
        Ok((path, writer, 0))
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let (Some((path, writer, _)), Some(name)) = (self.current.take(), self.names.last()) else {
            return Ok(());
        };
        let file = writer.finish().map_err(ArchiveError::parquet("write", &path))?;
        whole(file, &path, &self.directory.join(name))
    }
}

/// Brings a file to the disk, and to its name.
fn whole(file: BufWriter<File>, part: &Path, path: &Path) -> Result<(), ArchiveError> {
    let file = file.into_inner().map_err(io::IntoInnerError::into_error);
    let file = file.map_err(ArchiveError::file("write", part))?;
    file.sync_all().map_err(ArchiveError::file("write", part))?;
    fs::rename(part, path).map_err(ArchiveError::file("name", path))
}

fn sync_directory(directory: &Path) -> Result<(), ArchiveError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(ArchiveError::file("write", directory))
}

/// Writes the manifest, after all that it speaks of. Answers its SHA-256, in hexadecimal.
pub(super) fn write_manifest(
    directory: &Path,
    manifest: &Manifest,
) -> Result<String, ArchiveError> {
    let mut text = serde_json::to_string_pretty(manifest)?;
    text.push('\n');
    let (path, part) = (manifest_path(directory), directory.join(format!("{MANIFEST}{PART}")));
    let mut file = BufWriter::new(File::create(&part).map_err(ArchiveError::file("write", &part))?);
    file.write_all(text.as_bytes()).map_err(ArchiveError::file("write", &part))?;
    whole(file, &part, &path)?;
    sync_directory(directory)?;
    Ok(hex(&Sha256::digest(text.as_bytes())))
}

/// Reads the manifest of an archive of this month of this log, with its SHA-256 in hexadecimal. None
/// where there is none.
pub(super) fn read_manifest(
    directory: &Path,
    log_id: Uuid,
    month: Month,
) -> Result<Option<(Manifest, String)>, ArchiveError> {
    let path = manifest_path(directory);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ArchiveError::file("read", &path)(error)),
    };
    let not_this = |why: String| ArchiveError::NotThis { path: path.clone(), why };
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| not_this(format!("its manifest cannot be read: {error}")))?;
    if manifest.format != FORMAT {
        return Err(not_this(format!("it is of the format '{}'", manifest.format)));
    }
    if manifest.columns.join(", ") != copy::COLUMNS {
        return Err(not_this("its records have other columns".to_owned()));
    }
    if manifest.log_id != log_id {
        return Err(not_this(format!(
            "it is of the log {}, and this is {log_id}",
            manifest.log_id
        )));
    }
    if manifest.month != month {
        return Err(not_this(format!("it is of {}", manifest.month)));
    }
    let has_path = |file: &ArchiveFile| file.name.contains(['/', '\\']) || file.name.contains("..");
    if manifest.files.iter().any(has_path) {
        return Err(not_this("a file of it is in another directory".to_owned()));
    }
    Ok(Some((manifest, hex(&Sha256::digest(&text)))))
}

/// The records of a file, a row group at a time.
pub(super) struct Records {
    path: PathBuf,
    reader: ParquetReader<File>,
}

impl Records {
    /// Of a file of an archive.
    pub(super) fn of(directory: &Path, name: &str) -> Result<Self, ArchiveError> {
        let path = directory.join(name);
        let file = File::open(&path).map_err(ArchiveError::file("read", &path))?;
        let reader = ParquetReader::new(file, rows::columns());
        let reader = reader.map_err(ArchiveError::parquet("read", &path))?;
        Ok(Self { path, reader })
    }

    /// How many row groups there are.
    pub(super) fn groups(&self) -> usize {
        self.reader.groups()
    }

    /// The records of a row group as Postgres copies them in, each of them counted.
    pub(super) fn copied(&self, group: usize, tally: &mut Tally) -> Result<Vec<u8>, ArchiveError> {
        let values = self.reader.read(group);
        let values = values.map_err(ArchiveError::parquet("read", &self.path))?;
        let mut copied = [copy::SIGNATURE, &[0; 8]].concat();
        let records = rows::count(&values);
        for row in 0..records {
            rows::encode(&values, row, &mut copied)?;
        }
        copied.extend_from_slice(&(-1_i16).to_be_bytes());
        let mut rows = CopiedRows::of(&copied)?;
        for row in 0..records {
            let Some((whole, fields)) = rows.next()? else { break };
            tally.add(rows::position(&values, row)?, whole, &fields)?;
        }
        Ok(copied)
    }
}

/// Reads a file back, and counts its records. Answers what the manifest says of such a file.
pub(super) fn read_file(
    directory: &Path,
    name: &str,
    tally: &mut Tally,
) -> Result<ArchiveFile, ArchiveError> {
    let path = directory.join(name);
    let (bytes, sha256) = digest(&path).map_err(ArchiveError::file("read", &path))?;
    let records = Records::of(directory, name)?;
    let before = tally.records();
    for group in 0..records.groups() {
        records.copied(group, tally)?;
    }
    let records = tally.records() - before;
    Ok(ArchiveFile { name: name.to_owned(), records, bytes, sha256 })
}

/// How long a file is, and its SHA-256 in hexadecimal.
fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hash, mut length, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((length, hex(&hash.finalize()))),
            read => {
                hash.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }
}
