//! A month of usage: whether its records are in the log's tables or in an archive.
//!
//! What is archived was closed and verified before it comes here; this keeps what is on record in
//! order, so that it can be asked for again after a killed command.

use event_schemas::{Month, UsageMonthEvent};
use serde::{Deserialize, Serialize};

use crate::Decider;

/// A verified archive of a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageArchive {
    /// How many records.
    pub records: i64,
    /// The position of the first of them.
    pub first_position: i64,
    /// The position of the last of them.
    pub last_position: i64,
    /// SHA-256 over the records, in hexadecimal.
    pub rows_sha256: String,
    /// SHA-256 of the manifest, in hexadecimal.
    pub manifest_sha256: String,
}

/// A month of usage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UsageMonth {
    /// Its records are in the log's tables.
    #[default]
    Here,
    /// They are in an archive, and perhaps still in a table beside the others.
    Archived(UsageArchive),
    /// They are in an archive alone.
    Dropped(UsageArchive),
}

/// What can be asked of a month of usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageMonthCommand {
    /// Put on record that this archive holds it.
    Archive {
        /// The month.
        month: Month,
        /// The archive.
        archive: UsageArchive,
    },
    /// Put on record that the archive of this manifest is all that holds it.
    Drop {
        /// The month.
        month: Month,
        /// SHA-256 of the manifest, in hexadecimal.
        manifest_sha256: String,
    },
    /// Put on record that its records are back.
    Restore {
        /// The month.
        month: Month,
    },
}

/// Why a month of usage stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageMonthError {
    /// It is not archived.
    #[error("the month is not archived")]
    NotArchived,
    /// Another archive is on record.
    #[error("the month is archived, with another manifest: {manifest_sha256}")]
    ArchivedOtherwise {
        /// SHA-256 of the manifest that is on record, in hexadecimal.
        manifest_sha256: String,
    },
}

impl Decider for UsageMonth {
    const STREAM: &'static str = "usage_month";
    type Command = UsageMonthCommand;
    type Event = UsageMonthEvent;
    type Error = UsageMonthError;

    fn decide(&self, command: UsageMonthCommand) -> Result<Vec<UsageMonthEvent>, UsageMonthError> {
        match command {
            UsageMonthCommand::Archive { month, archive } => match self {
                Self::Here => Ok(vec![archived(month, archive)]),
                Self::Archived(there) | Self::Dropped(there) if *there == archive => Ok(vec![]),
                Self::Archived(there) | Self::Dropped(there) => Err(otherwise(there)),
            },
            UsageMonthCommand::Drop { month, manifest_sha256 } => match self {
                Self::Here => Err(UsageMonthError::NotArchived),
                Self::Archived(there) | Self::Dropped(there)
                    if there.manifest_sha256 != manifest_sha256 =>
                {
                    Err(otherwise(there))
                }
                Self::Archived(_) => Ok(vec![UsageMonthEvent::Dropped { month, manifest_sha256 }]),
                Self::Dropped(_) => Ok(vec![]),
            },
            UsageMonthCommand::Restore { month } => match self {
                Self::Here => Ok(vec![]),
                Self::Archived(_) | Self::Dropped(_) => {
                    Ok(vec![UsageMonthEvent::Restored { month }])
                }
            },
        }
    }

    fn evolve(&mut self, event: &UsageMonthEvent) {
        *self = match (event, std::mem::take(self)) {
            (
                UsageMonthEvent::Archived {
                    month: _,
                    records,
                    first_position,
                    last_position,
                    rows_sha256,
                    manifest_sha256,
                },
                _,
            ) => Self::Archived(UsageArchive {
                records: *records,
                first_position: *first_position,
                last_position: *last_position,
                rows_sha256: rows_sha256.clone(),
                manifest_sha256: manifest_sha256.clone(),
            }),
            (UsageMonthEvent::Dropped { .. }, Self::Archived(archive) | Self::Dropped(archive)) => {
                Self::Dropped(archive)
            }
            (UsageMonthEvent::Dropped { .. }, Self::Here)
            | (UsageMonthEvent::Restored { .. }, _) => Self::Here,
        };
    }
}

impl UsageMonth {
    /// The archive that holds it; none where its records are in the log's tables.
    pub fn archive(&self) -> Option<&UsageArchive> {
        match self {
            Self::Here => None,
            Self::Archived(archive) | Self::Dropped(archive) => Some(archive),
        }
    }
}

fn archived(month: Month, archive: UsageArchive) -> UsageMonthEvent {
    let UsageArchive { records, first_position, last_position, rows_sha256, manifest_sha256 } =
        archive;
    UsageMonthEvent::Archived {
        month,
        records,
        first_position,
        last_position,
        rows_sha256,
        manifest_sha256,
    }
}

fn otherwise(there: &UsageArchive) -> UsageMonthError {
    UsageMonthError::ArchivedOtherwise { manifest_sha256: there.manifest_sha256.clone() }
}

#[cfg(test)]
mod tests;
