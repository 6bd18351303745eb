//! What is on record of refused commands, and whose record it goes to.

use serde_json::json;

use super::groups::Acme;
use crate::support::{App, Client};

/// The refusals on record: whose, who asked, and what.
async fn recorded(app: &App) -> Vec<(Option<String>, String, String, String)> {
    sqlx::query_as(
        "select organization_id::text, aggregate_id, payload ->> 'command', payload ->> 'problem'
         from log.events where event_type = 'refusal.recorded' order by position",
    )
    .fetch_all(app.pool())
    .await
    .expect("the log answers")
}

/// An organization that the operator was not let into.
async fn closed(app: &App) -> String {
    let body = json!({"name": embedded::testing::unique_name()});
    app.operator().post("/v1/organizations", body).await.id("organization_id")
}

async fn create_project(client: &Client, organization: &str) -> crate::support::Reply {
    let path = format!("/v1/organizations/{organization}/projects");
    client.post(&path, json!({"name": "Web"})).await
}

#[tokio::test]
async fn what_the_operator_is_refused_in_an_organization_is_on_its_record() {
    let app = App::new().await;
    let organization = closed(&app).await;
    create_project(&app.operator(), &organization).await.refused(403, "break-glass-needed");
    let usage = format!("/v1/organizations/{organization}/usage");
    // Records or none: as a whole, like every command.
    for records in [
        json!([]),
        json!([{"project_id": organization, "provider": "p", "model": "m",
        "request_id": "r", "occurred_at": "2026-05-01T12:00:00Z", "input_tokens": 1}]),
    ] {
        let refused = app.operator().post(&usage, json!({"records": records})).await;
        refused.refused(403, "break-glass-needed");
    }
    let needed = "/problems/break-glass-needed".to_owned();
    let refused = |command: &str| {
        (Some(organization.clone()), "operator:ops".to_owned(), command.to_owned(), needed.clone())
    };
    let expected = [refused("projects.create"), refused("usage.record"), refused("usage.record")];
    assert_eq!(recorded(&app).await, expected);

    // What is about no organization, or about none that there is, is nobody's.
    let nowhere = uuid::Uuid::from_u128(0x7000 << 64).to_string();
    create_project(&app.operator(), &nowhere).await.refused(404, "not-found");
    let last = recorded(&app).await.pop().expect("one more");
    assert_eq!((last.0, last.3), (None, "/problems/not-found".to_owned()));
}

#[tokio::test]
async fn an_operator_who_is_refused_often_in_one_organization_is_on_record_in_the_next() {
    let app = App::new().await;
    let (one, other) = (closed(&app).await, closed(&app).await);
    for _ in 0..30 {
        create_project(&app.operator(), &one).await.refused(403, "break-glass-needed");
    }
    create_project(&app.operator(), &other).await.refused(403, "break-glass-needed");
    let recorded = recorded(&app).await;
    let of = |organization: &str| {
        recorded.iter().filter(|refusal| refusal.0.as_deref() == Some(organization)).count()
    };
    assert!((20..30).contains(&of(&one)), "{}", of(&one));
    assert_eq!(of(&other), 1);
}

#[tokio::test]
async fn what_a_member_is_refused_elsewhere_is_on_the_record_of_their_own_organization() {
    let acme = Acme::new().await;
    let elsewhere = closed(&acme.app).await;
    create_project(&acme.olga, &elsewhere).await.refused(404, "not-found");
    let usage = format!("/v1/organizations/{elsewhere}/usage");
    acme.olga.post(&usage, json!({"records": []})).await.refused(404, "not-found");
    let recorded = recorded(&acme.app).await;
    assert_eq!(recorded.len(), 2, "{recorded:?}");
    let own = |refusal: &(Option<String>, String, String, String)| {
        refusal.0.as_deref() == Some(&*acme.organization) && refusal.1.starts_with("member:")
    };
    assert!(recorded.iter().all(own), "{recorded:?}");
}
