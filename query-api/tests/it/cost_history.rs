//! Reports by everything, in any time zone, as known at any position: equal to an independent fold
//! of the same records.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Duration, DurationRound as _, TimeDelta, Utc};
use event_log::usage::{
    Fate, NewCorrection, NewUsage, RecordsOf, corrections_hash, price_of, read_as_priced,
};
use event_log::{Append, NewEvent};
use event_schemas::{
    Amount, MemberId, OrganizationEvent, OrganizationId, ProjectId, RepricingScope, Unit, Units,
    UsageRepricingEvent,
};
use serde_json::{Value, json};

use crate::costs::{priced, record};
use crate::support::{World, id, metadata, path, time};

const ACME: u128 = 1;
const OTHER: u128 = 2;
pub(crate) const PROJECTS: [u128; 2] = [10, 11];
pub(crate) const ALICE: u128 = 20;

/// A generator of our own, so that a failure comes again.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % below
    }

    pub(crate) fn small(&mut self, below: u64) -> i64 {
        i64::try_from(self.below(below)).expect("small")
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = self.below(u64::try_from(from.len()).expect("few"));
        from[usize::try_from(index).expect("few")]
    }
}

/// What was recorded, or taken away when it was priced again, with when the log learned of it.
pub(crate) struct Entry {
    /// 1, or -1 of what was taken away.
    pub(crate) sign: i64,
    pub(crate) position: i64,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) usage: NewUsage,
}

/// From a Friday to the next Thursday: a week and a month begin meanwhile, and summer time.
fn one(dice: &mut Dice, number: i64) -> NewUsage {
    let at = time("2026-03-27T00:00:00Z") + Duration::seconds(dice.small(6 * 86_400));
    let currency = if dice.one_in(4) { "EUR" } else { "USD" };
    let mut usage = NewUsage {
        project_id: ProjectId(id(dice.pick(&PROJECTS))),
        member_id: dice.one_in(2).then(|| MemberId(id(ALICE))),
        end_user: dice.one_in(3).then(|| format!("user-{}", dice.below(4))),
        feature: dice.pick(&["chat", "search", ""]).to_owned(),
        provider: dice.pick(&["openai", "anthropic"]).to_owned(),
        model: dice.pick(&["m", "n"]).to_owned(),
        input_tokens: dice.small(100_000),
        service_tier: dice.one_in(5).then(|| "batch".to_owned()),
        price: (!dice.one_in(5)).then(|| priced(1 + dice.small(999_999_999_999), currency)),
        ..record(number, &at.to_rfc3339(), None)
    };
    if dice.one_in(3) {
        usage.tags.insert("team".to_owned(), dice.pick(&["red", "it's \"blue\""]).to_owned());
    }
    if dice.one_in(4) {
        usage.units = [(Unit::WebSearches, 1 + dice.small(3)), (Unit::Pages, dice.small(2))]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect();
    }
    if dice.one_in(6) {
        usage.error_type = Some("timeout".to_owned());
        if dice.one_in(2) {
            usage = NewUsage {
                input_tokens: 0,
                cached_input_tokens: 0,
                cache_write_tokens: 0,
                output_tokens: 0,
                reasoning_tokens: 0,
                units: Units::NONE,
                price: None,
                ..usage
            };
        }
    }
    usage
}

