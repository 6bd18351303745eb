//! Plain SQL for analysts: views whose contract stays, of the organizations that a login was granted.

use embedded::testing::unique_name;
use event_schemas::OrganizationId;
use projectors::{all, rebuild};
use sqlx::{Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

use crate::support::House;
use crate::support::history::Story;
use crate::support::usage::Usage;

const ANALYST: &str = "an analyst's login";

/// The views' columns. None goes away and none changes its place; new ones are put at the end.
const CONTRACT: [&str; 10] = [
    "api_keys: organization_id api_key_id name",
    "cost_per_feature: organization_id project_id feature day currency requests failed_requests \
     unpriced_requests unbilled_requests input_tokens output_tokens cost",
    "freshness: read_model position recorded_at",
    "members: organization_id member_id login",
    "organizations: organization_id name",
    "projects: organization_id project_id name",
    "service_accounts: organization_id service_account_id name",
    "usage_attributed: organization_id project_id api_key_id member_id service_account_id feature \
     provider model quarter_hour recorded_hour currency requests failed_requests unpriced_requests \
     unbilled_requests input_tokens cached_input_tokens cache_write_tokens output_tokens \
     reasoning_tokens cost",
    "usage_hourly: organization_id project_id feature provider model hour recorded_day currency \
     requests failed_requests unpriced_requests unbilled_requests input_tokens cached_input_tokens \
     cache_write_tokens output_tokens reasoning_tokens cost",
    "usage_units: organization_id project_id api_key_id member_id service_account_id feature \
     provider model quarter_hour recorded_hour currency unit quantity",
];

/// Takes on an analyst's login, which ends with the transaction.
async fn become_analyst(tx: &mut PgConnection, organizations: &[Uuid]) {
    let made = format!(
        "create role \"{ANALYST}\" login in role orgledger_analyst;
         grant \"{ANALYST}\" to current_user"
    );
    tx.execute(made.as_str()).await.unwrap();
    sqlx::query("insert into reports.grants select $1, unnest($2::uuid[])")
        .bind(ANALYST)
        .bind(organizations)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.execute(format!("set local role \"{ANALYST}\"").as_str()).await.unwrap();
}

/// The views in `reports` that have organizations.
async fn views(tx: &mut PgConnection) -> Vec<String> {
    let views = "select c.oid::regclass::text from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
        where relnamespace = 'reports'::regnamespace and relkind = 'v' order by 1";
    let views: Vec<String> = sqlx::query_scalar(views).fetch_all(tx).await.unwrap();
    assert!(views.len() >= 9, "{views:?}");
    views
}

async fn organizations(tx: &mut PgConnection, view: &str) -> Vec<Uuid> {
    let seen = format!("select distinct organization_id from {view} order by 1");
    sqlx::query_scalar(&seen).fetch_all(tx).await.expect(view)
}

async fn two_organizations() -> (House, Vec<Uuid>) {
    let house = House::with(&Story::new(60).tell(3_000)).await;
    house.catch_up().await;
    let in_all = "select organization_id from reports.api_keys
        intersect select organization_id from reports.service_accounts
        intersect select organization_id from reports.members order by 1 limit 2";
    let two: Vec<Uuid> = sqlx::query_scalar(in_all).fetch_all(&house.owner).await.unwrap();
    assert_eq!(two.len(), 2);
    let mut usage = Usage::new(61);
    for organization in &two {
        let mut records = usage.batch(40).1;
        records[0].units = [(event_schemas::Unit::WebSearches, 3)].into_iter().collect();
        house.use_up(OrganizationId(*organization), &records).await;
    }
    house.catch_up().await;
    (house, two)
}

#[tokio::test]
async fn an_analyst_sees_the_organizations_that_were_granted_and_no_more() {
    let (house, two) = two_organizations().await;
    for rebuilt in [false, true] {
        if rebuilt {
            for projection in all() {
                rebuild(&house.read, &house.feed(), &projection, &mut |_| {}).await.unwrap();
            }
        }
        for granted in [&two[..1], &two[..], &[]] {
            let mut tx = house.owner.begin().await.unwrap();
            become_analyst(&mut tx, granted).await;
            for view in views(&mut tx).await {
                assert_eq!(organizations(&mut tx, &view).await, granted, "{view}");
            }
            // Nor by way of what tenants' sessions set.
            let set = format!("set local orgledger.organization_id to '{}'", two[1]);
            tx.execute(set.as_str()).await.unwrap();
            assert_eq!(organizations(&mut tx, "reports.usage_hourly").await, granted);
            tx.rollback().await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_analyst_reads_reports_alone_and_changes_nothing() {
    let (house, two) = two_organizations().await;
    let build: i64 = sqlx::query_scalar(
        "select build from read.builds where projection = 'access_register' and state = 'serving'",
    )
    .fetch_one(&house.owner)
    .await
    .unwrap();
    for refused in [
        "select email from read.members".to_owned(),
        "select * from read.balances".to_owned(),
        "select * from read.access_reviews".to_owned(),
        "select * from log.usage_records".to_owned(),
        "select * from log.events".to_owned(),
        "select * from vault.person_keys".to_owned(),
        format!("select person_id from read_access_register_{build}.members"),
        "delete from reports.usage_hourly".to_owned(),
        "insert into reports.grants select current_user, gen_random_uuid()".to_owned(),
        "set role orgledger_reader".to_owned(),
        "set role orgledger_operator".to_owned(),
        "create table reports.mine (n integer)".to_owned(),
    ] {
        let mut tx = house.owner.begin().await.unwrap();
        become_analyst(&mut tx, &two).await;
        // A role that the session's own user may take on is not refused by being set.
        if refused.starts_with("set role") {
            let role = refused.rsplit(' ').next().unwrap();
            let member: bool = sqlx::query_scalar("select pg_has_role($1, $2, 'member')")
                .bind(ANALYST)
                .bind(role)
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            assert!(!member, "{refused}");
            continue;
        }
        let error = tx.execute(refused.as_str()).await.expect_err(&refused);
        let code = error.as_database_error().and_then(|error| error.code().map(String::from));
        // 42501: not permitted; 55000: the view cannot be changed; 42P01: there is no such table.
        let codes = ["42501", "55000", "42P01"];
        assert!(code.as_deref().is_some_and(|code| codes.contains(&code)), "{refused}: {error}");
    }
}

#[tokio::test]
async fn what_the_views_promise_is_written_down_and_stays() {
    let house = House::new().await;
    house.catch_up().await;
    let columns: Vec<String> = sqlx::query_scalar(
        "select c.relname || ': ' || string_agg(attname, ' ' order by attnum)
         from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = 'reports'::regnamespace and relkind = 'v' and attnum > 0
         group by c.relname order by c.relname",
    )
    .fetch_all(&house.owner)
    .await
    .unwrap();
    let undocumented: Vec<String> = sqlx::query_scalar(
        "select c.relname || '.' || attname from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = 'reports'::regnamespace and relkind = 'v' and attnum > 0
             and col_description(c.oid, attnum) is null
         union all select relname from pg_class where relnamespace = 'reports'::regnamespace
             and relkind = 'v' and obj_description(oid, 'pg_class') is null",
    )
    .fetch_all(&house.owner)
    .await
    .unwrap();
    assert_eq!(undocumented, [""; 0]);
    assert_eq!(columns, CONTRACT);
}

/// How docs/operating.md ends what analysts let run for longer than so long.
fn ending(longer_than: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut blocks = page.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap());
    let block = blocks.find(|block| block.contains("pg_terminate_backend")).unwrap();
    assert!(block.contains("'5 minutes'"), "{block}");
    block.replace("'5 minutes'", &format!("'{longer_than}'"))
}

#[tokio::test]
async fn an_analyst_lifts_the_timeout_and_the_manual_says_how_that_ends() {
    let (house, _) = two_organizations().await;
    let login = unique_name();
    let made = format!(
        "create role \"{login}\" login in role orgledger_analyst;
         alter role \"{login}\" set statement_timeout to '60s'"
    );
    house.owner.execute(made.as_str()).await.unwrap();
    let options = house.owner.connect_options().as_ref().clone().username(&login);
    let mut analyst = PgConnection::connect_with(&options).await.unwrap();
    analyst.execute("set statement_timeout to 0; begin").await.unwrap();
    let lifted: String =
        sqlx::query_scalar("show statement_timeout").fetch_one(&mut analyst).await.unwrap();
    assert_eq!(lifted, "0");
    let ended = async |longer_than: &str| -> Vec<bool> {
        sqlx::query_scalar(&ending(longer_than)).fetch_all(&house.owner).await.unwrap()
    };
    assert_eq!(ended("5 minutes").await, [false; 0]);
    assert_eq!(ended("0 seconds").await, [true]);
    assert!(analyst.execute("select 1").await.is_err(), "the session is over");
    house.owner.execute(format!("drop role \"{login}\"").as_str()).await.unwrap();
}
