//! `/v1/organizations/{organization_id}/members/{member_id}/personal-data`

use axum::http::Method;
use embedded::testing::unique_name;
use serde_json::json;

use crate::support::{App, Client};

#[tokio::test]
async fn what_is_known_of_a_member_is_read_by_who_it_was_granted_to_without_hashes() {
    let app = App::new().await;
    let organization = app.organization().await;
    let (_, ada) = app.joined(&organization, "ada", "admin").await;
    let (_, bob) = app.joined(&organization, "bob", "admin").await;
    let (eve, _) = app.joined(&organization, "eve", "member").await;
    let of_eve = format!("/v1/organizations/{organization}/members/{eve}/personal-data");
    let post = async |by: &Client, path: &str| {
        by.ask(Method::POST, path).key(&unique_name()).empty().await
    };
    let asked = post(&ada, &format!("{of_eve}/export")).await.ok();
    let export_id = asked["export_id"].as_str().expect("an id");
    let read = format!("{of_eve}/exports/{export_id}/read");
    post(&bob, &read).await.refused(404, "not-found");
    let known = post(&ada, &read).await.ok();
    let events = known["events"].as_array().expect("a list");
    let sent = events.iter().find(|event| event["type"] == "invite.sent").expect("she was invited");
    // All of it is there but what tells secrets apart.
    let payload = &sent["payload"];
    assert_eq!((&payload["role"], &payload["token_hash"]), (&json!("member"), &json!(null)));
    let text = known.to_string();
    assert!(text.contains("\"eve\""), "{text}");
    assert!(!text.contains("_hash\""), "{text}");
}
