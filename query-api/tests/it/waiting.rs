use std::time::Duration;

use event_schemas::OrganizationEvent;
use query_api::{Projection, QueryError, Rows, Snapshot};
use serde_json::json;

use crate::support::{World, path};

const ACME: u128 = 1;

async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.project_all().await;
    world
}

async fn rename(world: &World, name: &str) -> i64 {
    let event = OrganizationEvent::Updated { name: Some(name.to_owned()), seat_limit: None };
    world.append(ACME, ACME, "2026-01-02T00:00:00Z", event).await
}

#[tokio::test]
async fn a_query_waits_until_its_read_model_is_there() {
    let world = acme().await;
    let position = rename(&world, "Acme Corp").await;
    let query = path(ACME, &format!("?min_position={position}"));
    // The read model is behind until the second future is polled, which is after the first waits.
    let (answer, _) = tokio::join!(world.found(&query), world.project_all());
    assert_eq!(answer.at("/name"), "Acme Corp");
    assert_eq!(answer.headers["orgledger-position"], position.to_string().as_str());
}

#[tokio::test]
async fn many_wait_at_once_with_few_connections() {
    let world = acme().await;
    let position = rename(&world, "Acme Corp").await;
    let query = path(ACME, &format!("?min_position={position}"));
    let costs = path(ACME, &format!("/costs?min_position={position}"));
    let waiting = (0..50).map(|number| {
        let query = if number % 2 == 0 { &query } else { &costs };
        async { world.found(query).await.status }
    });
    let mut waiting = Box::pin(futures_of(waiting.collect()));
    // None can be answered yet.
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut waiting).await.is_err());
    world.project_all().await;
    waiting.await;
}

/// Awaits them all, side by side.
async fn futures_of<F: Future>(futures: Vec<F>) {
    let mut futures: Vec<_> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
    std::future::poll_fn(|context| {
        for slot in &mut futures {
            if let Some(future) = slot
                && future.as_mut().poll(context).is_ready()
            {
                *slot = None;
            }
        }
        if futures.iter().all(Option::is_none) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

#[tokio::test]
async fn waiting_has_an_end() {
    let world = acme().await.waiting_at_most(Duration::from_millis(30));
    for parameter in ["min_position", "at_position"] {
        let answer = world.get(&path(ACME, &format!("?{parameter}=99"))).await;
        answer.assert_problem(503, "not-yet-visible", parameter);
        assert_eq!(answer.at("/position"), json!(1), "{parameter}");
        assert_eq!(answer.headers["retry-after"], "1", "{parameter}");
    }
    // What is there already is answered at once, however far the head is.
    world.found(&path(ACME, "?min_position=1&at_position=1")).await;
}

#[tokio::test]
async fn without_a_read_model_the_answer_is_that_it_is_being_built() {
    let world = World::new().await;
    let answer = world.get("/v1/organizations").await;
    answer.assert_problem(503, "read-model-not-ready", "nothing is built");
    assert_eq!(world.found("/v1/status").await.at("/projections"), json!([]));
    let opened = Snapshot::open(&world.pool, Rows::All, &[Projection::Balances], 0).await;
    assert!(matches!(opened, Err(QueryError::NotReady("balances"))));
}

#[tokio::test]
async fn a_picture_stays_what_it_is_while_the_log_moves_on() {
    let world = acme().await;
    let mut snapshot = world.snapshot(&[Projection::AccessRegister]).await;
    rename(&world, "Acme Corp").await;
    world.project_all().await;
    let query = query_api::access_register::AccessRegisterQuery::default();
    let register = query_api::access_register::access_register(&mut snapshot, &query).await;
    let register = register.expect("it answers");
    assert_eq!((register.position, register.organizations[0].name.as_str()), (1, "Acme"));
}

#[tokio::test]
async fn another_build_goes_into_service_only_between_pictures() {
    let world = acme().await;
    let mut snapshot = world.snapshot(&[Projection::AccessRegister]).await;
    let mut rebuild = std::pin::pin!(world.rebuild(Projection::AccessRegister));
    tokio::select! {
        () = &mut rebuild => panic!("it did not wait for the picture"),
        // The new build is complete, and about to be switched to.
        () = world.somebody_waits_for_a_view() => {}
    }
    let query = query_api::access_register::AccessRegisterQuery::default();
    let register = query_api::access_register::access_register(&mut snapshot, &query).await;
    let register = register.expect("it answers");
    assert_eq!((register.position, register.organizations.len()), (1, 1));
    drop(snapshot);
    rebuild.await;
    world.found(&path(ACME, "")).await;
}

#[tokio::test]
async fn what_reads_two_read_models_reflects_the_one_that_is_behind() {
    let world = acme().await.waiting_at_most(Duration::from_millis(30));
    let position = rename(&world, "Acme Corp").await;
    for (ahead, query) in
        [(Projection::Balances, "/balance"), (Projection::CostPerFeature, "/costs")]
    {
        world.project_only(ahead).await;
        let answer = world.found(&path(ACME, query)).await;
        assert_eq!(answer.at("/position"), json!(1), "{query}");
        assert_eq!(answer.headers["orgledger-position"], "1", "{query}");
        let answer = world.get(&path(ACME, &format!("{query}?min_position={position}"))).await;
        answer.assert_problem(503, "not-yet-visible", query);
    }
    world.project_only(Projection::AccessRegister).await;
    let answer = world.found(&path(ACME, &format!("/balance?min_position={position}"))).await;
    assert_eq!(answer.at("/organization"), "Acme Corp");
    rename(&world, "Acme Inc").await;
    world.project_only(Projection::AccessRegister).await;
    for query in ["/balance", "/costs"] {
        let answer = world.found(&path(ACME, query)).await;
        assert_eq!(answer.at("/position"), json!(position), "{query}");
    }
}

#[tokio::test]
async fn status_says_how_far_each_read_model_is() {
    let world = acme().await;
    let projections = world.found("/v1/status").await.at("/projections");
    let projections = projections.as_array().expect("a list");
    let names: Vec<_> = projections.iter().map(|p| p["projection"].as_str()).collect();
    assert_eq!(
        names,
        [
            "access_register",
            "access_reviews",
            "audit_log",
            "balances",
            "budgets",
            "cost_per_feature",
            "last_use",
            "oversight",
            "prices"
        ]
        .map(Some)
    );
    assert!(projections.iter().all(|p| p["position"] == 1 && p["state"] == "serving"));
}

#[test]
fn a_snapshot_holds_back_a_switch_at_the_first_view_that_it_replaces() {
    let projections = [
        query_api::Projection::AccessRegister,
        query_api::Projection::Balances,
        query_api::Projection::CostPerFeature,
        query_api::Projection::Oversight,
        query_api::Projection::AccessReviews,
        query_api::Projection::LastUse,
        query_api::Projection::AuditLog,
        query_api::Projection::Budgets,
        query_api::Projection::Prices,
    ];
    for registered in projectors::all() {
        let projection = projections.iter().find(|p| p.name() == registered.name);
        let first = registered.views.iter().min().map(|view| format!("read.{view}"));
        assert_eq!(projection.map(|p| p.gate().to_owned()), first, "{}", registered.name);
    }
}