/// Batches of two organizations and events, hours and days apart from each other.
pub(crate) async fn history(dice: &mut Dice) -> (World, Vec<Entry>) {
    let world = World::new().await;
    for (organization, name) in [(ACME, "Acme"), (OTHER, "Other")] {
        world.organization(organization, "2026-01-01T00:00:00Z", name).await;
    }
    for project in PROJECTS {
        world.project(ACME, project, "2026-01-01T00:00:00Z", &format!("P{project}")).await;
    }
    world.member(ACME, ALICE, "2026-01-01T00:00:00Z", "alice").await;
    let mut entries = Vec::new();
    for batch in 0..40 {
        if dice.one_in(2) {
            // The clock goes on: the log takes the later of its own time and this one. That is for a
            // test alone, so what refuses a time that is still to come looks away.
            let minutes = dice.pick(&[1, 7, 40, 90, 1_500]);
            let later = format!(
                "alter table log.head disable trigger moved;
                 update log.head set recorded_at = greatest(recorded_at, clock_timestamp())
                     + {minutes} * interval '1 minute';
                 alter table log.head enable trigger moved"
            );
            sqlx::raw_sql(&later).execute(&world.owner).await.expect("it is later");
        }
        let size = dice.small(30) + 1;
        let usage: Vec<_> = (0..size).map(|n| one(dice, 1_000 * batch + n)).collect();
        if dice.one_in(3) {
            world.usage(OTHER, usage).await;
            let renamed = OrganizationEvent::Updated { name: None, seat_limit: Some(50) };
            world.append(OTHER, OTHER, "2026-03-01T00:00:00Z", renamed).await;
            continue;
        }
        let written = world.usage(ACME, usage.clone()).await;
        let recorded_at = sqlx::query_scalar("select recorded_at from log.head");
        let recorded_at = recorded_at.fetch_one(&world.owner).await.expect("a head");
        for (usage, fate) in usage.into_iter().zip(written.fates) {
            let Fate::Recorded { position } = fate else { panic!("{fate:?}") };
            entries.push(Entry { sign: 1, position, recorded_at, usage });
        }
        if dice.one_in(2) {
            reprice(&world, dice, &mut entries).await;
        }
    }
    world.project_all().await;
    (world, entries)
}

/// Prices some records again, in one event or two.
async fn reprice(world: &World, dice: &mut Dice, entries: &mut Vec<Entry>) {
    let organization_id = OrganizationId(id(ACME));
    let day = |text: &str| time(text).date_naive();
    let of = RecordsOf {
        organization_id,
        after: 0,
        upto: world.log.head().await.expect("a head"),
        first_day: day("2026-03-27T00:00:00Z"),
        last_day: day("2026-04-03T00:00:00Z"),
    };
    let mut connection = world.log.pool().acquire().await.expect("a connection");
    let found = read_as_priced(&mut connection, of, 10_000).await.expect("records");
    let mut append = Append::default();
    let mut changes = Vec::new();
    for records in found.records.chunks(1 + found.records.len() / 2) {
        let mut corrections = Vec::new();
        for (_, record) in records {
            if !dice.one_in(4) || record.failed_without_use() {
                continue;
            }
            let currency = if dice.one_in(3) { "EUR" } else { "USD" };
            let after = priced(1 + dice.small(999_999_999_999), currency);
            corrections.push(NewCorrection {
                event: append.events.len(),
                organization_id,
                batch_id: record.batch_id,
                record_ordinal: record.ordinal,
                occurred_at: record.occurred_at,
                before: price_of(record),
                after,
            });
            changes.push((append.events.len(), record.request_id.clone(), price_of(record), after));
        }
        if !corrections.is_empty() {
            append.events.push(repriced(organization_id, &corrections));
            append.corrections.extend(corrections);
        }
    }
    if append.events.is_empty() {
        return;
    }
    let appended = world.log.append(append).await.expect("it is appended");
    for (event, request_id, before, after) in changes {
        let first = entries.iter().find(|entry| entry.usage.request_id == request_id);
        let usage = first.expect("it was recorded").usage.clone();
        let position = appended.first_position + i64::try_from(event).expect("few");
        for (sign, price) in [(-1, before), (1, Some(after))] {
            let usage = NewUsage { price, ..usage.clone() };
            entries.push(Entry { sign, position, recorded_at: appended.recorded_at, usage });
        }
    }
}

