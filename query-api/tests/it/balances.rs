use event_schemas::{
    Amount, CreditAccountEvent, CreditPolicy, Currency, LotId, OrganizationId, ProjectEvent,
};
use serde_json::{Value, json};

use crate::costs::{priced, record};
use crate::support::{World, id, path};

const ACME: u128 = 1;

async fn purchase(world: &World, lot: u128, at: &str, amount: &str, currency: &str) -> i64 {
    let event = CreditAccountEvent::Purchased {
        organization_id: OrganizationId(id(ACME)),
        lot_id: LotId(id(lot)),
        amount: amount.parse().expect("an amount"),
        currency: currency.parse().expect("a currency"),
        expires_at: None,
        priority: 100,
        reference: Some(format!("invoice {lot}")),
    };
    world.append(ACME, 900, at, event).await
}

async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.project(ACME, 10, "2026-01-01T00:00:00Z", "Prod").await;
    for lot in 0..12 {
        purchase(
            &world,
            lot,
            &format!("2026-01-{:02}T00:00:00Z", lot + 1),
            "100.000000000001",
            "USD",
        )
        .await;
    }
    purchase(&world, 50, "2026-02-01T00:00:00Z", "7", "EUR").await;
    let granted = CreditAccountEvent::Granted {
        organization_id: OrganizationId(id(ACME)),
        lot_id: LotId(id(60)),
        amount: Amount::from_pico(5),
        currency: Currency::USD,
        expires_at: None,
        priority: 100,
        reason: None,
    };
    world.append(ACME, 900, "2026-02-01T00:00:00Z", granted).await;
    let used = record(1, "2026-02-02T10:00:00Z", Some(priced(1_500_000_000_000_000, "USD")));
    world.usage(ACME, vec![used]).await;
    world.project_all().await;
    world
}

#[tokio::test]
async fn a_balance_is_exact_in_each_currency() {
    let world = acme().await;
    let answer = world.found(&path(ACME, "/balance")).await;
    let nothing = "0.000000000000";
    let one = |currency, purchased, granted, consumed, balance| {
        json!({"currency": currency, "purchased": purchased, "granted": granted,
            "transferred_in": nothing, "refunded": nothing, "transferred_out": nothing,
            "expired": nothing, "consumed": consumed, "balance": balance, "policy": "allow"})
    };
    let expected = json!([
        one("EUR", "7.000000000000", nothing, nothing, "7.000000000000"),
        // More was used than bought: 1,200.000000000012 + 0.000000000005 − 1,500.
        one("USD", "1200.000000000012", "0.000000000005", "1500.000000000000", "-299.999999999983"),
    ]);
    assert_eq!(answer.at("/balances"), expected);
    assert_eq!(answer.at("/organization"), "Acme");
}

#[tokio::test]
async fn movements_are_paged_in_the_order_of_the_log() {
    let world = acme().await;
    let mut lots = Vec::new();
    let mut next = path(ACME, "/credit-movements?limit=5");
    loop {
        let page = world.found(&next).await.json();
        let items = page["items"].as_array().expect("items");
        lots.extend(items.iter().map(|item| item["lot_id"].as_str().expect("text").to_owned()));
        // What comes in while somebody reads does not show up on later pages.
        purchase(&world, 1_000 + lots.len() as u128, "2026-03-01T00:00:00Z", "1", "USD").await;
        world.project_all().await;
        let Value::String(cursor) = &page["next_cursor"] else {
            break;
        };
        next = path(ACME, &format!("/credit-movements?limit=5&cursor={cursor}"));
    }
    let expected: Vec<_> = (0..12).chain([50, 60]).map(|lot| id(lot).to_string()).collect();
    assert_eq!(lots, expected);
}

