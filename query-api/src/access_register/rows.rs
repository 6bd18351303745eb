//! The register's rows: one statement for each of its views, put together here.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event_schemas::{MemberId, OrganizationId, ProjectId, ServiceAccountId};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

use super::held::Held;
use super::{
    ROWS_MAX, RegisterKey, RegisterOrganization, RegisterPerson, RegisterProject,
    RegisterServiceAccount,
};
use crate::error::QueryError;
use crate::organizations::OrganizationRef;
use crate::snapshot::Snapshot;
use crate::temporal::Temporal;

/// Rows by what they belong to, in the order they were read.
pub(super) type Grouped<T> = HashMap<Uuid, Vec<T>>;

/// Names by id.
pub(super) type Names = HashMap<Uuid, String>;

type PersonRow = (Uuid, Uuid, String, Option<String>, String, bool, DateTime<Utc>, String);
type AccountRow = (Uuid, Uuid, Uuid, String, Option<String>, bool);
type RoleRow = (Uuid, Uuid, String, String, DateTime<Utc>, String);
type KeyRow = (Uuid, String, String, String, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// The organizations that are asked for, still empty.
pub(super) async fn organizations(
    snapshot: &mut Snapshot,
    reference: Option<&OrganizationRef>,
    temporal: Temporal,
) -> Result<Vec<RegisterOrganization>, QueryError> {
    let mut query =
        QueryBuilder::new("select t.organization_id, t.name from read.organizations t where true");
    match reference {
        None => {}
        Some(OrganizationRef::Id(id)) => {
            query.push(" and t.organization_id = ").push_bind(id.0);
        }
        Some(OrganizationRef::Name(name)) => {
            query.push(" and lower(t.name) = lower(").push_bind(name.clone()).push(")");
        }
    }
    temporal.push(&mut query, "t");
    let rows: Vec<(Uuid, String)> =
        fetch(snapshot, query, " order by lower(t.name) collate \"C\", t.organization_id").await?;
    let empty = |(id, name)| RegisterOrganization {
        organization_id: OrganizationId(id),
        name,
        people: Vec::new(),
        service_accounts: Vec::new(),
    };
    Ok(rows.into_iter().map(empty).collect())
}

/// With people and service accounts: of all of them, or, reading no others, of the only one.
pub(super) async fn fill(
    snapshot: &mut Snapshot,
    mut organizations: Vec<RegisterOrganization>,
    only: Option<OrganizationId>,
    temporal: Temporal,
) -> Result<Vec<RegisterOrganization>, QueryError> {
    let projects = project_names(snapshot, only, temporal).await?;
    let mut people = people(snapshot, &projects, only, temporal).await?;
    let mut service_accounts = service_accounts(snapshot, &projects, only, temporal).await?;
    for organization in &mut organizations {
        let id = organization.organization_id.0;
        organization.people = people.remove(&id).unwrap_or_default();
        organization.service_accounts = service_accounts.remove(&id).unwrap_or_default();
    }
    Ok(organizations)
}

/// Members by organization.
async fn people(
    snapshot: &mut Snapshot,
    project_names: &Names,
    only: Option<OrganizationId>,
    temporal: Temporal,
) -> Result<Grouped<RegisterPerson>, QueryError> {
    let mut projects = project_roles(snapshot, only, temporal).await?;
    let held = Held::read(snapshot, only, temporal).await?;
    let mut room = ROWS_MAX;
    let query = select(
        "select t.organization_id, t.member_id, t.login, t.email, t.role, t.suspended, t.since,
             t.granted_by
         from read.members t where true",
        &["t"],
        only,
        temporal,
    );
    let order = " order by lower(t.login) collate \"C\", t.member_id";
    let rows: Vec<PersonRow> = fetch(snapshot, query, order).await?;
    let mut people = Grouped::new();
    for (organization_id, id, login, email, role, suspended, since, granted_by) in rows {
        let mut person = RegisterPerson {
            member_id: MemberId(id),
            login,
            email,
            role,
            suspended,
            further_roles: Vec::new(),
            groups: Vec::new(),
            projects: projects.remove(&id).unwrap_or_default(),
            since,
            granted_by,
            last_review: None,
        };
        room = held
            .add_to(&mut person, project_names, room)
            .ok_or(QueryError::TooManyRows { rows_max: ROWS_MAX })?;
        people.entry(organization_id).or_insert_with(Vec::new).push(person);
    }
    Ok(people)
}

/// Roles in projects by member.
async fn project_roles(
    snapshot: &mut Snapshot,
    only: Option<OrganizationId>,
    temporal: Temporal,
) -> Result<Grouped<RegisterProject>, QueryError> {
    let query = select(
        "select t.member_id, t.project_id, p.name, t.role, t.since, t.granted_by
         from read.project_members t join read.projects p on p.project_id = t.project_id
         where true",
        &["t", "p"],
        only,
        temporal,
    );
    let order = " order by lower(p.name) collate \"C\", p.project_id";
    let rows: Vec<RoleRow> = fetch(snapshot, query, order).await?;
    let role = |(id, project_id, name, role, since, granted_by): RoleRow| {
        let project_id = ProjectId(project_id);
        let (custom, group) = (false, None);
        (id, RegisterProject { name, role, custom, group, project_id, since, granted_by })
    };
    Ok(group(rows.into_iter().map(role)))
}

/// Projects' names.
async fn project_names(
    snapshot: &mut Snapshot,
    only: Option<OrganizationId>,
    temporal: Temporal,
) -> Result<Names, QueryError> {
    let statement = "select t.project_id, t.name from read.projects t where true";
    let query = select(statement, &["t"], only, temporal);
    let rows: Vec<(Uuid, String)> = fetch(snapshot, query, "").await?;
    Ok(rows.into_iter().collect())
}

/// Service accounts by organization.
async fn service_accounts(
    snapshot: &mut Snapshot,
    projects: &Names,
    only: Option<OrganizationId>,
    temporal: Temporal,
) -> Result<Grouped<RegisterServiceAccount>, QueryError> {
    let mut keys = keys(snapshot, only, temporal).await?;
    let query = select(
        "select t.organization_id, t.service_account_id, t.project_id, t.name, t.purpose, t.disabled
         from read.service_accounts t where true",
        &["t"],
        only,
        temporal,
    );
    let order = " order by lower(t.name) collate \"C\", t.service_account_id";
    let rows: Vec<AccountRow> = fetch(snapshot, query, order).await?;
    let account = |(organization_id, id, project_id, name, purpose, disabled): AccountRow| {
        let account = RegisterServiceAccount {
            service_account_id: ServiceAccountId(id),
            name,
            project_id: ProjectId(project_id),
            project: projects.get(&project_id).cloned(),
            purpose,
            disabled,
            keys: keys.remove(&id).unwrap_or_default(),
        };
        (organization_id, account)
    };
    Ok(group(rows.into_iter().map(account)))
}

/// Keys by service account.
async fn keys(
    snapshot: &mut Snapshot,
    only: Option<OrganizationId>,
    temporal: Temporal,
) -> Result<Grouped<RegisterKey>, QueryError> {
    let query = select(
        "select t.service_account_id, t.name, t.redacted, t.state, t.expires_at, t.rotation_due_at
         from read.api_keys t where t.service_account_id is not null",
        &["t"],
        only,
        temporal,
    );
    let order = " order by lower(t.name) collate \"C\", t.api_key_id";
    let rows: Vec<KeyRow> = fetch(snapshot, query, order).await?;
    let key = |(account_id, name, redacted, state, expires_at, rotation_due_at): KeyRow| {
        (account_id, RegisterKey { name, redacted, state, expires_at, rotation_due_at })
    };
    Ok(group(rows.into_iter().map(key)))
}

pub(super) fn select<'q>(
    statement: &'static str,
    aliases: &[&str],
    only: Option<OrganizationId>,
    temporal: Temporal,
) -> QueryBuilder<'q, Postgres> {
    let mut query = QueryBuilder::new(statement);
    for alias in aliases {
        if let Some(organization_id) = only {
            query.push(format_args!(" and {alias}.organization_id = "));
            query.push_bind(organization_id.0);
        }
        temporal.push(&mut query, alias);
    }
    query
}

pub(super) async fn fetch<T>(
    snapshot: &mut Snapshot,
    mut query: QueryBuilder<'_, Postgres>,
    order: &str,
) -> Result<Vec<T>, QueryError>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    query.push(order).push(format_args!(" limit {}", ROWS_MAX + 1));
    let rows = query.build_query_as().fetch_all(snapshot.connection()).await?;
    if rows.len() > ROWS_MAX {
        return Err(QueryError::TooManyRows { rows_max: ROWS_MAX });
    }
    Ok(rows)
}

pub(super) fn group<T>(rows: impl Iterator<Item = (Uuid, T)>) -> Grouped<T> {
    let mut grouped = Grouped::new();
    for (id, item) in rows {
        grouped.entry(id).or_default().push(item);
    }
    grouped
}
