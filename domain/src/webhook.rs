//! A webhook: an endpoint outside that an organization's events are sent to, as Standard Webhooks.
//!
//! What was delivered is not among it: it is no fact about the organization. It stands in the schema
//! `delivery`; see `docs/adr/0026-webhooks-are-delivered-from-the-log.md`.

use chrono::{DateTime, TimeDelta, Utc};
use event_schemas::{OrganizationId, WebhookDisabledReason, WebhookEvent, WebhookId};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::organization::OpenOrganization;
use crate::text::TextError;

pub mod addresses;
mod decide;
mod endpoint;
mod event_types;

pub use endpoint::UrlError;
pub use event_types::matches;

/// The longest URL, in characters.
pub const URL_CHARS_MAX: usize = 2_000;

/// The most entries in the list of event types.
pub const EVENT_TYPES_MAX: usize = 50;

/// How long the secret before signs beside a new one.
pub const GRACE: TimeDelta = TimeDelta::hours(24);

/// A webhook, from nothing to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Webhook {
    /// It has not been created.
    #[default]
    Absent,
    /// It is there, sent to or disabled.
    Active(WebhookDetails),
    /// It was removed.
    Removed(WebhookDetails),
}

/// What a webhook is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDetails {
    webhook_id: WebhookId,
    organization_id: OrganizationId,
    terms: WebhookTerms,
    /// The number of the secret that it signs with.
    secret: u32,
    /// The secret before, and until when it signs too.
    previous: Option<(u32, DateTime<Utc>)>,
    disabled: Option<WebhookDisabledReason>,
}

/// What of a webhook can be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookTerms {
    /// Where events are sent to.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which types of events are sent: `noun.past`, all of a noun (`budget.*`), or all (`*`).
    pub event_types: Vec<String>,
}

/// Which addresses webhooks may have on this installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addresses {
    /// Those of the public internet alone.
    #[default]
    Public,
    /// Any: those of this machine and its network, too.
    Any,
}

/// What can be asked of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookCommand {
    /// Create it.
    Create {
        /// Its id.
        webhook_id: WebhookId,
        /// Its organization.
        organization: OpenOrganization,
        /// What it is.
        terms: WebhookTerms,
        /// Where it may be.
        addresses: Addresses,
    },
    /// Change it, to these terms as a whole.
    Change {
        /// Its organization.
        organization: OpenOrganization,
        /// The terms from now on.
        terms: WebhookTerms,
        /// Where it may be.
        addresses: Addresses,
    },
    /// Sign with another secret.
    RotateSecret {
        /// Its organization.
        organization: OpenOrganization,
        /// The time now.
        now: DateTime<Utc>,
    },
    /// Send it nothing, until it is enabled.
    Disable {
        /// Its organization.
        organization: OpenOrganization,
    },
    /// Go on where it stopped.
    Enable {
        /// Its organization.
        organization: OpenOrganization,
    },
    /// Send events of the past again.
    Replay {
        /// Its organization.
        organization: OpenOrganization,
        /// The events after this position.
        after_position: i64,
        /// Up to this one; none for all that it was sent.
        upto_position: Option<i64>,
    },
    /// Send it a test message, disabled or not.
    Test {
        /// Its organization.
        organization: OpenOrganization,
    },
    /// Remove it for good.
    Remove {
        /// Its organization.
        organization: OpenOrganization,
    },
    /// Put on record that its endpoint takes nothing.
    GiveUp {
        /// The endpoint that was tried.
        url: String,
        /// Whether it has answered that it is gone for good.
        is_gone: bool,
    },
}

/// Why a webhook refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It was not created, was removed, or belongs to another organization.
    #[error("there is no such webhook")]
    NotFound,
    /// It has been created before.
    #[error("the webhook exists already")]
    AlreadyExists,
    /// Nothing can be sent there.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Nothing would be sent.
    #[error("name at least one event type, such as budget.threshold_reached, budget.* or *")]
    NoEventTypes,
    /// There are too many.
    #[error(
        "a webhook has at most {EVENT_TYPES_MAX} event types; name all of a noun, such as budget.*"
    )]
    TooManyEventTypes,
    /// No event has such a type.
    #[error(
        "no event is a '{0}': name a type such as budget.threshold_reached, all of a noun (budget.*) or \
         all there are (*)"
    )]
    UnknownEventType(String),
    /// The organization has as many webhooks as it may.
    #[error("the organization has {max} webhooks, and that is the most that it may have")]
    TooMany {
        /// The most.
        max: usize,
    },
    /// Nothing is in between.
    #[error("after_position is 0 or more, and upto_position above it")]
    EmptyReplay,
    /// The description is not as it must be.
    #[error("the description: {0}")]
    Description(TextError),
}

impl Webhook {
    /// The organization, once it has been created.
    pub fn organization_id(&self) -> Option<OrganizationId> {
        match self {
            Self::Absent => None,
            Self::Active(webhook) | Self::Removed(webhook) => Some(webhook.organization_id),
        }
    }

    /// What of it can be changed, as it is now. Refused where it is not there, or another
    /// organization's.
    pub fn terms(&self, organization_id: OrganizationId) -> Result<&WebhookTerms, WebhookError> {
        Ok(&self.of(organization_id)?.terms)
    }

    /// The number of the secret that it signs with, likewise.
    pub fn secret_number(&self, organization_id: OrganizationId) -> Result<u32, WebhookError> {
        Ok(self.of(organization_id)?.secret)
    }

    /// What it is, sent to or disabled; none where it was removed.
    pub fn details(&self) -> Option<&WebhookDetails> {
        match self {
            Self::Active(webhook) => Some(webhook),
            Self::Absent | Self::Removed(_) => None,
        }
    }

    /// What events are sent to; none where nothing is.
    pub fn target(&self) -> Option<&WebhookDetails> {
        self.details().filter(|webhook| webhook.disabled.is_none())
    }

    /// Whether events of a type are for it, sent to or disabled.
    pub fn wants(&self, event_type: &str) -> bool {
        match self {
            Self::Active(webhook) => webhook.wants(event_type),
            Self::Absent | Self::Removed(_) => false,
        }
    }

    /// Whether nothing will ever be sent to it again.
    pub fn has_ended(&self) -> bool {
        match self {
            Self::Absent | Self::Active(_) => false,
            Self::Removed(_) => true,
        }
    }

    fn of(&self, organization_id: OrganizationId) -> Result<&WebhookDetails, WebhookError> {
        match self {
            Self::Active(webhook) if webhook.organization_id == organization_id => Ok(webhook),
            Self::Absent | Self::Active(_) | Self::Removed(_) => Err(WebhookError::NotFound),
        }
    }
}

impl WebhookDetails {
    /// Where events are sent to.
    pub fn url(&self) -> &str {
        &self.terms.url
    }

    /// Which types of events are sent.
    pub fn event_types(&self) -> &[String] {
        &self.terms.event_types
    }

    /// Whether events of a type are sent.
    pub fn wants(&self, event_type: &str) -> bool {
        self.terms.event_types.iter().any(|wanted| matches(wanted, event_type))
    }

    /// The numbers of the secrets that it signs with at a time, the newest first.
    pub fn secrets(&self, now: DateTime<Utc>) -> impl Iterator<Item = u32> {
        let previous = self.previous.filter(|(_, until)| now < *until).map(|(number, _)| number);
        std::iter::once(self.secret).chain(previous)
    }
}

#[cfg(test)]
mod tests;
