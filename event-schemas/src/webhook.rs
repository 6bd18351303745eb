//! Events of a webhook: an endpoint outside that an organization's events are sent to.

use chrono::{DateTime, Utc};

use crate::event::stream_events;
use crate::roles::words;
use crate::{OrganizationId, WebhookId};

words! {
    /// Why nothing is sent to a webhook.
    WebhookDisabledReason, "a reason to disable a webhook" {
        /// Somebody has asked for it.
        Requested = "requested",
        /// The endpoint took none of the tries to send it an event.
        Failing = "failing",
        /// The endpoint has answered that it is gone for good.
        Gone = "gone",
    }
}

stream_events! {
    /// What happens to a webhook.
    WebhookEvent on "webhook" {
        /// A webhook was created. What happens from then on is sent to it.
        Created = "webhook.created" "1" {
            /// The webhook.
            webhook_id: WebhookId,
            /// The organization.
            organization_id: OrganizationId,
            /// Where events are sent to.
            url: String,
            /// What it is for.
            description: Option<String>,
            /// Which types of events are sent: `noun.past`, all of a noun (`budget.*`), or all (`*`).
            event_types: Vec<String>,
        }
        /// A webhook was changed; all of what can be is here.
        Changed = "webhook.changed" "1" {
            /// The webhook.
            webhook_id: WebhookId,
            /// The organization.
            organization_id: OrganizationId,
            /// Where events are sent to.
            url: String,
            /// What it is for.
            description: Option<String>,
            /// Which types of events are sent.
            event_types: Vec<String>,
        }
        /// A webhook signs with another secret. Secrets are derived from their number, and stored nowhere.
        SecretRotated = "webhook.secret_rotated" "1" {
            /// The webhook.
            webhook_id: WebhookId,
            /// The organization.
            organization_id: OrganizationId,
            /// The number of the secret that it signs with from now on; the first was 1.
            secret_number: u32,
            /// Until when the secret before signs beside it.
            previous_signs_until: DateTime<Utc>,
        }
        /// Nothing is sent to a webhook any more, until it is enabled.
        Disabled = "webhook.disabled" "1" {
            /// The webhook.
            webhook_id: WebhookId,
            /// The organization.
            organization_id: OrganizationId,
            /// Why.
            reason: WebhookDisabledReason,
        }
        /// A webhook is sent to again, from the event on that it has not taken yet.
        Enabled = "webhook.enabled" "1" {
            /// The webhook.
            webhook_id: WebhookId,
            /// The organization.
            organization_id: OrganizationId,
        }
        /// Events of the past are to be sent to a webhook, whether it has taken them before or not.
        ReplayRequested = "webhook.replay_requested" "1" {
            /// The webhook.
            webhook_id: WebhookId,
            /// The organization.
            organization_id: OrganizationId,
            /// The events after this position.
            after_position: i64,
            /// Up to this position; null for all up to what it was sent last.
            upto_position: Option<i64>,
        }
        /// A test message is to be sent to a webhook, once, disabled or not.
        TestRequested = "webhook.test_requested" "1" {
            /// The webhook.
            webhook_id: WebhookId,
            /// The organization.
            organization_id: OrganizationId,
        }
        /// A webhook was removed for good.
        Removed = "webhook.removed" "1" {
            /// The webhook.
            webhook_id: WebhookId,
            /// The organization.
            organization_id: OrganizationId,
        }
    }
}
