//! One webhook's worker: it sends one event after another, and goes on only when one was taken.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use command_api::edge;
use command_api::webhooks::GiveUpWebhook;
use command_api::webhooks::secret::SigningSecret;
use domain::webhook::WebhookDetails;
use event_log::clock;
use event_schemas::{OrganizationId, WebhookId};

use super::known::{Known, Mailbox};
use super::lanes::Health;
use super::message::Event;
use super::scan::Scan;
use super::send::{Fate, Outcome, Signed};
use super::store::{self, Progress};
use super::{NAME, PAUSE, Shared};
use crate::watch;

/// What an endpoint answers that is gone for good.
const GONE: i16 = 410;

/// After how many positions without an event that it wants it is kept how far a webhook is.
const SAVE_EVERY: i64 = 10_000;

/// Whose worker, and what it works with.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) webhook_id: WebhookId,
    pub(super) organization_id: OrganizationId,
    pub(super) created_at_position: i64,
    pub(super) mailbox: Arc<Mailbox>,
}

/// What there is to do.
enum Next {
    /// Nothing, ever.
    Ended,
    /// Nothing until something arrives.
    Idle,
    /// Nothing for so long, unless something arrives.
    Later(Duration),
    /// The event at that position is to be sent.
    Send(i64, Way),
    /// The test that was asked for at that position is to be sent.
    Test(i64),
}

/// What came of an event's turn to be sent.
enum Sent {
    /// It was sent.
    To(Outcome),
    /// It is none for this webhook.
    NotAtAll,
    /// The webhook is another by now.
    NotNow,
}

/// On which way through the log an event was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is the next that happened.
    Onward,
    /// It is sent again.
    Again,
}

