//! Which prices were in force, and which of them the log knew.

use event_schemas::{MatchRule, ModelPrice, OrganizationId, PriceListEvent, PriceListId, Rates};
use serde_json::json;

use crate::support::{World, id, path, time};

const ACME: u128 = 1;

async fn publish(world: &World, version: u32, recorded: &str, effective_from: &str) -> i64 {
    let event = PriceListEvent::Published {
        price_list_id: PriceListId::of("own", "openai"),
        version,
        organization_id: Some(OrganizationId(id(ACME))),
        provider: "openai".to_owned(),
        provider_matches: None,
        model_matches: None,
        fallback_providers: vec![],
        mark_up_percent: None,
        currency: "USD".parse().expect("a currency"),
        effective_from: time(effective_from),
        source: None,
        models: vec![ModelPrice::plain(
            "m".to_owned(),
            MatchRule::Equals("m".to_owned()),
            Rates::default(),
        )],
    };
    world.append(ACME, 7, recorded, event).await
}

#[tokio::test]
async fn prices_are_those_in_force_then_as_far_as_they_were_known() {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    let first = publish(&world, 1, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z").await;
    publish(&world, 2, "2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z").await;
    // A correction: it was recorded last, and holds from January on.
    publish(&world, 3, "2026-03-01T00:00:00Z", "2026-01-10T00:00:00Z").await;
    world.project_all().await;
    let version = async |query: &str| {
        let found = world.found(&path(ACME, &format!("/price-lists{query}"))).await;
        found
            .at("/items")
            .as_array()
            .map(|lists| lists.iter().map(|l| l["version"].clone()).collect())
    };
    let check = async |query: &str, expected: &[i64]| {
        let expected: Vec<_> = expected.iter().map(|version| json!(version)).collect();
        assert_eq!(version(query).await, Some(expected), "{query}");
    };
    check("", &[2]).await;
    check("?as_of=2025-12-31", &[]).await;
    check("?as_of=2026-01-05", &[1]).await;
    check("?as_of=2026-01-15", &[3]).await;
    check("?as_of=2026-02-15", &[2]).await;
    check(&format!("?as_of=2026-01-15&at_position={first}"), &[1]).await;
    check("?provider=anthropic", &[]).await;
    check("?provider=a%00b", &[]).await;
    let list = world.found(&path(ACME, "/price-lists?prices=true")).await.at("/items/0");
    assert_eq!((&list["own"], &list["prices"][0]["model"]), (&json!(true), &json!("m")));
}