/// The event of some corrections.
pub(crate) fn repriced(organization_id: OrganizationId, corrections: &[NewCorrection]) -> NewEvent {
    let event = UsageRepricingEvent::Repriced {
        repricing_id: id(ACME).into(),
        scope: RepricingScope {
            from: time("2026-03-27T00:00:00Z"),
            to: time("2026-04-03T00:00:00Z"),
            project_id: None,
            provider: None,
            model: None,
            only_unpriced: false,
        },
        prices_at: 0,
        price_list_id: None,
        price_list_version: None,
        reason: None,
        corrections: u32::try_from(corrections.len()).expect("few"),
        corrections_hash: corrections_hash(corrections),
        totals: Vec::new(),
    };
    let metadata = serde_json::to_string(&metadata()).expect("it serialises").into();
    let stream = organization_id.to_string().into();
    let of = Some(organization_id);
    NewEvent::new(&event, stream, of, metadata, time("2026-04-03T00:00:00Z"))
        .expect("it serialises")
}

/// How far a zone is from UTC, in minutes.
fn offset(zone: &str, at: DateTime<Utc>) -> i64 {
    match zone {
        "UTC" => 0,
        "Asia/Kolkata" => 330,
        "Asia/Kathmandu" => 345,
        "Europe/Berlin" if at < time("2026-03-29T01:00:00Z") => 60,
        "Europe/Berlin" => 120,
        "America/New_York" => -240,
        other => panic!("{other} is not known here"),
    }
}

fn value(usage: &NewUsage, by: &str, zone: &str) -> Value {
    let local = usage.occurred_at + Duration::minutes(offset(zone, usage.occurred_at));
    match by {
        "organization_id" => json!(id(ACME)),
        "project_id" => json!(usage.project_id),
        "api_key_id" | "service_account_id" => Value::Null,
        "member_id" => json!(usage.member_id),
        "end_user" => json!(usage.end_user),
        "feature" => json!(usage.feature),
        "provider" => json!(usage.provider),
        "model" => json!(usage.model),
        "service_tier" => json!(usage.service_tier),
        "error_type" => json!(usage.error_type),
        "tag:team" => json!(usage.tags.get("team")),
        "hour" => {
            let hour = local.duration_trunc(TimeDelta::hours(1)).expect("an hour");
            let hour = hour - Duration::minutes(offset(zone, usage.occurred_at));
            json!(hour.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        }
        "day" => json!(local.format("%Y-%m-%d").to_string()),
        "week" => {
            let monday = i64::from(local.weekday().num_days_from_monday());
            json!((local - Duration::days(monday)).format("%Y-%m-%d").to_string())
        }
        "month" => json!(local.format("%Y-%m").to_string()),
        other => panic!("{other} is not known here"),
    }
}

/// Requests, failed ones, tokens, cost and units, by group and line.
pub(crate) type Sums = BTreeMap<String, (i64, i64, i64, i128, BTreeMap<String, i64>)>;

/// What is known of its price.
pub(crate) fn price_status(usage: &NewUsage) -> &'static str {
    let used = usage.input_tokens + usage.output_tokens > 0 || !usage.units.is_empty();
    match (usage.price, &usage.error_type) {
        (Some(_), _) => "priced",
        (None, Some(_)) if !used => "not_billed",
        (None, _) => "unpriced",
    }
}

pub(crate) fn folded<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    by: &[&str],
    zone: &str,
) -> Sums {
    let mut sums = Sums::new();
    for Entry { sign, usage, .. } in entries {
        let group: Vec<Value> = by.iter().map(|by| value(usage, by, zone)).collect();
        let status = price_status(usage);
        let currency = usage.price.map(|price| price.currency);
        let sum = sums.entry(json!([group, status, currency]).to_string()).or_default();
        sum.0 += sign;
        sum.1 += sign * i64::from(usage.error_type.is_some());
        sum.2 += sign * usage.input_tokens;
        let cost = usage.price.map_or(0, |price| i128::from(price.cost_pico));
        sum.3 += i128::from(*sign) * cost;
        for (unit, count) in usage.units.iter() {
            *sum.4.entry(unit.to_string()).or_default() += sign * count;
        }
    }
    // What was taken away as often as it was added is nothing.
    sums.retain(|_, sum| sum.0 != 0);
    for sum in sums.values_mut() {
        sum.4.retain(|_, count| *count != 0);
    }
    sums
}

