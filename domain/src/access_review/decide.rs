//! What may happen to an access review, and what has.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use event_schemas::{
    AccessReviewEvent, AccessReviewId, OrganizationId, ReviewDecision, ReviewLine, ReviewLineId,
    ReviewOutcome, ReviewScope,
};

use super::{
    AccessReview, AccessReviewCommand, AccessReviewError as Refused, Attestation, Decision,
    EVENT_LINES_MAX, LINES_MAX, Line, OpenReview, Said,
};
use crate::Decider;
use crate::organization::Reviewer;
use crate::text;

impl Decider for AccessReview {
    const STREAM: &'static str = "access_review";
    type Command = AccessReviewCommand;
    type Event = AccessReviewEvent;
    type Error = Refused;

    fn decide(&self, command: AccessReviewCommand) -> Decision {
        match command {
            AccessReviewCommand::Open {
                reviewer,
                access_review_id,
                title,
                scope,
                due_at,
                lines,
                now,
            } => {
                if *self != Self::Absent {
                    return Err(Refused::AlreadyExists);
                }
                let opening = Opening { access_review_id, title, scope, due_at };
                opening.with(&reviewer, lines, now)
            }
            AccessReviewCommand::Attest { reviewer, attestations } => {
                self.open(&reviewer)?.attest(&reviewer, attestations)
            }
            AccessReviewCommand::Close { reviewer, revoke_unattested, already_ended } => {
                match self.outcome(&reviewer)? {
                    Some(ReviewOutcome::Completed) => Ok(vec![]),
                    Some(ReviewOutcome::Cancelled) | None => {
                        let review = self.open(&reviewer)?;
                        review.complete(&reviewer, revoke_unattested, already_ended)
                    }
                }
            }
            AccessReviewCommand::Cancel { reviewer, reason } => match self.outcome(&reviewer)? {
                Some(ReviewOutcome::Cancelled) => Ok(vec![]),
                Some(ReviewOutcome::Completed) | None => {
                    self.open(&reviewer)?.cancel(reason.as_deref())
                }
            },
        }
    }

    fn evolve(&mut self, event: &AccessReviewEvent) {
        match event {
            AccessReviewEvent::Opened {
                access_review_id: _,
                organization_id,
                title,
                scope: _,
                due_at: _,
                lines,
            } => {
                let mut review = OpenReview {
                    organization_id: *organization_id,
                    title: title.clone(),
                    lines: BTreeMap::new(),
                };
                review.add(lines);
                *self = Self::Open(Box::new(review));
            }
            AccessReviewEvent::LinesAdded { lines } => self.change(|review| review.add(lines)),
            AccessReviewEvent::Attested { line_id, decision, reason } => self.change(|review| {
                if let Some(line) = review.lines.get_mut(line_id) {
                    line.attested = Some(Said { decision: *decision, reason: reason.clone() });
                }
            }),
            AccessReviewEvent::Closed { outcome, .. } => {
                if let Self::Open(review) = self {
                    let organization_id = review.organization_id;
                    *self = Self::Closed { organization_id, outcome: *outcome };
                }
            }
        }
    }
}

impl AccessReview {
    /// How it has ended, where it has.
    fn outcome(&self, reviewer: &Reviewer) -> Result<Option<ReviewOutcome>, Refused> {
        let of = |organization_id: &OrganizationId| *organization_id == reviewer.organization_id();
        match self {
            Self::Open(review) if of(&review.organization_id) => Ok(None),
            Self::Closed { organization_id, outcome } if of(organization_id) => Ok(Some(*outcome)),
            Self::Absent | Self::Open(_) | Self::Closed { .. } => Err(Refused::NotFound),
        }
    }

    fn open(&self, reviewer: &Reviewer) -> Result<&OpenReview, Refused> {
        match (self.outcome(reviewer)?, self) {
            (None, Self::Open(review)) => Ok(review),
            (Some(outcome), _) => Err(Refused::Closed { outcome }),
            (None, Self::Absent | Self::Closed { .. }) => Err(Refused::NotFound),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut OpenReview)) {
        match self {
            Self::Open(review) => change(review),
            Self::Absent | Self::Closed { .. } => {}
        }
    }
}

struct Opening {
    access_review_id: AccessReviewId,
    title: String,
    scope: ReviewScope,
    due_at: DateTime<Utc>,
}

