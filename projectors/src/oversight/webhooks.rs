//! Webhooks: where an organization's events are sent to.

use event_schemas::WebhookEvent;
use serde_json::json;
use uuid::Uuid;

use super::Fact;
use super::rows::Webhook;
use crate::temporal::Loaded;

pub(super) fn apply(webhooks: &mut Loaded<Webhook>, fact: &Fact, id: Uuid, event: &WebhookEvent) {
    let (webhooks, at) = (&mut webhooks.fold, fact.at);
    match event {
        WebhookEvent::Created {
            webhook_id: _,
            organization_id: _,
            url,
            description,
            event_types,
        } => {
            webhooks.set(
                at,
                Webhook {
                    webhook_id: id,
                    organization_id: fact.organization_id,
                    url: url.clone(),
                    description: description.clone(),
                    event_types: json!(event_types),
                    state: "enabled".to_owned(),
                    disabled_because: None,
                    secret_rotated_at: None,
                    previous_signs_until: None,
                    created_by: fact.actor.clone(),
                    created_at: at.time,
                },
            );
        }
        WebhookEvent::Changed {
            webhook_id: _,
            organization_id: _,
            url,
            description,
            event_types,
        } => {
            webhooks.change(at, &id, |row| {
                row.url.clone_from(url);
                row.description.clone_from(description);
                row.event_types = json!(event_types);
            });
        }
        WebhookEvent::SecretRotated {
            webhook_id: _,
            organization_id: _,
            secret_number: _,
            previous_signs_until,
        } => webhooks.change(at, &id, |row| {
            row.secret_rotated_at = Some(at.time);
            row.previous_signs_until = Some(*previous_signs_until);
        }),
        WebhookEvent::Disabled { webhook_id: _, organization_id: _, reason } => {
            webhooks.change(at, &id, |row| {
                "disabled".clone_into(&mut row.state);
                row.disabled_because = Some(reason.as_str().to_owned());
            });
        }
        WebhookEvent::Enabled { webhook_id: _, organization_id: _ } => {
            webhooks.change(at, &id, |row| {
                "enabled".clone_into(&mut row.state);
                row.disabled_because = None;
            });
        }
        // What is sent again, or for a test, changes nothing of it.
        WebhookEvent::ReplayRequested {
            webhook_id: _,
            organization_id: _,
            after_position: _,
            upto_position: _,
        }
        | WebhookEvent::TestRequested { webhook_id: _, organization_id: _ } => {}
        WebhookEvent::Removed { webhook_id: _, organization_id: _ } => webhooks.end(at, &id),
    }
}