pub(crate) fn reported(rows: &Value, by: &[&str]) -> Sums {
    let mut sums = Sums::new();
    for row in rows.as_array().expect("rows") {
        let group: Vec<&Value> = by.iter().map(|by| &row[*by]).collect();
        let number = |field: &str| row[field].as_i64().expect("a number");
        let cost = row["cost"].as_str().map(|cost| cost.parse::<Amount>().expect("exact").pico());
        let units = row.get("units").cloned().unwrap_or_else(|| json!({}));
        let sum = (
            number("requests"),
            number("failed_requests"),
            number("input_tokens"),
            cost.unwrap_or(0),
            serde_json::from_value(units).expect("units"),
        );
        let key = json!([group, row["price_status"], row["currency"]]).to_string();
        assert!(sums.insert(key, sum).is_none(), "one row a line: {row}");
    }
    sums
}

const DIMENSIONS: [&str; 16] = [
    "organization_id",
    "project_id",
    "api_key_id",
    "member_id",
    "service_account_id",
    "end_user",
    "feature",
    "provider",
    "model",
    "service_tier",
    "error_type",
    "tag:team",
    "hour",
    "day",
    "week",
    "month",
];
const ZONES: [&str; 5] =
    ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin", "America/New_York"];

/// Up to three dimensions.
fn some_dimensions(dice: &mut Dice) -> Vec<&'static str> {
    let mut by = Vec::new();
    // Most reports ask for what is summed up beforehand.
    let coarse = ["project_id", "feature", "provider", "model", "day", "week", "month", "hour"];
    for _ in 0..=dice.below(3) {
        let from = if dice.one_in(3) { &DIMENSIONS[..] } else { &coarse[..] };
        let dimension = dice.pick(from);
        if !by.contains(&dimension) {
            by.push(dimension);
        }
    }
    by
}

#[tokio::test]
async fn a_report_at_any_position_is_the_fold_of_what_stood_before_it() {
    let mut dice = Dice(7);
    let (world, entries) = history(&mut dice).await;
    let head = world.log.head().await.expect("a head");
    for round in 0..250 {
        let (by, zone) = (some_dimensions(&mut dice), dice.pick(&ZONES));
        let words: Vec<&str> = by.iter().map(|by| by.trim_end_matches("_id")).collect();
        let mut query = format!("by={}&time_zone={zone}", words.join(","));
        let position = dice.one_in(2).then(|| dice.small(u64::try_from(head).expect("small") + 1));
        if let Some(position) = position {
            query.push_str(&format!("&at_position={position}"));
        }
        let known_at = dice.one_in(3).then(|| {
            let near = entries[usize::try_from(dice.below(entries.len() as u64)).expect("few")]
                .recorded_at;
            near + Duration::microseconds(dice.pick(&[-1, 0, 1, 3_600_000_000]))
        });
        if let Some(known_at) = known_at {
            query.push_str(&format!("&as_of={}", known_at.format("%Y-%m-%dT%H:%M:%S%.6fZ")));
        }
        let from = dice.one_in(3).then(|| {
            time("2026-03-28T00:00:00Z") + Duration::minutes(15 * dice.pick(&[0, 1, 4, 70]))
        });
        if let Some(from) = from {
            query.push_str(&format!("&from={}", from.format("%Y-%m-%dT%H:%M:%SZ")));
        }
        let feature = dice.one_in(4).then_some("chat");
        if let Some(feature) = feature {
            query.push_str(&format!("&feature={feature}"));
        }
        let known = entries.iter().filter(|entry| {
            position.is_none_or(|position| entry.position <= position)
                && known_at.is_none_or(|known_at| entry.recorded_at <= known_at)
                && from.is_none_or(|from| entry.usage.occurred_at >= from)
                && feature.is_none_or(|feature| entry.usage.feature == feature)
        });
        let expected = folded(known, &by, zone);
        let report = world.found(&path(ACME, &format!("/costs?{query}"))).await.json();
        assert_eq!(reported(&report["rows"], &by), expected, "{round}: {query}");
        let totals: i64 = report["totals"]
            .as_array()
            .expect("totals")
            .iter()
            .map(|total| total["requests"].as_i64().expect("a number"))
            .sum();
        assert_eq!(totals, expected.values().map(|sum| sum.0).sum::<i64>(), "{round}: {query}");
    }
}

