//! What was spent of budgets at any time, as known at any position: what a replay to there shows, and what
//! single records and corrections come to.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use event_log::Append;
use event_log::clock::now;
use event_log::usage::{NewCorrection, RecordsOf, price_of, read_as_priced};
use event_schemas::{
    Amount, BudgetAction, BudgetEvent, BudgetPeriod, BudgetScope, Currency, OrganizationId,
    ProjectEvent, ServiceAccountEvent,
};
use projectors::replay::Replay;
use serde_json::{Value, json};

use crate::budgets::{ACME, acme, set, use_up};
use crate::cost_history::{Dice, repriced};
use crate::costs::{priced, record};
use crate::support::{World, column, id, path};

/// Prices records of Acme again, in one event, those of which `after` says at how many cents.
pub(crate) async fn reprice(world: &World, mut after: impl FnMut(i64) -> Option<i64>) -> i64 {
    let organization_id = OrganizationId(id(ACME));
    let of = RecordsOf {
        organization_id,
        after: 0,
        upto: world.log.head().await.expect("a head"),
        first_day: (now() - TimeDelta::days(40)).date_naive(),
        last_day: (now() + TimeDelta::days(2)).date_naive(),
    };
    let mut connection = world.log.pool().acquire().await.expect("a connection");
    let found = read_as_priced(&mut connection, of, 10_000).await.expect("records");
    let mut corrections = Vec::new();
    for (position, record) in &found.records {
        let Some(cents) = after(*position) else { continue };
        let (before, after) = (price_of(record), priced(cents * 10_000_000_000, "USD"));
        if before.is_some_and(|before| before.cost_pico == after.cost_pico) {
            continue;
        }
        corrections.push(NewCorrection {
            event: 0,
            organization_id,
            batch_id: record.batch_id,
            record_ordinal: record.ordinal,
            occurred_at: record.occurred_at,
            before,
            after,
        });
    }
    if corrections.is_empty() {
        return of.upto;
    }
    let events = vec![repriced(organization_id, &corrections)];
    let appended = world.log.append(Append { events, corrections, ..Append::default() }).await;
    appended.expect("it is appended").last_position
}

fn changed(budget: u128, amount: &str, time_zone: &str) -> BudgetEvent {
    BudgetEvent::Changed {
        budget_id: id(budget).into(),
        organization_id: OrganizationId(id(ACME)),
        name: format!("budget {budget}"),
        amount: amount.parse().expect("an amount"),
        thresholds: vec![50, 80],
        action: BudgetAction::Block,
        time_zone: time_zone.to_owned(),
    }
}

/// That `budget` came to half of ten dollars in a period, at a position.
fn half_reached(budget: u128, period: &Value, crossed_at: i64) -> BudgetEvent {
    BudgetEvent::ThresholdReached {
        budget_id: id(budget).into(),
        organization_id: OrganizationId(id(ACME)),
        name: format!("budget {budget}"),
        scope: BudgetScope::Organization {},
        period: serde_json::from_value(period["period"].clone()).expect("a day"),
        period_start: serde_json::from_value(period["period_start"].clone()).expect("a time"),
        period_end: serde_json::from_value(period["period_end"].clone()).expect("a time"),
        currency: Currency::USD,
        amount: "10".parse().expect("an amount"),
        threshold: 50,
        spent: "6".parse().expect("an amount"),
        crossed_at,
    }
}

