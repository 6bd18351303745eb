//! An installation whose owner is no superuser and whose services have users of their own, upgraded
//! from before row-level security.

use std::borrow::Cow;

use embedded::testing::TestServers;
use event_log::database::{self, DatabaseError, Holds, Role, check_migrated};
use event_log::{Append, EventLog};
use projectors::balances::Balances;
use projectors::{Feed, PostgresFeed, Projection as _, all, catch_up, rebuild};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

use crate::support::catalogue::wrong;
use crate::support::history::{Happening, Story};
use crate::support::master_keys;

macro_rules! migration {
    ($version:literal, $path:literal) => {
        Migration::new(
            $version,
            Cow::Borrowed("before"),
            MigrationType::Simple,
            Cow::Borrowed(include_str!(concat!("../../../migrations/", $path))),
            false,
        )
    };
}

/// The schema as it was before.
async fn migrate_to_before(owner: &PgConnectOptions) {
    let migrations = vec![
        migration!(1, "log/0001_roles.sql"),
        migration!(2, "log/0002_events.sql"),
        migration!(3, "log/0003_usage.sql"),
        migration!(4, "log/0004_identity.sql"),
        migration!(5, "log/0005_api_key_secrets.sql"),
        migration!(101, "read/0101_read_models.sql"),
    ];
    let before = Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT };
    before.run(&mut PgConnection::connect_with(owner).await.unwrap()).await.unwrap();
}

/// A build as the projector made it before, with a view that asked with its owner's rights. It
/// holds what nobody has, so that it can be told from what is built from the log.
async fn build_as_before(options: &PgConnectOptions, organization: Uuid) {
    let mut projector = database::connect(options, Role::Projector).await.unwrap();
    let (tables, version) = (Balances::tables(), Balances::VERSION);
    let views: Vec<String> = Balances::VIEWS
        .iter()
        .map(|view| {
            format!(
                "create view read.{view} as select * from read_balances_1.{view};
                 grant select on read.{view} to orgledger_reader;"
            )
        })
        .collect();
    let views = views.concat();
    let sql = format!(
        "begin;
         insert into read.builds (projection, version, state) values ('balances', {version}, 'serving');
         create schema read_balances_1;
         set local search_path to read_balances_1;
         {tables};
         insert into balances values ('{organization}', 'XTS', 0, 0, 0, 0, 0, 0, 0, 0, 0, 'allow',
             false, 0);
         {views}
         commit"
    );
    (&mut projector).execute(sql.as_str()).await.unwrap();
}

/// A server with an owner's database on it, and users that may log in.
struct Installation {
    servers: TestServers,
}

impl Installation {
    async fn new() -> Self {
        let installation = Self { servers: TestServers::start_postgres_only().await.unwrap() };
        let mut admin = installation.admin("postgres").await;
        (&mut admin).execute("create role owner login createrole").await.unwrap();
        (&mut admin).execute("create database ledger owner owner").await.unwrap();
        for user in ["commands", "projecting", "queries"] {
            let create = format!("create role {user} login noinherit");
            (&mut admin).execute(create.as_str()).await.unwrap();
        }
        installation
    }

    async fn admin(&self, database: &str) -> PgConnection {
        let options = self.servers.postgres().connect_options().database(database);
        PgConnection::connect_with(&options).await.unwrap()
    }

    /// How a user logs in.
    fn user(&self, user: &str) -> PgConnectOptions {
        self.servers.postgres().connect_options().database("ledger").username(user)
    }
}

async fn refused(connection: &mut PgConnection, statement: &str) {
    let error = (&mut *connection).execute(statement).await.expect_err(statement);
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
}

