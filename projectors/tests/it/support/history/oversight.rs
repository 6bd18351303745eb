//! What is overseen in a story: approvals, break-glass accesses, webhooks, refusals.

use event_schemas::{
    ApprovalEvent, OrganizationEvent, RefusalEvent, SensitiveRequest, WebhookDisabledReason,
    WebhookEvent,
};
use uuid::Uuid;

use super::{Event, Story, minute};

/// Those that wait for somebody, each with its organization.
#[derive(Default)]
pub(super) struct Oversight {
    approvals: Vec<(Uuid, Uuid)>,
    accesses: Vec<(Uuid, Uuid)>,
    webhooks: Vec<(Uuid, Uuid)>,
}

impl Oversight {
    pub(super) fn organization_archived(&mut self, id: Uuid) {
        self.approvals.retain(|(_, of)| *of != id);
        self.accesses.retain(|(_, of)| *of != id);
        self.webhooks.retain(|(_, of)| *of != id);
    }
}

impl Story {
    pub(super) fn overseen(&mut self) -> Option<(Uuid, Event)> {
        match self.random.below(4) {
            0 => self.approval(),
            1 => self.break_glass(),
            2 => self.webhook(),
            _ => {
                let of = self.random.pick(&self.organizations)?;
                let event = RefusalEvent::Recorded {
                    organization_id: Some(of.into()),
                    command: "projects.create".to_owned(),
                    problem: "/problems/forbidden".to_owned(),
                    permission: Some("projects.create".to_owned()),
                    unrecorded_before: self.random.next() % 3,
                };
                Some((of, Event::Refusal(format!("actor{}", self.random.below(5)), event)))
            }
        }
    }

    fn approval(&mut self) -> Option<(Uuid, Event)> {
        let (member, of) = self.random.pick(&self.members)?;
        if let Some((approval, of)) = self.random.pick(&self.oversight.approvals)
            && self.random.one_in(2)
        {
            self.oversight.approvals.retain(|(other, _)| *other != approval);
            let event = match self.random.below(3) {
                0 => ApprovalEvent::Approved { approved_by: member.into() },
                1 => ApprovalEvent::Declined { declined_by: member.into(), reason: None },
                _ => ApprovalEvent::Withdrawn {},
            };
            return Some((of, Event::Approval(approval, event)));
        }
        let approval = self.random.uuid();
        self.oversight.approvals.push((approval, of));
        let event = ApprovalEvent::Requested {
            approval_id: approval.into(),
            organization_id: of.into(),
            request: SensitiveRequest::TransferOwnership { member_id: member.into() },
            requested_by: member.into(),
            expires_at: minute(self.minutes + 1_000),
        };
        Some((of, Event::Approval(approval, event)))
    }

    fn break_glass(&mut self) -> Option<(Uuid, Event)> {
        if let Some((access, of)) = self.random.pick(&self.oversight.accesses)
            && self.random.one_in(2)
        {
            let break_glass_id = access.into();
            let event = match self.random.below(4) {
                0 => OrganizationEvent::BreakGlassApproved {
                    break_glass_id,
                    expires_at: minute(self.minutes + 60),
                },
                1 => OrganizationEvent::BreakGlassDeclined { break_glass_id, reason: None },
                2 => OrganizationEvent::BreakGlassEnded { break_glass_id },
                _ => {
                    let note = "looked at".to_owned();
                    OrganizationEvent::BreakGlassReviewed { break_glass_id, note }
                }
            };
            return Some((of, Event::Organization(event)));
        }
        let of = self.random.pick(&self.organizations)?;
        let access = self.random.uuid();
        self.oversight.accesses.push((access, of));
        let event = OrganizationEvent::BreakGlassRequested {
            break_glass_id: access.into(),
            operator: "ops".to_owned(),
            reason: format!("emergency {}", self.minutes),
            minutes: 60,
        };
        Some((of, Event::Organization(event)))
    }

    fn webhook(&mut self) -> Option<(Uuid, Event)> {
        let (url, description) = (format!("https://example.com/{}", self.minutes), None);
        let event_types = vec!["budget.*".to_owned()];
        let known = self.random.pick(&self.oversight.webhooks);
        let Some((webhook, of)) = known.filter(|_| self.random.one_in(2)) else {
            let of = self.random.pick(&self.organizations)?;
            let webhook = self.random.uuid();
            self.oversight.webhooks.push((webhook, of));
            let (webhook_id, organization_id) = (webhook.into(), of.into());
            let created = WebhookEvent::Created {
                webhook_id,
                organization_id,
                url,
                description,
                event_types,
            };
            return Some((of, Event::Webhook(webhook, created)));
        };
        let (webhook_id, organization_id) = (webhook.into(), of.into());
        let event = match self.random.below(6) {
            0 => {
                WebhookEvent::Changed { webhook_id, organization_id, url, description, event_types }
            }
            1 => WebhookEvent::SecretRotated {
                webhook_id,
                organization_id,
                secret_number: 2,
                previous_signs_until: minute(self.minutes + 1_440),
            },
            2 => {
                let reason = WebhookDisabledReason::Failing;
                WebhookEvent::Disabled { webhook_id, organization_id, reason }
            }
            3 => WebhookEvent::Enabled { webhook_id, organization_id },
            4 if self.minutes % 2 == 0 => {
                WebhookEvent::TestRequested { webhook_id, organization_id }
            }
            4 => WebhookEvent::ReplayRequested {
                webhook_id,
                organization_id,
                after_position: 0,
                upto_position: None,
            },
            _ => {
                self.oversight.webhooks.retain(|(other, _)| *other != webhook);
                WebhookEvent::Removed { webhook_id, organization_id }
            }
        };
        Some((of, Event::Webhook(webhook, event)))
    }
}
