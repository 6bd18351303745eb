//! Why of any line of a report of costs: the batches that its records came with, and what priced them
//! again, equal to an independent fold of the same records.

use std::collections::{BTreeMap, BTreeSet};

use api_conventions::Caller;
use api_conventions::permissions::{Access, Answering, Permissions, Reach};
use chrono::Duration;
use event_schemas::{MemberId, OrganizationId, Permission, PermissionSet, ProjectId};
use serde_json::Value;
use sqlx::PgPool;

use crate::cost_history::{ALICE, Dice, Entry, PROJECTS, folded, history, price_status, reported};
use crate::support::{id, path, time};

const ACME: u128 = 1;

/// A parameter, as it stands in a query, and which records have it.
type Filter = (String, Box<dyn Fn(&Entry) -> bool>);

fn filter(query: impl Into<String>, has: impl Fn(&Entry) -> bool + 'static) -> Filter {
    (query.into(), Box::new(has))
}

/// Some of what a line of a report is of.
fn some_filters(dice: &mut Dice) -> Vec<Filter> {
    let project = dice.pick(&PROJECTS);
    let (feature, model) = (dice.pick(&["chat", "search", ""]), dice.pick(&["m", "n"]));
    let user = format!("user-{}", dice.below(4));
    let from = time("2026-03-28T00:00:00Z") + Duration::minutes(15 * dice.pick(&[0, 1, 4, 70]));
    let (project, alice, ended) = (id(project), id(ALICE), time("2026-03-31T00:00:00Z"));
    let all = [
        filter(format!("project_id={project}"), move |one| one.usage.project_id.0 == project),
        filter(format!("member_id={alice}"), |one| one.usage.member_id.is_some()),
        filter("without=member", |one| one.usage.member_id.is_none()),
        filter(format!("end_user={user}"), move |one| one.usage.end_user.as_ref() == Some(&user)),
        filter("without=end_user", |one| one.usage.end_user.is_none()),
        filter(format!("feature={feature}"), move |one| one.usage.feature == feature),
        filter("without=feature", |one| one.usage.feature.is_empty()),
        filter("provider=openai", |one| one.usage.provider == "openai"),
        filter(format!("model={model}"), move |one| one.usage.model == model),
        filter("service_tier=batch", |one| one.usage.service_tier.is_some()),
        filter("without=service_tier,tag:team", |one| {
            one.usage.service_tier.is_none() && one.usage.tags.is_empty()
        }),
        filter("error_type=timeout", |one| one.usage.error_type.is_some()),
        filter("tags=%7B%22team%22:%22red%22%7D", |one| {
            one.usage.tags.get("team").is_some_and(|team| team == "red")
        }),
        filter("without=tag:team", |one| one.usage.tags.is_empty()),
        filter(format!("from={}", from.format("%Y-%m-%dT%H:%M:%SZ")), move |one| {
            one.usage.occurred_at >= from
        }),
        filter("to=2026-03-31", move |one| one.usage.occurred_at < ended),
    ];
    let mut named = BTreeSet::new();
    let mut some: Vec<Filter> = all.into_iter().filter(|_| dice.one_in(6)).collect();
    // The same twice, or with and without, is no question.
    let kinds = |query: &str| -> Vec<String> {
        let (name, of) = query.split_once('=').unwrap_or_default();
        let of = if name == "without" { of.split(',').collect() } else { Vec::new() };
        let names = of.into_iter().map(|of| of.split(':').next().unwrap_or_default());
        let names = names.chain([name.trim_end_matches("_id").trim_end_matches("ags")]);
        names.map(|name| if name == "t" { "tag" } else { name }.to_owned()).collect()
    };
    some.retain(|(query, _)| {
        let kinds = kinds(query);
        let is_new = !kinds.iter().any(|kind| named.contains(kind));
        if is_new {
            named.extend(kinds);
        }
        is_new
    });
    some
}

/// What is on a line, by the price that a record has, or had.
fn some_line(dice: &mut Dice) -> Filter {
    match dice.below(6) {
        0 => filter("currency=EUR", |one| {
            one.usage.price.is_some_and(|price| price.currency.to_string() == "EUR")
        }),
        1 => filter("price_status=priced&currency=USD", |one| {
            one.usage.price.is_some_and(|price| price.currency.to_string() == "USD")
        }),
        2 => filter("price_status=priced", |one| price_status(&one.usage) == "priced"),
        3 => filter("price_status=unpriced", |one| price_status(&one.usage) == "unpriced"),
        4 => filter("price_status=not_billed", |one| price_status(&one.usage) == "not_billed"),
        _ => filter("", |_| true),
    }
}

