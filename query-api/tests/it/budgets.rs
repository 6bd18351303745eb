//! What is spent and left of budgets, and what a gateway is told of them.

use chrono::{TimeDelta, Timelike as _};
use event_log::clock::now;
use event_schemas::{
    ApiKeyEvent, ApiKeyId, BudgetAction, BudgetEvent, BudgetKeeper, BudgetPeriod, BudgetScope,
    Currency, KeyOwner, MemberId, OrganizationId, ProjectEvent, ProjectId,
};
use serde_json::{Value, json};

use crate::costs::{priced, record};
use crate::support::{World, id, path, time};

pub(crate) const ACME: u128 = 1;
const PROJECT: u128 = 10;
const KEY: u128 = 20;
const ADA: u128 = 30;

/// A budget of ten dollars that blocks.
pub(crate) fn set(budget: u128, scope: BudgetScope, period: BudgetPeriod) -> BudgetEvent {
    let project_id = match &scope {
        BudgetScope::Project { project_id } => Some(*project_id),
        BudgetScope::ApiKey { .. } => Some(ProjectId(id(PROJECT))),
        BudgetScope::Organization {} | BudgetScope::Member { .. } | BudgetScope::Feature { .. } => {
            None
        }
    };
    BudgetEvent::Set {
        budget_id: id(budget).into(),
        organization_id: OrganizationId(id(ACME)),
        scope,
        project_id,
        keeper: BudgetKeeper::Organization,
        name: format!("budget {budget}"),
        currency: Currency::USD,
        period,
        amount: "10".parse().expect("an amount"),
        thresholds: vec![50, 80],
        action: BudgetAction::Block,
        time_zone: noon(),
    }
}

/// A zone in which it is between noon and one o'clock: half of its day is over.
fn noon() -> String {
    let hours = i64::from(now().hour()) - 12;
    // The signs of these names are the other way round.
    if hours == 0 { "UTC".to_owned() } else { format!("Etc/GMT{hours:+}") }
}

/// An organization with a project, Ada, and her key for it.
pub(crate) async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.project(ACME, PROJECT, "2026-01-01T00:00:00Z", "Prod").await;
    world.member(ACME, ADA, "2026-01-01T00:00:00Z", "ada").await;
    let key = key(KEY, KeyOwner::Member { member_id: MemberId(id(ADA)) });
    world.append(ACME, KEY, "2026-01-01T00:00:00Z", key).await;
    world
}

/// A key for the project.
pub(crate) fn key(key: u128, owner: KeyOwner) -> ApiKeyEvent {
    ApiKeyEvent::Created {
        api_key_id: ApiKeyId(id(key)),
        organization_id: OrganizationId(id(ACME)),
        project_id: Some(ProjectId(id(PROJECT))),
        owner,
        name: "key".to_owned(),
        secret_hash: "00".to_owned(),
        redacted: "olk_…".to_owned(),
        expires_at: None,
        rotation_due_at: None,
        rotation_days: None,
        scopes: None,
    }
}

/// Uses that many cents up now, in the project, with Ada's key, for a feature.
pub(crate) async fn use_up(world: &World, number: i64, cents: i64, feature: &str) {
    let at = now();
    let mut used =
        record(number, "2026-01-01T00:00:00Z", Some(priced(cents * 10_000_000_000, "USD")));
    used.occurred_at = at;
    used.project_id = ProjectId(id(PROJECT));
    used.api_key_id = Some(ApiKeyId(id(KEY)));
    used.member_id = Some(MemberId(id(ADA)));
    used.feature = feature.to_owned();
    world.usage(ACME, vec![used]).await;
    world.project_all().await;
}

fn amount(value: &Value) -> f64 {
    value.as_str().expect("an amount").parse().expect("a number")
}

