//! Balances, lots and journal: what every record and event comes to, by another way.

use event_schemas::{Amount, CreditAccountEvent, CreditPolicy, Currency};
use projectors::balances::Balances;
use projectors::feed::FeedPage;
use projectors::{Projection, ProjectionError, Registered, catch_up, named, rebuild};
use sqlx::PgConnection;

use crate::support::House;
use crate::support::credits::{Dealings, Naive};
use crate::support::history::{Event, Story};
use crate::support::usage::{Usage, organizations};

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

/// Histories of few accounts in which everything comes close together.
#[tokio::test]
async fn balances_lots_and_crossings_are_what_single_records_come_to() {
    let balances = [named("balances").unwrap()];
    let (mut crossings, mut overdrawn, mut expired) = (0, 0, 0);
    for seed in 60..66 {
        let house = House::new().await;
        let mut dealings = Dealings::new(seed);
        let mut then = Vec::new();
        for step in 0..60 {
            dealings.go_on(&house).await;
            if step % 5 == 0 {
                then.push((house.head().await, Naive::of(&house).await.lots));
            }
            if seed % 2 == 0 {
                let head = house.head().await;
                catch_up(&house.read, &house.feed(), &balances, head).await.unwrap();
            }
        }
        let head = house.head().await;
        catch_up(&house.read, &house.feed(), &balances, head).await.unwrap();
        let expected = Naive::of(&house).await;
        assert_eq!(Naive::read(&house.reader).await, expected, "seed {seed}");
        crossings += expected.crossings.len();
        overdrawn += expected.balances.values().filter(|b| b.overdraft > 0).count();
        expired += expected.lots.values().filter(|lot| lot.expired > 0).count();
        for events in [1, 3] {
            // Nothing but what agrees goes into service.
            let feed = house.feed_in_pages_of(events);
            rebuild(&house.read, &feed, &balances[0], &mut |_| {}).await.unwrap();
            assert_eq!(Naive::read(&house.reader).await, expected, "in pages of {events}");
            // And what each lot was at every position before can be asked still.
            for (position, lots) in &then {
                let told = Naive::lots_at(&house.reader, *position).await;
                assert_eq!(told, *lots, "at {position} in pages of {events}, seed {seed}");
            }
        }
    }
    assert!(crossings > 15 && overdrawn > 2 && expired > 5, "{crossings} {overdrawn} {expired}");
}

fn purchase(of: usize, lot: u128, pico: i128, currency: Currency) -> (CreditAccountEvent, u128) {
    let event = CreditAccountEvent::Purchased {
        organization_id: organizations()[of].into(),
        lot_id: uuid::Uuid::from_u128(lot).into(),
        amount: Amount::from_pico(pico),
        currency,
        expires_at: None,
        priority: 100,
        reference: None,
    };
    (event, lot)
}

#[tokio::test]
async fn a_crossing_names_the_very_record() {
    let house = House::new().await;
    let (event, _) = purchase(0, 9, 25, Currency::USD);
    let organization_id = organizations()[0].into();
    Dealings::enter(&house, organization_id, Currency::USD, &event).await;
    let mut usage = Usage::new(1);
    let records: Vec<_> = (0..6).map(|_| usage.at_cost(Some((10, Currency::USD)))).collect();
    house.use_up(organization_id, &records[..2]).await;
    house.use_up(organization_id, &records[2..]).await;
    house.catch_up().await;
    let found: Vec<(i64, bool, String)> =
        sqlx::query_as("select position, exhausted, balance::text from read.credit_crossings")
            .fetch_all(&house.reader)
            .await
            .unwrap();
    // 25 less 10 and 10 is above zero; the third record, at position 4, takes it below.
    assert_eq!(found, [(4, true, "-0.000000000005".to_owned())]);
    let balance: String = sqlx::query_scalar("select balance::text from read.balances")
        .fetch_one(&house.reader)
        .await
        .unwrap();
    assert_eq!(balance, "-0.000000000035");
}

/// Who is to be blocked without credits is exhausted with the first record that costs anything, though
/// there was nothing to run out of; who is allowed to go on is not.
#[tokio::test]
async fn an_account_that_never_had_credits_runs_out_where_it_blocks() {
    let house = House::new().await;
    let [blocked, allowed] = [0, 1].map(|of| organizations()[of].into());
    let event = CreditAccountEvent::PolicyChanged {
        organization_id: blocked,
        currency: Currency::USD,
        policy: CreditPolicy::Block,
    };
    Dealings::enter(&house, blocked, Currency::USD, &event).await;
    let mut usage = Usage::new(1);
    for organization_id in [blocked, allowed] {
        let records: Vec<_> =
            [0, 0, 10, 10].map(|pico| usage.at_cost(Some((pico, Currency::USD)))).into();
        house.use_up(organization_id, &records).await;
    }
    house.catch_up().await;
    let found: Vec<(i64, bool, String)> =
        sqlx::query_as("select position, exhausted, balance::text from read.credit_crossings")
            .fetch_all(&house.reader)
            .await
            .unwrap();
    let [(position, true, balance)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(balance, "-0.000000000010");
    let cost: i64 = sqlx::query_scalar(
        "select cost_pico from log.usage_records u join log.usage_batches b using (batch_id)
         where b.first_position + u.ordinal = $1",
    )
    .bind(position)
    .fetch_one(house.log.pool())
    .await
    .unwrap();
    assert_eq!(cost, 10, "the first that costs anything");
}

#[tokio::test]
async fn what_does_not_agree_is_not_put_into_service() {
    let house = House::new().await;
    let mut dealings = Dealings::new(70);
    for _ in 0..20 {
        dealings.go_on(&house).await;
    }
    house.catch_up().await;
    let builds = async || -> Vec<(i64, String)> {
        sqlx::query_as(
            "select build, state from read.builds where projection = 'balances' order by build",
        )
        .fetch_all(&house.reader)
        .await
        .unwrap()
    };
    let before = builds().await;
    for (table, column) in [
        ("credit_lots", "remaining"),
        ("credit_lots", "drawn"),
        ("credit_lot_states", "remaining"),
        ("balances", "overdraft"),
        ("balances", "consumed"),
        ("credit_journal", "amount"),
        ("credit_usage", "cost"),
        ("credit_usage_batches", "cost"),
        ("credit_movements", "amount"),
    ] {
        let broken = Registered::new(Broken { table, column });
        let refused = rebuild(&house.read, &house.feed(), &broken, &mut |_| {}).await;
        let said = refused.expect_err(column).to_string();
        assert!(said.contains("does not go into service"), "{table}.{column}: {said}");
        assert_eq!(builds().await[0], before[0], "{table}.{column}: the old build serves");
    }
    rebuild(&house.read, &house.feed(), &named("balances").unwrap(), &mut |_| {}).await.unwrap();
}

/// Balances that are a little wrong in one place.
struct Broken {
    table: &'static str,
    column: &'static str,
}

impl Projection for Broken {
    const NAME: &'static str = Balances::NAME;
    const VERSION: i32 = Balances::VERSION;
    const VIEWS: &'static [&'static str] = Balances::VIEWS;
    const CHECKS: &'static [&'static str] = Balances::CHECKS;

    fn tables() -> &'static str {
        Balances::tables()
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        Balances.apply(tx, page).await?;
        let Self { table, column } = self;
        let change = format!(
            "update {table} set {column} = {column} + 0.000000000001
             where ctid = (select min(ctid) from {table})"
        );
        sqlx::query(&change).execute(tx).await?;
        Ok(())
    }
}
