//! Following the log: which webhooks there are, and which of them want what happens. It reads the log once
//! for all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::TimeDelta;
use event_log::{HeadWatch, clock};
use event_schemas::{OrganizationId, WebhookEvent, WebhookId};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Shared;
use super::known::Mailbox;
use super::store::{self, Entry};
use super::worker::Worker;

/// How often it is looked how old what waits is, and whether all is well.
const LOOK: Duration = Duration::from_secs(5);

/// How often old deliveries are forgotten.
const CLEAN: Duration = Duration::from_secs(3_600);

/// How long deliveries are kept.
const KEPT_FOR: TimeDelta = TimeDelta::days(30);

/// After how many positions webhooks that want nothing hear how far the log was read, so that a start
/// does not read all of it again for them.
const TELL_EVERY: i64 = 20_000;

struct Follower<'a> {
    shared: &'a Arc<Shared>,
    mailboxes: HashMap<WebhookId, Arc<Mailbox>>,
    /// Which are whose.
    organizations: HashMap<OrganizationId, Vec<WebhookId>>,
    workers: JoinSet<()>,
    /// Up to where the log was read, and up to where everybody was told so.
    read: i64,
    told: i64,
    cleaned: Option<Instant>,
}

/// Follows the log as long as nothing fails. The workers end with it.
pub(super) async fn follow(shared: &Arc<Shared>) -> anyhow::Result<()> {
    let mut head = HeadWatch::start(shared.log.clone(), Some(shared.executor.log().own_head()));
    let read = store::head(&shared.log).await?;
    let mut follower = Follower {
        shared,
        mailboxes: HashMap::new(),
        organizations: HashMap::new(),
        workers: JoinSet::new(),
        read,
        told: read,
        cleaned: None,
    };
    let known = store::webhooks(&shared.log, read).await?;
    let fresh = follower.learn(&known, read)?;
    follower.spawn(fresh);
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = head.beyond(follower.read) => {
                let head = head.head();
                anyhow::ensure!(head > follower.read, "following the log has ended");
                follower.read_on(head).await?;
            }
            _ = look.tick() => follower.look().await?,
        }
    }
}

impl Follower<'_> {
    /// Reads a page, and tells everybody whom it concerns.
    async fn read_on(&mut self, head: i64) -> anyhow::Result<()> {
        let organizations: Vec<Uuid> = self.organizations.keys().map(|id| id.0).collect();
        let (entries, upto) =
            store::page(&self.shared.log, self.read, head, &organizations).await?;
        let fresh = self.learn(&entries, upto)?;
        for entry in &entries {
            let of = entry.organization_id.and_then(|id| self.organizations.get(&id));
            for mailbox in of.into_iter().flatten().filter_map(|id| self.mailboxes.get(id)) {
                mailbox.happened(entry.position, &entry.event_type, upto);
            }
        }
        self.read = upto;
        self.spawn(fresh);
        if self.read - self.told > TELL_EVERY {
            self.mailboxes.values().for_each(|mailbox| mailbox.read_upto(upto));
            self.told = upto;
        }
        Ok(())
    }

    /// Learns what happened to webhooks. Those that are new, with the position of their creation.
    fn learn(
        &mut self,
        entries: &[Entry],
        upto: i64,
    ) -> anyhow::Result<Vec<(WebhookId, OrganizationId, i64)>> {
        let mut fresh = Vec::new();
        for entry in entries {
            let Some((id, sequence, payload)) = &entry.of_webhook else { continue };
            let event: WebhookEvent = serde_json::from_value(payload.clone())
                .with_context(|| format!("the event at position {}", entry.position))?;
            let organization_id =
                entry.organization_id.context("a webhook belongs to no organization")?;
            let mailbox = self.mailboxes.entry(*id).or_insert_with(|| {
                fresh.push((*id, organization_id, entry.position));
                self.organizations.entry(organization_id).or_default().push(*id);
                Arc::new(Mailbox::new(upto))
            });
            mailbox.learn(entry.position, *sequence, &event);
            if mailbox.known().webhook.has_ended() {
                self.mailboxes.remove(id);
                fresh.retain(|(other, ..)| other != id);
                let of = self.organizations.entry(organization_id).or_default();
                of.retain(|other| other != id);
                if of.is_empty() {
                    self.organizations.remove(&organization_id);
                }
            }
        }
        Ok(fresh)
    }

    /// Each has a worker of its own, once all that is known of it was learned.
    fn spawn(&mut self, fresh: Vec<(WebhookId, OrganizationId, i64)>) {
        for (webhook_id, organization_id, created_at_position) in fresh {
            let Some(mailbox) = self.mailboxes.get(&webhook_id) else { continue };
            let worker = Worker {
                shared: Arc::clone(self.shared),
                webhook_id,
                organization_id,
                created_at_position,
                mailbox: Arc::clone(mailbox),
            };
            self.workers.spawn(worker.run());
        }
    }

    async fn look(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.workers.try_join_next() {
            ended.context("a webhook's worker panicked")?;
        }
        self.shared.tell_age();
        if self.cleaned.is_none_or(|cleaned| cleaned.elapsed() > CLEAN) {
            store::forget(&self.shared.log, clock::now() - KEPT_FOR).await?;
            self.cleaned = Some(Instant::now());
        }
        Ok(())
    }
}