#[tokio::test]
async fn a_budget_says_what_is_spent_and_left_and_where_that_leads() {
    let world = acme().await;
    let daily = set(100, BudgetScope::Organization {}, BudgetPeriod::Daily);
    let total = set(101, BudgetScope::Organization {}, BudgetPeriod::Total);
    let monthly = set(102, BudgetScope::Feature { feature: "x".to_owned() }, BudgetPeriod::Monthly);
    for (budget, event) in [(100, daily), (101, total), (102, monthly)] {
        world.append(ACME, budget, "2026-01-01T00:00:00Z", event).await;
    }
    use_up(&world, 1, 600, "search").await;
    let listed = world.found(&path(ACME, "/budgets")).await.at("/items");
    let one = |n: usize, pointer: &str| listed[n].pointer(pointer).cloned().expect("it is there");
    assert_eq!(one(0, "/current/spent"), "6.000000000000");
    assert_eq!(one(0, "/current/left"), "4.000000000000");
    assert_eq!(one(0, "/current/reached"), json!([50]));
    assert_eq!(one(0, "/current/exhausted"), json!(false));
    // Half of the day is over, and up to an hour more.
    let forecast = amount(&one(0, "/current/forecast"));
    assert!((11.0..=12.0).contains(&forecast), "{forecast}");
    let ends = time(one(0, "/current/period_end").as_str().expect("a time"));
    let begins = time(one(0, "/current/period_start").as_str().expect("a time"));
    assert_eq!(ends - begins, TimeDelta::days(1));
    assert!(begins <= now() && now() < ends);
    assert_eq!(one(0, "/version"), 1);
    // What never begins anew has no end to forecast.
    for field in ["forecast", "period", "period_start", "period_end"] {
        assert_eq!(one(1, &format!("/current/{field}")), Value::Null, "{field}");
    }
    assert_eq!(one(1, "/current/spent"), "6.000000000000");
    assert_eq!(one(2, "/current/spent"), "0.000000000000");
    // Before anything was used, or was known to be, nothing was spent.
    for query in ["as_of=2026-01-02", "at_position=6"] {
        let found = world.found(&path(ACME, &format!("/budgets/{}?{query}", id(100)))).await;
        assert_eq!(found.at("/current/spent"), "0.000000000000", "{query}");
        assert_eq!(found.at("/version"), Value::Null, "{query}");
        assert_eq!(found.at("/amount"), "10.000000000000");
    }
    let before = world.get(&path(ACME, &format!("/budgets/{}?at_position=3", id(100)))).await;
    before.assert_problem(404, "not-found", "before it was set");
    let of_project =
        world.found(&path(ACME, &format!("/budgets?project_id={}", id(PROJECT)))).await;
    assert_eq!(of_project.at("/items"), json!([]));
}

#[tokio::test]
async fn a_budget_ends_with_what_it_is_on_and_what_it_spent_stays_known() {
    let world = acme().await;
    let on_project = BudgetScope::Project { project_id: ProjectId(id(PROJECT)) };
    let on_key = BudgetScope::ApiKey { api_key_id: ApiKeyId(id(KEY)) };
    let on_ada = BudgetScope::Member { member_id: MemberId(id(ADA)) };
    for (budget, scope) in [(100, on_project), (101, on_key), (102, on_ada)] {
        let event = set(budget, scope, BudgetPeriod::Monthly);
        world.append(ACME, budget, "2026-01-02T00:00:00Z", event).await;
    }
    world.project_all().await;
    let listed = async |query: &str| {
        let page = world.found(&path(ACME, &format!("/budgets{query}"))).await;
        page.at("/items").as_array().expect("a list").len()
    };
    assert_eq!(listed("").await, 3);
    world.append(ACME, KEY, "2026-01-03T00:00:00Z", ApiKeyEvent::Revoked { reason: None }).await;
    world.project_all().await;
    assert_eq!(listed("").await, 2);
    world.append(ACME, PROJECT, "2026-01-03T00:00:00Z", ProjectEvent::Archived {}).await;
    world.project_all().await;
    assert_eq!(listed("").await, 1);
    assert_eq!(listed("?as_of=2026-01-02").await, 3);
}

