use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use event_log::usage::{NewUsage, Price};
use event_schemas::{Amount, MemberId, OrganizationEvent, ProjectEvent, ProjectId};
use serde_json::{Value, json};

use crate::support::{World, column, id, path, time};

const ACME: u128 = 1;
const PROD: u128 = 10;
const DEV: u128 = 11;
const ALICE: u128 = 20;

pub(crate) fn priced(cost_pico: i64, currency: &str) -> Price {
    Price { version: 1, cost_pico, currency: currency.parse().expect("a currency") }
}

/// A record of the first project.
pub(crate) fn record(number: i64, at: &str, price: Option<Price>) -> NewUsage {
    NewUsage {
        project_id: ProjectId(id(PROD)),
        api_key_id: None,
        member_id: None,
        service_account_id: None,
        end_user: None,
        feature: "chat".to_owned(),
        provider: "openai".to_owned(),
        model: "m".to_owned(),
        request_id: format!("request {number}"),
        occurred_at: time(at),
        input_tokens: 10,
        cached_input_tokens: 4,
        cache_write_tokens: 3,
        output_tokens: 2,
        reasoning_tokens: 1,
        units: event_schemas::Units::NONE,
        service_tier: None,
        error_type: None,
        duration_ms: None,
        price,
        tags: BTreeMap::default(),
    }
}

async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.project(ACME, PROD, "2026-01-01T00:00:00Z", "Prod").await;
    world.project(ACME, DEV, "2026-01-01T00:00:00Z", "Dev").await;
    world.member(ACME, ALICE, "2026-01-01T00:00:00Z", "alice").await;
    world
}

/// Varied usage: over two days, three features, two projects, some members, some unpriced.
fn varied() -> Vec<NewUsage> {
    let mut state = 1_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    let mut one = |number: i64| {
        let at = format!("2026-01-{:02}T{:02}:{:02}:00Z", 30 + random(2), random(24), random(60));
        let cost =
            1_000_000 * i64::try_from(random(999_999_999_999)).expect("it is small") + number;
        let price = (random(5) > 0).then(|| priced(cost, "USD"));
        NewUsage {
            project_id: ProjectId(id(if random(2) == 0 { PROD } else { DEV })),
            member_id: (random(2) == 0).then(|| MemberId(id(ALICE))),
            feature: ["chat", "search", ""][usize::try_from(random(3)).expect("small")].to_owned(),
            input_tokens: i64::try_from(random(100_000)).expect("small"),
            ..record(number, &at, price)
        }
    };
    (0..400).map(&mut one).collect()
}

type Key = (String, String, String);
type Grouping<'a> = (&'a str, Box<dyn Fn(&NewUsage) -> Key + 'a>);

/// Cost in pico-units, requests, unpriced requests and input tokens by feature, project and hour.
fn summed(
    records: &[NewUsage],
    key: impl Fn(&NewUsage) -> Key,
) -> BTreeMap<Key, (i128, i64, i64, i64)> {
    let mut sums: BTreeMap<Key, (i128, i64, i64, i64)> = BTreeMap::new();
    for record in records {
        let sum = sums.entry(key(record)).or_default();
        sum.0 += record.price.map_or(0, |price| i128::from(price.cost_pico));
        sum.1 += 1;
        sum.2 += i64::from(record.price.is_none());
        sum.3 += record.input_tokens;
    }
    sums
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("none").to_owned()
}

