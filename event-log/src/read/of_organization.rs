//! What an organization has, by the first event of each. What has ended for good is left out; of all
//! else the streams themselves know how they stand.

use event_schemas::{ApiKeyId, OrganizationId, ProjectId};
use sqlx::PgPool;

/// The organization's projects that were not archived, in order of creation; at most `max`.
pub async fn projects(
    pool: &PgPool,
    organization_id: OrganizationId,
    max: i64,
) -> Result<Vec<ProjectId>, sqlx::Error> {
    let ids: Vec<String> = sqlx::query_scalar(
        "select c.aggregate_id from log.events c
         where c.organization_id = $1 and c.event_type = 'project.created' and not exists (
             select from log.events e where e.aggregate_type = 'project'
                 and e.aggregate_id = c.aggregate_id and e.event_type = 'project.archived')
         order by c.position limit $2",
    )
    .bind(organization_id.0)
    .bind(max)
    .fetch_all(pool)
    .await?;
    Ok(parsed(&ids))
}

/// The organization's API keys that were neither revoked nor recorded as expired, of one project or
/// of all, in order of creation; at most `max`.
pub async fn api_keys(
    pool: &PgPool,
    organization_id: OrganizationId,
    project_id: Option<ProjectId>,
    max: i64,
) -> Result<Vec<ApiKeyId>, sqlx::Error> {
    let ids: Vec<String> = sqlx::query_scalar(
        "select c.aggregate_id from log.events c
         where c.organization_id = $1 and c.event_type = 'api_key.created'
             and ($2::text is null or c.payload ->> 'project_id' = $2)
             and not exists (
                 select from log.events e where e.aggregate_type = 'api_key'
                     and e.aggregate_id = c.aggregate_id
                     and e.event_type in ('api_key.revoked', 'api_key.expired'))
         order by c.position limit $3",
    )
    .bind(organization_id.0)
    .bind(project_id.map(|id| id.to_string()))
    .bind(max)
    .fetch_all(pool)
    .await?;
    Ok(parsed(&ids))
}

/// How many access reviews of the organization are open.
pub async fn open_access_reviews(
    pool: &PgPool,
    organization_id: OrganizationId,
) -> Result<usize, sqlx::Error> {
    let open: i64 = sqlx::query_scalar(
        "select count(*) from log.events o
         where o.organization_id = $1 and o.event_type = 'access_review.opened' and not exists (
             select from log.events e where e.aggregate_type = 'access_review'
                 and e.aggregate_id = o.aggregate_id and e.event_type = 'access_review.closed')",
    )
    .bind(organization_id.0)
    .fetch_one(pool)
    .await?;
    Ok(usize::try_from(open).unwrap_or(usize::MAX))
}

/// Whether an event of the organization stands at a position.
pub async fn has_event(
    pool: &PgPool,
    organization_id: OrganizationId,
    position: i64,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from log.events where organization_id = $1 and position = $2)",
    )
    .bind(organization_id.0)
    .bind(position)
    .fetch_one(pool)
    .await
}

/// How many budgets of the organization were set and not removed.
pub async fn budgets(pool: &PgPool, organization_id: OrganizationId) -> Result<usize, sqlx::Error> {
    let budgets: i64 = sqlx::query_scalar(
        "select count(*) filter (where event_type = 'budget.set')
             - count(*) filter (where event_type = 'budget.removed')
         from log.events
         where organization_id = $1 and event_type in ('budget.set', 'budget.removed')",
    )
    .bind(organization_id.0)
    .fetch_one(pool)
    .await?;
    Ok(usize::try_from(budgets).unwrap_or(0))
}

/// How many webhooks of the organization were created and not removed.
pub async fn webhooks(
    pool: &PgPool,
    organization_id: OrganizationId,
) -> Result<usize, sqlx::Error> {
    let webhooks: i64 = sqlx::query_scalar(
        "select count(*) filter (where event_type = 'webhook.created')
             - count(*) filter (where event_type = 'webhook.removed')
         from log.events where aggregate_type = 'webhook' and organization_id = $1",
    )
    .bind(organization_id.0)
    .fetch_one(pool)
    .await?;
    Ok(usize::try_from(webhooks).unwrap_or(0))
}

fn parsed<I: std::str::FromStr>(ids: &[String]) -> Vec<I> {
    ids.iter().filter_map(|id| id.parse().ok()).collect()
}
