//! What a member has: by themselves, through groups and by custom roles.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, QueryBuilder, Row as _};
use uuid::Uuid;

use super::{Asked, Attestation, WhyLine, first};
use crate::error::QueryError;
use crate::snapshot::Snapshot;

/// Something that is held, and what its events are about.
#[derive(Debug, Clone)]
struct Held {
    kind: &'static str,
    what: String,
    since: DateTime<Utc>,
    granted_by: String,
    /// Kinds of targets, and all that such an event is about.
    behind: Vec<(&'static str, Vec<Uuid>)>,
    review: Review,
}

/// What a line of an access review is of.
#[derive(Debug, Clone)]
struct Review {
    kind: &'static str,
    holder: Uuid,
    project: Option<Uuid>,
    group: Option<Uuid>,
    role: Option<Uuid>,
}

impl Review {
    fn of(kind: &'static str, holder: Uuid) -> Self {
        Self { kind, holder, project: None, group: None, role: None }
    }
}

/// Rows by the names of their columns.
macro_rules! rows {
    ($($name:ident { $($field:ident: $type:ty,)+ })+) => {$(
        struct $name {
            $($field: $type,)+
        }

        impl FromRow<'_, PgRow> for $name {
            fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: row.try_get(stringify!($field))?,)+ })
            }
        }
    )+};
}

rows! {
    MemberRow {
        login: String,
        role: String,
        suspended: bool,
        since: DateTime<Utc>,
        granted_by: String,
    }
    ProjectRow {
        project_id: Uuid,
        project: String,
        role: String,
        since: DateTime<Utc>,
        granted_by: String,
    }
    GroupRow {
        group_id: Uuid,
        name: String,
        role: Option<String>,
        since: DateTime<Utc>,
        granted_by: String,
    }
    GrantRow {
        role_id: Uuid,
        name: String,
        project_id: Option<Uuid>,
        since: DateTime<Utc>,
        granted_by: String,
    }
}

/// What a member has, in a project or everywhere.
pub(super) async fn lines(
    snapshot: &mut Snapshot,
    asked: &Asked,
    member_id: Uuid,
    project_id: Option<Uuid>,
) -> Result<Vec<WhyLine>, QueryError> {
    let mut held = Vec::new();
    let Some(member) = member(snapshot, asked, member_id).await? else { return Ok(Vec::new()) };
    held.push(member);
    for row in
        projects(snapshot, asked, ("project_members", "member_id"), member_id, project_id).await?
    {
        held.push(Held {
            kind: "project_member",
            what: format!("{} in {}", row.role, row.project),
            since: row.since,
            granted_by: row.granted_by,
            behind: vec![("project_member", vec![member_id, row.project_id])],
            review: Review {
                project: Some(row.project_id),
                ..Review::of("project_role", member_id)
            },
        });
    }
    held.extend(custom(snapshot, asked, member_id, project_id, None).await?);
    for group in groups(snapshot, asked, member_id).await? {
        held.extend(through(snapshot, asked, member_id, project_id, &group).await?);
    }
    let mut lines = Vec::with_capacity(held.len());
    for held in held {
        lines.push(line(snapshot, asked, held, member_id).await?);
    }
    Ok(lines)
}

async fn member(
    snapshot: &mut Snapshot,
    asked: &Asked,
    member_id: Uuid,
) -> Result<Option<Held>, QueryError> {
    let mut query = QueryBuilder::new(
        "select t.login, t.role, t.suspended, t.since, t.granted_by from read.members t
         where t.organization_id = ",
    );
    query.push_bind(asked.organization_id).push(" and t.member_id = ").push_bind(member_id);
    asked.temporal.push(&mut query, "t");
    let row: Option<MemberRow> =
        query.build_query_as().fetch_optional(snapshot.connection()).await?;
    Ok(row.map(|row| Held {
        kind: "member",
        what: format!(
            "{} is {} of the organization{}",
            row.login,
            row.role,
            if row.suspended { ", suspended" } else { "" }
        ),
        since: row.since,
        granted_by: row.granted_by,
        behind: vec![("member", vec![member_id])],
        review: Review::of("member_role", member_id),
    }))
}