#[tokio::test]
async fn every_grouping_is_exact() {
    let world = acme().await;
    let records = varied();
    world.usage(ACME, records.clone()).await;
    world.project_all().await;
    let project =
        |record: &NewUsage| if record.project_id.0 == id(PROD) { "Prod" } else { "Dev" }.to_owned();
    let member =
        |record: &NewUsage| if record.member_id.is_some() { "alice" } else { "none" }.to_owned();
    let at = |record: &NewUsage, format: &str| record.occurred_at.format(format).to_string();
    let groupings: [Grouping<'_>; 4] = [
        (
            "feature,project,hour",
            Box::new(|r| (r.feature.clone(), project(r), at(r, "%Y-%m-%dT%H:00:00Z"))),
        ),
        ("project,member,day", Box::new(|r| (project(r), member(r), at(r, "%Y-%m-%d")))),
        ("member,month,model", Box::new(|r| (member(r), at(r, "%Y-%m"), r.model.clone()))),
        (
            "feature,provider,api_key",
            Box::new(|r| (r.feature.clone(), r.provider.clone(), "none".to_owned())),
        ),
    ];
    for (by, key) in groupings {
        let report = world.found(&path(ACME, &format!("/costs?by={by}"))).await.json();
        let fields: Vec<&str> = by.split(',').collect();
        let mut found = BTreeMap::new();
        for row in report["rows"].as_array().expect("rows") {
            let key = (text(&row[fields[0]]), text(&row[fields[1]]), text(&row[fields[2]]));
            let cost =
                row["cost"].as_str().map(|cost| cost.parse::<Amount>().expect("exact").pico());
            let number = |field: &str| row[field].as_i64().expect("a number");
            let sums = (
                cost.unwrap_or(0),
                number("requests"),
                number("unpriced_requests"),
                number("input_tokens"),
            );
            assert_eq!(row["currency"].is_null(), cost.is_none(), "{row}");
            let status = if cost.is_some() { "priced" } else { "unpriced" };
            assert_eq!(row["price_status"], status, "{row}");
            assert_eq!(number("unpriced_requests"), if cost.is_some() { 0 } else { sums.1 });
            let found: &mut (i128, i64, i64, i64) = found.entry(key).or_default();
            *found = (found.0 + sums.0, found.1 + sums.1, found.2 + sums.2, found.3 + sums.3);
        }
        assert_eq!(found, summed(&records, key), "{by}");
        let all = summed(&records, |_| Key::default())[&Key::default()];
        let total = &report["totals"];
        assert_eq!(total[0]["cost"], Amount::from_pico(all.0).to_string(), "{by}");
        assert_eq!(total[1]["requests"], all.2, "{by}");
        assert_eq!(total[0]["requests"], all.1 - all.2, "{by}: all that was recorded");
    }
}

#[tokio::test]
async fn what_has_no_price_is_a_line_of_its_own() {
    let world = acme().await;
    let at = "2026-01-30T10:00:00Z";
    let of = |feature: &str, number, price| NewUsage {
        feature: feature.to_owned(),
        ..record(number, at, price)
    };
    world
        .usage(
            ACME,
            vec![
                of("one", 1, Some(priced(5, "USD"))),
                of("one", 2, None),
                of("two", 3, Some(priced(6, "USD"))),
                of("two", 4, Some(priced(7, "EUR"))),
                of("two", 5, None),
                of("none", 6, None),
            ],
        )
        .await;
    world.project_all().await;
    let report = world.found(&path(ACME, "/costs")).await.json();
    let rows: Vec<Value> = report["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            json!([
                row["feature"],
                row["currency"],
                row["cost"],
                row["requests"],
                row["unpriced_requests"]
            ])
        })
        .collect();
    let expected = json!([
        ["none", null, null, 1, 1],
        ["one", "USD", "0.000000000005", 1, 0],
        ["one", null, null, 1, 1],
        ["two", "EUR", "0.000000000007", 1, 0],
        ["two", "USD", "0.000000000006", 1, 0],
        ["two", null, null, 1, 1],
    ]);
    assert_eq!(Value::from(rows), expected);
    let totals = column(&json!([report["totals"][0], report["totals"][1]]), "cost");
    assert_eq!(report["totals"][2]["unpriced_requests"], 3);
    assert_eq!(totals, ["0.000000000007", "0.000000000011"]);
}

#[tokio::test]
async fn what_was_closed_since_keeps_its_name() {
    let world = acme().await;
    let used = NewUsage {
        member_id: Some(MemberId(id(ALICE))),
        ..record(1, "2026-01-30T10:00:00Z", None)
    };
    world.usage(ACME, vec![used]).await;
    let renamed = ProjectEvent::Updated { name: Some("Production".to_owned()), environment: None };
    world.append(ACME, PROD, "2026-02-01T00:00:00Z", renamed).await;
    world.append(ACME, PROD, "2026-03-01T00:00:00Z", ProjectEvent::Archived {}).await;
    let removed = OrganizationEvent::MemberRemoved { member_id: MemberId(id(ALICE)), reason: None };
    world.append(ACME, ACME, "2026-03-01T00:00:00Z", removed).await;
    world.append(ACME, ACME, "2026-04-01T00:00:00Z", OrganizationEvent::Archived {}).await;
    world.project_all().await;
    let report = world.found(&path(ACME, "/costs?by=project,member,service_account")).await;
    let expected = json!({
        "project": "Production", "project_id": id(PROD), "member": "alice", "member_id": id(ALICE),
        "service_account": null, "service_account_id": null, "requests": 1, "failed_requests": 0,
        "input_tokens": 10, "price_status": "unpriced", "unattributed": true,
        "cached_input_tokens": 4, "cache_write_tokens": 3, "output_tokens": 2, "reasoning_tokens": 1,
        "cost": null, "unpriced_requests": 1, "currency": null,
    });
    assert_eq!(report.at("/rows/0"), expected);
    assert_eq!(report.at("/organization"), "Acme");
}

