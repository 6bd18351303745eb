//! What a page has of accounts, in the order of the log.

use event_schemas::{CreditAccountEvent, Currency, OrganizationId, RecordedEvent};
use sqlx::types::chrono::{DateTime, Utc};
use uuid::Uuid;

use super::corrections::Corrected;
use super::usage::Used;
use crate::events::{self, Stream};
use crate::feed::FeedPage;
use crate::projection::ProjectionError;

/// An account: one for each organization and currency.
pub(super) type Key = (OrganizationId, Currency);

/// Something that an account is told of.
#[derive(Debug)]
pub(super) enum Entry<'a> {
    Event(&'a RecordedEvent, CreditAccountEvent),
    /// What a batch used, or as much of it as stands on the page.
    Usage(Used),
    /// What prices that were corrected give back, and take.
    Correction(Corrected),
}

impl Entry<'_> {
    /// The position that it stands at; of a batch that of its first record.
    pub(super) fn position(&self) -> i64 {
        match self {
            Self::Event(recorded, _) => recorded.position,
            Self::Usage(used) => used.batch.first_position,
            Self::Correction(corrected) => corrected.position,
        }
    }

    pub(super) fn recorded_at(&self) -> DateTime<Utc> {
        match self {
            Self::Event(recorded, _) => recorded.recorded_at,
            Self::Usage(used) => used.batch.recorded_at,
            Self::Correction(corrected) => corrected.recorded_at,
        }
    }

    pub(super) fn key(&self) -> Key {
        match self {
            Self::Event(_, event) => key(event),
            Self::Usage(used) => used.key,
            Self::Correction(corrected) => corrected.key,
        }
    }

    /// When a lot ends that comes with it.
    pub(super) fn end(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Event(_, event) => movement(event).and_then(|movement| movement.expires_at),
            Self::Usage(_) | Self::Correction(_) => None,
        }
    }

    /// The lot that it names.
    pub(super) fn lot_id(&self) -> Option<Uuid> {
        match self {
            Self::Event(_, event) => movement(event).map(|movement| movement.lot_id),
            Self::Usage(_) | Self::Correction(_) => None,
        }
    }

    /// Whether something that was drawn of lots may go back to them.
    pub(super) fn gives_back(&self) -> bool {
        match self {
            Self::Correction(corrected) => corrected.given_back.is_positive(),
            Self::Event(..) | Self::Usage(_) => false,
        }
    }
}

/// A page's events of accounts, in order.
pub(super) fn events(page: &FeedPage) -> Result<Vec<Entry<'_>>, ProjectionError> {
    let mut entries = Vec::new();
    for recorded in &page.events {
        match Stream::of(recorded)? {
            Stream::CreditAccount => entries.push(Entry::Event(recorded, events::read(recorded)?)),
            Stream::Organization
            | Stream::Project
            | Stream::ServiceAccount
            | Stream::ApiKey
            | Stream::AccessReview
            | Stream::Approval
            | Stream::UsageMonth
            | Stream::Refusal
            | Stream::Budget
            | Stream::Webhook
            | Stream::PriceList
            | Stream::Name
            | Stream::Person
            | Stream::SigningKey
            | Stream::Usage => {}
        }
    }
    Ok(entries)
}

/// What a movement says beside its amount.
pub(super) struct Movement<'a> {
    pub(super) kind: &'static str,
    pub(super) lot_id: Uuid,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) other: Option<OrganizationId>,
    pub(super) note: Option<&'a str>,
}

/// What moves a balance, and is not usage.
pub(super) fn movement(event: &CreditAccountEvent) -> Option<Movement<'_>> {
    let (kind, lot_id, expires_at, other, note) = match event {
        CreditAccountEvent::Purchased { lot_id, expires_at, reference, .. } => {
            ("purchased", lot_id, *expires_at, None, reference.as_deref())
        }
        CreditAccountEvent::Granted { lot_id, expires_at, reason, .. } => {
            ("granted", lot_id, *expires_at, None, reason.as_deref())
        }
        CreditAccountEvent::TransferredIn {
            lot_id,
            expires_at,
            from_organization_id,
            reason,
            ..
        } => {
            let from = Some(*from_organization_id);
            ("transferred_in", lot_id, *expires_at, from, reason.as_deref())
        }
        CreditAccountEvent::Refunded { lot_id, reference, .. } => {
            ("refunded", lot_id, None, None, reference.as_deref())
        }
        CreditAccountEvent::TransferredOut { lot_id, to_organization_id, reason, .. } => {
            let to = Some(*to_organization_id);
            ("transferred_out", lot_id, None, to, reason.as_deref())
        }
        CreditAccountEvent::Expired { lot_id, expires_at, .. } => {
            ("expired", lot_id, Some(*expires_at), None, None)
        }
        CreditAccountEvent::PolicyChanged { .. }
        | CreditAccountEvent::Exhausted { .. }
        | CreditAccountEvent::Restored { .. } => return None,
    };
    Some(Movement { kind, lot_id: lot_id.0, expires_at, other, note })
}

fn key(event: &CreditAccountEvent) -> Key {
    match event {
        CreditAccountEvent::Purchased { organization_id, currency, .. }
        | CreditAccountEvent::Granted { organization_id, currency, .. }
        | CreditAccountEvent::Refunded { organization_id, currency, .. }
        | CreditAccountEvent::TransferredOut { organization_id, currency, .. }
        | CreditAccountEvent::TransferredIn { organization_id, currency, .. }
        | CreditAccountEvent::Expired { organization_id, currency, .. }
        | CreditAccountEvent::PolicyChanged { organization_id, currency, .. }
        | CreditAccountEvent::Exhausted { organization_id, currency, .. }
        | CreditAccountEvent::Restored { organization_id, currency, .. } => {
            (*organization_id, *currency)
        }
    }
}
