//! An approval: something sensitive that waits for a second person.

use chrono::{DateTime, Utc};
use event_schemas::{ApprovalEvent, ApprovalId, MemberId, OrganizationId, SensitiveRequest};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::organization::ActiveMember;
use crate::text::{self, TextError};

/// An approval, from the request to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Approval {
    /// Nobody has asked for it.
    #[default]
    Absent,
    /// It waits for a second person.
    Open(Asked),
    /// It was approved, and done.
    Approved(Asked),
    /// It was declined.
    Declined(Asked),
    /// Who asked took it back.
    Withdrawn(Asked),
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    organization_id: OrganizationId,
    request: SensitiveRequest,
    requested_by: MemberId,
    expires_at: DateTime<Utc>,
}

impl Asked {
    /// What is to be done.
    pub fn request(&self) -> &SensitiveRequest {
        &self.request
    }

    /// Who asked.
    pub fn requested_by(&self) -> MemberId {
        self.requested_by
    }
}

/// What can be asked of an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalCommand {
    /// Ask for it.
    Request {
        /// Its id.
        approval_id: ApprovalId,
        /// What is to be done.
        request: SensitiveRequest,
        /// Who asks.
        by: ActiveMember,
        /// Until when it can be approved.
        expires_at: DateTime<Utc>,
    },
    /// Approve it.
    Approve {
        /// The second person.
        by: ActiveMember,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Decline it.
    Decline {
        /// The second person.
        by: ActiveMember,
        /// Why.
        reason: Option<String>,
    },
    /// Take it back.
    Withdraw {
        /// Who asked for it.
        by: ActiveMember,
    },
}

/// Why an approval refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// Nobody has asked for it, or it is another organization's.
    #[error("there is no such approval")]
    NotFound,
    /// It has been asked for before.
    #[error("the approval exists already")]
    AlreadyExists,
    /// It was approved, declined or taken back.
    #[error("the approval has been decided")]
    Decided,
    /// Its time is over.
    #[error("the approval could be given until {expires_at}; ask again")]
    Expired {
        /// Until when.
        expires_at: DateTime<Utc>,
    },
    /// Who asked cannot approve.
    #[error("who asked for it cannot decide it: somebody else has to")]
    SecondPersonNeeded,
    /// Who asked came in by the invite of who decides.
    #[error("who asked for it came in by your invite: another owner has to decide it")]
    InvitedByYou,
    /// Who asked has lost the right.
    #[error("who asked for it may not do it any more: decline it, or have somebody ask who may")]
    AskerMayNot,
    /// What it would replace was changed.
    #[error(
        "what it would replace was changed after it was asked for: decline it, and have it asked for \
         again"
    )]
    Overtaken,
    /// Somebody else asked for it.
    #[error("only who asked for it can take it back")]
    NotYours,
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}

type Decision = Result<Vec<ApprovalEvent>, ApprovalError>;

impl Decider for Approval {
    const STREAM: &'static str = "approval";
    type Command = ApprovalCommand;
    type Event = ApprovalEvent;
    type Error = ApprovalError;

    fn decide(&self, command: ApprovalCommand) -> Decision {
        match command {
            ApprovalCommand::Request { approval_id, request, by, expires_at } => match self {
                Self::Absent => Ok(vec![ApprovalEvent::Requested {
                    approval_id,
                    organization_id: by.organization_id(),
                    request,
                    requested_by: by.member_id(),
                    expires_at,
                }]),
                Self::Open(_) | Self::Approved(_) | Self::Declined(_) | Self::Withdrawn(_) => {
                    Err(ApprovalError::AlreadyExists)
                }
            },
            ApprovalCommand::Approve { by, now } => {
                let asked = self.second_person(by)?;
                if asked.expires_at <= now {
                    return Err(ApprovalError::Expired { expires_at: asked.expires_at });
                }
                Ok(vec![ApprovalEvent::Approved { approved_by: by.member_id() }])
            }
            ApprovalCommand::Decline { by, reason } => {
                self.second_person(by)?;
                let reason = text::reason(reason.as_deref())?;
                Ok(vec![ApprovalEvent::Declined { declined_by: by.member_id(), reason }])
            }
            ApprovalCommand::Withdraw { by } => {
                let asked = self.open(by.organization_id())?;
                if asked.requested_by != by.member_id() {
                    return Err(ApprovalError::NotYours);
                }
                Ok(vec![ApprovalEvent::Withdrawn {}])
            }
        }
    }

    fn evolve(&mut self, event: &ApprovalEvent) {
        match event {
            ApprovalEvent::Requested {
                approval_id: _,
                organization_id,
                request,
                requested_by,
                expires_at,
            } => {
                *self = Self::Open(Asked {
                    organization_id: *organization_id,
                    request: request.clone(),
                    requested_by: *requested_by,
                    expires_at: *expires_at,
                });
            }
            ApprovalEvent::Approved { .. } => self.becomes(Self::Approved),
            ApprovalEvent::Declined { .. } => self.becomes(Self::Declined),
            ApprovalEvent::Withdrawn {} => self.becomes(Self::Withdrawn),
        }
    }
}

impl Approval {
    /// What is asked for, while it can be decided; refused where it is another organization's.
    pub fn open(&self, organization_id: OrganizationId) -> Result<&Asked, ApprovalError> {
        let asked = match self {
            Self::Absent => return Err(ApprovalError::NotFound),
            Self::Open(asked)
            | Self::Approved(asked)
            | Self::Declined(asked)
            | Self::Withdrawn(asked) => asked,
        };
        if asked.organization_id != organization_id {
            return Err(ApprovalError::NotFound);
        }
        match self {
            Self::Open(_) => Ok(asked),
            Self::Absent | Self::Approved(_) | Self::Declined(_) | Self::Withdrawn(_) => {
                Err(ApprovalError::Decided)
            }
        }
    }

    fn second_person(&self, by: ActiveMember) -> Result<&Asked, ApprovalError> {
        let asked = self.open(by.organization_id())?;
        if asked.requested_by == by.member_id() {
            return Err(ApprovalError::SecondPersonNeeded);
        }
        Ok(asked)
    }

    fn becomes(&mut self, next: fn(Asked) -> Self) {
        match std::mem::take(self) {
            Self::Absent => {}
            Self::Open(asked)
            | Self::Approved(asked)
            | Self::Declined(asked)
            | Self::Withdrawn(asked) => *self = next(asked),
        }
    }
}

#[cfg(test)]
mod tests;
