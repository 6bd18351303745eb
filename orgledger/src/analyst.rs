//! `orgledger analyst`: logins of Postgres that read the views in `reports`, each of the
//! organizations that it was granted.

use anyhow::{Context as _, bail};
use event_log::database::{self, Role};
use query_api::costs::READS;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::cli::{AnalystArgs, AnalystCommand, PlaceArgs};
use crate::installation::Installation;
use crate::report::{self, text};

/// Grants, revokes or lists.
pub(crate) async fn run(place: &PlaceArgs, command: AnalystCommand) -> anyhow::Result<()> {
    let installation = Installation::open_existing(place).await?;
    let mut owner = database::connect(&installation.read, Role::Owner).await?;
    let told = match command {
        AnalystCommand::Grant(args) => {
            let organization_id = organization(&installation, &args.organization).await?;
            grant(&mut owner, &args, organization_id).await?
        }
        AnalystCommand::Revoke(args) => {
            let organization_id = organization(&installation, &args.organization).await?;
            revoke(&mut owner, &args, organization_id).await?
        }
        AnalystCommand::List => list(&mut owner).await?,
    };
    owner.close().await?;
    crate::print(&told)?;
    installation.close().await
}

/// The id of an organization, by its name or id.
pub(crate) async fn organization(installation: &Installation, name: &str) -> anyhow::Result<Uuid> {
    let mut snapshot = report::up_to_date(installation, READS).await?;
    let query = query_api::costs::CostsQuery::of(name.parse()?, vec![]);
    let report = query_api::costs::costs(&mut snapshot, &query).await;
    Ok(report.map_err(|error| report::failed(error, name))?.organization_id.0)
}

async fn grant(
    owner: &mut PgConnection,
    args: &AnalystArgs,
    organization_id: Uuid,
) -> anyhow::Result<String> {
    let login = &args.login;
    let mut tx = owner.begin().await?;
    let is_analyst: Option<bool> = sqlx::query_scalar(
        "select pg_has_role(oid, 'orgledger_analyst', 'member') and not rolsuper
         from pg_roles where rolname = $1",
    )
    .bind(login)
    .fetch_optional(&mut *tx)
    .await?;
    let mut told = format!("{login} sees {}", args.organization);
    match is_analyst {
        Some(true) => {}
        Some(false) => bail!("there is a role '{login}' already, and it is no analyst's"),
        None => {
            let password = make_login(&mut tx, login).await?;
            told.push_str(&format!("\npassword, shown this once: {password}"));
        }
    }
    sqlx::query(
        "insert into reports.grants (login, organization_id) values ($1, $2)
                 on conflict do nothing",
    )
    .bind(login)
    .bind(organization_id)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(told)
}

/// Makes the login, with a password that Postgres makes up. It only reads, and not for long.
async fn make_login(tx: &mut PgConnection, login: &str) -> anyhow::Result<String> {
    let (password, statements): (String, Vec<String>) = sqlx::query_as(
        "select password, array[
             format('create role %I login password %L in role orgledger_analyst', $1, password),
             format('alter role %I set default_transaction_read_only to on', $1),
             format('alter role %I set statement_timeout to ''60s''', $1)]
         from (select replace(gen_random_uuid()::text || gen_random_uuid(), '-', '')) as p (password)",
    )
    .bind(login)
    .fetch_one(&mut *tx)
    .await?;
    for statement in statements {
        sqlx::query(&statement).execute(&mut *tx).await.context("the login cannot be made")?;
    }
    Ok(password)
}

/// Takes the grant away, whatever becomes of the login; then ends what the login does at the moment, and
/// the login, where it has no other grant.
async fn revoke(
    owner: &mut PgConnection,
    args: &AnalystArgs,
    organization_id: Uuid,
) -> anyhow::Result<String> {
    let login = &args.login;
    let revoked =
        sqlx::query("delete from reports.grants where login = $1 and organization_id = $2")
            .bind(login)
            .bind(organization_id)
            .execute(&mut *owner)
            .await?;
    let sees_others: Option<bool> = sqlx::query_scalar(
        "select exists (select from reports.grants where login = $1) from pg_roles
         where rolname = $1 and pg_has_role(oid, 'orgledger_analyst', 'member') and not rolsuper",
    )
    .bind(login)
    .fetch_optional(&mut *owner)
    .await?;
    // One without any grant is left over from when it could not be dropped.
    if revoked.rows_affected() == 0 && sees_others != Some(false) {
        bail!("'{login}' does not see {}", args.organization);
    }
    let mut told = format!("{login} does not see {} any more", args.organization);
    match sees_others {
        None => {}
        Some(true) => {
            if let Err(error) = end_sessions(owner, login).await {
                told.push_str(&format!("; what it has begun to read it reads on: {error}"));
            }
        }
        Some(false) => match drop_login(owner, login).await {
            Ok(()) => told.push_str("; it saw no other, and is dropped"),
            Err(error) => told.push_str(&format!(
                "; it sees no other, and could not be dropped: {error}. Mend that and revoke it again"
            )),
        },
    }
    Ok(told)
}

/// Drops a login with all that it has made in this database: Postgres lets everybody make large objects.
async fn drop_login(owner: &mut PgConnection, login: &str) -> Result<(), sqlx::Error> {
    alter(owner, "alter role %I nologin", login).await?;
    end_sessions(owner, login).await?;
    alter(owner, "drop owned by %I", login).await?;
    alter(owner, "drop role %I", login).await
}

/// Ends what a login does at the moment: a transaction that has begun sees what it saw before.
async fn end_sessions(owner: &mut PgConnection, login: &str) -> Result<(), sqlx::Error> {
    const WAIT_MAX_MS: i64 = 5_000;
    // Who is a member of the login may end its sessions and drop what it owns.
    alter(owner, "grant %I to current_user", login).await?;
    sqlx::query("select pg_terminate_backend(pid, $2) from pg_stat_activity where usename = $1")
        .bind(login)
        .bind(WAIT_MAX_MS)
        .execute(owner)
        .await?;
    Ok(())
}

/// Runs a statement about a login.
async fn alter(owner: &mut PgConnection, statement: &str, login: &str) -> Result<(), sqlx::Error> {
    let statement: String = sqlx::query_scalar("select format($1, $2)")
        .bind(statement)
        .bind(login)
        .fetch_one(&mut *owner)
        .await?;
    sqlx::query(&statement).execute(owner).await?;
    Ok(())
}

async fn list(owner: &mut PgConnection) -> anyhow::Result<String> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select login::text, coalesce(name, ''), organization_id::text
         from reports.grants left join reports.organizations using (organization_id)
         order by login, name, organization_id",
    )
    .fetch_all(owner)
    .await?;
    let rows = rows.into_iter().map(|(login, name, id)| vec![login, name, id]);
    Ok(text::table(&["analyst", "organization", "id"], &[], rows.collect()))
}