#[tokio::test]
async fn a_gateway_is_told_which_budget_stands_against_going_on() {
    let world = acme().await;
    let scopes = [
        BudgetScope::Organization {},
        BudgetScope::Project { project_id: ProjectId(id(PROJECT)) },
        BudgetScope::ApiKey { api_key_id: ApiKeyId(id(KEY)) },
        BudgetScope::Member { member_id: MemberId(id(ADA)) },
        BudgetScope::Feature { feature: "search".to_owned() },
    ];
    for (budget, scope) in (100..).zip(scopes) {
        let event = set(budget, scope, BudgetPeriod::Total);
        world.append(ACME, budget, "2026-01-02T00:00:00Z", event).await;
    }
    use_up(&world, 1, 400, "search").await;
    let asked = async |query: &str| -> (bool, Vec<(Value, Value)>) {
        let told = world.found(&path(ACME, &format!("/credits/authorization{query}"))).await;
        let budgets = told.at("/budgets");
        let budgets = budgets.as_array().expect("a list");
        let of = |budget: &Value| (budget["budget_id"].clone(), budget["reason"].clone());
        (told.at("/allowed") == json!(true), budgets.iter().map(of).collect())
    };
    let left = |budget: u128| (json!(id(budget)), json!("budget_left"));
    let over = |budget: u128| (json!(id(budget)), json!("budget_exhausted"));
    assert_eq!(asked("").await, (true, vec![left(100)]));
    let project = format!("?project_id={}", id(PROJECT));
    assert_eq!(asked(&project).await, (true, vec![left(100), left(101)]));
    // With a key its project and its member are known.
    let key = format!("?api_key_id={}", id(KEY));
    let all_but_feature = vec![left(100), left(101), left(102), left(103)];
    assert_eq!(asked(&key).await, (true, all_but_feature));
    assert_eq!(asked("?feature=search&currency=EUR").await, (true, vec![]));
    let unknown = format!("/credits/authorization?api_key_id={}", id(0xff));
    let unknown = world.get(&path(ACME, &unknown)).await;
    unknown.assert_problem(404, "not-found", "a key that is not there");
    let elsewhere = format!("/credits/authorization{key}&project_id={}", id(77));
    let elsewhere = world.get(&path(ACME, &elsewhere)).await;
    elsewhere.assert_problem(404, "not-found", "a key of another project");

    // Ten dollars are spent for the feature with the first to the last cent, in all thirteen.
    use_up(&world, 2, 599, "search").await;
    assert_eq!(asked("?feature=search").await.1, [left(100), left(104)]);
    use_up(&world, 3, 1, "search").await;
    assert_eq!(asked("?feature=search").await, (false, vec![over(100), over(104)]));
    let more = BudgetEvent::Changed {
        budget_id: id(100).into(),
        organization_id: OrganizationId(id(ACME)),
        name: "more".to_owned(),
        amount: "20".parse().expect("an amount"),
        thresholds: vec![],
        action: BudgetAction::Block,
        time_zone: "UTC".to_owned(),
    };
    world.append(ACME, 100, "2026-01-03T00:00:00Z", more).await;
    world.project_all().await;
    assert_eq!(asked("").await, (true, vec![left(100)]));
    assert_eq!(asked("?feature=other").await, (true, vec![left(100)]));
    assert_eq!(asked("?feature=search").await, (false, vec![over(104), left(100)]));
    let alert = BudgetEvent::Changed {
        budget_id: id(104).into(),
        organization_id: OrganizationId(id(ACME)),
        name: "alert only".to_owned(),
        amount: "10".parse().expect("an amount"),
        thresholds: vec![],
        action: BudgetAction::Alert,
        time_zone: "UTC".to_owned(),
    };
    world.append(ACME, 104, "2026-01-03T00:00:00Z", alert).await;
    world.project_all().await;
    assert_eq!(asked("?feature=search").await, (true, vec![left(100)]));
}
