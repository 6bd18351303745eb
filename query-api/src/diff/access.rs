//! What changed of what is true from a time to a time: a line wherever a version of something begins or
//! ends.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::{QueryBuilder, Row as _};

use super::names::Names;
use super::{Area, Became, DiffLine, LINES_MAX, Span};
use crate::error::QueryError;
use crate::snapshot::Snapshot;

/// A temporal view: what it is of, what identifies one, and its fields as an object.
struct Table {
    area: Area,
    kind: &'static str,
    view: &'static str,
    key: &'static [&'static str],
    fields: &'static str,
}

const PLAIN: &str = "to_jsonb(t)";

const TABLES: [Table; 13] = [
    Table {
        area: Area::Access,
        kind: "organization",
        view: "read.organizations",
        key: &["organization_id"],
        fields: "(to_jsonb(t) - 'settings' - 'security') || t.settings || t.security",
    },
    of(Area::Access, "member", "read.members", &["member_id"]),
    of(Area::Access, "invite", "read.invites", &["invite_id"]),
    of(Area::Access, "project", "read.projects", &["project_id"]),
    of(Area::Access, "project_member", "read.project_members", &["member_id", "project_id"]),
    of(Area::Access, "group", "read.groups", &["group_id"]),
    of(Area::Access, "group_member", "read.group_members", &["member_id", "group_id"]),
    of(Area::Access, "project_group", "read.project_groups", &["group_id", "project_id"]),
    of(Area::Access, "role", "read.roles", &["role_id"]),
    of(Area::Access, "role_grant", "read.role_grants", &["role_id", "grantee_id", "project_id"]),
    of(Area::Access, "service_account", "read.service_accounts", &["service_account_id"]),
    of(Area::Keys, "api_key", "read.api_keys", &["api_key_id"]),
    of(Area::Budgets, "budget", "read.budgets", &["budget_id"]),
];

const fn of(
    area: Area,
    kind: &'static str,
    view: &'static str,
    key: &'static [&'static str],
) -> Table {
    Table { area, kind, view, key, fields: PLAIN }
}

/// Columns that say when, by whom, or whose, and not what.
const NOT_FIELDS: [&str; 14] = [
    "organization_id",
    "person_id",
    "valid_from",
    "valid_to",
    "known_from",
    "known_to",
    "opened_by",
    "closed_by",
    "since",
    "granted_by",
    "created_by",
    "invited_by",
    "set_by",
    "key_owner_id",
];

/// Something as it was from a time to a time.
struct Version {
    key: String,
    ids: Map<String, Value>,
    fields: Map<String, Value>,
    valid_from: DateTime<Utc>,
    valid_to: Option<DateTime<Utc>>,
    opened_by: i64,
    closed_by: Option<i64>,
}

/// A change, with all fields before and after.
struct Change {
    ids: Map<String, Value>,
    before: Option<Map<String, Value>>,
    after: Option<Map<String, Value>>,
    at: DateTime<Utc>,
    position: i64,
    changes: usize,
}

/// What changed, in no order.
pub(super) async fn lines(
    snapshot: &mut Snapshot,
    span: &Span,
    names: &Names,
    net: bool,
) -> Result<Vec<DiffLine>, QueryError> {
    let mut lines = Vec::new();
    for table in &TABLES {
        let mut by_key: BTreeMap<String, Vec<Version>> = BTreeMap::new();
        for version in versions(snapshot, span, table).await? {
            by_key.entry(version.key.clone()).or_default().push(version);
        }
        for mut versions in by_key.into_values() {
            versions.sort_by_key(|version| version.valid_from);
            let mut changes = changes(span, &versions);
            if net {
                changes = whole(changes).into_iter().collect();
            }
            lines.extend(changes.into_iter().filter_map(|change| line(table, names, change)));
        }
        if lines.len() > LINES_MAX {
            return Err(QueryError::TooManyRows { rows_max: LINES_MAX });
        }
    }
    Ok(lines)
}