#[tokio::test]
async fn a_name_is_whoevers_it_is_now() {
    use event_schemas::OrganizationId;
    use query_api::costs::{CostsQuery, READS, costs};

    let world = acme().await;
    world.append(ACME, ACME, "2026-02-01T00:00:00Z", OrganizationEvent::Archived {}).await;
    world.project_all().await;
    let find = async |name: &str| {
        let organization = name.parse().expect("any text is");
        let query = CostsQuery::of(organization, vec![]);
        let report = costs(&mut world.snapshot(READS).await, &query).await;
        report.ok().map(|report| report.organization_id)
    };
    assert_eq!(find("ACME").await, Some(OrganizationId(id(ACME))), "archived, and still known");
    world.organization(2, "2026-01-01T00:00:00Z", "acme").await;
    world.project_all().await;
    assert_eq!(find("Acme").await, Some(OrganizationId(id(2))), "it has the name now");
    let renamed = OrganizationEvent::Updated { name: Some("Zeta".to_owned()), seat_limit: None };
    world.append(2, 2, "2026-03-01T00:00:00Z", renamed).await;
    world.project_all().await;
    assert_eq!(find("acme").await, Some(OrganizationId(id(ACME))), "a former name is nobody's");
    assert_eq!(find("zeta").await, Some(OrganizationId(id(2))));
    assert_eq!(find("nobody").await, None);
}

#[tokio::test]
async fn a_span_begins_and_ends_on_whole_quarters() {
    let world = acme().await;
    for (number, at) in
        ["09:59:59.999999", "10:00:00", "10:59:59", "11:00:00"].into_iter().enumerate()
    {
        let number = i64::try_from(number).expect("small");
        world.usage(ACME, vec![record(number, &format!("2026-01-30T{at}Z"), None)]).await;
    }
    world.project_all().await;
    let requests = async |query: &str| {
        let report = world.found(&path(ACME, &format!("/costs?by=day&{query}"))).await;
        report.json()["totals"][0]["requests"].as_i64().unwrap_or(0)
    };
    assert_eq!(requests("").await, 4);
    assert_eq!(requests("from=2026-01-30T10:00:00Z&to=2026-01-30T11:00:00Z").await, 2);
    assert_eq!(requests("from=2026-01-30T12:00:00%2B02:00&to=2026-01-31").await, 3);
    assert_eq!(requests("from=2026-01-30T10:45:00Z").await, 2);
    assert_eq!(requests("to=2026-01-30").await, 0);
    for (query, field) in [
        ("from=2026-01-30T10:20:00Z", "from"),
        ("to=2026-01-30T10:00:01Z", "to"),
        ("to=2026-01-30T10:00:00.5Z", "to"),
        ("from=2026-01-31&to=2026-01-30", "to"),
        ("from=2026-01-31&to=2026-01-31", "to"),
        ("from=January", "from"),
        ("from=-99999-01-01", "from"),
        ("by=colour", "by"),
        ("by=", "by"),
        ("by=tag:", "by"),
        ("time_zone=CET", "time_zone"),
        ("time_zone=UTC%2B3", "time_zone"),
        ("time_zone=Europe/Nowhere", "time_zone"),
        ("by=day&report=weekly_by_project", "report"),
        ("by=day&format=focus_csv", "by"),
        ("time_zone=Europe/Berlin&format=focus_csv", "time_zone"),
        ("by=feature,feature", "by"),
        ("format=xml", "format"),
    ] {
        let answer = world.get(&path(ACME, &format!("/costs?{query}"))).await;
        answer.assert_problem(400, "invalid-request", query);
        assert_eq!(answer.at("/field"), field, "{query}");
    }
}