/// A day of budgets, usage and corrections, some of which happened before others that were known first;
/// answers where each step ended.
async fn a_history(world: &World, dice: &mut Dice) -> Vec<i64> {
    let begin = now() - TimeDelta::days(6);
    for (budget, period) in (100..).zip(BudgetPeriod::ALL) {
        let search = BudgetScope::Feature { feature: "search".to_owned() };
        for (budget, scope) in [(budget, BudgetScope::Organization {}), (budget + 10, search)] {
            world.append(ACME, budget, &begin.to_rfc3339(), set(budget, scope, *period)).await;
        }
    }
    let mut heads = Vec::new();
    let mut number = 0;
    for _ in 0..60 {
        match dice.below(6) {
            0 => {
                let at = begin + TimeDelta::minutes(dice.small(6 * 24 * 60));
                let budget = 100 + u128::from(dice.below(4) + 10 * dice.below(2));
                let (amount, zone) =
                    (dice.pick(&["1", "5", "30"]), dice.pick(&["UTC", "Asia/Kathmandu"]));
                world.append(ACME, budget, &at.to_rfc3339(), changed(budget, amount, zone)).await;
            }
            1 => {
                reprice(world, |_| dice.one_in(4).then(|| dice.small(200))).await;
            }
            _ => {
                let mut records = Vec::new();
                for _ in 0..=dice.below(4) {
                    number += 1;
                    let price = priced(dice.small(200) * 10_000_000_000, "USD");
                    let mut used = record(number, "2026-01-01T00:00:00Z", Some(price));
                    used.occurred_at = now() - TimeDelta::seconds(dice.small(4 * 86_400));
                    dice.pick(&["search", "chat"]).clone_into(&mut used.feature);
                    records.push(used);
                }
                world.usage(ACME, records).await;
            }
        }
        heads.push(world.log.head().await.expect("a head"));
    }
    heads
}

/// A feature, when, known from which position on, and pico-units.
type Entry = (String, DateTime<Utc>, i64, i64);

/// What was used, and what corrections took away and added.
async fn entries(world: &World) -> Vec<Entry> {
    let joined = "log.usage_corrections c
        join log.usage_records r on r.batch_id = c.batch_id and r.ordinal = c.record_ordinal";
    sqlx::query_as(&format!(
        "select r.feature, r.occurred_at, b.first_position, r.cost_pico
         from log.usage_records r join log.usage_batches b using (batch_id)
         union all
         select r.feature, r.occurred_at, c.position, -c.cost_pico_before from {joined}
         union all
         select r.feature, r.occurred_at, c.position, c.cost_pico from {joined}"
    ))
    .fetch_all(&world.owner)
    .await
    .expect("entries")
}

/// What of it one budget has spent, by a time and a position.
fn folded(entries: &[Entry], budget: &Value, until: DateTime<Utc>, position: i64) -> String {
    let bound = |name: &str| -> Option<DateTime<Utc>> {
        serde_json::from_value(budget["current"][name].clone()).expect("a time")
    };
    let (start, end) = (bound("period_start"), bound("period_end"));
    let counts = |(feature, at, known, _): &&Entry| {
        (budget["scope"]["kind"] == "organization" || budget["scope"]["feature"] == **feature)
            && *known <= position
            && *at < until
            && start.is_none_or(|start| *at >= start)
            && end.is_none_or(|end| *at < end)
    };
    let pico = entries.iter().filter(counts).map(|(.., pico)| i128::from(*pico)).sum();
    Amount::from_pico(pico).to_string()
}

