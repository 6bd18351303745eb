//! A person, as far as their names and addresses go: readable, or erased for good.

use event_schemas::PersonEvent;
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::organization::ErasablePerson;
use crate::text::{self, TextError};

/// A person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Person {
    /// What the log knows of them can be read.
    #[default]
    Readable,
    /// It cannot.
    Erased,
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
}

/// Why a person is not erased.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PersonError {
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
        let PersonCommand::Erase { person, reason } = command;
        match self {
            Self::Readable => {
                let reason = text::reason(reason.as_deref())?;
                Ok(vec![PersonEvent::Erased { person_id: person.person_id(), reason }])
            }
            Self::Erased => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &PersonEvent) {
        match event {
            PersonEvent::Erased { .. } => *self = Self::Erased,
        }
    }
}

#[cfg(test)]
mod tests;