#[tokio::test]
async fn csv_has_the_same_rows() {
    let world = acme().await;
    let odd =
        NewUsage { feature: "a \"b\", c".to_owned(), ..record(2, "2026-01-30T10:00:00Z", None) };
    world.usage(ACME, vec![record(1, "2026-01-30T10:00:00Z", Some(priced(7, "USD"))), odd]).await;
    world.project_all().await;
    let answer = world.found(&path(ACME, "/costs?by=feature,project&format=csv")).await;
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    let expected = format!(
        "feature,project,project_id,requests,input_tokens,cached_input_tokens,cache_write_tokens,\
         output_tokens,reasoning_tokens,cost,currency,unpriced_requests,failed_requests,price_status,\
         unattributed,units\r\n\
         \"a \"\"b\"\", c\",Prod,{0},1,10,4,3,2,1,,,1,0,unpriced,false,\r\n\
         chat,Prod,{0},1,10,4,3,2,1,0.000000000007,USD,0,0,priced,false,\r\n",
        id(PROD)
    );
    assert_eq!(answer.text, expected);
}

/// Clocks that are set back to midnight pass it twice, and those that are set forward at midnight never.
#[tokio::test]
async fn a_day_begins_with_its_first_quarter_of_an_hour() {
    let world = acme().await;
    let zones = [
        ("Atlantic/Azores", "2025-10-26", 25),
        ("America/Havana", "2025-11-02", 25),
        ("America/Santiago", "2025-09-07", 23),
        ("Asia/Beirut", "2025-03-30", 23),
    ];
    let mut records = Vec::new();
    for (_, day, _) in zones {
        let first = time(&format!("{day}T00:30:00Z")) - TimeDelta::hours(60);
        for hour in 0..120 {
            let at = (first + TimeDelta::hours(hour)).to_rfc3339();
            let number = i64::try_from(records.len()).expect("few");
            records.push(record(number, &at, Some(priced(1_000_000_000_000, "USD"))));
        }
    }
    world.usage(ACME, records).await;
    world.project_all().await;
    for (zone, day, hours) in zones {
        let day: NaiveDate = day.parse().expect("a day");
        let rows = async |by: &str, from: NaiveDate, to: NaiveDate| {
            let query = format!("/costs?by={by}&time_zone={zone}&from={from}&to={to}");
            let rows = world.found(&path(ACME, &query)).await.at("/rows");
            let rows = rows.as_array().expect("rows").clone();
            let row =
                |row: &Value| (text(&row["day"]), row["requests"].as_i64().expect("a number"));
            rows.iter().map(row).collect::<Vec<_>>()
        };
        let days = [-1, 0, 1].map(|days| day + TimeDelta::days(days));
        let [from, to] = [days[0], day + TimeDelta::days(2)];
        let expected = [24, hours, 24];
        let of = |n: usize| (days[n].to_string(), expected[n]);
        assert_eq!(rows("day", from, to).await, [of(0), of(1), of(2)], "{zone}");
        // One by one they are the same.
        for (n, day) in days.into_iter().enumerate() {
            assert_eq!(rows("day", day, day + TimeDelta::days(1)).await, [of(n)], "{zone} {day}");
        }
        let all = expected.iter().sum();
        assert_eq!(rows("feature", from, to).await, [("none".to_owned(), all)], "{zone}");
    }
}

/// Before there were time zones days began with some second, and the first and the last of all days
/// begin, in some zones, in a year of another number of digits.
#[tokio::test]
async fn a_span_may_begin_and_end_with_any_day_of_a_year_of_four_digits() {
    let world = acme().await;
    world.usage(ACME, vec![record(1, "2026-01-30T10:00:00Z", Some(priced(7, "USD")))]).await;
    world.project_all().await;
    for zone in ["Europe/Berlin", "Africa/Monrovia", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        for (from, to, requests) in [
            ("0001-01-01", "9999-12-31", Some(1)),
            ("0525-07-01", "1971-03-02", None),
            ("1893-03-31", "2026-02-02", Some(1)),
            ("0001-01-01", "0001-01-09", None),
            ("9999-12-01", "9999-12-31", None),
        ] {
            let query = format!("time_zone={zone}&from={from}&to={to}");
            for (way, place) in [
                ("costs?by=feature", "/rows/0/requests"),
                ("costs?by=day", "/rows/0/requests"),
                ("why?usage=true", "/lines/0/totals/0/requests"),
            ] {
                let answer = world.found(&path(ACME, &format!("/{way}&{query}"))).await;
                let answered = answer.json();
                let counted = answered.pointer(place).and_then(Value::as_i64);
                assert_eq!(counted, requests, "{way} {query}: {}", answer.text);
            }
        }
    }
}
