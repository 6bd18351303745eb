//! Break-glass: the operator, let into an organization for an emergency. A second person lets them
//! in, it ends by itself, and somebody of the organization looks at what was done.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use event_schemas::{BreakGlassId, InviteId, MemberId, OrganizationEvent, Permission};
use serde::{Deserialize, Serialize};

use super::members::revoked;
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
    /// Who came in by it, was given back or given more.
    members: BTreeSet<MemberId>,
    /// The invites sent by it.
    invites: BTreeSet<InviteId>,
}

impl BreakGlass {
    fn is_open(&self, now: DateTime<Utc>) -> bool {
        matches!(self.state, State::Open { expires_at } if expires_at > now)
    }
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
    /// Record that a member came in by it, was given back or given more.
    TakeIn {
        /// The access.
        break_glass_id: BreakGlassId,
        /// The member.
        member_id: MemberId,
    },
    /// Record that an invite was sent by it.
    Invite {
        /// The access.
        break_glass_id: BreakGlassId,
        /// The invite.
        invite_id: InviteId,
    },
    /// Close the matter, after having looked at what was done. What was left behind counts from then
    /// on like anything else.
    Review {
        /// Who looked: somebody of the organization, or an operator other than the one let in.
        by: Decider,
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
            BreakGlassCommand::TakeIn { break_glass_id, member_id } => {
                let access = self.break_glass(break_glass_id)?;
                self.present(member_id).ok_or(Refused::MemberNotFound(member_id))?;
                if access.members.contains(&member_id) {
                    return Ok(vec![]);
                }
                Ok(vec![OrganizationEvent::BreakGlassTookIn { break_glass_id, member_id }])
            }
            BreakGlassCommand::Invite { break_glass_id, invite_id } => {
                let access = self.break_glass(break_glass_id)?;
                self.open_invite(invite_id).ok_or(Refused::InviteNotOpen(invite_id))?;
                if access.invites.contains(&invite_id) {
                    return Ok(vec![]);
                }
                Ok(vec![OrganizationEvent::BreakGlassInvited { break_glass_id, invite_id }])
            }
            BreakGlassCommand::Review { by, break_glass_id, note, now } => {
                self.review_break_glass(&by, break_glass_id, &note, now)
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
        by: &Decider,
        break_glass_id: BreakGlassId,
        note: &str,
        now: DateTime<Utc>,
    ) -> Decision {
        self.may_decide(by)?;
        let access = self.break_glass(break_glass_id)?;
        self.second_person(by, access)?;
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
        // Whoever holds their tokens could come in after everybody has looked.
        let offered = access.invites.iter().filter_map(|invite_id| self.open_invite(*invite_id));
        let reviewed = OrganizationEvent::BreakGlassReviewed { break_glass_id, note };
        Ok(ended.into_iter().chain(offered.map(revoked)).chain([reviewed]).collect())
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

    /// Nobody lets themselves in, nor looks at what they did themselves. Whoever an operator has taken
    /// in may be that operator.
    fn second_person(&self, by: &Decider, access: &BreakGlass) -> Result<(), OrganizationError> {
        let same = match by {
            Decider::Operator(name) => *name == access.operator,
            Decider::Member(authority) => {
                authority.member_id().is_none_or(|member_id| self.was_taken_in(member_id))
            }
        };
        if same {
            return Err(Refused::SecondPersonNeeded);
        }
        self.may_decide(by)
    }

    /// The access, not yet reviewed, by which an invite was sent.
    pub(super) fn access_of_invite(&self, invite_id: InviteId) -> Option<BreakGlassId> {
        let mut accesses = self.break_glass.iter();
        accesses.find(|(_, access)| access.invites.contains(&invite_id)).map(|(id, _)| *id)
    }

    /// Whether a member came in, or was given more, by an access that nobody has reviewed.
    pub(super) fn was_taken_in(&self, member_id: MemberId) -> bool {
        self.break_glass.values().any(|access| access.members.contains(&member_id))
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
    /// The access by which an operator is let in at the moment.
    pub fn access_open_to(&self, operator: &str, now: DateTime<Utc>) -> Option<BreakGlassId> {
        let roster = self.open_roster().ok()?;
        let mut accesses = roster.break_glass.iter();
        let open = accesses.find(|(_, access)| access.operator == operator && access.is_open(now));
        open.map(|(id, _)| *id)
    }

    /// The access, last or over, that nobody has reviewed yet and by which a member came in, was given
    /// back or given more.
    pub fn taken_in_by(&self, member_id: MemberId) -> Option<BreakGlassId> {
        let roster = self.open_roster().ok()?;
        let mut accesses = roster.break_glass.iter();
        accesses.find(|(_, access)| access.members.contains(&member_id)).map(|(id, _)| *id)
    }

    /// Whether nobody has reviewed the access yet.
    pub fn awaits_review(&self, break_glass_id: BreakGlassId) -> bool {
        self.open_roster().is_ok_and(|roster| roster.break_glass.contains_key(&break_glass_id))
    }

    /// Whether a member may not act at the moment, because an access is over by which they came in,
    /// were given back or given more, and nobody has reviewed it.
    pub fn member_rests(&self, member_id: MemberId, now: DateTime<Utc>) -> bool {
        self.open_roster().is_ok_and(|roster| {
            let mut accesses = roster.break_glass.values();
            accesses.any(|access| access.members.contains(&member_id) && !access.is_open(now))
        })
    }

    /// Whether what was made by an access does not count at the moment: it is over, and nobody has
    /// reviewed it.
    pub fn access_rests(&self, break_glass_id: BreakGlassId, now: DateTime<Utc>) -> bool {
        self.open_roster().is_ok_and(|roster| {
            let access = roster.break_glass.get(&break_glass_id);
            access.is_some_and(|access| !access.is_open(now))
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
        let access = BreakGlass {
            operator: operator.to_owned(),
            state,
            members: BTreeSet::new(),
            invites: BTreeSet::new(),
        };
        self.break_glass.insert(id, access);
    }

    pub(super) fn break_glass_approved(&mut self, id: BreakGlassId, expires_at: DateTime<Utc>) {
        if let Some(access) = self.break_glass.get_mut(&id) {
            access.state = State::Open { expires_at };
        }
    }

    pub(super) fn break_glass_took_in(&mut self, id: BreakGlassId, member_id: MemberId) {
        if let Some(access) = self.break_glass.get_mut(&id) {
            access.members.insert(member_id);
        }
    }

    pub(super) fn break_glass_invited(&mut self, id: BreakGlassId, invite_id: InviteId) {
        if let Some(access) = self.break_glass.get_mut(&id) {
            access.invites.insert(invite_id);
        }
    }

    /// Whoever accepts an invite that was sent by an access came in by it; before that was an event of
    /// its own, it followed.
    pub(super) fn came_in_by_invite(&mut self, invite_id: InviteId, member_id: MemberId) {
        for access in self.break_glass.values_mut() {
            if access.invites.contains(&invite_id) {
                access.members.insert(member_id);
            }
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
