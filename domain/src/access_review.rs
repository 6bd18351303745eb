//! An access review: somebody looks at what others hold and says, line by line, whether they keep
//! it. Closing it wants every line dealt with; nobody speaks about their own access.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_schemas::{
    AccessReviewEvent, AccessReviewId, HeldAccess, OrganizationId, ReviewDecision, ReviewLine,
    ReviewLineId, ReviewOutcome, ReviewScope,
};
use serde::{Deserialize, Serialize};

use crate::organization::Reviewer;
use crate::text::TextError;

/// The most lines of one review.
pub const LINES_MAX: usize = 5_000;

/// The most reviews of an organization that are open at once.
pub const OPEN_MAX: usize = 20;

/// How many lines one event carries, so that it fits into a message of any NATS server.
const EVENT_LINES_MAX: usize = 500;

/// An access review, from nothing to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessReview {
    /// It has not been opened.
    #[default]
    Absent,
    /// Its lines can be attested.
    Open(Box<OpenReview>),
    /// It has ended.
    Closed {
        /// The organization.
        organization_id: OrganizationId,
        /// How it ended.
        outcome: ReviewOutcome,
    },
}

/// A review that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenReview {
    organization_id: OrganizationId,
    title: String,
    lines: BTreeMap<ReviewLineId, Line>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    held: HeldAccess,
    attested: Option<Said>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    decision: ReviewDecision,
    reason: Option<String>,
}

/// What somebody says of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// The line.
    pub line_id: ReviewLineId,
    /// What is to become of it.
    pub decision: ReviewDecision,
    /// Why.
    pub reason: Option<String>,
}

/// What is to end when the review is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The line.
    pub line_id: ReviewLineId,
    /// What is to end.
    pub held: HeldAccess,
    /// Why.
    pub reason: String,
}

/// What can be asked of an access review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessReviewCommand {
    /// Open it.
    Open {
        /// Who opens it.
        reviewer: Reviewer,
        /// Its id.
        access_review_id: AccessReviewId,
        /// Its title.
        title: String,
        /// What it looks at.
        scope: ReviewScope,
        /// By when it should be closed.
        due_at: DateTime<Utc>,
        /// All that is held of that.
        lines: Vec<ReviewLine>,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Say what is to become of lines: of all of these or, where one is refused, of none.
    Attest {
        /// Who says so.
        reviewer: Reviewer,
        /// What they say, each line once.
        attestations: Vec<Attestation>,
    },
    /// Close it. Whoever asks for this also ends what [`AccessReview::revocations`] names.
    Close {
        /// Who closes it.
        reviewer: Reviewer,
        /// Whether what nobody has attested is to end.
        revoke_unattested: bool,
        /// What of the revocations has ended by itself before.
        already_ended: Vec<ReviewLineId>,
    },
    /// Give it up: nothing ends by it.
    Cancel {
        /// Who gives it up.
        reviewer: Reviewer,
        /// Why.
        reason: Option<String>,
    },
}

/// Why an access review refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessReviewError {
    /// It has not been opened, or is another organization's.
    #[error("there is no such access review")]
    NotFound,
    /// It has been opened before.
    #[error("the access review exists already")]
    AlreadyExists,
    /// It has ended.
    #[error("the access review is {outcome}")]
    Closed {
        /// How it ended.
        outcome: ReviewOutcome,
    },
    /// There is no such line in it.
    #[error("the access review has no line {0}")]
    LineNotFound(ReviewLineId),
    /// A line stands twice in what is said.
    #[error("the line {0} is attested twice at once")]
    LineTwice(ReviewLineId),
    /// Nobody says whether they keep what they have, or somebody who let them in.
    #[error(
        "the line {0} is about the access of the one who asks, or of a member by whose invite they \
         came; somebody else attests it"
    )]
    OwnAccess(ReviewLineId),
    /// What is to end has a reason.
    #[error("the line {0} cannot be revoked without a reason")]
    ReasonMissing(ReviewLineId),
    /// Lines are left of which nobody has said anything.
    #[error("{lines} lines are not attested, {first} among them; attest or revoke them all")]
    Unattested {
        /// How many.
        lines: usize,
        /// One of them.
        first: ReviewLineId,
    },
    /// There is nothing to review.
    #[error("nothing is held that this scope looks at")]
    NothingToReview,
    /// There is more to review than one review can hold.
    #[error(
        "this scope has more than {max} lines; open a review for each project or each kind instead: \
         members, admins, project_roles, group_memberships, role_grants, api_keys"
    )]
    TooManyLines {
        /// How many it can hold.
        max: usize,
    },
    /// As many reviews are open as may be.
    #[error("{max} access reviews are open already; close or cancel one of them first")]
    TooManyOpen {
        /// How many may be.
        max: usize,
    },
    /// It would be due before it begins.
    #[error("the due time {due_at} is not in the future")]
    DueInThePast {
        /// The time asked for.
        due_at: DateTime<Utc>,
    },
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}

type Decision = Result<Vec<AccessReviewEvent>, AccessReviewError>;

impl AccessReview {
    /// What is held by a line of an organization's open review.
    pub fn held(&self, line_id: ReviewLineId) -> Option<HeldAccess> {
        match self {
            Self::Open(review) => review.lines.get(&line_id).map(|line| line.held),
            Self::Absent | Self::Closed { .. } => None,
        }
    }

    /// What ends when it is closed: what was attested so and, where that is asked, what nobody has
    /// attested. In order of line; nothing where it is not open.
    pub fn revocations(&self, revoke_unattested: bool) -> Vec<Revocation> {
        let Self::Open(review) = self else { return Vec::new() };
        let unattested = || format!("nobody attested it in the access review “{}”", review.title);
        let reason = |line: &Line| match &line.attested {
            Some(Said { decision: ReviewDecision::Revoke, reason }) => {
                Some(reason.clone().unwrap_or_default())
            }
            Some(Said { decision: ReviewDecision::Keep, .. }) => None,
            None => revoke_unattested.then(unattested),
        };
        let revoked = |(line_id, line): (&ReviewLineId, &Line)| {
            let reason = reason(line)?;
            Some(Revocation { line_id: *line_id, held: line.held, reason })
        };
        review.lines.iter().filter_map(revoked).collect()
    }
}

mod decide;

#[cfg(test)]
mod tests;