impl Opening {
    fn with(self, reviewer: &Reviewer, mut lines: Vec<ReviewLine>, now: DateTime<Utc>) -> Decision {
        let Self { access_review_id, title, scope, due_at } = self;
        let title = text::title(&title)?;
        if due_at <= now {
            return Err(Refused::DueInThePast { due_at });
        }
        if lines.is_empty() {
            return Err(Refused::NothingToReview);
        }
        if lines.len() > LINES_MAX {
            return Err(Refused::TooManyLines { max: LINES_MAX });
        }
        let more = lines.split_off(lines.len().min(EVENT_LINES_MAX));
        let opened = AccessReviewEvent::Opened {
            access_review_id,
            organization_id: reviewer.organization_id(),
            title,
            scope,
            due_at,
            lines,
        };
        let more = more
            .chunks(EVENT_LINES_MAX)
            .map(|lines| AccessReviewEvent::LinesAdded { lines: lines.to_vec() });
        Ok(std::iter::once(opened).chain(more).collect())
    }
}

impl OpenReview {
    fn attest(&self, reviewer: &Reviewer, attestations: Vec<Attestation>) -> Decision {
        let mut events = Vec::new();
        let mut seen = BTreeSet::new();
        for Attestation { line_id, decision, reason } in attestations {
            let line = self.lines.get(&line_id).ok_or(Refused::LineNotFound(line_id))?;
            if !seen.insert(line_id) {
                return Err(Refused::LineTwice(line_id));
            }
            if reviewer.holds(&line.held) {
                return Err(Refused::OwnAccess(line_id));
            }
            let reason = text::reason(reason.as_deref())?;
            if decision == ReviewDecision::Revoke && reason.is_none() {
                return Err(Refused::ReasonMissing(line_id));
            }
            let said = Said { decision, reason };
            if line.attested.as_ref() != Some(&said) {
                let Said { decision, reason } = said;
                events.push(AccessReviewEvent::Attested { line_id, decision, reason });
            }
        }
        Ok(events)
    }

    fn complete(
        &self,
        reviewer: &Reviewer,
        revoke_unattested: bool,
        mut already_ended: Vec<ReviewLineId>,
    ) -> Decision {
        let unattested = || self.lines.iter().filter(|(_, line)| line.attested.is_none());
        if revoke_unattested {
            // Ending what nobody spoke of is speaking of it.
            if let Some((line_id, _)) = unattested().find(|(_, line)| reviewer.holds(&line.held)) {
                return Err(Refused::OwnAccess(*line_id));
            }
        } else if let Some((first, _)) = unattested().next() {
            return Err(Refused::Unattested { lines: unattested().count(), first: *first });
        }
        already_ended.retain(|line_id| {
            let said = self.lines.get(line_id).map(|line| line.attested.as_ref());
            said.is_some_and(|said| said.is_none_or(|s| s.decision == ReviewDecision::Revoke))
        });
        already_ended.sort_unstable();
        already_ended.dedup();
        Ok(vec![self.closed(ReviewOutcome::Completed, None, already_ended)])
    }

    fn cancel(&self, reason: Option<&str>) -> Decision {
        let reason = text::reason(reason)?;
        Ok(vec![self.closed(ReviewOutcome::Cancelled, reason, Vec::new())])
    }

    fn closed(
        &self,
        outcome: ReviewOutcome,
        reason: Option<String>,
        already_ended: Vec<ReviewLineId>,
    ) -> AccessReviewEvent {
        let count = |of: Option<ReviewDecision>| {
            let said = |line: &&Line| line.attested.as_ref().map(|said| said.decision) == of;
            u32::try_from(self.lines.values().filter(said).count()).unwrap_or(u32::MAX)
        };
        AccessReviewEvent::Closed {
            outcome,
            reason,
            kept: count(Some(ReviewDecision::Keep)),
            revoked: count(Some(ReviewDecision::Revoke)),
            unattested: count(None),
            already_ended,
        }
    }

    fn add(&mut self, lines: &[ReviewLine]) {
        let lines = lines
            .iter()
            .map(|ReviewLine { line_id, held }| (*line_id, Line { held: *held, attested: None }));
        self.lines.extend(lines);
    }
}