#[tokio::test]
async fn an_installation_from_before_is_upgraded_by_an_owner_that_is_no_superuser() {
    let installation = Installation::new().await;
    let owner = installation.user("owner");
    let organization = Uuid::from_u128(7);
    migrate_to_before(&owner).await;
    build_as_before(&owner, organization).await;
    for _ in 0..2 {
        database::migrate(&owner, Holds::LogAndReadModels).await.unwrap();
    }
    let mut admin = installation.admin("ledger").await;
    assert_eq!(wrong(&mut admin).await, [""; 0]);
    (&mut admin)
        .execute(
            "grant orgledger_writer to commands; grant orgledger_reader to queries;
             grant orgledger_projector, orgledger_builder to projecting",
        )
        .await
        .unwrap();

    // What stood there serves on, behind the wall.
    let queries = installation.user("queries");
    let mut reader = database::connect(&queries, Role::Reader).await.unwrap();
    let seen = "select count(*) from read.balances where currency = 'XTS'";
    let seen_in = async |reader: &mut PgConnection, organization: Uuid| -> i64 {
        let mut tx = reader.begin().await.unwrap();
        let set = format!("set local orgledger.organization_id to '{organization}'");
        tx.execute(set.as_str()).await.unwrap();
        let seen = sqlx::query_scalar(seen).fetch_one(&mut *tx).await.unwrap();
        // At once: a switch waits for who reads.
        tx.commit().await.unwrap();
        seen
    };
    assert_eq!(seen_in(&mut reader, organization).await, 1);
    assert_eq!(seen_in(&mut reader, Uuid::nil()).await, 0);

    // Each service does its work as its own user, and the old build is taken over from.
    let log = EventLog::open(&installation.user("commands"), master_keys()).await.unwrap();
    let happened = Story::new(60).tell(500);
    let events = happened.iter().map(Happening::to_event).collect();
    let head = log.append(Append { events, ..Append::default() }).await.unwrap().last_position;
    let projecting = installation.user("projecting");
    let read = database::pool(&projecting, Role::Projector, 8).await.unwrap();
    let feed = Feed::Postgres(PostgresFeed::of(read.clone(), log.vault().clone()));
    catch_up(&read, &feed, &all(), head).await.unwrap();
    assert_eq!(seen_in(&mut reader, organization).await, 1, "it went on with the old build");
    for projection in all() {
        rebuild(&read, &feed, &projection, &mut |_| {}).await.unwrap();
    }
    assert_eq!(seen_in(&mut reader, organization).await, 0, "it is built from the log now");
    assert_eq!(wrong(&mut admin).await, [""; 0]);
    let left = "select count(*) from pg_namespace where nspname = 'read_balances_1'";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&mut admin).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_service_acts_as_the_roles_that_its_user_was_given_and_as_no_other() {
    let installation = Installation::new().await;
    let owner = installation.user("owner");
    database::migrate(&owner, Holds::LogAndReadModels).await.unwrap();
    let mut admin = installation.admin("ledger").await;
    (&mut admin).execute("grant orgledger_reader to queries").await.unwrap();
    let log = EventLog::open(&owner, master_keys()).await.unwrap();
    let events = Story::new(61).tell(50).iter().map(Happening::to_event).collect();
    let head = log.append(Append { events, ..Append::default() }).await.unwrap().last_position;
    let read = database::pool(&owner, Role::Projector, 8).await.unwrap();
    catch_up(
        &read,
        &Feed::Postgres(PostgresFeed::of(read.clone(), log.vault().clone())),
        &all(),
        head,
    )
    .await
    .unwrap();

    let queries = installation.user("queries");
    assert!(!database::logs_in_above_row_security(&queries).await.unwrap());
    let mut reader = database::connect(&queries, Role::Reader).await.unwrap();
    let count = "select count(*) from read.organizations";
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut reader).await.unwrap();
    assert_eq!(seen, 0);
    for role in ["writer", "relay", "projector", "operator", "builder"] {
        refused(&mut reader, &format!("set role orgledger_{role}")).await;
    }
    refused(&mut reader, "set role owner").await;
    refused(&mut reader, "set session authorization owner").await;
    refused(&mut reader, "select * from log.events").await;
    // No way back to more: the user itself inherits nothing.
    (&mut reader).execute("reset role").await.unwrap();
    refused(&mut reader, count).await;

    // The tables' owner is held to policies too; who bypasses them is above.
    let mut table_owner = PgConnection::connect_with(&owner).await.unwrap();
    let events = "select count(*) from log.events";
    (&mut table_owner).execute("alter table log.events owner to owner").await.unwrap();
    (&mut admin)
        .execute(
            "revoke orgledger_writer, orgledger_relay, orgledger_projector, orgledger_replayer
             from owner",
        )
        .await
        .unwrap();
    let seen: i64 = sqlx::query_scalar(events).fetch_one(&mut table_owner).await.unwrap();
    assert_eq!(seen, 0);
    let all_of_it: i64 = sqlx::query_scalar(events).fetch_one(&mut admin).await.unwrap();
    assert_eq!(all_of_it, head);
}

#[tokio::test]
async fn roles_that_are_above_policies_are_refused() {
    let installation = Installation::new().await;
    let owner = installation.user("owner");
    database::migrate(&owner, Holds::LogAndReadModels).await.unwrap();
    check_migrated(&owner, Holds::LogAndReadModels).await.unwrap();
    let mut admin = installation.admin("ledger").await;
    let planted = [
        (
            "alter role orgledger_reader bypassrls",
            "alter role orgledger_reader nobypassrls",
            "orgledger_reader",
        ),
        (
            "alter role orgledger_builder createrole",
            "alter role orgledger_builder nocreaterole",
            "orgledger_builder",
        ),
        ("grant postgres to orgledger_writer", "revoke postgres from orgledger_writer", "postgres"),
    ];
    for (plant, restore, named) in planted {
        (&mut admin).execute(plant).await.unwrap();
        match check_migrated(&owner, Holds::LogAndReadModels).await {
            Err(DatabaseError::AboveRowSecurity { through, .. }) => assert_eq!(through, named),
            checked => panic!("{plant}: {checked:?}"),
        }
        (&mut admin).execute(restore).await.unwrap();
        check_migrated(&owner, Holds::LogAndReadModels).await.unwrap();
    }
    let options = installation.servers.postgres().connect_options();
    assert!(database::logs_in_above_row_security(&options).await.unwrap());
}
