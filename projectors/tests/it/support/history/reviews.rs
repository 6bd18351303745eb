//! Access reviews of a story.

use event_schemas::{
    AccessReviewEvent, Grantee, HeldAccess, KeyOwner, OrganizationRole, PermissionSet, ProjectRole,
    ReviewDecision, ReviewLine, ReviewLineId, ReviewOutcome, ReviewScope,
};
use uuid::Uuid;

use super::{Event, Story, minute};

/// Those that are open, each with its organization and lines.
#[derive(Default)]
pub(super) struct Reviews(Vec<(Uuid, Uuid, Vec<ReviewLineId>)>);

impl Reviews {
    pub(super) fn organization_archived(&mut self, id: Uuid) {
        self.0.retain(|(_, of, _)| *of != id);
    }
}

impl Story {
    pub(super) fn review(&mut self) -> Option<(Uuid, Event)> {
        if self.reviews.0.is_empty() || self.random.one_in(4) {
            return self.review_opened();
        }
        let at = self.random.below(self.reviews.0.len());
        let (id, of, lines) = self.reviews.0[at].clone();
        let event = match self.random.below(8) {
            0 => {
                let added: Vec<ReviewLine> = (0..2).map(|_| self.line()).collect();
                self.reviews.0[at].2.extend(added.iter().map(|line| line.line_id));
                AccessReviewEvent::LinesAdded { lines: added }
            }
            1 => {
                self.reviews.0.remove(at);
                let cancelled = self.random.one_in(3);
                let ended = self.random.pick(&lines).filter(|_| !cancelled);
                AccessReviewEvent::Closed {
                    outcome: if cancelled {
                        ReviewOutcome::Cancelled
                    } else {
                        ReviewOutcome::Completed
                    },
                    reason: cancelled.then(|| "given up".to_owned()),
                    kept: 0,
                    revoked: 0,
                    unattested: 0,
                    already_ended: ended.into_iter().collect(),
                }
            }
            n => AccessReviewEvent::Attested {
                line_id: self.random.pick(&lines)?,
                decision: if n < 5 { ReviewDecision::Keep } else { ReviewDecision::Revoke },
                reason: (n >= 5).then(|| format!("reason {}", self.minutes)),
            },
        };
        Some((of, Event::AccessReview(id, event)))
    }

    fn review_opened(&mut self) -> Option<(Uuid, Event)> {
        let of = self.random.pick(&self.organizations)?;
        let id = self.random.uuid();
        let count = 1 + self.random.below(4);
        let lines: Vec<ReviewLine> = (0..count).map(|_| self.line()).collect();
        self.reviews.0.push((id, of, lines.iter().map(|line| line.line_id).collect()));
        let event = AccessReviewEvent::Opened {
            access_review_id: id.into(),
            organization_id: of.into(),
            title: format!("review {}", self.minutes),
            scope: ReviewScope::Organization {},
            due_at: minute(self.minutes + 1_000),
            lines,
        };
        Some((of, Event::AccessReview(id, event)))
    }

    fn line(&mut self) -> ReviewLine {
        let mut id = || self.random.uuid();
        let (line_id, some, other) = (id().into(), id(), id());
        let member = Grantee::Member { member_id: some.into() };
        let held = match self.random.below(6) {
            0 => HeldAccess::MemberRole { member_id: some.into(), role: OrganizationRole::Admin },
            1 => HeldAccess::ProjectRole {
                project_id: other.into(),
                holder: Grantee::Group { group_id: some.into() },
                role: ProjectRole::Member,
            },
            2 => HeldAccess::GroupMembership {
                group_id: other.into(),
                member_id: some.into(),
                role: None,
            },
            3 => HeldAccess::RoleGrant {
                role_id: other.into(),
                grantee: member,
                project_id: None,
                permissions: PermissionSet::NONE,
            },
            4 => HeldAccess::ApiKey {
                api_key_id: other.into(),
                owner: KeyOwner::ServiceAccount { service_account_id: some.into() },
                project_id: None,
                scopes: None,
            },
            _ => HeldAccess::ProjectRole {
                project_id: other.into(),
                holder: member,
                role: ProjectRole::Owner,
            },
        };
        ReviewLine { line_id, held }
    }
}
