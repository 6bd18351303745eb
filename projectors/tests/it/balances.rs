//! Balances: what was bought and given, exactly.

use std::collections::BTreeMap;

use event_schemas::{Amount, CreditAccountEvent};

use crate::support::House;
use crate::support::history::{Event, Story};

#[tokio::test]
async fn a_balance_is_the_sum_of_its_movements() {
    let happenings = Story::new(6).tell(800);
    let house = House::with(&happenings).await;
    house.catch_up().await;

    let mut expected: BTreeMap<String, (Amount, Amount)> = BTreeMap::new();
    for happening in &happenings {
        let Event::Credits(currency, event) = &happening.event else { continue };
        let account = format!("{} {currency}", happening.organization_id);
        let (purchased, granted) = expected.entry(account).or_default();
        match event {
            CreditAccountEvent::Purchased { amount, .. } => *purchased = *purchased + *amount,
            CreditAccountEvent::Granted { amount, .. } => *granted = *granted + *amount,
        }
    }
    assert!(expected.len() > 5);

    for sql in [
        "select organization_id || ' ' || currency, purchased::text, granted::text
         from read.balances",
        "select organization_id || ' ' || currency,
             coalesce(sum(amount) filter (where kind = 'purchased'), 0.000000000000)::text,
             coalesce(sum(amount) filter (where kind = 'granted'), 0.000000000000)::text
         from read.credit_movements group by 1",
    ] {
        let rows: Vec<(String, String, String)> =
            sqlx::query_as(sql).fetch_all(&house.reader).await.unwrap();
        let found: BTreeMap<String, (Amount, Amount)> = rows
            .into_iter()
            .map(|(account, p, g)| (account, (p.parse().unwrap(), g.parse().unwrap())))
            .collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_movement_says_why_and_by_whom() {
    let happenings = Story::new(7).tell(300);
    let house = House::with(&happenings).await;
    house.catch_up().await;
    let (position, happening) = (1_i64..)
        .zip(&happenings)
        .find(|(_, h)| matches!(&h.event, Event::Credits(_, CreditAccountEvent::Purchased { .. })))
        .unwrap();
    let Event::Credits(_, CreditAccountEvent::Purchased { reference, .. }) = &happening.event
    else {
        unreachable!()
    };
    let found: (String, Option<String>, String) =
        sqlx::query_as("select kind, note, actor from read.credit_movements where position = $1")
            .bind(position)
            .fetch_one(&house.reader)
            .await
            .unwrap();
    assert_eq!(found, ("purchased".to_owned(), reference.clone(), happening.actor.to_string()));
}
