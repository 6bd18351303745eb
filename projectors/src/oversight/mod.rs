//! What those who watch over an organization look at: approvals, accesses of the operator, refused
//! commands, and where events are sent to, each as of any time and any position.

mod rows;
mod webhooks;

use event_schemas::{ApprovalEvent, OrganizationEvent, RecordedEvent, RefusalEvent, WebhookEvent};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::events::{self, Stream};
use crate::feed::FeedPage;
use crate::projection::{Projection, ProjectionError};
use crate::temporal::{Loaded, Moment, Touched, load, write};
use rows::{Approval, BreakGlass, Refusal, Webhook};

/// Approvals, accesses of the operator, refusals, webhooks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Oversight;

impl Projection for Oversight {
    const NAME: &'static str = "oversight";
    const VERSION: i32 = 4;
    const VIEWS: &'static [&'static str] = &["approvals", "break_glass", "refusals", "webhooks"];

    fn tables() -> &'static str {
        include_str!("tables.sql")
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        let mut facts = Vec::new();
        for recorded in &page.events {
            facts.extend(fact(recorded)?);
        }
        let Some(earliest) = facts.iter().map(|fact| fact.at.time).min() else { return Ok(()) };
        let approvals: Vec<Uuid> = facts.iter().filter_map(Fact::approval).collect();
        let accesses: Vec<Uuid> = facts.iter().filter_map(Fact::break_glass).collect();
        let hooks: Vec<Uuid> = facts.iter().filter_map(Fact::webhook).collect();
        let mut tables = Tables {
            approvals: load(tx, &[Touched { column: "approval_id", ids: &approvals }], earliest)
                .await?,
            break_glass: load(
                tx,
                &[Touched { column: "break_glass_id", ids: &accesses }],
                earliest,
            )
            .await?,
            refusals: load(tx, &[], earliest).await?,
            webhooks: load(tx, &[Touched { column: "webhook_id", ids: &hooks }], earliest).await?,
        };
        for fact in &facts {
            tables.apply(fact);
        }
        write(tx, &tables.approvals).await?;
        write(tx, &tables.break_glass).await?;
        write(tx, &tables.refusals).await?;
        write(tx, &tables.webhooks).await?;
        Ok(())
    }
}

/// Something that happened, who did it, and where.
struct Fact {
    at: Moment,
    actor: String,
    organization_id: Uuid,
    what: What,
}

enum What {
    Approval(Uuid, ApprovalEvent),
    Organization(OrganizationEvent),
    Refusal(Uuid, RefusalEvent),
    Webhook(Uuid, WebhookEvent),
}

fn fact(recorded: &RecordedEvent) -> Result<Option<Fact>, ProjectionError> {
    let what = match Stream::of(recorded)? {
        Stream::Approval => What::Approval(events::stream_id(recorded)?, events::read(recorded)?),
        Stream::Organization => What::Organization(events::read(recorded)?),
        Stream::Refusal => What::Refusal(recorded.event_id, events::read(recorded)?),
        Stream::Webhook => What::Webhook(events::stream_id(recorded)?, events::read(recorded)?),
        Stream::Project
        | Stream::ServiceAccount
        | Stream::ApiKey
        | Stream::AccessReview
        | Stream::CreditAccount
        | Stream::Budget
        | Stream::PriceList
        | Stream::Name
        | Stream::Person
        | Stream::Usage
        | Stream::UsageMonth
        | Stream::SigningKey => return Ok(None),
    };
    // What the operator is refused that is about no organization is none's.
    let Some(organization_id) = recorded.organization_id else { return Ok(None) };
    Ok(Some(Fact {
        at: Moment { time: recorded.occurred_at, position: recorded.position },
        actor: events::actor(recorded)?,
        organization_id: organization_id.0,
        what,
    }))
}

impl Fact {
    fn approval(&self) -> Option<Uuid> {
        match &self.what {
            What::Approval(id, _) => Some(*id),
            What::Organization(_) | What::Refusal(..) | What::Webhook(..) => None,
        }
    }

    fn webhook(&self) -> Option<Uuid> {
        match &self.what {
            What::Webhook(id, _) => Some(*id),
            What::Approval(..) | What::Organization(_) | What::Refusal(..) => None,
        }
    }

    fn break_glass(&self) -> Option<Uuid> {
        let What::Organization(event) = &self.what else { return None };
        if let OrganizationEvent::BreakGlassRequested { break_glass_id, .. }
        | OrganizationEvent::BreakGlassApproved { break_glass_id, .. }
        | OrganizationEvent::BreakGlassDeclined { break_glass_id, .. }
        | OrganizationEvent::BreakGlassTookIn { break_glass_id, .. }
        | OrganizationEvent::BreakGlassEnded { break_glass_id }
        | OrganizationEvent::BreakGlassReviewed { break_glass_id, .. } = event
        {
            return Some(break_glass_id.0);
        }
        None
    }
}

struct Tables {
    approvals: Loaded<Approval>,
    break_glass: Loaded<BreakGlass>,
    refusals: Loaded<Refusal>,
    webhooks: Loaded<Webhook>,
}

