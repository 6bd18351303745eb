//! What becomes of what is asked, and of what has happened.

use super::{
    Addresses, DateTime, Decider, GRACE, OrganizationId, Utc, Webhook, WebhookCommand,
    WebhookDetails, WebhookDisabledReason, WebhookError, WebhookEvent, WebhookId, WebhookTerms,
    endpoint, event_types,
};
use crate::text;

type Decided = Result<Vec<WebhookEvent>, WebhookError>;

/// The number of a webhook's first secret.
const FIRST_SECRET: u32 = 1;

impl Decider for Webhook {
    const STREAM: &'static str = "webhook";
    type Command = WebhookCommand;
    type Event = WebhookEvent;
    type Error = WebhookError;

    fn decide(&self, command: WebhookCommand) -> Decided {
        match command {
            WebhookCommand::Create { webhook_id, organization, terms, addresses } => {
                self.create(webhook_id, organization.organization_id(), &terms, addresses)
            }
            WebhookCommand::Change { organization, terms, addresses } => {
                self.change(organization.organization_id(), &terms, addresses)
            }
            WebhookCommand::RotateSecret { organization, now } => {
                self.rotate(organization.organization_id(), now)
            }
            WebhookCommand::Disable { organization } => {
                self.disable(organization.organization_id())
            }
            WebhookCommand::Enable { organization } => self.enable(organization.organization_id()),
            WebhookCommand::Replay { organization, after_position, upto_position } => {
                self.replay(organization.organization_id(), after_position, upto_position)
            }
            WebhookCommand::Test { organization } => self.test(organization.organization_id()),
            WebhookCommand::Remove { organization } => self.remove(organization.organization_id()),
            WebhookCommand::GiveUp { url, is_gone } => Ok(self.give_up(&url, is_gone)),
        }
    }

    fn evolve(&mut self, event: &WebhookEvent) {
        match event {
            WebhookEvent::Created {
                webhook_id,
                organization_id,
                url,
                description,
                event_types,
            } => {
                *self = Self::Active(WebhookDetails {
                    webhook_id: *webhook_id,
                    organization_id: *organization_id,
                    terms: WebhookTerms {
                        url: url.clone(),
                        description: description.clone(),
                        event_types: event_types.clone(),
                    },
                    secret: FIRST_SECRET,
                    previous: None,
                    disabled: None,
                });
            }
            WebhookEvent::Changed { url, description, event_types, .. } => self.with(|webhook| {
                webhook.terms = WebhookTerms {
                    url: url.clone(),
                    description: description.clone(),
                    event_types: event_types.clone(),
                };
            }),
            WebhookEvent::SecretRotated { secret_number, previous_signs_until, .. } => {
                self.with(|webhook| {
                    webhook.previous = Some((webhook.secret, *previous_signs_until));
                    webhook.secret = *secret_number;
                });
            }
            WebhookEvent::Disabled { reason, .. } => {
                self.with(|webhook| webhook.disabled = Some(*reason));
            }
            WebhookEvent::Enabled { .. } => self.with(|webhook| webhook.disabled = None),
            // What is sent again, or for a test, is nothing that decides anything.
            WebhookEvent::ReplayRequested { .. } | WebhookEvent::TestRequested { .. } => {}
            WebhookEvent::Removed { .. } => match std::mem::take(self) {
                Self::Absent => {}
                Self::Active(webhook) | Self::Removed(webhook) => *self = Self::Removed(webhook),
            },
        }
    }
}

impl Webhook {
    fn create(
        &self,
        webhook_id: WebhookId,
        organization_id: OrganizationId,
        terms: &WebhookTerms,
        addresses: Addresses,
    ) -> Decided {
        match self {
            Self::Absent => {}
            Self::Active(_) | Self::Removed(_) => return Err(WebhookError::AlreadyExists),
        }
        let WebhookTerms { url, description, event_types } = checked(terms, addresses)?;
        let created =
            WebhookEvent::Created { webhook_id, organization_id, url, description, event_types };
        Ok(vec![created])
    }

