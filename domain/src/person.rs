//! A person, as far as their names and addresses go: readable, or erased for good. What is known of
//! them is exported to a member who was granted that, for a while.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_schemas::{ExportId, MemberId, PersonEvent, PersonId};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::organization::{ActiveMember, ErasablePerson};
use crate::text::{self, TextError};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Person {
    /// What the log knows of them can be read.
    Readable {
        /// Who may read all of it at once.
        exports: BTreeMap<ExportId, Export>,
    },
    /// It cannot.
    Erased,
}

impl Default for Person {
    fn default() -> Self {
        Self::Readable { exports: BTreeMap::new() }
    }
}

/// An export that was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    granted_to: MemberId,
    expires_at: DateTime<Utc>,
}

/// What can be asked of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonCommand {
    /// Erase them.
    Erase {
        /// That nothing needs their names and addresses any more.
        person: ErasablePerson,
        /// Why.
        reason: Option<String>,
    },
    /// Let a member read all that is known of them.
    GrantExport {
        /// The person.
        person_id: PersonId,
        /// The export's id.
        export_id: ExportId,
        /// Who may read it.
        granted_to: MemberId,
        /// Until when.
        expires_at: DateTime<Utc>,
    },
    /// Read all that is known of them.
    Export {
        /// The export.
        export_id: ExportId,
        /// Who reads.
        by: ActiveMember,
        /// The time.
        now: DateTime<Utc>,
    },
}

/// Why a person is not erased or exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PersonError {
    /// They were erased.
    #[error("the person was erased")]
    Erased,
    /// It was not granted, or to somebody else.
    #[error("there is no such export")]
    ExportNotFound,
    /// It could be read only until some time ago.
    #[error("the export could be read until {expires_at}; ask for another")]
    ExportExpired {
        /// Until when.
        expires_at: DateTime<Utc>,
    },
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl Decider for Person {
    const STREAM: &'static str = "person";
    type Command = PersonCommand;
    type Event = PersonEvent;
    type Error = PersonError;

    fn decide(&self, command: PersonCommand) -> Result<Vec<PersonEvent>, PersonError> {
        match (self, command) {
            (Self::Readable { .. }, PersonCommand::Erase { person, reason }) => {
                let reason = text::reason(reason.as_deref())?;
                Ok(vec![PersonEvent::Erased { person_id: person.person_id(), reason }])
            }
            (Self::Erased, PersonCommand::Erase { .. }) => Ok(vec![]),
            (
                Self::Readable { .. },
                PersonCommand::GrantExport { person_id, export_id, granted_to, expires_at },
            ) => Ok(vec![PersonEvent::ExportGranted {
                person_id,
                export_id,
                granted_to,
                expires_at,
            }]),
            (Self::Readable { exports }, PersonCommand::Export { export_id, by, now }) => {
                let export = exports
                    .get(&export_id)
                    .filter(|export| export.granted_to == by.member_id())
                    .ok_or(PersonError::ExportNotFound)?;
                if export.expires_at <= now {
                    return Err(PersonError::ExportExpired { expires_at: export.expires_at });
                }
                Ok(vec![PersonEvent::Exported { export_id }])
            }
            (Self::Erased, PersonCommand::GrantExport { .. } | PersonCommand::Export { .. }) => {
                Err(PersonError::Erased)
            }
        }
    }

    fn evolve(&mut self, event: &PersonEvent) {
        match event {
            PersonEvent::Erased { .. } => *self = Self::Erased,
            PersonEvent::ExportGranted { person_id: _, export_id, granted_to, expires_at } => {
                if let Self::Readable { exports } = self {
                    let export = Export { granted_to: *granted_to, expires_at: *expires_at };
                    exports.insert(*export_id, export);
                }
            }
            PersonEvent::Exported { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
