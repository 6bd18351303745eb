//! A name within its scope: who holds it. Each name is a stream of its own, so two who want the
//! same one meet in the log's conflict check, and one gets it.

use std::fmt;

use event_schemas::{NameEvent, OrganizationId, ProjectId};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::text::fold;

/// Among what a name is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameScope {
    /// The organizations that are not archived.
    Organization,
    /// An organization's projects that are not archived.
    Project(OrganizationId),
    /// A project's service accounts that are not removed.
    ServiceAccount(ProjectId),
}

impl fmt::Display for NameScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization => f.write_str("organization"),
            Self::Project(organization_id) => write!(f, "project:{organization_id}"),
            Self::ServiceAccount(project_id) => write!(f, "service_account:{project_id}"),
        }
    }
}

/// The stream of a name within a scope: names that differ in case alone share one.
pub fn stream_id(scope: &NameScope, name: &str) -> String {
    format!("{scope}/{}", fold(name))
}

/// A name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Name {
    /// Nobody holds it.
    #[default]
    Free,
    /// Somebody holds it.
    Held {
        /// The id of what it names.
        holder_id: String,
    },
}

/// What can be asked of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameCommand {
    /// Take it.
    Claim {
        /// The id of what it is to name.
        holder_id: String,
    },
    /// Give it up, where it is held by this one.
    Release {
        /// The id of what it named.
        holder_id: String,
    },
}

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Another holds it.
    #[error("the name is taken by {holder_id}")]
    Taken {
        /// The id of what it names.
        holder_id: String,
    },
}

impl Decider for Name {
    const STREAM: &'static str = "name";
    type Command = NameCommand;
    type Event = NameEvent;
    type Error = NameError;

    fn decide(&self, command: NameCommand) -> Result<Vec<NameEvent>, NameError> {
        match command {
            NameCommand::Claim { holder_id } => match self.holder() {
                None => Ok(vec![NameEvent::Claimed { holder_id }]),
                Some(holder) if holder == holder_id => Ok(vec![]),
                Some(holder) => Err(NameError::Taken { holder_id: holder.to_owned() }),
            },
            NameCommand::Release { holder_id } => {
                if self.holder() == Some(&holder_id) {
                    Ok(vec![NameEvent::Released {}])
                } else {
                    Ok(vec![])
                }
            }
        }
    }

    fn evolve(&mut self, event: &NameEvent) {
        *self = match event {
            NameEvent::Claimed { holder_id } => Self::Held { holder_id: holder_id.clone() },
            NameEvent::Released {} => Self::Free,
        };
    }
}

impl Name {
    /// The id of what it names, where it names something.
    pub fn holder(&self) -> Option<&str> {
        match self {
            Self::Free => None,
            Self::Held { holder_id } => Some(holder_id),
        }
    }
}

#[cfg(test)]
mod tests;
