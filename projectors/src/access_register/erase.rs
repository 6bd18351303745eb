//! Forgetting a person: their texts in every row, known still or overruled, become what a build from zero
//! reads of them now that their key is gone. No row is added, ended or merged.
//!
//! Which columns these are follows from their names, so that a new table is not forgotten: `login` and
//! `email` where a row has a `person_id`, and who acted in every text column that ends in `_by`.

use std::collections::BTreeSet;

use event_schemas::Actor;
use event_schemas::personal::erased;
use sqlx::PgConnection;

use super::facts::PersonOf;

/// Keeps under which texts the actors of a page stand whose names are theirs, to find them by.
pub(super) async fn remember(
    tx: &mut PgConnection,
    actors: &BTreeSet<(PersonOf, String)>,
) -> Result<(), sqlx::Error> {
    if actors.is_empty() {
        return Ok(());
    }
    let persons: Vec<_> = actors.iter().map(|(person, _)| person.person_id.0).collect();
    let texts: Vec<&str> = actors.iter().map(|(_, text)| text.as_str()).collect();
    sqlx::query(
        "insert into external_actors (person_id, actor)
         select * from unnest($1::uuid[], $2::text[]) on conflict do nothing",
    )
    .bind(persons)
    .bind(texts)
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets a person.
pub(super) async fn erase(tx: &mut PgConnection, person: PersonOf) -> Result<(), sqlx::Error> {
    let name = erased(person.person_id);
    for (table, column, is_nullable) in own_columns(tx).await? {
        let forgotten = Some(&name).filter(|_| !is_nullable);
        // A text that is not there says nothing, and stays so.
        sqlx::query(&format!(
            "update {table} set {column} = $1
             where organization_id = $2 and person_id = $3 and {column} is not null"
        ))
        .bind(forgotten)
        .bind(person.organization_id.0)
        .bind(person.person_id.0)
        .execute(&mut *tx)
        .await?;
    }
    erase_actor(tx, person, &Actor::external(&name).to_string()).await
}

async fn erase_actor(
    tx: &mut PgConnection,
    person: PersonOf,
    forgotten: &str,
) -> Result<(), sqlx::Error> {
    let known: Vec<String> =
        sqlx::query_scalar("delete from external_actors where person_id = $1 returning actor")
            .bind(person.person_id.0)
            .fetch_all(&mut *tx)
            .await?;
    if known.is_empty() {
        return Ok(());
    }
    for (table, column) in actor_columns(tx).await? {
        sqlx::query(&format!(
            "update {table} set {column} = $1 where organization_id = $2 and {column} = any($3)"
        ))
        .bind(forgotten)
        .bind(person.organization_id.0)
        .bind(&known)
        .execute(&mut *tx)
        .await?;
    }
    let actors = BTreeSet::from([(person, forgotten.to_owned())]);
    remember(tx, &actors).await
}

/// Tables and columns with persons' own texts, and whether they may be null.
async fn own_columns(tx: &mut PgConnection) -> Result<Vec<(String, String, bool)>, sqlx::Error> {
    sqlx::query_as(
        "select c.table_name::text, c.column_name::text, c.is_nullable = 'YES'
         from information_schema.columns c
         join information_schema.columns p
             on p.table_schema = c.table_schema and p.table_name = c.table_name
                 and p.column_name = 'person_id'
         where c.table_schema = current_schema() and c.column_name in ('login', 'email')
         order by 1, 2",
    )
    .fetch_all(tx)
    .await
}

/// Tables and columns that say who acted.
async fn actor_columns(tx: &mut PgConnection) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "select table_name::text, column_name::text from information_schema.columns
         where table_schema = current_schema() and data_type = 'text'
             and right(column_name, 3) = '_by'
         order by 1, 2",
    )
    .fetch_all(tx)
    .await
}
