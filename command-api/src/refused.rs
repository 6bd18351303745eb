//! The register of refusals: every command that somebody with a credential was refused is on record,
//! as far as it does not come too fast to be one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use api_conventions::Problem;
use chrono::{DateTime, Duration, Utc};
use domain::organization::{Authority, Organization};
use event_log::{Append, NewEvent};
use event_schemas::{OrganizationId, RefusalEvent};

use crate::execute::{CommandContext, Executor};

/// How many refusals of one actor are recorded at once, and how long it takes until one more is.
const AT_ONCE: u32 = 20;
const EVERY: Duration = Duration::seconds(6);

/// How many actors are remembered. Past that, those of whom nothing was left out are forgotten.
const ACTORS_MAX: usize = 10_000;

/// Records refusals. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Refused {
    executor: Executor,
    actors: Arc<Mutex<HashMap<Asking, Allowance>>>,
}

/// Who asked, and whose record it goes to: an operator who is refused often in one organization is
/// still on record in the next.
type Asking = (String, Option<OrganizationId>);

/// How many more refusals of an actor are recorded.
struct Allowance {
    left: u32,
    since: DateTime<Utc>,
    unrecorded: u64,
}

impl Refused {
    pub(crate) fn new(executor: Executor) -> Self {
        Self { executor, actors: Arc::default() }
    }

    /// Records that a command, about that organization where it is about one, was answered with this
    /// problem.
    pub(crate) async fn record(
        &self,
        context: &CommandContext,
        command: &'static str,
        about: Option<OrganizationId>,
        problem: &Problem,
    ) {
        let actor = context.metadata.actor.to_string();
        let organization_id = self.whose(context, about).await;
        let asking = (actor.clone(), organization_id);
        let Some(unrecorded_before) = self.allow(asking, context.now) else { return };
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

    /// Whose record it goes to: that of the organization of who asked, wherever they asked; what the
    /// operator is refused is that of the organization it was about, where there is one.
    async fn whose(
        &self,
        context: &CommandContext,
        about: Option<OrganizationId>,
    ) -> Option<OrganizationId> {
        if let Some(presented) = &context.presented {
            return Some(presented.organization_id());
        }
        let mut session = self.executor.reading(Authority::System, false);
        session.read::<Organization>(about?).await.ok()?.organization_id()
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
        self.executor.log().append(Append { events: vec![event], ..Append::default() }).await?;
        Ok(())
    }

    /// Whether one more is recorded, and how many were not since the last one.
    fn allow(&self, asking: Asking, now: DateTime<Utc>) -> Option<u64> {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        if actors.len() >= ACTORS_MAX && !actors.contains_key(&asking) {
            actors.retain(|_, allowance| allowance.unrecorded > 0 || now - allowance.since < EVERY);
        }
        let new = || Allowance { left: AT_ONCE, since: now, unrecorded: 0 };
        let allowance = actors.entry(asking).or_insert_with(new);
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
