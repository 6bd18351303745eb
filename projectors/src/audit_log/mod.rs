//! The audit log: a line for every event of an organization, with who did it, to what, what was before
//! and what is after; and one for each batch of usage records.
//!
//! What was before is what the log said of the same thing up to then, in the order of its positions:
//! of what was recorded late, too, for a line is about what an event changed and not about when.

mod erase;
mod lines;
mod organization;
mod spending;
mod states;
mod streams;
mod told;

use event_schemas::{OrganizationId, PersonEvent, PersonId, RecordedEvent};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::events::{self, Stream};
use crate::feed::{FeedPage, UsagePart};
use crate::projection::{Projection, ProjectionError};
use lines::Line;
use states::States;
use told::Told;

/// The audit log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuditLog;

impl Projection for AuditLog {
    const NAME: &'static str = "audit_log";
    const VERSION: i32 = 2;
    const VIEWS: &'static [&'static str] = &["audit_log"];
    const INDEXES: &'static str = include_str!("indexes.sql");

    fn tables() -> &'static str {
        include_str!("tables.sql")
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        let entries = page.events.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let mut keys: Vec<&str> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Told(_, told) => Some(told.key.as_str()),
                Entry::Refused(..) | Entry::OfNoOrganization => None,
            })
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let mut states = States::load(tx, &keys).await?;
        let mut found = Vec::with_capacity(entries.len());
        for (recorded, entry) in page.events.iter().zip(entries) {
            match entry {
                Entry::Told(organization_id, told) => {
                    let difference = states.apply(&told);
                    // What happens to a project's key or budget happens in the project.
                    let told = match (told.project_id, difference.project_id) {
                        (None, Some(project_id)) => told.in_project(Some(project_id)),
                        _ => told,
                    };
                    found.push(Line::of(recorded, organization_id, told, difference)?);
                }
                Entry::Refused(organization_id, event) => {
                    found.push(Line::refused(recorded, organization_id, event)?);
                }
                Entry::OfNoOrganization => {}
            }
        }
        states.write(tx).await?;
        lines::write(tx, &found).await?;
        let usage: Vec<Line> = whole(page.usage_parts()).iter().map(Line::usage).collect();
        lines::write(tx, &usage).await?;
        // Last: whatever the page says of somebody who is erased on it, nothing of it stays.
        for (organization_id, person_id) in erased(&page.events)? {
            erase::erase(tx, organization_id, person_id).await?;
        }
        Ok(())
    }
}

/// A page's parts of one batch as one: no statement can change a row twice.
fn whole(parts: Vec<UsagePart>) -> Vec<UsagePart> {
    let mut whole: Vec<UsagePart> = Vec::with_capacity(parts.len());
    for part in parts {
        match whole.last_mut().filter(|last| last.first_position == part.first_position) {
            Some(last) => last.records += part.records,
            None => whole.push(part),
        }
    }
    whole
}

/// What an event is to an audit log.
enum Entry {
    Told(Uuid, Told),
    Refused(Uuid, event_schemas::RefusalEvent),
    /// Names, and the prices of all, are no organization's.
    OfNoOrganization,
}

fn entry(recorded: &RecordedEvent) -> Result<Entry, ProjectionError> {
    let stream = Stream::of(recorded)?;
    let Some(OrganizationId(of)) = recorded.organization_id else {
        return Ok(Entry::OfNoOrganization);
    };
    let id = || events::stream_id(recorded);
    let told = match stream {
        Stream::Organization => organization::told(of, &events::read(recorded)?),
        Stream::Project => streams::project(id()?, &events::read(recorded)?),
        Stream::ServiceAccount => streams::service_account(id()?, &events::read(recorded)?),
        Stream::ApiKey => streams::api_key(id()?, &events::read(recorded)?),
        Stream::AccessReview => streams::access_review(id()?, &events::read(recorded)?),
        Stream::Approval => streams::approval(id()?, &events::read(recorded)?),
        Stream::CreditAccount => streams::credits(&recorded.aggregate_id, &events::read(recorded)?),
        Stream::PriceList => streams::price_list(&recorded.aggregate_id, &events::read(recorded)?),
        Stream::Person => streams::person(id()?, &events::read(recorded)?),
        Stream::Refusal => return Ok(Entry::Refused(of, events::read(recorded)?)),
        Stream::Budget => spending::budget(id()?, &events::read(recorded)?),
        Stream::Webhook => streams::webhook(id()?, &events::read(recorded)?),
        Stream::Usage => spending::repricing(&events::read(recorded)?),
        Stream::Name | Stream::UsageMonth | Stream::SigningKey => {
            return Ok(Entry::OfNoOrganization);
        }
    };
    Ok(Entry::Told(of, told))
}

/// Who is erased on a page, and where.
fn erased(recorded: &[RecordedEvent]) -> Result<Vec<(OrganizationId, PersonId)>, ProjectionError> {
    let mut erased = Vec::new();
    for event in recorded.iter().filter(|event| event.event_type == PersonEvent::ERASED) {
        match events::read(event)? {
            PersonEvent::Erased { person_id, reason: _ } => {
                erased.push((events::organization(event)?, person_id));
            }
            PersonEvent::ExportGranted { .. } | PersonEvent::Exported { .. } => {}
        }
    }
    Ok(erased)
}
