//! Break-glass: the operator, let into an organization for an emergency. A second person lets them
//! in, it ends by itself, and somebody of the organization looks at what was done.

use chrono::{DateTime, Duration, Utc};
use event_schemas::{BreakGlassId, OrganizationEvent, Permission};
use serde::{Deserialize, Serialize};

use super::roster::Roster;
use super::{Authority, Decision, Organization, OrganizationError, OrganizationError as Refused};
use crate::text;

/// The longest that the operator is let in at once, in minutes.
pub const BREAK_GLASS_MINUTES_MAX: u32 = 240;

/// How many accesses may be asked for, or wait for their review, at once.
const OPEN_MAX: usize = 20;

/// An access of the operator that was not declined and not yet reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BreakGlass {
    operator: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Requested { minutes: u32 },
    Open { expires_at: DateTime<Utc> },
    Ended,
}

/// Who decides about an access of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decider {
    /// Somebody of the organization.
    Member(Authority),
    /// Another who runs orgledger, by name.
    Operator(String),
}

/// What can be asked of break-glass access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BreakGlassCommand {
    /// Ask to be let in.
    Request {
        /// The access's id.
        break_glass_id: BreakGlassId,
        /// The operator's name.
        operator: String,
        /// Why.
        reason: String,
        /// For how long, in minutes.
        minutes: u32,
    },
    /// Let the operator in.
    Approve {
        /// Who does: not the one who asked.
        by: Decider,
        /// The access.
        break_glass_id: BreakGlassId,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Do not let the operator in.
    Decline {
        /// Who does not.
        by: Decider,
        /// The access.
        break_glass_id: BreakGlassId,
        /// Why.
        reason: Option<String>,
    },
    /// End it: the operator themselves, somebody of the organization, or time.
    End {
        /// Who ends it; none: its time is over.
        by: Option<Decider>,
        /// The access.
        break_glass_id: BreakGlassId,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Close the matter, after having looked at what was done.
    Review {
        /// Who looked.
        by: Authority,
        /// The access.
        break_glass_id: BreakGlassId,
        /// What they found.
        note: String,
        /// The time.
        now: DateTime<Utc>,
    },
}

impl Roster {
    pub(super) fn decide_break_glass(&self, command: BreakGlassCommand) -> Decision {
        match command {
            BreakGlassCommand::Request { break_glass_id, operator, reason, minutes } => {
                self.request_break_glass(break_glass_id, operator, &reason, minutes)
            }
            BreakGlassCommand::Approve { by, break_glass_id, now } => {
                let (access, minutes) = self.requested(break_glass_id)?;
                self.second_person(&by, access)?;
                let expires_at = now + Duration::minutes(i64::from(minutes));
                Ok(vec![OrganizationEvent::BreakGlassApproved { break_glass_id, expires_at }])
            }
            BreakGlassCommand::Decline { by, break_glass_id, reason } => {
                self.requested(break_glass_id)?;
                self.may_decide(&by)?;
                let reason = text::reason(reason.as_deref())?;
                Ok(vec![OrganizationEvent::BreakGlassDeclined { break_glass_id, reason }])
            }
            BreakGlassCommand::End { by, break_glass_id, now } => {
                self.end_break_glass(by.as_ref(), break_glass_id, now)
            }
            BreakGlassCommand::Review { by, break_glass_id, note, now } => {
                self.review_break_glass(by, break_glass_id, &note, now)
            }
        }
    }

    fn request_break_glass(
        &self,
        break_glass_id: BreakGlassId,
        operator: String,
        reason: &str,
        minutes: u32,
    ) -> Decision {
        let reason = text::reason(Some(reason))?
            .ok_or(Refused::Setting { field: "reason", why: "an emergency has a reason" })?;
        if minutes == 0 || minutes > BREAK_GLASS_MINUTES_MAX {
            let why = "it is not a number of minutes from 1 to 240";
            return Err(Refused::Setting { field: "minutes", why });
        }
        if self.break_glass.len() >= OPEN_MAX {
            return Err(Refused::TooManyBreakGlass { max: OPEN_MAX });
        }
        Ok(vec![OrganizationEvent::BreakGlassRequested {
            break_glass_id,
            operator,
            reason,
            minutes,
        }])
    }

    fn end_break_glass(
        &self,
        by: Option<&Decider>,
        break_glass_id: BreakGlassId,
        now: DateTime<Utc>,
    ) -> Decision {
        let access = self.break_glass(break_glass_id)?;
        match by {
            Some(Decider::Operator(name)) if *name == access.operator => {}
            Some(by) => self.may_decide(by)?,
            None => {}
        }
        match access.state {
            State::Requested { .. } => Err(Refused::BreakGlassNotOpen(break_glass_id)),
            State::Ended => Ok(vec![]),
            State::Open { expires_at } if by.is_none() && expires_at > now => {
                Err(Refused::NotYetExpired { expires_at })
            }
            State::Open { .. } => Ok(vec![OrganizationEvent::BreakGlassEnded { break_glass_id }]),
        }
    }

    fn review_break_glass(
        &self,
        by: Authority,
        break_glass_id: BreakGlassId,
        note: &str,
        now: DateTime<Utc>,
    ) -> Decision {
        self.reach(by, Permission::BreakGlassDecide)?;
        let access = self.break_glass(break_glass_id)?;
        if by.member_id().is_none() {
            return Err(Refused::SecondPersonNeeded);
        }
        let note = text::reason(Some(note))?
            .ok_or(Refused::Setting { field: "note", why: "a review says what was found" })?;
        let ended = match access.state {
            State::Requested { .. } => return Err(Refused::BreakGlassNotOpen(break_glass_id)),
            State::Open { expires_at } if expires_at > now => {
                return Err(Refused::BreakGlassStillOpen { expires_at });
            }
            State::Open { .. } => Some(OrganizationEvent::BreakGlassEnded { break_glass_id }),
            State::Ended => None,
        };
        let reviewed = OrganizationEvent::BreakGlassReviewed { break_glass_id, note };
        Ok(ended.into_iter().chain([reviewed]).collect())
    }

    fn break_glass(&self, id: BreakGlassId) -> Result<&BreakGlass, OrganizationError> {
        self.break_glass.get(&id).ok_or(Refused::BreakGlassNotFound(id))
    }

    fn requested(&self, id: BreakGlassId) -> Result<(&BreakGlass, u32), OrganizationError> {
        let access = self.break_glass(id)?;
        match access.state {
            State::Requested { minutes } => Ok((access, minutes)),
            State::Open { .. } | State::Ended => Err(Refused::BreakGlassDecided(id)),
        }
    }

    /// Nobody lets themselves in.
    fn second_person(&self, by: &Decider, access: &BreakGlass) -> Result<(), OrganizationError> {
        if matches!(by, Decider::Operator(name) if *name == access.operator) {
            return Err(Refused::SecondPersonNeeded);
        }
        self.may_decide(by)
    }

    fn may_decide(&self, by: &Decider) -> Result<(), OrganizationError> {
        match by {
            Decider::Member(authority) => {
                self.reach(*authority, Permission::BreakGlassDecide).map(drop)
            }
            Decider::Operator(_) => Ok(()),
        }
    }
}

impl Organization {
    /// Whether an operator has been let in, and is still.
    pub fn is_open_to_operator(&self, operator: &str, now: DateTime<Utc>) -> bool {
        self.open_roster().is_ok_and(|roster| {
            roster.break_glass.values().any(|access| {
                let open = matches!(access.state, State::Open { expires_at } if expires_at > now);
                open && access.operator == operator
            })
        })
    }

    /// Whether it still needs its first owner: until then the operator may name one.
    pub fn awaits_first_owner(&self) -> bool {
        self.open_roster().is_ok_and(|roster| !roster.has_had_owner())
    }
}

/// What has happened to break-glass access.
impl Roster {
    pub(super) fn break_glass_requested(&mut self, id: BreakGlassId, operator: &str, minutes: u32) {
        let state = State::Requested { minutes };
        self.break_glass.insert(id, BreakGlass { operator: operator.to_owned(), state });
    }

    pub(super) fn break_glass_approved(&mut self, id: BreakGlassId, expires_at: DateTime<Utc>) {
        if let Some(access) = self.break_glass.get_mut(&id) {
            access.state = State::Open { expires_at };
        }
    }

    pub(super) fn break_glass_ended(&mut self, id: BreakGlassId) {
        if let Some(access) = self.break_glass.get_mut(&id) {
            access.state = State::Ended;
        }
    }

    pub(super) fn break_glass_settled(&mut self, id: BreakGlassId) {
        self.break_glass.remove(&id);
    }
}
