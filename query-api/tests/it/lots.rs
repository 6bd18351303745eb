//! Lots of credits as they were known then.

use chrono::{DateTime, Utc};
use event_schemas::{Amount, CreditAccountEvent, Currency, LotId, OrganizationId};
use serde_json::Value;

use crate::costs::{priced, record};
use crate::support::{World, id, path, time};

const ACME: u128 = 1;

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.project(ACME, 10, "2026-01-01T00:00:00Z", "Prod").await;
    world
}

fn currency(random: &mut Random) -> Currency {
    if random.below(4) == 0 { "EUR" } else { "USD" }.parse().expect("a currency")
}

/// Credits that come.
fn comes(random: &mut Random, lot: u128) -> CreditAccountEvent {
    let ends = [None, Some(time("2026-02-01T00:00:00Z")), Some(time("2026-03-01T00:00:00Z"))];
    CreditAccountEvent::Purchased {
        organization_id: OrganizationId(id(ACME)),
        lot_id: LotId(id(lot)),
        amount: Amount::from_pico(i128::from(1 + random.below(100))),
        currency: currency(random),
        expires_at: ends[usize::try_from(random.below(3)).expect("small")],
        priority: u16::try_from(random.below(3)).expect("small"),
        reference: None,
    }
}

/// What is left of a lot ends, or half of it is paid back.
fn leaves(random: &mut Random, lot: &Value) -> CreditAccountEvent {
    let organization_id = OrganizationId(id(ACME));
    let lot_id = lot["lot_id"].as_str().expect("an id").parse().expect("an id");
    let currency = lot["currency"].as_str().expect("one").parse().expect("a currency");
    let left: Amount = lot["remaining"].as_str().expect("one").parse().expect("an amount");
    if random.below(2) == 0 {
        let expires_at = time("2026-03-01T00:00:00Z");
        return CreditAccountEvent::Expired { organization_id, lot_id, currency, expires_at };
    }
    CreditAccountEvent::Refunded {
        organization_id,
        lot_id,
        amount: Amount::from_pico(left.pico() / 2 + 1),
        currency,
        reference: None,
        left_before: left,
        known_at: 0,
    }
}

async fn items(world: &World, query: &str) -> Vec<Value> {
    let found = world.found(&path(ACME, &format!("/credit-lots?limit=500{query}"))).await;
    found.at("/items").as_array().expect("items").clone()
}

/// When the log learned of what stands at a position.
async fn recorded_at(world: &World, position: i64) -> DateTime<Utc> {
    sqlx::query_scalar(
        "select recorded_at from log.events where position = $1 union all
         select recorded_at from log.usage_batches
         where $1 between first_position and first_position + count - 1",
    )
    .bind(position)
    .fetch_one(&world.owner)
    .await
    .expect("it is there")
}

/// What was told at a position is told of that position ever after, and of that time.
#[tokio::test]
async fn lots_are_as_they_were_known_then() {
    let world = acme().await;
    let mut random = Random(11);
    let mut then: Vec<(i64, Vec<Value>)> = Vec::new();
    for step in 0..48_u32 {
        let lots = then.last().map_or(&[][..], |(_, lots)| lots);
        let open: Vec<&Value> =
            lots.iter().filter(|lot| lot["remaining"] != "0.000000000000").collect();
        match random.below(5) {
            0..=1 => {
                let event = comes(&mut random, 100 + u128::from(step));
                world.append(ACME, 900, "2026-01-05T00:00:00Z", event).await;
            }
            2 if !open.is_empty() => {
                let place = random.below(u64::try_from(open.len()).expect("few"));
                let event = leaves(&mut random, open[usize::try_from(place).expect("few")]);
                world.append(ACME, 900, "2026-01-06T00:00:00Z", event).await;
            }
            _ => {
                let used = (0..=random.below(4)).map(|n| {
                    let at = ["2026-01-10T10:20:00Z", "2026-02-10T10:20:00Z"];
                    let at = at[usize::try_from(random.below(2)).expect("small")];
                    let cost = i64::try_from(random.below(14)).expect("small");
                    let price = priced(cost, currency(&mut random).as_str());
                    let number = i64::from(step) * 10 + i64::try_from(n).expect("small");
                    record(number, at, Some(price))
                });
                world.usage(ACME, used.collect()).await;
            }
        }
        let position = world.project_all().await;
        then.push((position, items(&world, "").await));
    }
    let lots = then.last().expect("steps").1.clone();
    for field in ["remaining", "drawn", "refunded", "expired"] {
        let some = lots.iter().filter(|lot| lot[field] != "0.000000000000").count();
        assert!(some > 0, "{field} of {some} lots");
    }
    for (position, lots) in &then {
        let told = items(&world, &format!("&at_position={position}")).await;
        assert_eq!(&told, lots, "at position {position}");
        let at = recorded_at(&world, *position).await.to_rfc3339();
        let told = items(&world, &format!("&as_of={}", at.replace('+', "%2B"))).await;
        assert_eq!(&told, lots, "as of {at}");
        let open = items(&world, &format!("&at_position={position}&open=true&currency=USD")).await;
        let expected: Vec<Value> = lots
            .iter()
            .filter(|lot| lot["remaining"] != "0.000000000000" && lot["currency"] == "USD")
            .cloned()
            .collect();
        assert_eq!(open, expected, "open at {position}");
    }
}

#[tokio::test]
async fn pages_of_then_are_of_then() {
    let world = acme().await;
    let mut random = Random(5);
    for lot in 0..5 {
        let event = comes(&mut random, lot);
        world.append(ACME, 900, "2026-01-05T00:00:00Z", event).await;
    }
    let position = world.project_all().await;
    let whole = items(&world, "").await;
    let first = path(ACME, &format!("/credit-lots?limit=2&at_position={position}"));
    let first = world.found(&first).await;
    let cursor = first.at("/next_cursor").as_str().expect("there is more").to_owned();
    // Meanwhile more comes, and what is there is used.
    let event = comes(&mut random, 50);
    world.append(ACME, 900, "2026-01-05T00:00:00Z", event).await;
    let used = record(1, "2026-01-10T10:20:00Z", Some(priced(400, "USD")));
    world.usage(ACME, vec![used]).await;
    let head = world.project_all().await;
    let next = format!("&at_position={position}&cursor={cursor}");
    assert_eq!(items(&world, &next).await, whole[2..]);
    for other in [
        format!("/credit-lots?cursor={cursor}"),
        format!("/credit-lots?at_position={head}&cursor={cursor}"),
        format!("/credit-lots?at_position={position}&as_of=2026-01-31&cursor={cursor}"),
    ] {
        world.get(&path(ACME, &other)).await.assert_problem(400, "invalid-request", &other);
    }
    // Before it had any.
    let none = items(&world, "&at_position=2").await;
    assert!(none.is_empty(), "{none:?}");
    let none = items(&world, "&as_of=2026-01-02").await;
    assert!(none.is_empty(), "what was recorded later was not known then: {none:?}");
}
