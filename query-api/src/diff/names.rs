//! What things are called: as they were called last.

use std::collections::HashMap;

use serde_json::{Map, Value};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::Span;
use crate::error::QueryError;
use crate::snapshot::Snapshot;

/// Views with names: the id, and what one is called.
const NAMED: [(&str, &str, &str); 7] = [
    ("read.members", "member_id", "login"),
    ("read.projects", "project_id", "name"),
    ("read.groups", "group_id", "name"),
    ("read.roles", "role_id", "name"),
    ("read.service_accounts", "service_account_id", "name"),
    ("read.api_keys", "api_key_id", "name"),
    ("read.budgets", "budget_id", "name"),
];

/// Names by id.
pub(super) struct Names(HashMap<Uuid, String>);

impl Names {
    pub(super) async fn read(snapshot: &mut Snapshot, span: &Span) -> Result<Self, QueryError> {
        let mut names = HashMap::new();
        for (view, id, called) in NAMED {
            let mut query = QueryBuilder::new(format!(
                "select distinct on (t.{id}) t.{id}, t.{called} from {view} t
                 where t.organization_id = "
            ));
            query.push_bind(span.organization_id);
            span.temporal.push_known(&mut query, "t");
            query.push(format_args!(" order by t.{id}, t.valid_from desc"));
            let rows: Vec<(Uuid, String)> =
                query.build_query_as().fetch_all(snapshot.connection()).await?;
            names.extend(rows);
        }
        Ok(Self(names))
    }

    /// What something is called: by its own name, or by those of what it is between.
    pub(super) fn of(
        &self,
        kind: &str,
        ids: &Map<String, Value>,
        fields: Option<&Map<String, Value>>,
    ) -> String {
        let field = |name: &str| fields.and_then(|fields| fields.get(name)).and_then(Value::as_str);
        if kind == "invite" {
            return field("email").unwrap_or_default().to_owned();
        }
        if kind == "organization" {
            return field("name").unwrap_or_default().to_owned();
        }
        let name = |id: &str| {
            let known = id.parse().ok().and_then(|id: Uuid| self.0.get(&id));
            known.map_or_else(|| id.to_owned(), String::clone)
        };
        let names: Vec<String> = ids.values().filter_map(Value::as_str).map(name).collect();
        let mut text = names.join(" · ");
        // A key is somebody's.
        let owner = field("member_id").or_else(|| field("service_account_id"));
        if let Some(owner) = owner.filter(|_| kind == "api_key") {
            text.push_str(&format!(" of {}", name(owner)));
        }
        text
    }
}
