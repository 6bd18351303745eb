//! The register of refusals: every command that somebody with a credential was refused is on record,
//! as far as it does not come too fast to be one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use api_conventions::Problem;
use api_conventions::authentication::Presented;
use chrono::{DateTime, Duration, Utc};
use event_log::{Append, EventLog, NewEvent};
use event_schemas::{OrganizationId, RefusalEvent};

use crate::execute::CommandContext;

/// How many refusals of one actor are recorded at once, and how long it takes until one more is.
const AT_ONCE: u32 = 20;
const EVERY: Duration = Duration::seconds(6);

/// How many actors are remembered. Past that, those of whom nothing was left out are forgotten.
const ACTORS_MAX: usize = 10_000;

/// Records refusals. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Refused {
    log: EventLog,
    actors: Arc<Mutex<HashMap<String, Allowance>>>,
}

/// How many more refusals of an actor are recorded.
struct Allowance {
    left: u32,
    since: DateTime<Utc>,
    unrecorded: u64,
}

impl Refused {
    pub(crate) fn new(log: EventLog) -> Self {
        Self { log, actors: Arc::default() }
    }

    /// Records that a command was answered with this problem.
    pub(crate) async fn record(
        &self,
        context: &CommandContext,
        command: &'static str,
        problem: &Problem,
    ) {
        let actor = context.metadata.actor.to_string();
        let Some(unrecorded_before) = self.allow(actor.clone(), context.now) else { return };
        let organization_id = context.presented.as_ref().map(Presented::organization_id);
        let event = RefusalEvent::Recorded {
            organization_id,
            command: command.to_owned(),
            problem: problem.kind().uri.to_owned(),
            permission: problem.member("permission").map(str::to_owned),
            unrecorded_before,
        };
        if let Err(error) = self.append(context, organization_id, &actor, &event).await {
            tracing::warn!(%error, actor, command, "a refusal could not be recorded");
        }
    }

    async fn append(
        &self,
        context: &CommandContext,
        organization_id: Option<OrganizationId>,
        actor: &str,
        event: &RefusalEvent,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let metadata = serde_json::to_string(&context.metadata)?.into();
        let event =
            NewEvent::new(event, actor.into(), organization_id, metadata, context.occurred_at)?;
        self.log.append(Append { events: vec![event], ..Append::default() }).await?;
        Ok(())
    }

    /// Whether one more is recorded, and how many were not since the last one.
    fn allow(&self, actor: String, now: DateTime<Utc>) -> Option<u64> {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        if actors.len() >= ACTORS_MAX && !actors.contains_key(&actor) {
            actors.retain(|_, allowance| allowance.unrecorded > 0 || now - allowance.since < EVERY);
        }
        let new = || Allowance { left: AT_ONCE, since: now, unrecorded: 0 };
        let allowance = actors.entry(actor).or_insert_with(new);
        let passed = (now - allowance.since).num_seconds() / EVERY.num_seconds();
        if passed > 0 {
            let more = u32::try_from(passed).unwrap_or(u32::MAX);
            allowance.left = allowance.left.saturating_add(more).min(AT_ONCE);
            allowance.since = now;
        }
        if allowance.left == 0 {
            allowance.unrecorded += 1;
            return None;
        }
        allowance.left -= 1;
        Some(std::mem::take(&mut allowance.unrecorded))
    }
}
