//! When what somebody has was used last: by member, service account, key and project, of usage; by
//! member and key, of commands.

use std::collections::BTreeMap;

use event_schemas::{ActorKind, RecordedEvent};
use sqlx::PgConnection;
use sqlx::types::chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::events::Stream;
use crate::feed::{FeedPage, UsageSource};
use crate::projection::{Projection, ProjectionError};

/// What a credential that is an API key is called in an event's metadata, before its id.
const KEY_CREDENTIAL: &str = "api_key:";

/// When what somebody has was used last.
#[derive(Debug, Clone, Copy)]
pub struct LastUse;

impl Projection for LastUse {
    const NAME: &'static str = "last_use";
    const VERSION: i32 = 1;
    const VIEWS: &'static [&'static str] = &["last_commands", "last_use"];

    fn tables() -> &'static str {
        "create table last_use (
             organization_id uuid not null,
             project_id uuid not null,
             api_key_id uuid,
             member_id uuid,
             service_account_id uuid,
             last_used_at timestamptz not null,
             unique nulls not distinct (organization_id, project_id, api_key_id, member_id,
                 service_account_id)
         ) with (fillfactor = 70);
         create index on last_use (api_key_id);
         create index on last_use (member_id);
         create table last_commands (
             organization_id uuid not null,
             actor_kind text not null,
             actor_id uuid not null,
             last_at timestamptz not null,
             primary key (organization_id, actor_kind, actor_id)
         ) with (fillfactor = 70)"
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        let commands = commands(&page.events)?;
        if !commands.is_empty() {
            write_commands(tx, &commands).await?;
        }
        if let Some(source) = page.usage_source(tx).await? {
            write_use(tx, &source).await?;
        }
        Ok(())
    }
}

/// The latest command of each member, and of each key that one was given with.
type Commands = BTreeMap<(Uuid, &'static str, Uuid), DateTime<Utc>>;

fn commands(events: &[RecordedEvent]) -> Result<Commands, ProjectionError> {
    let mut latest = Commands::new();
    for event in events {
        match Stream::of(event)? {
            Stream::Organization
            | Stream::Project
            | Stream::ServiceAccount
            | Stream::ApiKey
            | Stream::Approval
            | Stream::Person
            | Stream::Usage
            | Stream::UsageMonth
            | Stream::Refusal
            | Stream::AccessReview
            | Stream::CreditAccount
            | Stream::Budget
            | Stream::Webhook
            | Stream::PriceList
            | Stream::Name
            | Stream::SigningKey => {}
        }
        let Some(organization_id) = event.organization_id else { continue };
        let text = |name: &str| event.metadata.get(name).and_then(|value| value.as_str());
        let is_member = text("actor_kind") == Some(ActorKind::Member.as_str());
        let member = text("actor_id").filter(|_| is_member).and_then(|id| id.parse().ok());
        let key = text("credential")
            .and_then(|name| name.strip_prefix(KEY_CREDENTIAL))
            .and_then(|id| id.parse().ok());
        for (kind, id) in [("member", member), ("api_key", key)] {
            let Some(id) = id else { continue };
            let last = latest.entry((organization_id.0, kind, id)).or_insert(event.occurred_at);
            *last = event.occurred_at.max(*last);
        }
    }
    Ok(latest)
}

/// The later of two times does not depend on which comes first, nor on where pages end.
async fn write_commands(tx: &mut PgConnection, commands: &Commands) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into last_commands as l (organization_id, actor_kind, actor_id, last_at)
         select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[])
         on conflict (organization_id, actor_kind, actor_id) do update
             set last_at = excluded.last_at where excluded.last_at > l.last_at",
    )
    .bind(commands.keys().map(|(organization_id, _, _)| *organization_id).collect::<Vec<_>>())
    .bind(commands.keys().map(|(_, kind, _)| *kind).collect::<Vec<_>>())
    .bind(commands.keys().map(|(_, _, id)| *id).collect::<Vec<_>>())
    .bind(commands.values().copied().collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_use(tx: &mut PgConnection, source: &UsageSource) -> Result<(), sqlx::Error> {
    sqlx::query(&format!(
        "insert into last_use as l (organization_id, project_id, api_key_id, member_id,
             service_account_id, last_used_at)
         select organization_id, project_id, api_key_id, member_id, service_account_id,
             max(occurred_at)
         from {} where batch_id = any($1) and occurred_day between $2 and $3
         group by 1, 2, 3, 4, 5
         on conflict (organization_id, project_id, api_key_id, member_id, service_account_id)
             do update set last_used_at = excluded.last_used_at
             where excluded.last_used_at > l.last_used_at",
        source.table
    ))
    .bind(&source.batch_ids)
    .bind(source.first_day)
    .bind(source.last_day)
    .execute(tx)
    .await?;
    Ok(())
}