#[tokio::test]
async fn what_is_attributed_to_nobody_is_a_line_of_its_own() {
    let (world, entries) = history(&mut Dice(11)).await;
    for (by, field) in [("member", "member"), ("end_user", "end_user"), ("tag:team", "tag:team")] {
        let report = world.found(&path(ACME, &format!("/costs?by={by}"))).await.json();
        let rows = report["rows"].as_array().expect("rows").iter();
        let (nobodys, of_all): (i64, i64) = rows.fold((0, 0), |(nobodys, of_all), row| {
            assert_eq!(row["unattributed"], row[field].is_null(), "{row}");
            let requests = row["requests"].as_i64().expect("a number");
            (nobodys + if row["unattributed"] == true { requests } else { 0 }, of_all + requests)
        });
        assert!(nobodys > 0 && nobodys < of_all, "{by}: {nobodys} of {of_all}");
        assert_eq!(of_all, entries.iter().map(|entry| entry.sign).sum::<i64>(), "{by}");
    }
}

#[tokio::test]
async fn ready_made_reports_group_by_what_they_say() {
    let (world, entries) = history(&mut Dice(13)).await;
    let check = async |report: &str, by: [&str; 2]| {
        let answer = world.found(&path(ACME, &format!("/costs?report={report}"))).await.json();
        assert_eq!(reported(&answer["rows"], &by), folded(entries.iter(), &by, "UTC"), "{report}");
    };
    check("weekly_by_project", ["week", "project_id"]).await;
    check("monthly_by_organization", ["month", "organization_id"]).await;
}

#[tokio::test]
async fn an_archived_month_is_refused_where_it_is_looked_at_and_nowhere_else() {
    let (world, entries) = history(&mut Dice(19)).await;
    let ask = async |query: &str| world.get(&path(ACME, &format!("/costs?{query}"))).await;
    let march = |entry: &&Entry| entry.usage.occurred_at >= time("2026-03-01T00:00:00Z");
    assert!(entries.iter().filter(march).count() > 0, "there is usage of March");
    let mut owner = world.owner.acquire().await.expect("a connection");
    let month = "2026-03".parse().expect("a month");
    event_log::usage::months::close(&mut owner, month).await.expect("it is open");
    assert_eq!(ask("by=end_user").await.status, 200, "all of it is still there");
    event_log::usage::months::detach(&mut owner, month).await.expect("it is closed");
    for query in [
        "by=end_user",
        "by=end_user&from=2026-03-31",
        "by=tag:team&to=2026-03-28",
        "by=end_user&from=2026-02-01&to=2026-05-01",
    ] {
        ask(query).await.assert_problem(409, "usage-archived", query);
    }
    for query in ["by=feature", "by=end_user&to=2026-03-01", "by=end_user&from=2026-04-01"] {
        assert_eq!(ask(query).await.status, 200, "{query}");
    }
}

