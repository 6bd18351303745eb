//! `/v1/organizations/{organization_id}/usage/what-if`

use axum::http::Method;
use serde_json::{Value, json};

use super::repricing::World;
use crate::support::{Client, Reply};

/// All of May.
const MAY: &str = "from=2026-05-01&to=2026-06-01";

async fn ask(client: &Client, world: &World, query: &str) -> Reply {
    let path = world.path(&format!("/usage/what-if?{query}"));
    client.ask(Method::GET, &path).empty().await
}

/// What the owner is told of May. It leaves the log as it was.
async fn what_if(world: &World, query: &str) -> Value {
    let (head, admin) = (world.app.head().await, world.app.admin());
    let reply = ask(&admin, world, &format!("{MAY}{query}")).await;
    assert_eq!(reply.status.as_u16(), 200, "{query}: {reply:?}");
    assert_eq!(reply.position(), head, "{query}");
    assert_eq!(world.app.head().await, head, "{query}: nothing is recorded");
    reply.body
}

/// Pico-units.
fn pico(amount: &Value) -> i128 {
    let text = amount.as_str().unwrap_or_else(|| panic!("{amount} is no amount"));
    let (whole, part) = text.split_once('.').expect("twelve places");
    assert_eq!(part.len(), 12, "{text}");
    format!("{whole}{part}").parse().expect("digits")
}

