//! The second wall: whatever a query says, it finds the rows of the organization that is set.

use std::sync::Arc;

use event_log::database::{self, Role};
use event_log::usage::months;
use event_schemas::{
    Amount, BudgetEvent, BudgetPeriod, CreditAccountEvent, Currency, OrganizationId,
};
use projectors::{all, rebuild};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use uuid::Uuid;

use crate::budgets;
use crate::support::catalogue::wrong;
use crate::support::credits::Dealings;
use crate::support::history::{Story, minute};
use crate::support::usage::Usage;
use crate::support::{House, access_register};

/// What the catalogue must find, and what does it.
const PLANTED: &[(&str, &str)] = &[
    (
        "alter table log.events disable row level security",
        "log.events has an organization and is open",
    ),
    (
        "alter table log.usage_batches no force row level security",
        "log.usage_batches has an organization and is open",
    ),
    (
        "alter table log.usage_records disable row level security",
        "log.usage_records_2026_01 has an organization and is open",
    ),
    (
        "grant select on log.usage_records_2026_01 to orgledger_projector",
        "orgledger_projector may use the partition log.usage_records_2026_01 by its name",
    ),
    (
        "grant select (cost_pico) on log.usage_records_2026_01 to orgledger_relay",
        "orgledger_relay may use the partition log.usage_records_2026_01 by its name",
    ),
    (
        "grant insert on log.usage_records_2026_01 to orgledger_reader",
        "orgledger_reader may use the partition log.usage_records_2026_01 by its name",
    ),
    (
        "create table read.notes (organization_id uuid)",
        "read.notes has an organization and is open",
    ),
    (
        "create materialized view read.copied as select organization_id from read.members",
        "read.copied has an organization and is open",
    ),
    (
        "drop policy writer on log.idempotency_keys",
        "orgledger_writer may use log.idempotency_keys and no policy is for it",
    ),
    (
        "drop policy relay on log.events",
        "orgledger_relay may use log.events and no policy is for it",
    ),
    (
        "drop policy reader on BUILD.members",
        "orgledger_reader may use BUILD.members and no policy is for it",
    ),
    (
        "drop policy operator on BUILD.members",
        "orgledger_operator may use BUILD.members and no policy is for it",
    ),
    (
        "grant select on log.usage_records_2026_01 to orgledger_writer",
        "orgledger_writer may use the partition log.usage_records_2026_01 by its name",
    ),
    (
        "create policy all_of_it on BUILD.members using (true)",
        "policy all_of_it of BUILD.members is for everybody",
    ),
    (
        "create policy more on BUILD.members to orgledger_reader using (true)",
        "policy more of BUILD.members shows readers all",
    ),
    ("grant update on BUILD.members to orgledger_reader", "readers may change BUILD.members"),
    ("grant truncate on BUILD.members to orgledger_operator", "readers may change BUILD.members"),
    (
        "alter table BUILD.members owner to orgledger_projector",
        "orgledger_projector owns table BUILD.members",
    ),
    (
        "alter view read.members owner to orgledger_projector",
        "orgledger_projector owns view read.members",
    ),
    ("alter schema BUILD owner to orgledger_projector", "orgledger_projector owns schema BUILD"),
    (
        "alter function log.refuse_change owner to orgledger_writer",
        "orgledger_writer owns function log.refuse_change()",
    ),
    ("alter role orgledger_reader bypassrls", "orgledger_reader is too strong"),
    ("alter role orgledger_builder createrole", "orgledger_builder is too strong"),
    (
        "grant orgledger_operator to orgledger_reader",
        "orgledger_reader is a member of orgledger_operator",
    ),
    (
        "grant orgledger_builder to orgledger_projector",
        "orgledger_projector is a member of orgledger_builder",
    ),
    (
        "alter view read.members reset (security_invoker)",
        "read.members reads with the rights of its owner",
    ),
    ("create view read.more as select 1 as one", "read.more reads with the rights of its owner"),
    (
        "create view reports.more as select 1 as one",
        "reports.more reads with the rights of its owner",
    ),
    (
        "drop policy analyst on BUILD.members",
        "orgledger_analyst may use BUILD.members and no policy is for it",
    ),
    ("grant update on BUILD.members to orgledger_analyst", "readers may change BUILD.members"),
    (
        "create policy more on BUILD.members to orgledger_analyst using (true)",
        "policy more of BUILD.members shows analysts all",
    ),
    (
        "create function read.all_members() returns bigint language sql security definer
      as 'select count(*) from read.members'",
        "read.all_members() runs with the rights of its owner",
    ),
];

