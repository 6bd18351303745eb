//! Many commands at once on one stream: each happens once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::App;

const CALLERS: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_on_one_stream_at_once_all_happen_exactly_once() {
    let app = App::new().await;
    let organization = app.organization().await;
    let path = format!("/v1/organizations/{organization}/members");
    let tasks: Vec<_> = (0..CALLERS)
        .map(|n| {
            let (operator, path) = (app.admin(), path.clone());
            tokio::spawn(async move {
                let body = json!({"login": format!("login-{n}"), "role": "member"});
                operator.post(&path, body).await.ok()
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("no panic"));
    }
    let distinct = |field: &str| {
        answers.iter().map(|answer: &Value| answer[field].to_string()).collect::<BTreeSet<_>>()
    };
    assert_eq!(distinct("member_id").len(), CALLERS);
    assert_eq!(distinct("position").len(), CALLERS);
    let with_the_owner = i64::try_from(CALLERS + 1).expect("few");
    assert_eq!(app.count("member.added").await, with_the_owner);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_credited_at_once_is_all_there() {
    let app = App::new().await;
    let organization = app.organization().await;
    let path = format!("/v1/organizations/{organization}/credits/purchases");
    let tasks: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (operator, path) = (app.admin(), path.clone());
            let body = json!({"amount": "0.000000000001", "currency": "USD"});
            tokio::spawn(async move { operator.post(&path, body).await.etag() })
        })
        .collect();
    let mut tags = BTreeSet::new();
    for task in tasks {
        tags.insert(task.await.expect("no panic"));
    }
    // Each saw the account at a sequence of its own.
    assert_eq!(tags.len(), CALLERS);
    let sum: String = sqlx::query_scalar(
        "select sum((payload->>'amount')::numeric)::text from log.events
         where event_type = 'credits.purchased'",
    )
    .fetch_one(app.pool())
    .await
    .expect("a sum");
    assert_eq!(sum, "0.000000000032");
}