/// A line as text: its currency; how many and what they cost now; what if; compared and by how much they
/// differ; how many are without a price and what those cost now.
fn line(line: &Value) -> String {
    let count = |field: &str| line[field].as_u64().unwrap_or_else(|| panic!("{field} of {line}"));
    let amount = |field: &str| {
        let text = line[field].as_str().unwrap_or_else(|| panic!("{field} of {line}"));
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let pair = |records: &str, cost: &str| format!("{}: {}", count(records), amount(cost));
    format!(
        "{} now {}, what if {}, compared {}, without {}",
        line["currency"].as_str().unwrap_or("none"),
        pair("records_now", "cost_now"),
        pair("records_what_if", "cost_what_if"),
        pair("records_compared", "difference"),
        pair("without_price", "cost_without_price"),
    )
}

fn lines(lines: &Value) -> Vec<String> {
    lines.as_array().expect("lines").iter().map(line).collect()
}

/// Records with these fields beside those of every record.
async fn send(world: &World, records: &[(&str, &str, Value)]) {
    let with = |(request_id, model, fields): &(&str, &str, Value)| {
        let mut record = world.record(request_id, model);
        let fields = fields.as_object().expect("fields").clone();
        record.as_object_mut().expect("a record").extend(fields);
        record
    };
    world.send(&records.iter().map(with).collect::<Vec<_>>()).await;
}

/// By the same prices it says what the dry run of a repricing says.
#[tokio::test]
async fn it_says_what_a_repricing_would_change() {
    let world = World::new().await;
    let first = world.publish("openai", "USD", &[("m", "3"), ("n", "1"), ("gone", "4")]).await;
    let failed = json!({"error_type": "timeout", "input_tokens": 0});
    send(
        &world,
        &[
            ("a", "m", json!({})),
            ("b", "n", json!({})),
            ("c", "late", json!({})),
            ("d", "m", failed),
            ("e", "gone", json!({"input_tokens": 2_500_001})),
            ("f", "m", json!({"occurred_at": "2026-06-01T00:00:00Z"})),
        ],
    )
    .await;
    world.publish("openai", "USD", &[("m", "2.5"), ("n", "1"), ("late", "7")]).await;
    let own = json!({"provider": "*", "currency": "EUR", "effective_from": "2026-01-01T00:00:00Z",
        "models": [{"model": "m", "matches": {"equals": "m"}, "rates": {"input_tokens": "2"}}]});
    let own = world.app.admin().post(&world.path("/price-lists"), own).await.ok();
    let own = own["price_list_id"].as_str().expect("an id");
    let mut seen = Vec::new();
    for fields in [
        json!({}),
        json!({"prices_at": first}),
        json!({"price_list_id": own}),
        json!({"price_list_id": "c/openai"}),
        json!({"price_list_id": "c/openai", "price_list_version": 1}),
        json!({"price_list_id": own, "model": "m"}),
        json!({"project_id": world.project, "provider": "openai"}),
        json!({"provider": "nobody"}),
    ] {
        let asked = fields.as_object().expect("fields").iter();
        let asked: String = asked
            .map(|(name, value)| match value.as_str() {
                Some(text) => format!("&{name}={}", text.replace(':', "%3A")),
                None => format!("&{name}={value}"),
            })
            .collect();
        let told = what_if(&world, &asked).await;
        let mut dry = fields;
        dry["dry_run"] = json!(true);
        let would = world.reprice(dry).await.ok();
        for field in ["records", "without_price", "prices_at", "continue_after"] {
            assert_eq!(told[field], would[field], "{asked} {field}");
        }
        let change = |line: &Value| {
            let before = pico(&line["cost_now"]) - pico(&line["cost_without_price"]);
            pico(&line["cost_what_if"]) - before
        };
        let mut ours: Vec<(Value, i128)> = told["totals"]
            .as_array()
            .expect("lines")
            .iter()
            .map(|line| (line["currency"].clone(), change(line)))
            .collect();
        let mut theirs: Vec<(Value, i128)> = would["totals"]
            .as_array()
            .expect("lines")
            .iter()
            .map(|line| {
                let change = pico(&line["cost_after"]) - pico(&line["cost_before"]);
                (line["currency"].clone(), change)
            })
            .collect();
        for changes in [&mut ours, &mut theirs] {
            changes.retain(|(_, change)| *change != 0);
        }
        assert_eq!(ours, theirs, "{asked}: {told} {would}");
        seen.push(lines(&told["totals"]));
    }
    // Now, the organization's own list counts first, and it has one of the models.
    let expected = [
        "none now 1: 0, what if 1: 0, compared 0: 0, without 0: 0",
        "EUR now 0: 0, what if 1: 2, compared 0: 0, without 0: 0",
        "USD now 3: 14.000004, what if 2: 8, compared 1: 0, without 1: 10.000004",
    ];
    assert_eq!(seen[0], expected);
    // By the list's first version: as it was recorded.
    let expected = [
        "none now 1: 0, what if 1: 0, compared 0: 0, without 1: 0",
        "USD now 3: 14.000004, what if 3: 14.000004, compared 3: 0, without 0: 0",
    ];
    assert_eq!(seen[4], expected);
    assert_eq!(seen[7], [""; 0]);
    assert_eq!(world.app.count("usage.repriced").await, 0);
}

#[tokio::test]
async fn what_was_corrected_stands_as_it_is_now() {
    let world = World::new().await;
    let first = world.publish("openai", "USD", &[("m", "3")]).await;
    world.send(&[world.record("a", "m"), world.record("b", "m"), world.record("c", "late")]).await;
    world.publish("openai", "USD", &[("m", "5"), ("late", "0.5")]).await;
    world.reprice(json!({})).await.ok();
    let told = what_if(&world, &format!("&prices_at={first}")).await;
    let expected = [
        "none now 0: 0, what if 1: 0, compared 0: 0, without 0: 0",
        "USD now 3: 10.5, what if 2: 6, compared 2: -4, without 1: 0.5",
    ];
    assert_eq!(lines(&told["totals"]), expected);
    assert_eq!((&told["records"], &told["without_price"]), (&json!(3), &json!(1)));
    assert_eq!(told["rows"], json!([]), "nothing was asked to group by");
    // And what is so already makes no difference.
    let same = what_if(&world, "").await;
    let expected = ["USD now 3: 10.5, what if 3: 10.5, compared 3: 0, without 0: 0"];
    assert_eq!(lines(&same["totals"]), expected);
}

/// The same quantities at another model's rates. What it has no price for is never nothing.
#[tokio::test]
async fn another_model_might_have_done_it() {
    let world = World::new().await;
    let list = |provider: &str, model: &str, rates: Value| {
        json!({"catalogue": "c", "provider": provider, "currency": "USD",
            "effective_from": "2026-01-01T00:00:00Z",
            "models": [{"model": model, "matches": {"starts_with": model}, "rates": rates,
                "service_tiers": [{"tier": "batch", "percent": "50"}]}]})
    };
    let theirs = json!({"input_tokens": "2", "cached_input_tokens": "1", "output_tokens": "8",
        "web_searches": "10"});
    let other = json!({"input_tokens": "4", "cached_input_tokens": "0.4", "output_tokens": "20"});
    for list in [list("openai", "gpt", theirs), list("anthropic", "claude", other)] {
        world.app.admin().post("/v1/price-lists", list).await.ok();
    }
    let plain = json!({"input_tokens": 1_000_000, "cached_input_tokens": 500_000,
        "output_tokens": 100_000, "feature": "chat"});
    let batch = json!({"input_tokens": 1_000_000, "service_tier": "batch", "feature": "search",
        "occurred_at": "2026-05-02T00:00:00Z"});
    let searching = json!({"input_tokens": 1_000_000, "units": {"web_searches": 3},
        "feature": "search"});
    send(&world, &[("a", "gpt-5", plain), ("b", "gpt-5", batch), ("c", "gpt-4", searching)]).await;
    let as_claude = "&as_provider=anthropic&as_model=claude-9";
    let told = what_if(&world, &format!("{as_claude}&by=feature,model")).await;
    // a: 0.5 × 2 + 0.5 × 1 + 0.1 × 8 = 2.3, and 0.5 × 4 + 0.5 × 0.4 + 0.1 × 20 = 4.2; b: half of 2 and 4;
    // c: 2 + 3 searches of a cent, for which the other has no price.
    let of = |line: &Value| format!("{} {}", line["feature"], line["model"]).replace('"', "");
    let rows = told["rows"].as_array().expect("rows");
    assert_eq!(
        rows.iter().map(|row| format!("{}: {}", of(row), line(row))).collect::<Vec<_>>(),
        [
            "chat gpt-5: USD now 1: 2.3, what if 1: 4.2, compared 1: 1.9, without 0: 0",
            "search gpt-4: none now 0: 0, what if 1: 0, compared 0: 0, without 0: 0",
            "search gpt-4: USD now 1: 2.03, what if 0: 0, compared 0: 0, without 1: 2.03",
            "search gpt-5: USD now 1: 1, what if 1: 2, compared 1: 1, without 0: 0",
        ]
    );
    assert_eq!(
        lines(&told["totals"])[1],
        "USD now 3: 5.33, what if 2: 6.2, compared 2: 2.9, without 1: 2.03"
    );
    let narrow =
        what_if(&world, &format!("{as_claude}&feature=search&by=day,project,api_key")).await;
    let rows = narrow["rows"].as_array().expect("rows");
    assert_eq!(narrow["records"], 2);
    assert_eq!((&rows[2]["day"], line(&rows[2])), (&json!("2026-05-02"), of_b()));
    assert_eq!(rows[2]["project_id"], world.project);
    assert_eq!(rows[2].get("api_key_id"), Some(&Value::Null), "no key is known");
    assert_eq!(rows[2].get("feature"), None);
    // A model that nobody has a price for, and one of another list than the one that is named.
    for query in [
        "&as_provider=anthropic&as_model=none",
        "&as_provider=openai&as_model=gpt-5\
        &price_list_id=c/anthropic",
    ] {
        let told = what_if(&world, query).await;
        assert_eq!(told["without_price"], 3, "{query}");
        assert_eq!(pico(&told["totals"][1]["cost_what_if"]), 0, "{query}");
        assert_eq!(pico(&told["totals"][1]["difference"]), 0, "{query}");
    }
}

fn of_b() -> String {
    "USD now 1: 1, what if 1: 2, compared 1: 1, without 0: 0".to_owned()
}

#[tokio::test]
async fn more_than_one_answer_holds_goes_on_where_it_was() {
    let world = World::new().await;
    world.publish("openai", "USD", &[("m", "2")]).await;
    let feature = |n: usize| {
        let mut record = world.record(&format!("r{n}"), "m");
        record["feature"] = json!(format!("f{n}"));
        record
    };
    let records: Vec<Value> = (0..10_500).map(feature).collect();
    for records in records.chunks(5_250) {
        world.send(records).await;
    }
    world.publish("openai", "USD", &[("m", "3")]).await;
    let whole = what_if(&world, "").await;
    assert_eq!((&whole["records"], &whole["continue_after"]), (&json!(10_500), &Value::Null));
    let beyond = what_if(&world, &format!("&after_position={}", i64::MAX)).await;
    assert_eq!((&beyond["records"], &beyond["continue_after"]), (&json!(0), &Value::Null));
    for dry_run in [true, false] {
        let beyond = json!({"after_position": i64::MAX, "dry_run": dry_run});
        assert_eq!(world.reprice(beyond).await.ok()["records"], 0, "{dry_run}");
    }
    let mut seen = std::collections::BTreeSet::new();
    let (mut query, mut answers, mut difference) = ("&by=feature".to_owned(), 0, 0);
    loop {
        let told = what_if(&world, &query).await;
        answers += 1;
        difference += pico(&told["totals"][0]["difference"]);
        for row in told["rows"].as_array().expect("rows") {
            assert!(seen.insert(row["feature"].to_string()), "{row} came twice");
        }
        let Some(after) = told["continue_after"].as_i64() else { break };
        query = format!("&by=feature&after_position={after}");
    }
    assert_eq!((answers, seen.len()), (2, 10_500));
    assert_eq!(difference, pico(&whole["totals"][0]["difference"]));
    assert_eq!(difference, 10_500 * 1_000_000_000_000);
}

#[tokio::test]
async fn it_is_for_those_who_may_see_the_usage() {
    let world = World::new().await;
    let (app, organization) = (&world.app, &world.organization);
    world.send(&[world.record("a", "m")]).await;
    let beta = app.project(organization, "beta").await;
    let mut record = world.record("b", "m");
    record["project_id"] = json!(beta);
    world.send(&[record]).await;
    for (login, role, may) in [
        ("bill", "billing", true),
        ("ada", "admin", true),
        ("eve", "auditor", true),
        ("rea", "reader", true),
        ("mia", "member", false),
    ] {
        let member = app.member(organization, login, role).await;
        let key = json!({"member_id": member, "name": login});
        let key = app.admin().post(&world.path("/api-keys"), key).await.ok();
        let client = app.stranger(key["secret"].as_str());
        let reply = ask(&client, &world, MAY).await;
        if may {
            assert_eq!(reply.body["records"], 2, "{role}: {reply:?}");
            continue;
        }
        assert_eq!(reply.refused(403, "forbidden")["permission"], "usage.read");
        // In a project that they are in, they see it; of the other they learn nothing.
        let assign = world.path(&format!("/projects/{beta}/members/{member}"));
        app.admin().put(&assign, json!({"role": "reader"})).await.ok();
        let there = ask(&client, &world, &format!("{MAY}&project_id={beta}")).await;
        assert_eq!(there.body["records"], 1, "{there:?}");
        let other = format!("{MAY}&project_id={}", world.project);
        ask(&client, &world, &other).await.refused(404, "not-found");
    }
    // A project's key asks of its project, whether it says so or not.
    let account = app.service_account(organization, &beta).await;
    let key = app.api_key(organization, &beta, ("service_account_id", &account)).await;
    let gateway = app.stranger(key["secret"].as_str());
    for query in [MAY.to_owned(), format!("{MAY}&project_id={beta}")] {
        let reply = ask(&gateway, &world, &query).await;
        assert_eq!(reply.body["records"], 1, "{reply:?}");
    }
    let other = format!("{MAY}&project_id={}", world.project);
    ask(&gateway, &world, &other).await.refused(404, "not-found");
    // What is elsewhere is as what is not; nobody at all is told to come with a credential.
    let elsewhere = app.organization().await;
    let theirs = app.project(&elsewhere, "theirs").await;
    let nowhere = uuid::Uuid::from_u128(0x7000 << 64);
    for project in [theirs, nowhere.to_string()] {
        let query = format!("{MAY}&project_id={project}");
        ask(&app.admin(), &world, &query).await.refused(404, "not-found");
    }
    for organization in [elsewhere, nowhere.to_string()] {
        let path = format!("/v1/organizations/{organization}/usage/what-if?{MAY}");
        gateway.ask(Method::GET, &path).empty().await.refused(404, "not-found");
    }
    ask(&app.stranger(None), &world, MAY).await.refused(401, "unauthorized");
    ask(&app.operator(), &world, MAY).await.refused(403, "break-glass-needed");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let world = World::new().await;
    world.send(&[world.record("a", "m")]).await;
    let (head, admin) = (world.app.head().await, world.app.admin());
    for (query, field) in [
        ("from=2026-05-01&to=2026-05-01".to_owned(), "to"),
        (format!("{MAY}&price_list_id=c/nobody"), "price_list_id"),
        (format!("{MAY}&price_list_version=1"), "price_list_version"),
        (format!("{MAY}&prices_at={}", head + 100), "prices_at"),
        (format!("{MAY}&as_model=m"), "as_provider"),
        (format!("{MAY}&as_provider=openai"), "as_model"),
        (format!("{MAY}&as_provider=openai&as_model="), "as_model"),
        (format!("{MAY}&as_provider={}&as_model=m", "x".repeat(201)), "as_provider"),
    ] {
        ask(&admin, &world, &query).await.refused_field(422, "invalid-value", field);
    }
    for (query, field) in [
        ("to=2026-06-01".to_owned(), "from"),
        ("from=2026-05-01&to=soon".to_owned(), "to"),
        ("from=2026-05-01&to=99999-01-01".to_owned(), "to"),
        (format!("{MAY}&prices_at=-1"), "prices_at"),
        (format!("{MAY}&after_position=-1"), "after_position"),
        (format!("{MAY}&price_list_version=-1"), "price_list_version"),
        (format!("{MAY}&by=member"), "by"),
        (format!("{MAY}&by=day,day"), "by"),
        (format!("{MAY}&by="), "by"),
        (format!("{MAY}&dry_run=true"), "dry_run"),
    ] {
        ask(&admin, &world, &query).await.refused_field(400, "invalid-request", field);
    }
}

#[tokio::test]
async fn an_archived_project_is_looked_at_and_an_archived_month_is_not() {
    let world = World::new().await;
    world.send(&[world.record("a", "m")]).await;
    let archive = world.path(&format!("/projects/{}/archive", world.project));
    world.app.admin().post(&archive, json!({})).await.ok();
    world.publish("openai", "USD", &[("m", "2")]).await;
    let told = what_if(&world, &format!("&project_id={}", world.project)).await;
    assert_eq!(told["totals"][1]["records_what_if"], 1, "{told}");
    let detach = "alter table log.usage_records detach partition log.usage_records_2026_05";
    sqlx::raw_sql(detach).execute(world.app.pool()).await.expect("it is detached");
    ask(&world.app.admin(), &world, MAY).await.refused(409, "usage-archived");
    let june = "from=2026-06-01&to=2026-07-01";
    let told = ask(&world.app.admin(), &world, june).await;
    assert_eq!(told.body["records"], 0, "{told:?}");
}