/// The first positions of all batches, in order.
async fn batches(pool: &PgPool) -> Vec<i64> {
    let all = "select first_position from log.usage_batches order by 1";
    sqlx::query_scalar(all).fetch_all(pool).await.expect("batches")
}

/// How many records each batch has on a line, and how many each event priced again.
fn expected<'a>(
    batches: &[i64],
    first: &BTreeMap<&'a str, i64>,
    known: &[&'a Entry],
) -> [BTreeMap<i64, i64>; 2] {
    let (mut records, mut repriced) = (BTreeMap::new(), BTreeMap::<i64, BTreeSet<&str>>::new());
    for entry in known {
        let recorded = first[entry.usage.request_id.as_str()];
        let batch = batches[batches.partition_point(|position| *position <= recorded) - 1];
        *records.entry(batch).or_default() += entry.sign;
        if entry.position != recorded {
            repriced.entry(entry.position).or_default().insert(&entry.usage.request_id);
        }
    }
    records.retain(|_, records| *records > 0);
    let count = |of: BTreeSet<&str>| i64::try_from(of.len()).expect("few");
    [records, repriced.into_iter().map(|(position, of)| (position, count(of))).collect()]
}

/// What the answer says of it.
fn found(line: &Value) -> BTreeMap<i64, i64> {
    let Some(records) = line.get("records").and_then(Value::as_array) else {
        return BTreeMap::new();
    };
    let number = |of: &Value, field: &str| of[field].as_i64().expect("a number");
    let positions: Vec<i64> = records.iter().map(|one| number(one, "position")).collect();
    let events = line["events"].as_array().expect("events").iter();
    let events: Vec<i64> = events.map(|event| number(event, "position")).collect();
    assert_eq!(events, positions, "each with its event");
    records.iter().map(|one| (number(one, "position"), number(one, "records"))).collect()
}

#[tokio::test]
async fn any_line_of_a_report_leads_to_its_batches_and_to_what_priced_them_again() {
    let mut dice = Dice(23);
    let (world, entries) = history(&mut dice).await;
    let head = world.log.head().await.expect("a head");
    let batches = batches(&world.owner).await;
    let mut first: BTreeMap<&str, i64> = BTreeMap::new();
    for entry in &entries {
        first.entry(&entry.usage.request_id).or_insert(entry.position);
    }
    let mut repriced = 0;
    for round in 0..250 {
        let mut filters = some_filters(&mut dice);
        filters.push(some_line(&mut dice));
        if dice.one_in(3) {
            let position = dice.small(u64::try_from(head).expect("small")) + 1;
            filters.push(filter(format!("at_position={position}"), move |one| {
                one.position <= position
            }));
        }
        if dice.one_in(4) {
            let near = entries[usize::try_from(dice.below(entries.len() as u64)).expect("few")]
                .recorded_at;
            let query = format!("as_of={}", near.format("%Y-%m-%dT%H:%M:%S%.6fZ"));
            filters.push(filter(query, move |one| one.recorded_at <= near));
        }
        let query: Vec<&str> = filters.iter().map(|(query, _)| query.as_str()).collect();
        let query = format!("usage=true&{}", query.join("&"));
        let known = entries.iter().filter(|one| filters.iter().all(|(_, has)| has(one)));
        let known: Vec<&Entry> = known.collect();
        let [records, events] = expected(&batches, &first, &known);
        let lines = world.found(&path(ACME, &format!("/why?{query}"))).await.at("/lines");
        assert_eq!(lines[0]["kind"], "usage");
        assert_eq!(found(&lines[0]), records, "{round}: {query}");
        assert_eq!(found(&lines[1]), events, "{round}: {query}");
        let all: i64 = records.values().sum();
        let what = lines[0]["what"].as_str().unwrap_or_default();
        assert!(what.starts_with(&format!("{all} usage records")), "{round}: {query}: {what}");
        let none = Value::Array(Vec::new());
        let totals = reported(lines[0].get("totals").unwrap_or(&none), &[]);
        assert_eq!(totals, folded(known.into_iter(), &[], "UTC"), "{round}: {query}");
        repriced += events.len();
        for event in lines[1]["events"].as_array().into_iter().flatten() {
            assert_eq!(event["type"], "usage.repriced");
            assert_eq!(event["actor"], "operator:ops");
        }
    }
    assert!(repriced > 100, "{repriced}");
}