impl Tables {
    fn apply(&mut self, fact: &Fact) {
        match &fact.what {
            What::Approval(id, event) => self.approval(fact, *id, event),
            What::Organization(event) => self.break_glass(fact, event),
            What::Refusal(id, event) => self.refusal(fact, *id, event),
            What::Webhook(id, event) => webhooks::apply(&mut self.webhooks, fact, *id, event),
        }
    }

    fn approval(&mut self, fact: &Fact, id: Uuid, event: &ApprovalEvent) {
        let approvals = &mut self.approvals.fold;
        match event {
            ApprovalEvent::Requested {
                approval_id: _,
                organization_id: _,
                request,
                requested_by,
                expires_at,
            } => approvals.set(
                fact.at,
                Approval {
                    approval_id: id,
                    organization_id: fact.organization_id,
                    action: request.action().to_string(),
                    request: json!(request),
                    state: "open".to_owned(),
                    requested_by: requested_by.0,
                    requested_at: fact.at.time,
                    expires_at: *expires_at,
                    decided_by: None,
                    reason: None,
                },
            ),
            ApprovalEvent::Approved { approved_by } => approvals.change(fact.at, &id, |row| {
                "approved".clone_into(&mut row.state);
                row.decided_by = Some(approved_by.0);
            }),
            ApprovalEvent::Declined { declined_by, reason } => {
                approvals.change(fact.at, &id, |row| {
                    "declined".clone_into(&mut row.state);
                    row.decided_by = Some(declined_by.0);
                    row.reason.clone_from(reason);
                });
            }
            ApprovalEvent::Withdrawn {} => {
                approvals.change(fact.at, &id, |row| "withdrawn".clone_into(&mut row.state));
            }
        }
    }

    /// The rest of an organization's events are the access register's.
    fn break_glass(&mut self, fact: &Fact, event: &OrganizationEvent) {
        let accesses = &mut self.break_glass.fold;
        if let OrganizationEvent::BreakGlassRequested {
            break_glass_id,
            operator,
            reason,
            minutes,
        } = event
        {
            accesses.set(
                fact.at,
                BreakGlass {
                    break_glass_id: break_glass_id.0,
                    organization_id: fact.organization_id,
                    operator: operator.clone(),
                    reason: reason.clone(),
                    minutes: i32::try_from(*minutes).unwrap_or(i32::MAX),
                    state: "requested".to_owned(),
                    requested_at: fact.at.time,
                    opened_at: None,
                    expires_at: None,
                    ended_at: None,
                    decided_by: None,
                    reviewed_by: None,
                    reviewed_at: None,
                    note: None,
                    took_in: json!([]),
                },
            );
        } else if let OrganizationEvent::BreakGlassTookIn { break_glass_id, member_id } = event {
            accesses.change(fact.at, &break_glass_id.0, |row| {
                if let Some(members) = row.took_in.as_array_mut() {
                    members.push(json!(member_id));
                }
            });
        } else if let OrganizationEvent::BreakGlassApproved { break_glass_id, expires_at } = event {
            accesses.change(fact.at, &break_glass_id.0, |row| {
                "open".clone_into(&mut row.state);
                row.opened_at = Some(fact.at.time);
                row.expires_at = Some(*expires_at);
                row.decided_by = Some(fact.actor.clone());
            });
        } else if let OrganizationEvent::BreakGlassDeclined { break_glass_id, reason } = event {
            accesses.change(fact.at, &break_glass_id.0, |row| {
                "declined".clone_into(&mut row.state);
                row.decided_by = Some(fact.actor.clone());
                row.note.clone_from(reason);
            });
        } else if let OrganizationEvent::BreakGlassEnded { break_glass_id } = event {
            accesses.change(fact.at, &break_glass_id.0, |row| {
                "ended".clone_into(&mut row.state);
                // That its time is over may be noticed later.
                let planned = row.expires_at.unwrap_or(fact.at.time);
                row.ended_at = Some(planned.min(fact.at.time));
            });
        } else if let OrganizationEvent::BreakGlassReviewed { break_glass_id, note } = event {
            accesses.change(fact.at, &break_glass_id.0, |row| {
                "reviewed".clone_into(&mut row.state);
                row.reviewed_by = Some(fact.actor.clone());
                row.reviewed_at = Some(fact.at.time);
                row.note = Some(note.clone());
            });
        }
    }

    fn refusal(&mut self, fact: &Fact, id: Uuid, event: &RefusalEvent) {
        let RefusalEvent::Recorded {
            organization_id: _,
            command,
            problem,
            permission,
            unrecorded_before,
        } = event;
        self.refusals.fold.set(
            fact.at,
            Refusal {
                refusal_id: id,
                organization_id: fact.organization_id,
                actor: fact.actor.clone(),
                command: command.clone(),
                problem: problem.clone(),
                permission: permission.clone(),
                unrecorded_before: i64::try_from(*unrecorded_before).unwrap_or(i64::MAX),
                occurred_at: fact.at.time,
            },
        );
    }
}