#[tokio::test]
async fn a_budget_at_any_time_and_position_is_what_was_true_and_known() {
    for seed in 1..4 {
        let world = acme().await;
        let mut dice = Dice(seed);
        let heads = a_history(&world, &mut dice).await;
        world.project_all().await;
        let entries = entries(&world).await;
        let mut spent_something = 0;
        for position in heads.iter().step_by(6) {
            let listed =
                world.found(&path(ACME, &format!("/budgets?at_position={position}"))).await;
            let listed = listed.at("/items");
            let listed = listed.as_array().expect("a list");
            let replayed = replayed(&world, *position).await;
            assert_eq!(listed.len(), 8);
            for budget in listed {
                let of = format!("seed {seed}, position {position}: {budget}");
                let day = budget["current"]["period"].as_str().unwrap_or("0001-01-01");
                let key = (text(&budget["budget_id"]), day.to_owned());
                let spent = replayed.get(&key).map_or("0.000000000000", String::as_str);
                assert_eq!(budget["current"]["spent"], spent, "{of}");
                spent_something += i32::from(spent != "0.000000000000");
            }
            let quarter = TimeDelta::minutes(15);
            let time = now() - TimeDelta::seconds(dice.small(5 * 86_400));
            let time = time.duration_trunc(quarter).expect("a quarter of an hour");
            let asked = format!("/budgets?at_position={position}&as_of={}", time.to_rfc3339());
            let listed = world.found(&path(ACME, &asked.replace('+', "%2B"))).await.at("/items");
            for budget in listed.as_array().expect("a list") {
                let expected = folded(&entries, budget, time, *position);
                assert_eq!(budget["current"]["spent"], expected, "seed {seed}, {asked}: {budget}");
            }
        }
        assert!(spent_something > 20, "{spent_something}");
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// What is spent by budget and period where history is folded again to a position.
async fn replayed(world: &World, position: i64) -> BTreeMap<(String, String), String> {
    let options = world.connect_options();
    let budgets = [projectors::named("budgets").expect("there is one")];
    let replay = Replay::begin(&options, world.log.vault().clone(), &budgets).await;
    let mut replay = replay.expect("a replay");
    replay.advance(position, &mut |_| {}).await.expect("it replays");
    let rows = replay.scratches()[0].state("budget_periods", None, 10_000).await.expect("rows");
    let spent = |row: &Value| format!("{:.12}", row["spent"].as_f64().expect("few digits"));
    rows.iter().map(|row| ((text(&row["budget_id"]), text(&row["period"])), spent(row))).collect()
}

#[tokio::test]
async fn what_is_priced_again_is_spent_anew_and_what_was_told_stays_reached() {
    let world = acme().await;
    let daily = set(100, BudgetScope::Organization {}, BudgetPeriod::Daily);
    world.append(ACME, 100, "2026-01-01T00:00:00Z", daily).await;
    use_up(&world, 1, 600, "search").await;
    let used = world.log.head().await.expect("a head");
    let one = path(ACME, &format!("/budgets/{}", id(100)));
    let current = async |query: &str| world.found(&format!("{one}{query}")).await.at("/current");
    let told = half_reached(100, &current("").await, used);
    world.append(ACME, 100, &now().to_rfc3339(), told).await;
    let authorized = async || {
        let told = world.found(&path(ACME, "/credits/authorization")).await;
        (told.at("/allowed"), told.at("/budgets/0/reason"))
    };
    // It cost more than was known: all of the ten dollars is spent.
    reprice(&world, |_| Some(1_200)).await;
    let dear = world.project_all().await;
    let found = current("").await;
    assert_eq!(
        (&found["spent"], &found["left"]),
        (&json!("12.000000000000"), &json!("-2.000000000000"))
    );
    assert_eq!((&found["reached"], &found["exhausted"]), (&json!([50, 80]), &json!(true)));
    assert_eq!(authorized().await, (json!(false), json!("budget_exhausted")));
    // And less: what was told is reached still, what was not is not, and nothing is blocked.
    reprice(&world, |_| Some(100)).await;
    world.project_all().await;
    let found = current("").await;
    assert_eq!(
        (&found["spent"], &found["left"]),
        (&json!("1.000000000000"), &json!("9.000000000000"))
    );
    assert_eq!((&found["reached"], &found["exhausted"]), (&json!([50]), &json!(false)));
    assert_eq!(authorized().await, (json!(true), json!("budget_left")));
    let before = current(&format!("?at_position={dear}")).await;
    assert_eq!(
        (&before["spent"], &before["reached"]),
        (&json!("12.000000000000"), &json!([50, 80]))
    );
    let before = current(&format!("?at_position={used}")).await;
    assert_eq!((&before["spent"], &before["reached"]), (&json!("6.000000000000"), &json!([50])));
}

#[tokio::test]
async fn a_time_has_its_own_period_and_its_own_forecast() {
    let world = acme().await;
    let mut daily = set(100, BudgetScope::Organization {}, BudgetPeriod::Daily);
    if let BudgetEvent::Set { time_zone, .. } = &mut daily {
        "UTC".clone_into(time_zone);
    }
    world.append(ACME, 100, "2026-02-27T12:00:00Z", daily).await;
    let price = priced(6_000_000_000_000, "USD");
    let records = ["2026-02-27T01:00:00Z", "2026-02-28T05:59:59Z", "2026-02-28T06:00:00Z"];
    let records = (1..).zip(records).map(|(number, at)| record(number, at, Some(price)));
    world.usage(ACME, records.collect()).await;
    world.append(ACME, 100, "2026-03-02T00:00:00Z", changed(100, "20", "UTC")).await;
    world.project_all().await;
    let at = async |time: &str| {
        world.found(&path(ACME, &format!("/budgets/{}?as_of={time}", id(100)))).await.json()
    };
    let found = at("2026-02-28T06:00:00Z").await;
    assert_eq!(found["version"], Value::Null);
    let current = &found["current"];
    assert_eq!(current["spent"], "6.000000000000", "what was used before that time: {found}");
    assert_eq!(current["forecast"], "24.000000000000", "a quarter of the day is over: {found}");
    assert_eq!(current["reached"], json!([50]));
    let whole = at("2026-02-28").await;
    assert_eq!(whole["current"]["spent"], "12.000000000000", "{whole}");
    assert_eq!(whole["current"]["exhausted"], true, "{whole}");
    assert_eq!(whole["amount"], "10.000000000000", "as it was then");
    // Set at noon, it counts all of its first day.
    assert_eq!(at("2026-02-27").await["current"]["spent"], "6.000000000000");
    let next = at("2026-03-02").await;
    assert_eq!(
        (&next["current"]["spent"], &next["amount"]),
        (&json!("0.000000000000"), &json!("20.000000000000"))
    );
    let odd = format!("/budgets/{}?as_of=2026-02-28T06:01:00Z", id(100));
    world.get(&path(ACME, &odd)).await.assert_problem(400, "invalid-request", "within a quarter");
    let early = format!("/budgets/{}?as_of=2026-02-26", id(100));
    world.get(&path(ACME, &early)).await.assert_problem(404, "not-found", "before it was set");
}

#[tokio::test]
async fn a_diff_has_budgets_and_the_thresholds_that_were_reached() {
    let world = acme().await;
    let on_project = BudgetScope::Project { project_id: id(10).into() };
    for (budget, scope) in [(100, BudgetScope::Organization {}), (101, on_project)] {
        let set = set(budget, scope, BudgetPeriod::Total);
        world.append(ACME, budget, "2026-01-02T00:00:00Z", set).await;
    }
    use_up(&world, 1, 600, "search").await;
    let used = world.log.head().await.expect("a head");
    let total = json!({ "period": null, "period_start": null, "period_end": null });
    let told = half_reached(100, &total, used);
    world.append(ACME, 100, "2026-01-03T00:00:00Z", told).await;
    world.append(ACME, 100, "2026-01-04T00:00:00Z", changed(100, "20", "Etc/GMT-2")).await;
    let removed = BudgetEvent::Removed {
        budget_id: id(100).into(),
        organization_id: OrganizationId(id(ACME)),
    };
    world.append(ACME, 10, "2026-01-05T00:00:00Z", ProjectEvent::Archived {}).await;
    world.append(ACME, 100, "2026-01-06T00:00:00Z", removed).await;
    world.project_all().await;
    let diff = async |query: &str| {
        let lines = world.found(&path(ACME, &format!("/diff{query}"))).await.at("/lines");
        let lines = lines.as_array().expect("lines").iter();
        Value::Array(lines.filter(|line| line["area"] == "budgets").cloned().collect())
    };
    let lines = diff("").await;
    let set = "budget.set";
    let types = [
        set,
        set,
        "budget.threshold_reached",
        "budget.changed",
        "project.archived",
        "budget.removed",
    ];
    assert_eq!(column(&lines, "type"), types, "{lines}");
    assert_eq!(column(&lines, "became"), ["began", "began", "began", "changed", "ended", "ended"]);
    assert_eq!(column(&lines, "actor"), ["operator:ops"; 6]);
    assert_eq!(lines[2]["name"], "budget 100 · 50 %");
    assert_eq!(lines[2]["after"]["crossed_at"], used);
    assert_eq!(lines[2]["after"]["spent"], "6.000000000000");
    assert_eq!(lines[3]["before"]["amount"], "10.000000000000", "{lines}");
    assert_eq!(lines[3]["after"]["amount"], "20.000000000000", "{lines}");
    assert_eq!(lines[4]["name"], "budget 101");
    let span = diff("?from=2026-01-02&to=2026-01-04").await;
    assert_eq!(column(&span, "type"), ["budget.threshold_reached", "budget.changed"]);
    let net = diff("?from=2026-01-03&to=2026-01-06&net=true").await;
    assert_eq!(column(&net, "became"), ["ended", "ended"], "{net}");
    let known = diff(&format!("?at_position={used}")).await;
    assert_eq!(column(&known, "type"), ["budget.set", "budget.set"]);
}

#[tokio::test]
async fn a_budget_on_a_key_ends_with_whoever_has_the_key() {
    let world = acme().await;
    let account = 40;
    let key = crate::budgets::key(
        21,
        event_schemas::KeyOwner::ServiceAccount { service_account_id: id(account).into() },
    );
    world.append(ACME, 21, "2026-01-01T00:00:00Z", key).await;
    for (budget, key) in [(100, 20), (101, 21)] {
        let on_key = BudgetScope::ApiKey { api_key_id: id(key).into() };
        let set = set(budget, on_key, BudgetPeriod::Monthly);
        world.append(ACME, budget, "2026-01-02T00:00:00Z", set).await;
    }
    world.project_all().await;
    let listed = async |query: &str| {
        column(&world.found(&path(ACME, &format!("/budgets{query}"))).await.at("/items"), "name")
    };
    assert_eq!(listed("").await, ["budget 100", "budget 101"]);
    let left =
        event_schemas::OrganizationEvent::MemberRemoved { member_id: id(30).into(), reason: None };
    world.append(ACME, ACME, "2026-01-03T00:00:00Z", left).await;
    world.project_all().await;
    assert_eq!(listed("").await, ["budget 101"], "the key's owner has left");
    world.append(ACME, account, "2026-01-04T00:00:00Z", ServiceAccountEvent::Removed {}).await;
    world.project_all().await;
    assert_eq!(listed("").await, [""; 0], "the key's service account was removed");
    assert_eq!(listed("?as_of=2026-01-02").await, ["budget 100", "budget 101"]);
}

/// In the Azores midnight passes twice when summer time ends.
#[tokio::test]
async fn a_period_begins_with_the_first_midnight_of_its_day() {
    let world = acme().await;
    let mut daily = set(100, BudgetScope::Organization {}, BudgetPeriod::Daily);
    if let BudgetEvent::Set { time_zone, thresholds, .. } = &mut daily {
        "Atlantic/Azores".clone_into(time_zone);
        // Reached by the first record of each day, of which one is in the first midnight's hour.
        *thresholds = vec![1];
    }
    world.append(ACME, 100, "2025-10-20T12:00:00Z", daily).await;
    let price = priced(100_000_000_000, "USD");
    let records = ["2025-10-25T23:30:00Z", "2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"];
    let records = (1..).zip(records).map(|(number, at)| record(number, at, Some(price)));
    world.usage(ACME, records.collect()).await;
    world.project_all().await;
    let at = async |time: &str| {
        world.found(&path(ACME, &format!("/budgets/{}?as_of={time}", id(100)))).await.at("/current")
    };
    let current = at("2025-10-26T12:00:00Z").await;
    assert_eq!(current["period"], "2025-10-26");
    assert_eq!(current["period_start"], "2025-10-26T00:00:00Z");
    assert_eq!(current["period_end"], "2025-10-27T01:00:00Z");
    assert_eq!(current["spent"], "0.200000000000");
    let before = at("2025-10-25T23:45:00Z").await;
    assert_eq!(before["period_end"], "2025-10-26T00:00:00Z");
    assert_eq!(before["spent"], "0.100000000000");
}
