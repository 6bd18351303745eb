//! Connections: as which role, to which server, with which guarantees.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool, Row};

/// The oldest Postgres that has what the log needs.
pub const POSTGRES_MAJOR_MIN: i32 = 15;

/// The group roles that services act as. None owns anything, and none is above row-level security;
/// see `migrations/log/0001_roles.sql` and the two migrations named `row_level_security`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Appends to the log.
    Writer,
    /// Reads the log and publishes it.
    Relay,
    /// Reads the log and writes read models.
    Projector,
    /// Reads read models: the rows of the organization that is set for the transaction.
    Reader,
    /// Reads the read models of all organizations.
    Operator,
    /// Reads the log, and writes to temporary tables alone.
    Replayer,
    /// The user that logs in, as it is: for migrations.
    Owner,
}

impl Role {
    /// What a connection of this role says first. No statement is compiled before it runs: where a scan is
    /// discouraged and there is no other, it looks as dear as can be to Postgres, which would spend half a
    /// second on compiling a statement of a few rows.
    fn begin_session(self) -> String {
        format!("{}; set jit to off", self.set_role())
    }

    fn set_role(self) -> &'static str {
        match self {
            Self::Writer => "set role orgledger_writer",
            Self::Relay => "set role orgledger_relay",
            Self::Projector => "set role orgledger_projector",
            Self::Reader => "set role orgledger_reader",
            Self::Operator => "set role orgledger_operator",
            Self::Replayer => "set role orgledger_replayer",
            Self::Owner => "reset role",
        }
    }
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No connection.
    #[error("cannot reach Postgres at {address}: {source}. Check that it runs, and DATABASE_URL")]
    Unreachable {
        /// Host and port, or the socket's directory. Never the password.
        address: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The server is too old.
    #[error("Postgres {found} is too old: orgledger needs {POSTGRES_MAJOR_MIN} or later")]
    TooOld {
        /// The server's version.
        found: String,
    },
    /// A setting with which acknowledged events can be lost.
    #[error(
        "Postgres has {setting} = {value}, with which acknowledged events can be lost. \
         Set it to on (ALTER SYSTEM SET {setting} = on; SELECT pg_reload_conf();) and start again"
    )]
    Unsafe {
        /// The setting.
        setting: String,
        /// Its value.
        value: String,
    },
    /// The schema is not there, or not at this program's version.
    #[error("the database is not migrated to this version of orgledger: run `orgledger migrate`")]
    NotMigrated,
    /// The login user may not act as a role.
    #[error("the database user may not act as {role}: {source}. Run `GRANT {role} TO <user>`")]
    RoleRefused {
        /// The group role.
        role: String,
        /// What the server said.
        source: sqlx::Error,
    },
    /// The keys of persons cannot be used.
    #[error(transparent)]
    Vault(#[from] crate::vault::VaultError),
    /// A role of ours sees what row-level security should keep from it, or may come to.
    #[error(
        "{role} is above row-level security through {through}, which is a superuser or has \
         BYPASSRLS or CREATEROLE: each organization's rows would be everybody's. \
         Take that away (ALTER ROLE or REVOKE) and start again"
    )]
    AboveRowSecurity {
        /// The role.
        role: String,
        /// The role that it is, or is a member of.
        through: String,
    },
    /// A migration failed.
    #[error("migrating the database failed: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Anything else.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
}

/// Where the options lead, without the password.
fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => format!("socket {}", socket.display()),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// A pool whose connections act as `role`. Connects once, so that a missing server is named now.
pub async fn pool(
    options: &PgConnectOptions,
    role: Role,
    connections_max: u32,
) -> Result<PgPool, DatabaseError> {
    let options = options.clone().application_name("orgledger");
    drop(connect(&options, role).await?);
    Ok(PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(Duration::from_secs(10))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                connection.execute(role.begin_session().as_str()).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options))
}