/// A batch of March and June, with a month between that is archived, of which the organization has nothing.
#[tokio::test]
async fn an_archived_month_of_others_refuses_nothing() {
    let world = World::new().await;
    for (organization, name) in [(ACME, "Acme"), (OTHER, "Other")] {
        world.organization(organization, "2026-01-01T00:00:00Z", name).await;
    }
    let write = async |organization, records: &[(i64, &str)]| {
        let records = records.iter().map(|(number, at)| {
            let mut usage = record(*number, at, Some(priced(1_000_000_000_000, "USD")));
            usage.tags.insert("team".to_owned(), "red".to_owned());
            usage
        });
        world.usage(organization, records.collect()).await;
        world.log.head().await.expect("a head")
    };
    let around = [(1, "2026-03-10T12:00:00Z"), (2, "2026-06-10T12:00:00Z")];
    let before = write(ACME, &around).await;
    write(OTHER, &[(1, "2026-05-10T12:00:00Z")]).await;
    write(ACME, &[(3, "2026-02-10T12:00:00Z"), (4, "2026-03-20T12:00:00Z")]).await;
    world.project_all().await;
    let get = async |what: &str| world.get(&path(ACME, what)).await;
    let check = async |what: &str, pointer: &str, expected: Value| {
        let found = get(what).await;
        assert_eq!(found.status, 200, "{what}: {}", found.text);
        assert_eq!(found.at(pointer), expected, "{what}");
    };
    archive(&world, "2026-05").await;
    check("/costs?by=tag:team", "/rows/0/requests", json!(4)).await;
    check("/why?usage=true", "/lines/0/records/1/records", json!(2)).await;
    let batch = "select batch_id from log.usage_batches where organization_id = $1 limit 1";
    let batch: uuid::Uuid =
        sqlx::query_scalar(batch).bind(id(ACME)).fetch_one(&world.owner).await.expect("a batch");
    let of_batch = format!("/usage-batches/{batch}/records");
    check(&of_batch, "/items/1/request_id", json!("request 2")).await;

    // A month of which the organization has something is another matter.
    archive(&world, "2026-02").await;
    for what in [
        "/costs?by=tag:team",
        "/costs?by=tag:team&from=2026-02-10&to=2026-02-11",
        "/costs?by=tag:team&from=2026-01-01&to=2026-05-01",
        "/why?usage=true",
    ] {
        let refused = get(what).await;
        refused.assert_problem(409, "usage-archived", what);
        let detail = refused.at("/detail");
        let detail = detail.as_str().expect("text");
        assert!(detail.starts_with("usage of 2026-02 is archived"), "{what}: {detail}");
        assert!(detail.contains("`orgledger usage restore`"), "{what}: {detail}");
    }
    for (asked, requests) in [
        ("from=2026-03-01".to_owned(), 3),
        ("from=2026-05-01&to=2026-07-01".to_owned(), 1),
        (format!("at_position={before}"), 2),
        // In the middle of the first batch.
        (format!("at_position={}", before - 1), 1),
    ] {
        let what = format!("/costs?by=tag:team&{asked}");
        check(&what, "/rows/0/requests", json!(requests)).await;
    }
    check(&format!("/costs?by=day&at_position={before}"), "/rows/1/requests", json!(1)).await;

    // What comes later, on both sides of what is not here, is counted as ever.
    write(ACME, &[(5, "2026-04-10T12:00:00Z"), (6, "2026-06-11T12:00:00Z")]).await;
    world.project_all().await;
    check("/costs?by=tag:team&from=2026-04-01", "/rows/0/requests", json!(3)).await;
}

/// Takes a month's records out of the log's tables.
async fn archive(world: &World, month: &str) {
    let mut owner = world.owner.acquire().await.expect("a connection");
    let month = month.parse().expect("a month");
    event_log::usage::months::close(&mut owner, month).await.expect("it is open");
    event_log::usage::months::detach(&mut owner, month).await.expect("it is closed");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_never_left_out() {
    let (world, _) = history(&mut Dice(17)).await;
    let world = world.waiting_at_most(std::time::Duration::ZERO);
    let ask = async |query: &str| world.get(&path(ACME, &format!("/costs?{query}"))).await;
    let head = world.log.head().await.expect("a head");
    ask(&format!("at_position={}", head + 1)).await.assert_problem(503, "not-yet-visible", "later");
    // Without one month, the records of a batch are there in part.
    let detach = "alter table log.usage_records detach partition log.usage_records_2026_03";
    sqlx::query(detach).execute(&world.owner).await.expect("it is detached");
    ask("by=end_user").await.assert_problem(409, "usage-archived", "by end user");
    let sums = ask("by=feature").await;
    assert_eq!(sums.status, 200, "what is summed up stays: {}", sums.text);
    // Where the read models stand alone, the log is not there at all.
    sqlx::query("alter schema log rename to elsewhere").execute(&world.owner).await.expect("gone");
    for query in ["by=tag:team", "by=feature&as_of=2100-01-01", "by=feature&at_position=1"] {
        ask(query).await.assert_problem(422, "records-elsewhere", query);
    }
    assert_eq!(ask("by=feature").await.json()["rows"], sums.json()["rows"]);
}