/// Two organizations with rows in every view, among others; those of usage are filled for them.
async fn two_organizations() -> (House, [Uuid; 2]) {
    let house = House::with(&Story::new(50).tell(3_000)).await;
    house.catch_up().await;
    let in_all: String = sqlx::query_scalar(
        "select string_agg('select organization_id from ' || oid::regclass, ' intersect ')
             || ' order by 1 limit 2'
         from pg_class where relnamespace = 'read'::regnamespace and relkind = 'v'
             and relname !~ '^(usage_|credit_|budget|(last_use|balances|price_lists_of_all)$)'",
    )
    .fetch_one(&house.owner)
    .await
    .unwrap();
    let found: Vec<Uuid> = sqlx::query_scalar(&in_all).fetch_all(&house.owner).await.unwrap();
    let organizations = <[Uuid; 2]>::try_from(found);
    let organizations = organizations.expect("the story has rows in every view");
    let mut usage = Usage::new(51);
    let other: Currency = "XTS".parse().unwrap();
    for organization in organizations {
        let organization_id = OrganizationId(organization);
        let few = CreditAccountEvent::Granted {
            organization_id,
            lot_id: organization.into(),
            amount: Amount::from_pico(1),
            currency: other,
            expires_at: None,
            priority: 100,
            reason: None,
        };
        Dealings::enter(&house, organization_id, other, &few).await;
        let budget_id = organization;
        let mut budget = budgets::set(budget_id, organization_id, BudgetPeriod::Total, 1);
        if let BudgetEvent::Set { currency, .. } = &mut budget {
            *currency = other;
        }
        budgets::tell(&house, minute(0), budget_id, organization_id, &budget).await;
        house.use_up(organization_id, &[usage.at_cost(Some((2, other)))]).await;
        let mut records = usage.batch(40).1;
        records[0].units = [(event_schemas::Unit::WebSearches, 1)].into_iter().collect();
        house.use_up(OrganizationId(organization), &records).await;
    }
    house.catch_up().await;
    (house, organizations)
}

/// Every view, and every table that one shows.
async fn relations(house: &House) -> Vec<String> {
    let relations = "select c.oid::regclass::text from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
        where c.relkind in ('v', 'r') and (n.nspname ~ '^read_' or n.nspname = 'read')
            -- What no view shows is closed to readers altogether.
            and has_table_privilege('orgledger_reader', c.oid, 'select')
            and c.relname <> 'builds' order by 1";
    let found: Vec<String> = sqlx::query_scalar(relations).fetch_all(&house.owner).await.unwrap();
    assert!(found.len() >= 20, "{found:?}");
    found
}

/// One connection of a tenant's reader: what it is left with, the next one gets.
async fn tenant(house: &House) -> PgPool {
    database::pool(&house.database.connect_options(), Role::Reader, 1).await.unwrap()
}

async fn set(tx: &mut PgConnection, organization: &str) {
    sqlx::query("select set_config('orgledger.organization_id', $1, true)")
        .bind(organization)
        .execute(tx)
        .await
        .unwrap();
}

async fn count(connection: &mut PgConnection, relation: &str) -> i64 {
    let sql = format!("select count(*) from {relation}");
    sqlx::query_scalar(&sql).fetch_one(connection).await.unwrap()
}

/// Asserts that a tenant sees all of its organization's rows and no other.
async fn assert_sees_its_own(house: &House, tenant: &PgPool, organization: Uuid) {
    for relation in relations(house).await {
        let own = format!("select count(*) from {relation} where organization_id = $1");
        let own: i64 =
            sqlx::query_scalar(&own).bind(organization).fetch_one(&house.owner).await.unwrap();
        let mut tx = tenant.begin().await.unwrap();
        set(&mut tx, &organization.to_string()).await;
        assert_eq!(count(&mut tx, &relation).await, own, "{relation}");
        let others = format!("{relation} where organization_id <> '{organization}'");
        assert_eq!(count(&mut tx, &others).await, 0, "{relation}");
        let in_view = relation.starts_with("read.");
        assert!(own > 0 || !in_view, "{relation} has nothing to see");
    }
}