/// Roles in projects of a member or a group.
async fn projects(
    snapshot: &mut Snapshot,
    asked: &Asked,
    (view, holder): (&str, &str),
    holder_id: Uuid,
    project_id: Option<Uuid>,
) -> Result<Vec<ProjectRow>, QueryError> {
    let mut query = QueryBuilder::new(format!(
        "select t.project_id, p.name as project, t.role, t.since, t.granted_by
         from read.{view} t join read.projects p on p.project_id = t.project_id
         where t.{holder} = "
    ));
    query.push_bind(holder_id).push(" and t.organization_id = ").push_bind(asked.organization_id);
    if let Some(project_id) = project_id {
        query.push(" and t.project_id = ").push_bind(project_id);
    }
    asked.temporal.push(&mut query, "t");
    asked.temporal.push(&mut query, "p");
    query.push(" order by lower(p.name), t.project_id");
    Ok(query.build_query_as().fetch_all(snapshot.connection()).await?)
}

/// The groups that a member is in, with when they came into each.
async fn groups(
    snapshot: &mut Snapshot,
    asked: &Asked,
    member_id: Uuid,
) -> Result<Vec<GroupRow>, QueryError> {
    let mut query = QueryBuilder::new(
        "select t.group_id, g.name, g.role, t.since, t.granted_by
         from read.group_members t join read.groups g on g.group_id = t.group_id
         where t.member_id = ",
    );
    query.push_bind(member_id).push(" and t.organization_id = ").push_bind(asked.organization_id);
    asked.temporal.push(&mut query, "t");
    asked.temporal.push(&mut query, "g");
    query.push(" order by lower(g.name), t.group_id");
    Ok(query.build_query_as().fetch_all(snapshot.connection()).await?)
}

/// Custom roles of a member, or of a group that they are in.
async fn custom(
    snapshot: &mut Snapshot,
    asked: &Asked,
    holder: Uuid,
    project_id: Option<Uuid>,
    through: Option<(&GroupRow, Uuid)>,
) -> Result<Vec<Held>, QueryError> {
    let mut query = QueryBuilder::new(
        "select t.role_id, r.name, t.project_id, t.since, t.granted_by
         from read.role_grants t join read.roles r on r.role_id = t.role_id
         where t.grantee_id = ",
    );
    query.push_bind(holder).push(" and t.organization_id = ").push_bind(asked.organization_id);
    if let Some(project_id) = project_id {
        query.push(" and (t.project_id is null or t.project_id = ").push_bind(project_id).push(")");
    }
    asked.temporal.push(&mut query, "t");
    asked.temporal.push(&mut query, "r");
    query.push(" order by lower(r.name), t.role_id, t.project_id");
    let rows: Vec<GrantRow> = query.build_query_as().fetch_all(snapshot.connection()).await?;
    let held = rows.into_iter().map(|row| {
        let mut about = vec![holder, row.role_id];
        about.extend(row.project_id);
        let mut behind = vec![("role_grant", about), ("role", vec![row.role_id])];
        let mut what = format!("the custom role {}", row.name);
        if let Some((group, member_id)) = through {
            what.push_str(&format!(" through the group {}", group.name));
            behind.push(("group_member", vec![member_id, group.group_id]));
        }
        Held {
            kind: "role_grant",
            what,
            since: row.since,
            granted_by: row.granted_by,
            behind,
            review: Review {
                role: Some(row.role_id),
                project: row.project_id,
                ..Review::of("role_grant", holder)
            },
        }
    });
    Ok(held.collect())
}