impl Worker {
    /// Works until the webhook is removed.
    pub(super) async fn run(self) {
        loop {
            match self.work().await {
                Ok(()) => return,
                Err(error) => {
                    let (webhook, error) = (self.webhook_id.to_string(), format!("{error:#}"));
                    tracing::warn!(webhook, error, "nothing is sent to a webhook; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Sends a message about an event, once.
    async fn deliver(&self, target: &WebhookDetails, event: &Event) -> anyhow::Result<Outcome> {
        let now = clock::now();
        let pepper = self.shared.executor.pepper();
        let secret = |number| SigningSecret::of(pepper, self.webhook_id, number);
        let secrets: Vec<SigningSecret> = target.secrets(now).map(secret).collect();
        let id = event.event_id.to_string();
        let (timestamp, body) = (now.timestamp(), event.body()?);
        let message = Signed { id: &id, timestamp, body, secrets: &secrets };
        Ok(self.shared.sender.send(target.url(), message).await)
    }

    async fn work(&self) -> anyhow::Result<()> {
        let mut desk = Desk::of(self).await?;
        loop {
            match desk.next().await? {
                Next::Ended => return Ok(()),
                Next::Idle => self.mailbox.arrived().await,
                Next::Later(pause) => {
                    tokio::select! {
                        () = self.mailbox.arrived() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                }
                Next::Send(position, way) => desk.send(position, way).await?,
                Next::Test(position) => desk.test(position).await?,
            }
        }
    }
}

/// What a worker has before it.
struct Desk<'a> {
    worker: &'a Worker,
    progress: Progress,
    known: Arc<Known>,
    onward: Scan,
    /// Up to where there may be something for it.
    upto: i64,
    again: Scan,
    health: Health,
}

impl<'a> Desk<'a> {
    async fn of(worker: &'a Worker) -> anyhow::Result<Self> {
        let Worker { shared, webhook_id, organization_id, created_at_position, mailbox } = worker;
        let progress =
            Progress::of(&shared.log, *webhook_id, *organization_id, *created_at_position).await?;
        // Whatever it was told of before, it may not have been dealt with.
        let mail = mailbox.take();
        Ok(Self {
            worker,
            onward: Scan::after(progress.position),
            upto: mail.upto,
            again: Scan::after(progress.replay_position.unwrap_or(0)),
            known: mail.known,
            health: if progress.attempts > 0 { Health::Ailing } else { Health::Swift },
            progress,
        })
    }

    fn hear(&mut self) {
        let mail = self.worker.mailbox.take();
        // Where all was looked at up to there, nothing is wanted before the first that it was told of.
        if self.onward.at() >= self.upto {
            self.onward.skip_to(mail.from.map_or(mail.upto, |from| from - 1));
        }
        self.upto = self.upto.max(mail.upto);
        self.known = mail.known;
    }

    async fn next(&mut self) -> anyhow::Result<Next> {
        self.hear();
        let shared = &self.worker.shared;
        let known = Arc::clone(&self.known);
        if known.webhook.has_ended() {
            shared.waits(self.worker.webhook_id, None);
            return Ok(Next::Ended);
        }
        // A test holds up nothing, and nothing holds up a test.
        if let Some(position) = known.tests.iter().find(|asked| **asked > self.progress.tested) {
            return Ok(Next::Test(*position));
        }
        let Some(target) = known.webhook.target() else {
            shared.waits(self.worker.webhook_id, None);
            return Ok(Next::Idle);
        };
        if self.progress.sequence != known.sequence {
            // Whatever was changed, it may help: it is tried at once, and as often as ever.
            self.progress.sequence = known.sequence;
            self.progress.attempts = 0;
            self.progress.next_attempt_at = None;
            self.progress.save(&shared.log).await?;
        }
        if self.is_over() {
            self.give_up(target).await?;
            return Ok(Next::Later(PAUSE));
        }
        let pause = self.progress.next_attempt_at.map(|at| (at - clock::now()).to_std());
        if let Some(Ok(pause)) = pause {
            return Ok(Next::Later(pause));
        }
        if let Some(position) = self.next_again(&known, target).await? {
            return Ok(Next::Send(position, Way::Again));
        }
        let of = self.worker.organization_id;
        if let Some(position) = self.onward.next(&shared.log, of, target, self.upto).await? {
            return Ok(Next::Send(position, Way::Onward));
        }
        if self.onward.at() - self.progress.position > SAVE_EVERY {
            self.progress.position = self.onward.at();
            self.progress.save(&shared.log).await?;
        }
        shared.waits(self.worker.webhook_id, None);
        Ok(Next::Idle)
    }

    /// The next that is to be sent again; one request for the past after the other.
    async fn next_again(
        &mut self,
        known: &Known,
        target: &WebhookDetails,
    ) -> anyhow::Result<Option<i64>> {
        let log = &self.worker.shared.log;
        loop {
            if let Some(upto) = self.progress.replay_upto {
                let of = self.worker.organization_id;
                if let Some(position) = self.again.next(log, of, target, upto).await? {
                    return Ok(Some(position));
                }
                self.progress.replay_position = None;
                self.progress.replay_upto = None;
                self.progress.save(log).await?;
            }
            let asked = known.replays.iter().find(|asked| asked.position > self.progress.replay);
            let Some(asked) = asked else { return Ok(None) };
            // What it was not sent yet comes by itself.
            let upto = asked.upto.unwrap_or(i64::MAX).min(self.progress.position);
            self.progress.replay = asked.position;
            if asked.after < upto {
                self.progress.replay_position = Some(asked.after);
                self.progress.replay_upto = Some(upto);
                self.again = Scan::after(asked.after);
            }
            self.progress.save(log).await?;
        }
    }

    /// Whether the tries are over.
    fn is_over(&self) -> bool {
        let tries = usize::try_from(self.progress.attempts).unwrap_or(0);
        let is_gone = self.progress.status == Some(GONE);
        tries > 0 && (is_gone || self.worker.shared.schedule.is_over(tries))
    }

    /// Puts it on record that the endpoint takes nothing. That is heard of like any other change.
    async fn give_up(&self, target: &WebhookDetails) -> anyhow::Result<()> {
        let give_up = GiveUpWebhook {
            organization_id: self.worker.organization_id,
            webhook_id: self.worker.webhook_id,
            url: target.url().to_owned(),
            is_gone: self.progress.status == Some(GONE),
        };
        let (executor, now) = (&self.worker.shared.executor, clock::now());
        watch::put_on_record(executor, NAME, now, now, &give_up).await?;
        let webhook = self.worker.webhook_id.to_string();
        tracing::warn!(webhook, "a webhook is disabled: its endpoint takes nothing");
        Ok(())
    }

    async fn send(&mut self, position: i64, way: Way) -> anyhow::Result<()> {
        let worker = self.worker;
        let shared = &worker.shared;
        let event = store::event(&shared.log, worker.organization_id, position).await?;
        shared.waits(worker.webhook_id, Some(event.recorded_at));
        let sequence = self.known.sequence;
        let sent = async {
            // What has become of the webhook while it waited is looked at again.
            let known = worker.mailbox.known();
            let Some(target) = known.webhook.target() else { return Ok(Sent::NotNow) };
            if known.sequence != sequence {
                return Ok(Sent::NotNow);
            }
            if !target.wants(&event.event_type) || event.is_test_of(worker.webhook_id) {
                return Ok(Sent::NotAtAll);
            }
            anyhow::Ok(Sent::To(worker.deliver(target, &event).await?))
        };
        match shared.lanes.in_turn(self.health, sent).await?? {
            Sent::To(outcome) => self.note(&event, way, &outcome).await,
            Sent::NotAtAll => {
                self.scan(way).done();
                Ok(())
            }
            Sent::NotNow => Ok(()),
        }
    }

    /// Sends a test, once, whatever comes of it.
    async fn test(&mut self, position: i64) -> anyhow::Result<()> {
        let worker = self.worker;
        let shared = &worker.shared;
        let event = store::event(&shared.log, worker.organization_id, position).await?.into_test();
        let sent = async {
            let known = worker.mailbox.known();
            let Some(target) = known.webhook.details() else { return Ok(None) };
            anyhow::Ok(Some(worker.deliver(target, &event).await?))
        };
        let Some(outcome) = shared.lanes.in_turn(self.health, sent).await?? else { return Ok(()) };
        count(&outcome);
        store::note_test(&shared.log, worker.webhook_id, &event, &outcome, clock::now()).await?;
        self.progress.tested = position;
        Ok(())
    }

    fn scan(&mut self, way: Way) -> &mut Scan {
        match way {
            Way::Onward => &mut self.onward,
            Way::Again => &mut self.again,
        }
    }

    async fn note(&mut self, event: &Event, way: Way, outcome: &Outcome) -> anyhow::Result<()> {
        let now = clock::now();
        let fate = outcome.fate;
        count(outcome);
        self.health = Health::of(fate == Fate::Taken, outcome.took);
        self.progress.status = outcome.status.and_then(|status| i16::try_from(status).ok());
        let state = match fate {
            Fate::Taken => {
                match way {
                    Way::Onward => self.progress.position = event.position,
                    Way::Again => self.progress.replay_position = Some(event.position),
                }
                self.progress.attempts = 0;
                self.progress.next_attempt_at = None;
                "delivered"
            }
            Fate::Failed | Fate::Gone => {
                self.progress.attempts = self.progress.attempts.saturating_add(1);
                let tries = usize::try_from(self.progress.attempts).unwrap_or(usize::MAX);
                let chance = edge::random_bytes::<1>().map_or(20, |[byte]| byte);
                let schedule = &self.worker.shared.schedule;
                let pause = schedule.pause(tries, chance, outcome.retry_after);
                let pause = pause.map(|pause| TimeDelta::from_std(pause).unwrap_or_default());
                self.progress.next_attempt_at =
                    pause.filter(|_| !self.is_over()).map(|pause| now + pause);
                if self.is_over() { "failed" } else { "retrying" }
            }
        };
        self.progress.note(&self.worker.shared.log, event, state, outcome, now).await?;
        if fate == Fate::Taken {
            self.scan(way).done();
        }
        Ok(())
    }
}

fn count(outcome: &Outcome) {
    let fate = outcome.fate.as_str();
    metrics::counter!("orgledger_webhook_attempts_total", "outcome" => fate).increment(1);
    metrics::histogram!("orgledger_webhook_attempt_seconds").record(outcome.took);
}