/// One connection that acts as `role`.
pub async fn connect(
    options: &PgConnectOptions,
    role: Role,
) -> Result<PgConnection, DatabaseError> {
    let mut connection = PgConnection::connect_with(options)
        .await
        .map_err(|source| DatabaseError::Unreachable { address: address(options), source })?;
    connection.execute(role.begin_session().as_str()).await.map_err(|source| {
        let role_name = role.set_role().trim_start_matches("set role ").to_owned();
        // 22023: the role does not exist, so the migrations have not run.
        match source.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() {
            Some("22023") => DatabaseError::NotMigrated,
            _ => DatabaseError::RoleRefused { role: role_name, source },
        }
    })?;
    Ok(connection)
}

/// Refuses a server that is too old, or that could lose what it acknowledged.
pub async fn check_server(options: &PgConnectOptions) -> Result<(), DatabaseError> {
    let mut connection = connect(options, Role::Owner).await?;
    let version: String =
        sqlx::query_scalar("show server_version_num").fetch_one(&mut connection).await?;
    let major = version.parse::<i32>().unwrap_or(0) / 10_000;
    if major < POSTGRES_MAJOR_MIN {
        let found = sqlx::query_scalar("show server_version").fetch_one(&mut connection).await?;
        return Err(DatabaseError::TooOld { found });
    }
    let settings = sqlx::query(
        "select name, setting from pg_settings
         where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'
         order by name",
    )
    .fetch_all(&mut connection)
    .await?;
    match settings.first() {
        Some(row) => Err(DatabaseError::Unsafe { setting: row.get(0), value: row.get(1) }),
        None => Ok(()),
    }
}

macro_rules! migrations {
    ($($version:literal $name:literal $path:literal),+ $(,)?) => {
        vec![$(Migration::new(
            $version,
            Cow::Borrowed($name),
            MigrationType::Simple,
            Cow::Borrowed(include_str!(concat!("../../migrations/", $path))),
            false,
        )),+]
    };
}

fn log_migrations() -> Vec<Migration> {
    migrations![
        1 "roles" "log/0001_roles.sql",
        2 "events" "log/0002_events.sql",
        3 "usage" "log/0003_usage.sql",
        4 "identity" "log/0004_identity.sql",
        5 "api key secrets" "log/0005_api_key_secrets.sql",
        6 "vault" "log/0006_vault.sql",
        7 "row level security" "log/0007_row_level_security.sql",
        8 "key owners" "log/0008_key_owners.sql",
        9 "what an organization has" "log/0009_of_organization.sql",
        10 "units" "log/0010_units.sql",
        11 "usage partitions" "log/0011_usage_partitions.sql",
        13 "readers of usage records" "log/0013_usage_readers.sql",
        14 "head and entries" "log/0014_head_and_entries.sql",
        15 "corrections of usage" "log/0015_usage_corrections.sql",
        16 "budgets" "log/0016_budgets.sql",
        17 "seals" "log/0017_seals.sql",
        18 "replay" "log/0018_replay.sql",
        19 "archives of usage" "log/0019_usage_archives.sql",
        20 "webhooks" "log/0020_webhooks.sql",
        21 "replay of corrections" "log/0021_replay_corrections.sql",
        22 "usage batches are many" "log/0022_usage_batches_are_many.sql",
        23 "commands beside usage" "log/0023_commands_beside_usage.sql",
        24 "roots of usage" "log/0024_usage_roots.sql",
        25 "tests of webhooks" "log/0025_webhook_tests.sql",
        26 "analysts hold up nobody" "log/0026_analysts_hold_up_nobody.sql",
    ]
}

fn read_migrations() -> Vec<Migration> {
    migrations![
        101 "read models" "read/0101_read_models.sql",
        102 "row level security" "read/0102_row_level_security.sql",
        104 "reports in plain SQL" "read/0104_reports.sql",
        105 "reports of repriced usage" "read/0105_repriced_reports.sql",
        106 "analysts only read" "read/0106_analysts_only_read.sql",
    ]
}

