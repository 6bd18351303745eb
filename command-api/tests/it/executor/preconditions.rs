//! `If-Match`: a change of what somebody else has changed meanwhile is not made.

use axum::http::Method;
use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn only_the_version_named_is_changed() {
    let app = App::new().await;
    let (here, there) = (app.admin(), app.process().await.admin());
    // At version 2: it was made, and has an owner.
    let organization = app.organization().await;
    let path = format!("/v1/organizations/{organization}");
    let rename = async |client: &crate::support::Client, tag: &str, name: &str| {
        client.ask(Method::PATCH, &path).if_match(tag).json(&json!({"name": name})).await
    };
    let renamed = rename(&here, "\"2\"", "One").await;
    assert_eq!(renamed.etag(), "\"3\"");
    renamed.ok();
    rename(&there, "\"3\"", "Two").await.ok();
    // The first process still has version 3 in its cache, and does not go by it.
    let refused = rename(&here, "\"3\"", "Three").await;
    assert_eq!(refused.etag(), "\"4\"");
    assert_eq!(refused.refused(412, "precondition-failed")["sequence"], 4);
    rename(&here, "\"4\"", "Three").await.ok();
    rename(&there, "\"11\", \"5\"", "Four").await.ok();
    rename(&there, "*", "Five").await.ok();
    rename(&there, "\"another server's\"", "Six").await.refused(412, "precondition-failed");
    rename(&there, "W/\"7\"", "Six").await.refused(412, "precondition-failed");
    rename(&there, "7", "Six").await.refused_field(400, "invalid-request", "If-Match");
    assert_eq!(app.count("organization.updated").await, 5);
}

#[tokio::test]
async fn what_is_new_has_no_version_to_match() {
    let app = App::new().await;
    let create = async |tag: &str| {
        let asking = app.admin().ask(Method::POST, "/v1/organizations").key("k").if_match(tag);
        asking.json(&json!({"name": "Acme"})).await
    };
    create("*").await.refused(412, "precondition-failed");
    create("\"1\"").await.refused(412, "precondition-failed");
    create("\"0\"").await.ok();
}

#[tokio::test]
async fn a_request_with_a_version_can_be_sent_again() {
    let app = App::new().await;
    let organization = app.organization().await;
    let path = format!("/v1/organizations/{organization}");
    let rename = async || {
        let asking = app.admin().ask(Method::PATCH, &path).key("k").if_match("\"2\"");
        asking.json(&json!({"name": "One"})).await
    };
    let first = rename().await.ok();
    let again = rename().await;
    assert!(again.is_replayed());
    assert_eq!(again.ok(), first);
}