#[tokio::test]
async fn the_catalogue_has_nothing_against_the_wall() {
    let house = House::new().await;
    let mut owner = house.owner.acquire().await.unwrap();
    assert_eq!(wrong(&mut owner).await, [""; 0], "of an empty database");
    house.happen(&Story::new(52).tell(300)).await;
    let (organization_id, records) = Usage::new(53).batch(300);
    house.use_up(organization_id, &records).await;
    house.catch_up().await;
    assert_eq!(wrong(&mut owner).await, [""; 0], "of first builds");
    for projection in all() {
        rebuild(&house.read, &house.feed(), &projection, &mut |_| {}).await.unwrap();
    }
    assert_eq!(wrong(&mut owner).await, [""; 0], "of builds that took over");

    let build: String = sqlx::query_scalar(
        "select 'read_access_register_' || build from read.builds
         where projection = 'access_register' and state = 'serving'",
    )
    .fetch_one(&mut *owner)
    .await
    .unwrap();
    for (plant, expected) in PLANTED {
        let (plant, expected) = (plant.replace("BUILD", &build), expected.replace("BUILD", &build));
        let mut tx = owner.begin().await.unwrap();
        tx.execute(plant.as_str()).await.expect(&plant);
        let found = wrong(&mut tx).await;
        assert!(found.contains(&expected), "{plant}: {found:?}");
        tx.rollback().await.unwrap();
    }
    assert_eq!(wrong(&mut owner).await, [""; 0], "nothing of it stayed");
}

#[tokio::test]
async fn an_archived_month_is_behind_the_wall_as_well() {
    let house = House::new().await;
    let (organization_id, records) = Usage::new(54).batch(300);
    house.use_up(organization_id, &records).await;
    let mut owner = house.owner.acquire().await.unwrap();
    let month = "2026-01".parse().unwrap();
    months::close(&mut owner, month).await.unwrap();
    assert_eq!(wrong(&mut owner).await, [""; 0], "of a closed month");
    months::detach(&mut owner, month).await.unwrap();
    assert_eq!(wrong(&mut owner).await, [""; 0], "of a detached one");
    let open = "alter table log.usage_archived_2026_01 disable row level security";
    let mut tx = owner.begin().await.unwrap();
    tx.execute(open).await.unwrap();
    let found = wrong(&mut tx).await;
    assert_eq!(found, ["log.usage_archived_2026_01 has an organization and is open"]);
    tx.rollback().await.unwrap();
    // A read model that is built now would be without those records, and is not built.
    let refused = projectors::catch_up(&house.read, &house.feed(), &all(), 1).await.unwrap_err();
    assert!(refused.to_string().contains("usage of 2026-01 is archived"), "{refused}");
    let standing = projectors::status(&house.read).await.unwrap();
    assert!(standing.iter().all(|one| one.projection != "cost_per_feature"), "{standing:?}");
}

#[tokio::test]
async fn a_reader_sees_the_organization_that_is_set_and_without_one_nothing() {
    let (house, organizations) = two_organizations().await;
    let tenant = tenant(&house).await;
    for organization in organizations {
        assert_sees_its_own(&house, &tenant, organization).await;
    }
    for relation in relations(&house).await {
        let mut connection = tenant.acquire().await.unwrap();
        assert_eq!(count(&mut connection, &relation).await, 0, "{relation}, unset");
        let mut tx = connection.begin().await.unwrap();
        set(&mut tx, "").await;
        assert_eq!(count(&mut tx, &relation).await, 0, "{relation}, empty");
        set(&mut tx, &Uuid::nil().to_string()).await;
        assert_eq!(count(&mut tx, &relation).await, 0, "{relation}, nobody's");
        drop(tx);
        // Who reads across organizations does so by a role of its own.
        let mut all = house.reader.acquire().await.unwrap();
        let mut owner = house.owner.acquire().await.unwrap();
        let seen = count(&mut all, &relation).await;
        assert_eq!(seen, count(&mut owner, &relation).await, "{relation}");
    }
}