#[tokio::test]
async fn movements_are_as_of_a_time_and_a_position() {
    let world = acme().await;
    let count = async |query: &str| {
        let page = world.found(&path(ACME, &format!("/credit-movements?{query}"))).await;
        page.at("/items").as_array().expect("items").len()
    };
    assert_eq!(count("as_of=2026-01-03").await, 3);
    assert_eq!(count("at_position=4").await, 2);
    assert_eq!(count("").await, 14);
    let first = world.found(&path(ACME, "/credit-movements?limit=1")).await;
    let expected = json!({
        "position": 3, "event_id": first.at("/items/0/event_id"), "other_organization_id": null,
        "kind": "purchased", "lot_id": id(0), "amount": "100.000000000001",
        "currency": "USD", "expires_at": null, "note": "invoice 0", "actor": "operator:ops",
        "occurred_at": "2026-01-01T00:00:00Z",
    });
    assert_eq!(first.at("/items/0"), expected);
}

#[tokio::test]
async fn a_balance_is_as_of_a_time_and_a_position() {
    let world = acme().await;
    let dollars = async |query: &str| -> Option<String> {
        let found = world.found(&path(ACME, &format!("/balance?{query}"))).await;
        let all = found.at("/balances");
        let one = all.as_array().expect("a list").iter().find(|one| one["currency"] == "USD");
        one.map(|one| one["balance"].as_str().expect("an amount").to_owned())
    };
    let now = "-299.999999999983";
    assert_eq!(dollars("").await.as_deref(), Some(now));
    for (query, expected) in [
        ("as_of=2026-01-03", "300.000000000003"),
        ("as_of=2026-01-03T00:00:00Z", "200.000000000002"),
        // Usage lies between these two hours.
        ("as_of=2026-02-02T10:00:00Z", "1200.000000000017"),
        ("as_of=2026-02-02T11:00:00Z", now),
        ("at_position=4", "200.000000000002"),
        ("at_position=16", "1200.000000000017"),
        ("at_position=17", now),
        ("at_position=5&as_of=2026-01-02", "200.000000000002"),
    ] {
        assert_eq!(dollars(query).await.as_deref(), Some(expected), "{query}");
    }
    assert_eq!(dollars("as_of=2025-12-31").await, None);
    let half = world.get(&path(ACME, "/balance?as_of=2026-02-02T10:30:00Z")).await;
    half.assert_problem(400, "invalid-request", "usage is kept by the hour");
}

