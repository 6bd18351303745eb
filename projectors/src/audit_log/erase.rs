//! Forgetting a person in an audit log: what stays reads as a build from zero reads it without their
//! key. No line is added or goes.

use event_schemas::personal::erased;
use event_schemas::{Actor, OrganizationId, PersonId};
use sqlx::PgConnection;

/// Where a person's text stands in a thing's fields: of which kind of thing, under which name, and
/// whether it reads as null once they are erased.
const TEXTS: [(&str, &str, bool); 3] =
    [("member", "login", false), ("member", "email", true), ("invite", "email", false)];

/// Forgets a person.
pub(super) async fn erase(
    tx: &mut PgConnection,
    organization_id: OrganizationId,
    person_id: PersonId,
) -> Result<(), sqlx::Error> {
    let name = erased(person_id);
    for (kind, field, is_nullable) in TEXTS {
        let text = if is_nullable { serde_json::Value::Null } else { name.clone().into() };
        for (table, column, of_kind) in [
            ("audit_log", "before", "target_kind = $4"),
            ("audit_log", "after", "target_kind = $4"),
            ("audit_states", "state", "split_part(key, ':', 1) = $4"),
        ] {
            // A person is one organization's. Null says nothing, and stays so.
            sqlx::query(&format!(
                "update {table} set {column} = jsonb_set({column}, array[$1::text], $2::jsonb)
                 where person_id = $3 and {of_kind} and jsonb_typeof({column} -> $1) = 'string'"
            ))
            .bind(field)
            .bind(&text)
            .bind(person_id.0)
            .bind(kind)
            .execute(&mut *tx)
            .await?;
        }
    }
    sqlx::query(
        "update audit_log set actor = $1 where organization_id = $2 and actor_person_id = $3",
    )
    .bind(Actor::external(&name).to_string())
    .bind(organization_id.0)
    .bind(person_id.0)
    .execute(tx)
    .await?;
    Ok(())
}