#[tokio::test]
async fn the_setting_ends_with_its_transaction_and_with_its_savepoint() {
    let (house, [one, other]) = two_organizations().await;
    let tenant = tenant(&house).await;
    let seen = "select coalesce(array_agg(distinct organization_id), '{}') from read.members";
    let seen = async |connection: &mut PgConnection| -> Vec<Uuid> {
        sqlx::query_scalar(seen).fetch_one(connection).await.unwrap()
    };
    let nobodys: [Uuid; 0] = [];
    let mut connection = tenant.acquire().await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    set(&mut tx, &one.to_string()).await;
    let mut savepoint = tx.begin().await.unwrap();
    set(&mut savepoint, &other.to_string()).await;
    assert_eq!(seen(&mut savepoint).await, [other]);
    savepoint.rollback().await.unwrap();
    assert_eq!(seen(&mut tx).await, [one]);
    tx.commit().await.unwrap();
    assert_eq!(seen(&mut connection).await, nobodys, "after a commit");

    let mut tx = connection.begin().await.unwrap();
    set(&mut tx, &other.to_string()).await;
    sqlx::query("select 1 / 0").execute(&mut *tx).await.unwrap_err();
    drop(tx);
    drop(connection);
    let mut connection = tenant.acquire().await.unwrap();
    assert_eq!(seen(&mut connection).await, nobodys, "after a failure, for the next one");
    let mut tx = connection.begin().await.unwrap();
    assert_eq!(seen(&mut tx).await, nobodys, "in the next transaction");
}

#[tokio::test]
async fn neither_functions_nor_statistics_tell_of_others() {
    let (house, [one, _]) = two_organizations().await;
    let statistics = "select count(*) from pg_stats where schemaname ~ '^read_'";
    house.owner.execute("analyze").await.unwrap();
    let known: i64 = sqlx::query_scalar(statistics).fetch_one(&house.owner).await.unwrap();
    assert!(known > 0);

    let tenant = tenant(&house).await;
    let mut tx = tenant.begin().await.unwrap();
    set(&mut tx, &one.to_string()).await;
    let told: i64 = sqlx::query_scalar(statistics).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(told, 0);
    // Nobody who reads may make a function; even where a database lets everybody, and it is so cheap that
    // the planner would like to ask it first, it hears nothing.
    let none = tx.execute("create function pg_temp.none() returns int language sql as 'select 1'");
    let refused = none.await.unwrap_err();
    assert!(refused.to_string().contains("permission denied"), "{refused}");
    tx.rollback().await.unwrap();
    let open = "do $$ begin
        execute format('grant temporary on database %I to public', current_database()); end $$";
    house.owner.execute(open).await.unwrap();
    let mut tx = tenant.begin().await.unwrap();
    set(&mut tx, &one.to_string()).await;
    let spy = format!(
        "create function pg_temp.spy(whose uuid, what text) returns boolean language plpgsql
         cost 0.0000001 as $$ begin
             if whose <> '{one}' then raise exception 'heard %', what; end if;
             return true;
         end $$"
    );
    tx.execute(spy.as_str()).await.unwrap();
    let spied = count(&mut tx, "read.members where pg_temp.spy(organization_id, login)").await;
    assert_eq!(spied, count(&mut tx, "read.members").await);
}

#[tokio::test]
async fn the_wall_stands_while_views_show_either_of_two_builds() {
    let (house, [one, _]) = two_organizations().await;
    let house = Arc::new(house);
    let mut slow = house.reader.begin().await.unwrap();
    slow.execute("lock table read.projects in access share mode").await.unwrap();
    let rebuilding = {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            rebuild(&house.read, &house.feed(), &access_register(), &mut |_| {}).await
        })
    };
    let shows_either = "select pg_get_viewdef('read.members') like '%UNION ALL%'";
    while !sqlx::query_scalar::<_, bool>(shows_either).fetch_one(&house.owner).await.unwrap() {
        tokio::task::yield_now().await;
    }
    let mut owner = house.owner.acquire().await.unwrap();
    assert_eq!(wrong(&mut owner).await, [""; 0]);
    drop(owner);
    let tenant = tenant(&house).await;
    assert_sees_its_own(&house, &tenant, one).await;
    slow.commit().await.unwrap();
    rebuilding.await.unwrap().unwrap();
    assert_sees_its_own(&house, &tenant, one).await;
}