/// What a database is for: the log, read models, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The log and the read models: one database for all.
    LogAndReadModels,
    /// Read models alone, fed from JetStream.
    ReadModels,
}

fn migrator(holds: Holds) -> Migrator {
    let migrations = match holds {
        Holds::LogAndReadModels => [log_migrations(), read_migrations()].concat(),
        Holds::ReadModels => read_migrations(),
    };
    Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
}

/// Brings the database's schema to this program's version. Safe to run at once from many places.
pub async fn migrate(options: &PgConnectOptions, holds: Holds) -> Result<(), DatabaseError> {
    let mut connection = connect(options, Role::Owner).await?;
    // One at a time: two that change the same grants at once fail. It goes with the connection.
    connection.execute("select pg_advisory_lock(hashtextextended('orgledger migrate', 0))").await?;
    migrator(holds).run(&mut connection).await?;
    // A service's user finds out whether the schema is at its version.
    connection.execute("grant select on _sqlx_migrations to public").await?;
    Ok(())
}

/// Whether nobody has put a schema of ours into the database yet.
pub async fn is_empty(options: &PgConnectOptions) -> Result<bool, DatabaseError> {
    let mut connection = connect(options, Role::Owner).await?;
    let is_empty =
        "select not exists (select 1 from pg_namespace where nspname in ('log', 'read'))";
    Ok(sqlx::query_scalar(is_empty).fetch_one(&mut connection).await?)
}

/// Refuses a database whose schema is older than this program, and one whose roles are too strong.
pub async fn check_migrated(options: &PgConnectOptions, holds: Holds) -> Result<(), DatabaseError> {
    let mut connection = connect(options, Role::Owner).await?;
    let needed: Vec<i64> = migrator(holds).migrations.iter().map(|m| m.version).collect();
    let there: Option<String> = sqlx::query_scalar("select to_regclass('_sqlx_migrations')::text")
        .fetch_one(&mut connection)
        .await?;
    if there.is_none() {
        return Err(DatabaseError::NotMigrated);
    }
    // Each by its number: the log's migrations count from 1 and the read models' from 101, so the
    // newest that was applied says nothing of the others.
    let applied: i64 = sqlx::query_scalar(
        "select count(*) from _sqlx_migrations where success and version = any($1)",
    )
    .bind(&needed)
    .fetch_one(&mut connection)
    .await?;
    if usize::try_from(applied) == Ok(needed.len()) {
        check_roles(&mut connection).await
    } else {
        Err(DatabaseError::NotMigrated)
    }
}

/// The roles that see an organization's rows as policies let them.
const BEHIND_POLICIES: [&str; 7] = [
    "orgledger_writer",
    "orgledger_relay",
    "orgledger_projector",
    "orgledger_reader",
    "orgledger_operator",
    "orgledger_builder",
    "orgledger_replayer",
];

/// Refuses roles that would see what no policy gives them.
async fn check_roles(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let above: Option<(String, String)> = sqlx::query_as(
        "select r.rolname::text, above.rolname::text
         from pg_roles r join pg_roles above on pg_has_role(r.oid, above.oid, 'member')
         where r.rolname = any($1) and (above.rolsuper or above.rolbypassrls or above.rolcreaterole)
         order by r.rolname, above.oid = r.oid desc, above.rolname limit 1",
    )
    .bind(BEHIND_POLICIES.map(str::to_owned))
    .fetch_optional(connection)
    .await?;
    match above {
        Some((role, through)) => Err(DatabaseError::AboveRowSecurity { role, through }),
        None => Ok(()),
    }
}

/// Whether the user that logs in is itself above row-level security. A service is not as long as it
/// acts as one of our roles: what a statement may see goes by the role that is set.
pub async fn logs_in_above_row_security(options: &PgConnectOptions) -> Result<bool, DatabaseError> {
    let mut connection = connect(options, Role::Owner).await?;
    let above = "select rolsuper or rolbypassrls from pg_roles where rolname = session_user";
    Ok(sqlx::query_scalar(above).fetch_one(&mut connection).await?)
}