#[tokio::test]
async fn a_statement_opens_with_what_was_and_closes_with_what_is() {
    let world = acme().await;
    let of = "/statement?currency=USD&from=2026-01-11&to=2026-03-01";
    let found = world.found(&path(ACME, of)).await;
    let statement = found.at("/statements/0");
    assert_eq!(statement["opening"], "1000.000000000010");
    assert_eq!(statement["closing"], "-299.999999999983");
    let lines: Vec<(String, String, String)> = statement["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().expect("text").to_owned();
            (format!("{} {}", text("day"), text("kind")), text("amount"), text("balance"))
        })
        .collect();
    let line = |what: &str, amount: &str, balance: &str| {
        (what.to_owned(), amount.to_owned(), balance.to_owned())
    };
    let expected = [
        line("2026-01-11 purchased", "100.000000000001", "1100.000000000011"),
        line("2026-01-12 purchased", "100.000000000001", "1200.000000000012"),
        line("2026-02-01 granted", "0.000000000005", "1200.000000000017"),
        line("2026-02-02 usage", "-1500.000000000000", "-299.999999999983"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(statement["lines"][0]["movement"]["actor"], "operator:ops");
    // In the log's eyes before the usage came.
    let before = world.found(&path(ACME, &format!("{of}&at_position=16"))).await;
    assert_eq!(before.at("/statements/0/closing"), "1200.000000000017");
    let all = world.found(&path(ACME, "/statement")).await;
    assert_eq!(all.at("/statements/0/currency"), "EUR");
    assert_eq!(all.at("/statements/1/opening"), "0.000000000000");
    assert_eq!(all.at("/statements/1/closing"), "-299.999999999983");
    let csv = world.get(&path(ACME, &format!("{of}&format=csv"))).await.text;
    let csv: Vec<&str> = csv.lines().collect();
    assert_eq!(csv.len(), 7, "{csv:?}");
    assert_eq!(csv[1], "USD,2026-01-11,opening,,1000.000000000010,,,,,,,");
    assert!(csv[2].starts_with("USD,2026-01-11,purchased,100.000000000001,1100.000000000011,"));
    assert_eq!(csv[5], "USD,2026-02-02,usage,-1500.000000000000,-299.999999999983,,,,,,,");
    assert_eq!(csv[6], "USD,2026-03-01,closing,,-299.999999999983,,,,,,,");
    for (query, what) in [
        ("from=2026-01-01T00:30:00Z", "half an hour"),
        ("from=2026-02-01&to=2026-02-01", "nothing in between"),
        ("from=2026-02-01&as_of=2026-01-31", "it had ended before"),
        ("as_of=2026-02-02T10:30:00Z", "half an hour"),
        ("currency=usd", "no currency"),
    ] {
        let refused = world.get(&path(ACME, &format!("/statement?{query}"))).await;
        refused.assert_problem(400, "invalid-request", what);
    }
}

#[tokio::test]
async fn a_statement_as_of_a_time_closes_with_the_balance_of_that_time() {
    let world = acme().await;
    let closing = async |query: &str| {
        let found = world.found(&path(ACME, &format!("/statement?currency=USD&{query}"))).await;
        (found.at("/to"), found.at("/statements/0/closing"))
    };
    for (query, to, expected) in [
        ("as_of=2026-01-03", "2026-01-04T00:00:00Z", "300.000000000003"),
        ("as_of=2026-01-03T00:00:00Z", "2026-01-03T00:00:00Z", "200.000000000002"),
        ("as_of=2026-02-02T10:00:00Z", "2026-02-02T10:00:00Z", "1200.000000000017"),
        ("as_of=2026-02-02T11:00:00Z", "2026-02-02T11:00:00Z", "-299.999999999983"),
        ("as_of=2026-02-02&at_position=16", "2026-02-03T00:00:00Z", "1200.000000000017"),
        ("as_of=2026-01-02&at_position=5", "2026-01-03T00:00:00Z", "200.000000000002"),
        ("as_of=2026-01-12&from=2026-01-11", "2026-01-13T00:00:00Z", "1200.000000000012"),
        // The sooner of the two ends it.
        ("as_of=2026-01-12&to=2026-01-03", "2026-01-03T00:00:00Z", "200.000000000002"),
        ("as_of=2026-01-02&to=2026-02-01", "2026-01-03T00:00:00Z", "200.000000000002"),
    ] {
        assert_eq!(closing(query).await, (json!(to), json!(expected)), "{query}");
    }
    let early = world.get(&path(ACME, "/statement?as_of=2025-12-31")).await;
    let balance = world.get(&path(ACME, "/balance?as_of=2025-12-31")).await;
    assert_eq!(early.status, balance.status, "{}", early.text);
}

#[tokio::test]
async fn lots_say_what_is_left_and_where_the_rest_went() {
    let world = acme().await;
    let page = world.found(&path(ACME, "/credit-lots?currency=USD&limit=2")).await;
    let first = page.at("/items/0");
    assert_eq!(
        (&first["kind"], &first["drawn"]),
        (&json!("purchased"), &json!("100.000000000001"))
    );
    assert_eq!((&first["remaining"], &first["priority"]), (&json!("0.000000000000"), &json!(100)));
    let cursor = page.at("/next_cursor");
    let next = format!(
        "/credit-lots?currency=USD&limit=500&cursor={}",
        cursor.as_str().expect("a cursor")
    );
    let rest = world.found(&path(ACME, &next)).await;
    assert_eq!(rest.at("/items").as_array().expect("items").len(), 11);
    let other = format!("/credit-lots?currency=EUR&cursor={}", cursor.as_str().expect("a cursor"));
    world.get(&path(ACME, &other)).await.assert_problem(400, "invalid-request", "another list");
    let open = world.found(&path(ACME, "/credit-lots?open=true")).await;
    assert_eq!(open.at("/items").as_array().expect("items").len(), 1);
    assert_eq!(open.at("/items/0/currency"), "EUR");
}

#[tokio::test]
async fn a_gateway_is_told_by_balance_and_policy() {
    let world = acme().await;
    let told = async |currency: &str| {
        let asked = format!("/credits/authorization?currency={currency}");
        let found = world.found(&path(ACME, &asked)).await;
        (found.at("/allowed"), found.at("/accounts/0/reason"), found.at("/accounts/0/available"))
    };
    let overdrawn = json!("-299.999999999983");
    let expected = (json!(true), json!("overdraft_allowed"), overdrawn.clone());
    assert_eq!(told("USD").await, expected);
    assert_eq!(told("EUR").await.1, "credits_left");
    for currency in ["USD", "EUR"] {
        let event = CreditAccountEvent::PolicyChanged {
            organization_id: OrganizationId(id(ACME)),
            currency: currency.parse().expect("a currency"),
            policy: CreditPolicy::Block,
        };
        world.append(ACME, 900, "2026-02-03T00:00:00Z", event).await;
    }
    // A lot whose time is over counts no more, on record or not.
    let over = CreditAccountEvent::Granted {
        organization_id: OrganizationId(id(ACME)),
        lot_id: LotId(id(70)),
        amount: "1000".parse().expect("an amount"),
        currency: "GBP".parse().expect("a currency"),
        expires_at: Some("2026-02-04T00:00:00Z".parse().expect("a time")),
        priority: 100,
        reason: None,
    };
    world.append(ACME, 901, "2026-02-03T00:00:00Z", over).await;
    let event = CreditAccountEvent::PolicyChanged {
        organization_id: OrganizationId(id(ACME)),
        currency: "GBP".parse().expect("a currency"),
        policy: CreditPolicy::Block,
    };
    world.append(ACME, 901, "2026-02-03T00:00:00Z", event).await;
    world.project_all().await;
    assert_eq!(told("USD").await, (json!(false), json!("credits_exhausted"), overdrawn));
    assert_eq!(told("EUR").await.0, true);
    assert_eq!(told("GBP").await.1, "credits_exhausted");
    let all = world.found(&path(ACME, "/credits/authorization")).await;
    assert_eq!(all.at("/allowed"), false);
    let none = world.found(&path(ACME, "/credits/authorization?currency=CHF")).await;
    assert_eq!((none.at("/allowed"), none.at("/accounts")), (json!(true), json!([])));
    for currency in ["XTS", "XYZ"] {
        let asked = format!("/credits/authorization?currency={currency}");
        let refused = world.get(&path(ACME, &asked)).await;
        refused.assert_problem(400, "invalid-request", currency);
        assert_eq!(refused.at("/field"), "currency");
    }
}

#[tokio::test]
async fn a_gateway_is_told_nothing_of_what_is_not_there() {
    let world = acme().await;
    world.organization(2, "2026-01-01T00:00:00Z", "Other").await;
    world.project(2, 80, "2026-01-01T00:00:00Z", "Theirs").await;
    world.member(2, 81, "2026-01-01T00:00:00Z", "theirs").await;
    world.member(ACME, 20, "2026-01-01T00:00:00Z", "alice").await;
    world.project(ACME, 11, "2026-01-01T00:00:00Z", "Dev").await;
    world.append(ACME, 11, "2026-01-02T00:00:00Z", ProjectEvent::Archived {}).await;
    world.project_all().await;
    let ask = async |named: &str| {
        world.get(&path(ACME, &format!("/credits/authorization?{named}"))).await
    };
    let there = format!("project_id={}&member_id={}", id(10), id(20));
    assert_eq!(ask(&there).await.status, 200);
    for (named, what) in [
        (format!("project_id={}", id(99)), "project"),
        (format!("project_id={}", id(80)), "project"),
        (format!("project_id={}", id(11)), "project"),
        (format!("member_id={}", id(99)), "member"),
        (format!("member_id={}", id(81)), "member"),
        (format!("project_id={}&member_id={}", id(10), id(81)), "member"),
    ] {
        let refused = ask(&named).await;
        refused.assert_problem(404, "not-found", &named);
        let detail = refused.at("/detail");
        assert!(detail.as_str().expect("text").contains(what), "{named}: {detail}");
    }
}