    fn change(
        &self,
        organization_id: OrganizationId,
        terms: &WebhookTerms,
        addresses: Addresses,
    ) -> Decided {
        let webhook = self.of(organization_id)?;
        if *terms == webhook.terms {
            return Ok(vec![]);
        }
        let terms = checked(terms, addresses)?;
        if terms == webhook.terms {
            return Ok(vec![]);
        }
        let WebhookTerms { url, description, event_types } = terms;
        let webhook_id = webhook.webhook_id;
        let changed =
            WebhookEvent::Changed { webhook_id, organization_id, url, description, event_types };
        Ok(vec![changed])
    }

    fn rotate(&self, organization_id: OrganizationId, now: DateTime<Utc>) -> Decided {
        let webhook = self.of(organization_id)?;
        Ok(vec![WebhookEvent::SecretRotated {
            webhook_id: webhook.webhook_id,
            organization_id,
            secret_number: webhook.secret.saturating_add(1),
            previous_signs_until: now + GRACE,
        }])
    }

    fn disable(&self, organization_id: OrganizationId) -> Decided {
        let webhook = self.of(organization_id)?;
        if webhook.disabled.is_some() {
            return Ok(vec![]);
        }
        let (webhook_id, reason) = (webhook.webhook_id, WebhookDisabledReason::Requested);
        Ok(vec![WebhookEvent::Disabled { webhook_id, organization_id, reason }])
    }

    fn enable(&self, organization_id: OrganizationId) -> Decided {
        let webhook = self.of(organization_id)?;
        if webhook.disabled.is_none() {
            return Ok(vec![]);
        }
        Ok(vec![WebhookEvent::Enabled { webhook_id: webhook.webhook_id, organization_id }])
    }

    fn replay(
        &self,
        organization_id: OrganizationId,
        after_position: i64,
        upto_position: Option<i64>,
    ) -> Decided {
        let webhook_id = self.of(organization_id)?.webhook_id;
        if after_position < 0 || upto_position.is_some_and(|upto| upto <= after_position) {
            return Err(WebhookError::EmptyReplay);
        }
        Ok(vec![WebhookEvent::ReplayRequested {
            webhook_id,
            organization_id,
            after_position,
            upto_position,
        }])
    }

    fn test(&self, organization_id: OrganizationId) -> Decided {
        let webhook_id = self.of(organization_id)?.webhook_id;
        Ok(vec![WebhookEvent::TestRequested { webhook_id, organization_id }])
    }

    fn remove(&self, organization_id: OrganizationId) -> Decided {
        match self {
            Self::Removed(webhook) if webhook.organization_id == organization_id => Ok(vec![]),
            Self::Absent | Self::Active(_) | Self::Removed(_) => {
                let webhook_id = self.of(organization_id)?.webhook_id;
                Ok(vec![WebhookEvent::Removed { webhook_id, organization_id }])
            }
        }
    }

    /// What was found out about an endpoint that is not the webhook's any more says nothing of it.
    fn give_up(&self, url: &str, is_gone: bool) -> Vec<WebhookEvent> {
        let Some(webhook) = self.target().filter(|webhook| webhook.url() == url) else {
            return vec![];
        };
        let (webhook_id, organization_id) = (webhook.webhook_id, webhook.organization_id);
        let reason =
            if is_gone { WebhookDisabledReason::Gone } else { WebhookDisabledReason::Failing };
        vec![WebhookEvent::Disabled { webhook_id, organization_id, reason }]
    }

    fn with(&mut self, change: impl FnOnce(&mut WebhookDetails)) {
        match self {
            Self::Absent => {}
            Self::Active(webhook) | Self::Removed(webhook) => change(webhook),
        }
    }
}

/// The terms as they are kept.
fn checked(terms: &WebhookTerms, addresses: Addresses) -> Result<WebhookTerms, WebhookError> {
    let description = text::reason(terms.description.as_deref());
    Ok(WebhookTerms {
        url: endpoint::checked(&terms.url, addresses)?,
        description: description.map_err(WebhookError::Description)?,
        event_types: event_types::checked(&terms.event_types)?,
    })
}