#[tokio::test]
async fn what_no_line_can_be_of_is_refused() {
    let (world, _) = history(&mut Dice(29)).await;
    let refused = async |query: &str, field: &str| {
        let answer = world.get(&path(ACME, &format!("/why?{query}"))).await;
        answer.assert_problem(400, "invalid-request", query);
        assert_eq!(answer.at("/field"), field, "{query}");
    };
    refused("without=model", "without").await;
    refused("without=colour", "without").await;
    refused("without=end_user&end_user=a", "without").await;
    refused("price_status=unpriced&currency=USD", "currency").await;
    refused("price_status=cheap", "price_status").await;
    refused("tags=team", "tags").await;
    refused("tags=%7B%22team%22:1%7D", "tags").await;
    refused("usage=true&from=2026-03-28T00:01:00Z", "from").await;
    refused("usage=true&from=2026-03-29&to=2026-03-28", "to").await;
    refused("from=2026-03-28&time_zone=Mars/Base", "time_zone").await;
    // Nothing that was recorded has a NUL in it.
    let none =
        world.found(&path(ACME, "/why?feature=%00&tags=%7B%22team%22:%22%5Cu0000%22%7D")).await;
    assert_eq!(found(&none.at("/lines/0")), BTreeMap::new());
}

#[tokio::test]
async fn usage_is_of_the_months_that_are_here() {
    let (world, _) = history(&mut Dice(31)).await;
    let mut owner = world.owner.acquire().await.expect("a connection");
    let month = "2026-03".parse().expect("a month");
    event_log::usage::months::close(&mut owner, month).await.expect("it is open");
    event_log::usage::months::detach(&mut owner, month).await.expect("it is closed");
    let ask = async |query: &str| world.get(&path(ACME, &format!("/why?{query}"))).await;
    ask("model=m").await.assert_problem(409, "usage-archived", "all of it");
    assert_eq!(ask("model=m&from=2026-04-01").await.status, 200);
}

/// Alice, who reads the audit log, and the usage of one project and her own.
struct AuditorInOne;

impl Permissions for AuditorInOne {
    fn in_organization<'a>(&'a self, _: &'a Caller, _: OrganizationId) -> Answering<'a, Reach> {
        let access = Access {
            member_id: Some(MemberId(id(ALICE))),
            organization: [Permission::AuditRead].into_iter().collect(),
            only_in: None,
            groups: Vec::new(),
            granted_in: PROJECTS.map(|project| ProjectId(id(project))).to_vec(),
        };
        Box::pin(async { Ok(Reach::Of(access)) })
    }

    fn in_projects<'a>(
        &'a self,
        _: &'a Caller,
        _: OrganizationId,
        projects: &'a [ProjectId],
    ) -> Answering<'a, Vec<(ProjectId, PermissionSet)>> {
        let seen = projects.iter().filter(|project_id| project_id.0 == id(PROJECTS[0]));
        let may =
            |project_id: &ProjectId| (*project_id, [Permission::UsageRead].into_iter().collect());
        let seen = seen.map(may).collect();
        Box::pin(async { Ok(seen) })
    }
}

#[tokio::test]
async fn who_sees_the_usage_of_some_projects_is_told_of_those() {
    let (world, entries) = history(&mut Dice(37)).await;
    let world = world.asked_by(AuditorInOne);
    let seen =
        |one: &&Entry| one.usage.project_id.0 == id(PROJECTS[0]) || one.usage.member_id.is_some();
    let line = world.found(&path(ACME, "/why?usage=true")).await.at("/lines/0");
    let expected = folded(entries.iter().filter(seen), &[], "UTC");
    assert_eq!(reported(&line["totals"], &[]), expected);
    let expected: i64 = entries.iter().filter(seen).map(|one| one.sign).sum();
    assert_eq!(found(&line).values().sum::<i64>(), expected);
    // What is nothing of theirs has no records.
    let other = format!("/why?without=member&project_id={}", id(PROJECTS[1]));
    let line = world.found(&path(ACME, &other)).await.at("/lines/0");
    assert_eq!(found(&line), BTreeMap::new());
    // The balance is of the whole organization.
    let balance = world.get(&path(ACME, "/why?currency=USD")).await;
    balance.assert_problem(403, "forbidden", "no credits.read");
}