async fn versions(
    snapshot: &mut Snapshot,
    span: &Span,
    table: &Table,
) -> Result<Vec<Version>, QueryError> {
    let key: Vec<String> =
        table.key.iter().map(|column| format!("coalesce(t.{column}::text, '')")).collect();
    let mut query = QueryBuilder::new(format!(
        "select concat_ws(':', {}) as key, {} as fields, t.valid_from, t.valid_to, t.opened_by,
             t.closed_by
         from {} t where t.organization_id = ",
        key.join(", "),
        table.fields,
        table.view
    ));
    query.push_bind(span.organization_id);
    span.temporal.push_known(&mut query, "t");
    query.push(" and (false");
    for column in ["valid_from", "valid_to"] {
        query.push(format_args!(" or (t.{column} is not null"));
        if let Some(from) = span.from {
            query.push(format_args!(" and t.{column} > ")).push_bind(from);
        }
        if let Some(to) = span.to {
            query.push(format_args!(" and t.{column} <= ")).push_bind(to);
        }
        query.push(")");
    }
    query.push(format_args!(") limit {}", 2 * LINES_MAX + 1));
    let rows = query.build().fetch_all(snapshot.connection()).await?;
    if rows.len() > 2 * LINES_MAX {
        return Err(QueryError::TooManyRows { rows_max: LINES_MAX });
    }
    rows.iter()
        .map(|row| {
            let mut fields = match row.try_get("fields")? {
                Value::Object(fields) => fields,
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_) => Map::new(),
            };
            let ids = table.key.iter().filter_map(|column| {
                let id = fields.get(*column).filter(|id| !id.is_null())?;
                Some(((*column).to_owned(), id.clone()))
            });
            let ids = ids.collect();
            fields.retain(|name, _| !NOT_FIELDS.contains(&name.as_str()));
            Ok(Version {
                key: row.try_get("key")?,
                ids,
                fields,
                valid_from: row.try_get("valid_from")?,
                valid_to: row.try_get("valid_to")?,
                opened_by: row.try_get("opened_by")?,
                closed_by: row.try_get("closed_by")?,
            })
        })
        .collect()
}

/// Where one thing's versions begin and end within the span, in order of time.
fn changes(span: &Span, versions: &[Version]) -> Vec<Change> {
    let mut changes = Vec::new();
    for (number, version) in versions.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|before| versions.get(before));
        if span.has(version.valid_from) {
            let before = before.filter(|before| before.valid_to == Some(version.valid_from));
            changes.push(Change {
                ids: version.ids.clone(),
                before: before.map(|before| before.fields.clone()),
                after: Some(version.fields.clone()),
                at: version.valid_from,
                position: version.opened_by,
                changes: 1,
            });
        }
        let next = versions.get(number + 1);
        let goes_on = next.is_some_and(|next| Some(next.valid_from) == version.valid_to);
        if let (Some(at), Some(position), false) = (version.valid_to, version.closed_by, goes_on)
            && span.has(at)
        {
            changes.push(Change {
                ids: version.ids.clone(),
                before: Some(version.fields.clone()),
                after: None,
                at,
                position,
                changes: 1,
            });
        }
    }
    changes
}

/// One thing's changes as one: what it was before the first, and what it is after the last.
fn whole(changes: Vec<Change>) -> Option<Change> {
    let count = changes.len();
    let mut changes = changes.into_iter();
    let first = changes.next()?;
    let before = first.before.clone();
    let last = changes.last().unwrap_or(first);
    Some(Change { before, changes: count, ..last })
}

/// The line of a change; none where nothing is otherwise but since when, or by whom.
fn line(table: &Table, names: &Names, change: Change) -> Option<DiffLine> {
    let Change { ids, before, after, at, position, changes } = change;
    let became = match (&before, &after) {
        (None, None) => return None,
        (None, Some(_)) => Became::Began,
        (Some(_), None) => Became::Ended,
        (Some(_), Some(_)) => Became::Changed,
    };
    let name = names.of(table.kind, &ids, after.as_ref().or(before.as_ref()));
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => {
            let differs = |name: &String| before.get(name) != after.get(name);
            let only = |of: &Map<String, Value>| {
                let fields = of.iter().filter(|(name, _)| differs(name));
                let fields: Map<String, Value> =
                    fields.map(|(name, value)| (name.clone(), value.clone())).collect();
                fields
            };
            let (was, is) = (only(&before), only(&after));
            if was.is_empty() && is.is_empty() {
                return None;
            }
            (Some(was), Some(is))
        }
        others => others,
    };
    Some(DiffLine {
        area: table.area,
        kind: table.kind.to_owned(),
        name,
        became,
        ids,
        before: before.map(Value::Object),
        after: after.map(Value::Object),
        at,
        position,
        changes,
        event_id: None,
        event_type: None,
        actor: None,
        reason: None,
        recorded_at: None,
    })
}
