//! Standing suggestions: what an administrator would otherwise compile by hand, each with the command
//! that acts on it. They are of now; `as_of` only says against which time ages are measured.

mod kind;
mod route;
mod subject;

use api_conventions::{Cursor, Limit, Page};
use chrono::{DateTime, Utc};
use event_schemas::OrganizationId;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

pub use kind::SuggestionKind;
pub(crate) use route::{__path_list_suggestions, list_suggestions};
pub use subject::{Subject, SuggestedCommand};

use crate::error::QueryError;
use crate::keyset;
use crate::organizations;
use crate::snapshot::{Projection, Snapshot};
use crate::temporal::Temporal;

/// What suggestions are read from.
pub const READS: &[Projection] = &[Projection::AccessRegister, Projection::LastUse];

/// How many days an API key is unused before that is suggested, where nothing is asked.
pub const UNUSED_DAYS_DEFAULT: i32 = 90;

const NOUN: &str = "suggestion";

/// Something that an administrator may want to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Suggestion {
    /// What kind it is.
    pub kind: SuggestionKind,
    /// What it is about: first what the command would act on.
    pub subjects: Vec<Subject>,
    /// Since when it has been so: the last use, or the time at which something was due, sent or made.
    pub since: DateTime<Utc>,
    /// When it was used last, where that is what it is about and there was any use.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it is or was due, where that is what it is about.
    pub due_at: Option<DateTime<Utc>>,
    /// Why, in a sentence.
    pub why: String,
    /// What would act on it.
    pub command: SuggestedCommand,
    #[serde(skip)]
    #[schema(ignore)]
    id: Uuid,
}

/// Which suggestions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestionsQuery {
    /// The organization.
    pub organization_id: OrganizationId,
    /// Of these kinds only, in order.
    pub kinds: Vec<SuggestionKind>,
    /// The time against which ages are measured; now, where there is none.
    pub as_of: Option<DateTime<Utc>>,
    /// For how many days an API key must be unused.
    pub unused_days: i32,
}

/// Where a page ended, and at what time all pages are measured.
#[derive(Serialize, Deserialize)]
struct After {
    now: DateTime<Utc>,
    rank: i32,
    since: DateTime<Utc>,
    id: Uuid,
}

/// The suggestions, by kind, the oldest first.
pub async fn suggestions(
    snapshot: &mut Snapshot,
    query: &SuggestionsQuery,
    limit: Limit,
    cursor: Option<&Cursor>,
) -> Result<Page<Suggestion>, QueryError> {
    let after: Option<After> = keyset::after(NOUN, query, cursor)?;
    organizations::check_exists(snapshot, query.organization_id, Temporal::NOW).await?;
    let given = after.as_ref().map(|after| after.now).or(query.as_of);
    // The clock of this question is that of its picture: the database's, as the picture began.
    let now: DateTime<Utc> = sqlx::query_scalar("select coalesce($1, now())")
        .bind(given)
        .fetch_one(snapshot.connection())
        .await?;
    let rows = sqlx::query(&statement(&query.kinds))
        .bind(query.organization_id.0)
        .bind(now)
        .bind(query.unused_days)
        .bind(after.as_ref().map(|after| after.rank))
        .bind(after.as_ref().map(|after| after.since))
        .bind(after.as_ref().map(|after| after.id))
        .bind(keyset::one_more(limit))
        .fetch_all(snapshot.connection())
        .await?;
    let read = |row: &PgRow| suggestion(row, query);
    let items = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    keyset::page(NOUN, query, items, limit, |last| After {
        now,
        rank: last.kind.rank(),
        since: last.since,
        id: last.id,
    })
}

fn statement(kinds: &[SuggestionKind]) -> String {
    let kinds: Vec<String> = kinds
        .iter()
        .map(|kind| format!("select {} as rank, s.* from ({}) s", kind.rank(), kind.sql()))
        .collect();
    format!(
        "with asked as (select $1::uuid as organization_id, $2::timestamptz as now,
                               $3::integer as unused_days)
         select rank, id, since, last_used_at, due_at, subjects from ({}) found
         where $4::integer is null or (rank, since, id) > ($4, $5::timestamptz, $6::uuid)
         order by rank, since, id limit $7",
        kinds.join("\nunion all\n")
    )
}

fn suggestion(row: &PgRow, query: &SuggestionsQuery) -> Result<Suggestion, QueryError> {
    let kind = SuggestionKind::of_rank(row.try_get("rank")?)
        .ok_or_else(|| QueryError::unreadable("a suggestion of no kind"))?;
    let Json(subjects): Json<Vec<Subject>> = row.try_get("subjects")?;
    let last_used_at: Option<DateTime<Utc>> = row.try_get("last_used_at")?;
    Ok(Suggestion {
        kind,
        since: row.try_get("since")?,
        last_used_at,
        due_at: row.try_get("due_at")?,
        why: kind.why(last_used_at.is_some(), query.unused_days, subjects.len()),
        command: SuggestedCommand::of(kind, query.organization_id, &subjects),
        subjects,
        id: row.try_get("id")?,
    })
}
