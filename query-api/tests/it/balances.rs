use event_schemas::{Amount, CreditAccountEvent, Currency, LotId, OrganizationId};
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
    let expected = json!([
        {"currency": "EUR", "purchased": "7.000000000000", "granted": "0.000000000000",
         "consumed": "0.000000000000", "balance": "7.000000000000"},
        // More was used than bought: 1,200.000000000012 + 0.000000000005 − 1,500.
        {"currency": "USD", "purchased": "1200.000000000012", "granted": "0.000000000005",
         "consumed": "1500.000000000000", "balance": "-299.999999999983"},
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
        "position": 3, "kind": "purchased", "lot_id": id(0), "amount": "100.000000000001",
        "currency": "USD", "expires_at": null, "note": "invoice 0", "actor": "operator:ops",
        "occurred_at": "2026-01-01T00:00:00Z",
    });
    assert_eq!(first.at("/items/0"), expected);
}
