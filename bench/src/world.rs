//! What is measured on: an organization on a fresh database.

use chrono::{DateTime, Utc};
use command_api::api_keys::secret::Pepper;
use command_api::organizations::CreateOrganization;
use command_api::projects::{CreateProject, CreateProjectRequest};
use command_api::{Command, CommandContext, Executor};
use domain::organization::Authority;
use embedded::testing::TestDatabase;
use event_log::database::{Holds, migrate};
use event_log::{EventLog, MasterKeys, clock};
use event_schemas::{Actor, EventMetadata, OrganizationId, ProjectId};

/// How many commands share an append while things are set up.
const CHUNK: usize = 1_000;

/// An organization with a project.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) executor: Executor,
    pub(crate) organization_id: OrganizationId,
    pub(crate) project_id: ProjectId,
}

impl World {
    /// Sets it up on a database.
    pub(crate) async fn on(database: &TestDatabase) -> anyhow::Result<Self> {
        let options = database.connect_options();
        migrate(&options, Holds::LogAndReadModels).await?;
        let log = EventLog::open(&options, MasterKeys::parse(&"01".repeat(32))?).await?;
        let pepper = Pepper::new(vec![1; 32]).ok_or_else(|| anyhow::anyhow!("pepper"))?;
        let executor = Executor::new(log, pepper);
        let create =
            CreateOrganization { name: "Benchmark".to_owned(), seat_limit: None, owner: None };
        let created = executor.execute(&context(None), &create).await?;
        let organization_id = created.outcome.organization_id;
        let request = CreateProjectRequest { name: "Benchmark".to_owned(), environment: None };
        let create = CreateProject { organization_id, request };
        let project_id = executor.execute(&context(None), &create).await?.outcome.project_id;
        Ok(Self { executor, organization_id, project_id })
    }

    /// Executes many commands, a thousand an append.
    pub(crate) async fn all<C: Command>(&self, commands: &[C]) -> anyhow::Result<Vec<C::Outcome>> {
        let context = context(None);
        let mut outcomes = Vec::with_capacity(commands.len());
        for chunk in commands.chunks(CHUNK) {
            let chunk: Vec<_> = chunk.iter().map(|command| (&context, command)).collect();
            for answer in self.executor.execute_all(&chunk).await? {
                outcomes.push(answer?.outcome);
            }
        }
        Ok(outcomes)
    }
}

/// The operator, now.
pub(crate) fn context(idempotency_key: Option<String>) -> CommandContext {
    at(clock::now(), idempotency_key)
}

/// The operator, at a time.
pub(crate) fn at(now: DateTime<Utc>, idempotency_key: Option<String>) -> CommandContext {
    CommandContext {
        metadata: EventMetadata {
            actor: Actor::operator("benchmark"),
            correlation_id: "benchmark".to_owned(),
            causation_id: None,
            traceparent: None,
            source_address: None,
            credential: None,
        },
        authority: Authority::System,
        now,
        occurred_at: now,
        idempotency_key,
        expected_sequence: None,
        presented: None,
    }
}