/// What a member has through a group.
async fn through(
    snapshot: &mut Snapshot,
    asked: &Asked,
    member_id: Uuid,
    project_id: Option<Uuid>,
    group: &GroupRow,
) -> Result<Vec<Held>, QueryError> {
    let role = group.role.as_deref().map(|role| format!(", and so {role} of the organization"));
    let mut held = vec![Held {
        kind: "group_member",
        what: format!("in the group {}{}", group.name, role.unwrap_or_default()),
        since: group.since,
        granted_by: group.granted_by.clone(),
        behind: vec![
            ("group_member", vec![member_id, group.group_id]),
            ("group", vec![group.group_id]),
        ],
        review: Review { group: Some(group.group_id), ..Review::of("group_membership", member_id) },
    }];
    let view = ("project_groups", "group_id");
    for row in projects(snapshot, asked, view, group.group_id, project_id).await? {
        held.push(Held {
            kind: "project_group",
            what: format!("{} in {} through the group {}", row.role, row.project, group.name),
            since: row.since.max(group.since),
            granted_by: row.granted_by,
            behind: vec![
                ("project_group", vec![group.group_id, row.project_id]),
                ("group_member", vec![member_id, group.group_id]),
            ],
            review: Review {
                project: Some(row.project_id),
                ..Review::of("project_role", group.group_id)
            },
        });
    }
    let through = Some((group, member_id));
    held.extend(custom(snapshot, asked, group.group_id, project_id, through).await?);
    Ok(held)
}

async fn line(
    snapshot: &mut Snapshot,
    asked: &Asked,
    held: Held,
    member_id: Uuid,
) -> Result<WhyLine, QueryError> {
    let mut query = asked.events();
    query.push(" and (false");
    for (kind, about) in &held.behind {
        query.push(" or (t.target_kind = ").push_bind(*kind);
        query.push(" and t.concerns @> ").push_bind(about.clone()).push(")");
    }
    if held.kind == "member" {
        // The invite that somebody came by, from its sending on.
        query.push(
            " or (t.target_kind = 'invite' and t.target_id in (select i.target_id
              from read.audit_log i where i.target_kind = 'invite' and i.organization_id = ",
        );
        query.push_bind(asked.organization_id);
        query.push(" and i.concerns @> ").push_bind(vec![member_id]).push("))");
    }
    query.push(")");
    let (events, more) = first(snapshot, query).await?;
    let attestations = attestations(snapshot, asked, &held.review).await?;
    Ok(WhyLine {
        kind: held.kind.to_owned(),
        what: held.what,
        since: Some(held.since),
        granted_by: Some(held.granted_by),
        events,
        more,
        attestations,
        ..WhyLine::default()
    })
}

/// An attestation, in the order of its columns.
type AttestationRow =
    (Uuid, String, String, Option<String>, Option<String>, Option<DateTime<Utc>>, Option<String>);

async fn attestations(
    snapshot: &mut Snapshot,
    asked: &Asked,
    review: &Review,
) -> Result<Vec<Attestation>, QueryError> {
    let mut query = QueryBuilder::new(
        "select l.access_review_id, r.title, a.decision, a.reason, a.attested_by, a.attested_at,
             l.outcome
         from read.access_review_attestations a join read.access_review_lines l using (line_id)
             join read.access_reviews r on r.access_review_id = l.access_review_id
         where a.organization_id = ",
    );
    query.push_bind(asked.organization_id);
    query.push(" and a.position <= ").push_bind(asked.position);
    query.push(" and l.kind = ").push_bind(review.kind);
    query.push(" and l.holder_id = ").push_bind(review.holder);
    for (column, id) in
        [("project_id", review.project), ("group_id", review.group), ("role_id", review.role)]
    {
        if let Some(id) = id {
            query.push(format_args!(" and l.{column} = ")).push_bind(id);
        }
    }
    if let Some(time) = asked.temporal.as_of {
        query.push(" and a.attested_at <= ").push_bind(time);
    }
    query.push(" order by a.position limit 100");
    let rows: Vec<AttestationRow> = query.build_query_as().fetch_all(snapshot.connection()).await?;
    let attestation =
        |(access_review_id, title, decision, reason, attested_by, attested_at, outcome)| {
            Attestation {
                access_review_id,
                title,
                decision,
                reason,
                attested_by,
                attested_at,
                outcome,
            }
        };
    Ok(rows.into_iter().map(attestation).collect())
}
