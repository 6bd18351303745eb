//! A new master key: every key of a person is wrapped anew, and the old master key can go.

use event_schemas::PersonId;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::keys::bound_to;
use super::master::Wrapped;
use super::{MasterKeys, VaultError};

/// How many keys one statement wraps anew.
const AT_ONCE: i64 = 1_000;

/// Wraps every key with the first of the master keys that is wrapped with another of them; gives how
/// many. It can be interrupted and run again, and what is written meanwhile loses nothing. The
/// connection acts as the writer.
pub async fn rewrap(
    connection: &mut PgConnection,
    masters: &MasterKeys,
) -> Result<u64, VaultError> {
    let mut rewrapped = common_keys(connection, masters).await?;
    loop {
        let done = person_keys(connection, masters).await?;
        if done == 0 {
            return Ok(rewrapped);
        }
        rewrapped += done;
    }
}

async fn person_keys(
    connection: &mut PgConnection,
    masters: &MasterKeys,
) -> Result<u64, VaultError> {
    let rows = sqlx::query(
        "select person_id, organization_id, master_key_id, wrapped_key
         from vault.person_keys where master_key_id <> $1 order by person_id limit $2",
    )
    .bind(masters.current_id())
    .bind(AT_ONCE)
    .fetch_all(&mut *connection)
    .await?;
    let (mut ids, mut wrapped_keys) = (Vec::new(), Vec::new());
    for row in &rows {
        let person_id: Uuid = row.get("person_id");
        let bound_to = bound_to(PersonId(person_id), row.get("organization_id"));
        let old = Wrapped { master_key_id: row.get(2), wrapped_key: row.get(3) };
        let key = masters.unwrap(&bound_to, &old, &format!("person {person_id}"))?;
        ids.push(person_id);
        wrapped_keys.push(masters.wrap(&bound_to, &key)?.wrapped_key);
    }
    // One that was destroyed meanwhile stays so.
    sqlx::query(
        "update vault.person_keys k set master_key_id = $1, wrapped_key = n.wrapped_key
         from unnest($2::uuid[], $3::bytea[]) as n(person_id, wrapped_key)
         where k.person_id = n.person_id and k.destroyed_at is null",
    )
    .bind(masters.current_id())
    .bind(ids)
    .bind(wrapped_keys)
    .execute(connection)
    .await?;
    Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
}

async fn common_keys(
    connection: &mut PgConnection,
    masters: &MasterKeys,
) -> Result<u64, VaultError> {
    let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(
        "select purpose, master_key_id, wrapped_key from vault.common_keys where master_key_id <> $1",
    )
    .bind(masters.current_id())
    .fetch_all(&mut *connection)
    .await?;
    for (purpose, master_key_id, wrapped_key) in &rows {
        let bound_to = format!("common key|{purpose}").into_bytes();
        let old =
            Wrapped { master_key_id: master_key_id.clone(), wrapped_key: wrapped_key.clone() };
        let new = masters.wrap(&bound_to, &masters.unwrap(&bound_to, &old, purpose)?)?;
        let update =
            "update vault.common_keys set master_key_id = $2, wrapped_key = $3 where purpose = $1";
        sqlx::query(update)
            .bind(purpose)
            .bind(new.master_key_id)
            .bind(new.wrapped_key)
            .execute(&mut *connection)
            .await?;
    }
    Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
}
