//! What is known of a webhook, and how its worker hears of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Decider as _;
use domain::webhook::Webhook;
use event_schemas::WebhookEvent;
use tokio::sync::Notify;

/// What is known of a webhook: its stream, folded.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) webhook: Webhook,
    /// Where its stream stands.
    pub(super) sequence: i64,
    /// What of the past was asked for, in order.
    pub(super) replays: Vec<Replay>,
    /// The positions at which tests were asked for, in order.
    pub(super) tests: Vec<i64>,
}

/// Events of the past that are to be sent again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replay {
    /// The position at which it was asked for.
    pub(super) position: i64,
    /// Those after this position.
    pub(super) after: i64,
    /// Up to this one; none for all that the webhook was sent.
    pub(super) upto: Option<i64>,
}

impl Known {
    fn learn(&mut self, position: i64, sequence: i64, event: &WebhookEvent) {
        self.webhook.evolve(event);
        self.sequence = sequence;
        if let WebhookEvent::ReplayRequested { after_position, upto_position, .. } = event {
            let (after, upto) = (*after_position, *upto_position);
            self.replays.push(Replay { position, after, upto });
        }
        if let WebhookEvent::TestRequested { .. } = event {
            self.tests.push(position);
        }
    }
}

/// What the follower has for a worker.
#[derive(Debug, Clone)]
pub(super) struct Mail {
    pub(super) known: Arc<Known>,
    /// The first event that it wants and was not told of before; none where there is none.
    pub(super) from: Option<i64>,
    /// Up to where that is known.
    pub(super) upto: i64,
}

/// Where the follower leaves it.
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    arrived: Notify,
}

impl Mailbox {
    /// Of a webhook that nothing is known of, where the log was read up to a position.
    pub(super) fn new(upto: i64) -> Self {
        let mail = Mail { known: Arc::default(), from: None, upto };
        Self { mail: Mutex::new(mail), arrived: Notify::new() }
    }

    /// An event of its own stream.
    pub(super) fn learn(&self, position: i64, sequence: i64, event: &WebhookEvent) {
        Arc::make_mut(&mut self.mail().known).learn(position, sequence, event);
        self.arrived.notify_one();
    }

    /// An event of its organization, on a page up to a position.
    pub(super) fn happened(&self, position: i64, event_type: &str, upto: i64) {
        let mut mail = self.mail();
        if mail.known.webhook.wants(event_type) {
            mail.from = mail.from.or(Some(position));
            mail.upto = mail.upto.max(upto);
            drop(mail);
            self.arrived.notify_one();
        }
    }

    /// That it was told of all up to a position.
    pub(super) fn read_upto(&self, upto: i64) {
        self.mail().upto = upto;
        self.arrived.notify_one();
    }

    /// What is known now.
    pub(super) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.mail().known)
    }

    /// All that has arrived.
    pub(super) fn take(&self) -> Mail {
        let mut mail = self.mail();
        let taken = mail.clone();
        mail.from = None;
        taken
    }

    /// Waits until something has arrived since it was taken.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
