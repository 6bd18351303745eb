//! `/v1/organizations/{organization_id}/credits`

use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn credits_are_bought_and_given_exactly() {
    let app = App::new().await;
    let organization = app.organization().await;
    let credits = format!("/v1/organizations/{organization}/credits");
    let purchase = json!({"amount": "1234.560000000001", "currency": "USD", "reference": "INV-7"});
    let bought = app.admin().post(&format!("{credits}/purchases"), purchase).await;
    assert_eq!((bought.status.as_u16(), bought.etag()), (201, "\"1\"".to_owned()));
    bought.id("lot_id");
    let grant = json!({"amount": "5", "currency": "EUR", "reason": "welcome"});
    app.admin().post(&format!("{credits}/grants"), grant).await.id("lot_id");
    let amounts: Vec<String> = sqlx::query_scalar(
        "select payload->>'amount' from log.events where aggregate_type = 'credit_account'
         order by position",
    )
    .fetch_all(app.pool())
    .await
    .expect("events");
    assert_eq!(amounts, ["1234.560000000001", "5.000000000000"]);
}

#[tokio::test]
async fn what_is_no_amount_is_refused() {
    let app = App::new().await;
    let organization = app.organization().await;
    for route in ["purchases", "grants"] {
        let path = format!("/v1/organizations/{organization}/credits/{route}");
        let post = async |amount, currency: &str| {
            let body = json!({"amount": amount, "currency": currency});
            app.admin().post(&path, body).await
        };
        for amount in ["0", "-1", "-0.000000000001"] {
            post(json!(amount), "USD").await.refused_field(422, "invalid-value", "amount");
        }
        for amount in [json!(5), json!(0.1), json!("1e3"), json!("0.0000000000001"), json!(null)] {
            post(amount, "USD").await.refused_field(400, "invalid-request", "amount");
        }
        post(json!("1"), "usd").await.refused_field(400, "invalid-request", "currency");
        for none in ["XTS", "XAU", "DEM", "BTC"] {
            let refused = post(json!("1"), none).await;
            let problem = refused.refused_field(422, "invalid-value", "currency");
            assert!(problem["detail"].as_str().is_some_and(|why| why.contains(none)), "{problem}");
        }
        let most = "99999999999999999999999999";
        let body = json!({"amount": most, "currency": "JPY"});
        if route == "purchases" {
            app.admin().post(&path, body).await.ok();
        } else {
            app.admin().post(&path, body).await.refused_field(422, "invalid-value", "amount");
        }
    }
    let path = format!("/v1/organizations/{organization}/credits/purchases");
    let body = json!({"amount": "1", "currency": "USD", "reference": "x".repeat(1001)});
    app.admin().post(&path, body).await.refused_field(422, "invalid-value", "reference");
}

#[tokio::test]
async fn what_is_left_of_a_purchase_is_paid_back_once() {
    let app = App::new().await;
    let organization = app.organization().await;
    let credits = format!("/v1/organizations/{organization}/credits");
    let post =
        async |route: &str, body| app.admin().post(&format!("{credits}/{route}"), body).await;
    let lot = post("purchases", json!({"amount": "10", "currency": "USD"})).await.id("lot_id");
    let refund = |amount: &str| json!({"lot_id": lot, "currency": "USD", "amount": amount});
    let some = post("refunds", refund("4")).await;
    assert_eq!((some.status.as_u16(), &some.body["amount"]), (201, &json!("4.000000000000")));
    let more = post("refunds", refund("7")).await.refused_field(409, "not-enough-left", "amount");
    assert_eq!(more["left"], "6.000000000000");
    post("refunds", refund("0")).await.refused_field(422, "invalid-value", "amount");
    let rest = json!({"lot_id": lot, "currency": "USD", "reference": "CN-1"});
    assert_eq!(post("refunds", rest.clone()).await.ok()["amount"], "6.000000000000");
    post("refunds", rest).await.refused_field(409, "not-enough-left", "lot_id");
    let granted = post("grants", json!({"amount": "1", "currency": "USD"})).await.id("lot_id");
    let granted = json!({"lot_id": granted, "currency": "USD"});
    post("refunds", granted).await.refused_field(409, "lot-not-purchased", "lot_id");
    let elsewhere = json!({"lot_id": lot, "currency": "EUR"});
    post("refunds", elsewhere).await.refused(404, "not-found");
    let known: Vec<(String, String)> = sqlx::query_as(
        "select payload ->> 'amount', payload ->> 'left_before' from log.events
         where event_type = 'credits.refunded' order by position",
    )
    .fetch_all(app.pool())
    .await
    .expect("events");
    let pair = |a: &str, b: &str| (format!("{a}.000000000000"), format!("{b}.000000000000"));
    assert_eq!(known, [pair("4", "10"), pair("6", "6")]);
}

#[tokio::test]
async fn a_transfer_is_both_events_or_none() {
    let app = App::new().await;
    let (from, to) = (app.organization().await, app.organization().await);
    for organization in [&from, &to] {
        app.let_operator_in(organization).await;
    }
    let credits = |of: &str| format!("/v1/organizations/{of}/credits");
    let bought = json!({"amount": "10", "currency": "USD", "priority": 7,
        "expires_at": "2999-01-01T00:00:00Z"});
    let bought = app.admin().post(&format!("{}/purchases", credits(&from)), bought).await;
    let lot = bought.id("lot_id");
    let transfer = async |to: &str, amount: &str| {
        let body = json!({"lot_id": lot, "currency": "USD", "amount": amount,
            "to_organization_id": to, "reason": "half of the team"});
        app.operator().post(&format!("{}/transfers", credits(&from)), body).await
    };
    let done = transfer(&to, "4").await;
    let there = done.id("to_lot_id");
    let events: Vec<(String, String, serde_json::Value)> = sqlx::query_as(
        "select event_type, organization_id::text, payload::jsonb from log.events
         where event_type like 'credits.transferred%' order by position",
    )
    .fetch_all(app.pool())
    .await
    .expect("events");
    let [(_, left, out), (_, came, into)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((left, came), (&from, &to), "each event belongs to its organization");
    assert_eq!((&out["to_lot_id"], &into["lot_id"]), (&json!(there), &json!(there)));
    assert_eq!((&into["priority"], &into["from_lot_id"]), (&json!(7), &json!(lot)));
    assert_eq!(into["expires_at"], "2999-01-01T00:00:00Z");
    // What came from elsewhere is not refunded here, and goes on from here.
    let refund = json!({"lot_id": there, "currency": "USD"});
    let refund = app.admin().post(&format!("{}/refunds", credits(&to)), refund).await;
    refund.refused_field(409, "lot-not-purchased", "lot_id");
    let before = app.changes().await;
    transfer(&from, "1").await.refused_field(422, "invalid-value", "to_organization_id");
    transfer(&to, "7").await.refused_field(409, "not-enough-left", "amount");
    transfer(&uuid::Uuid::nil().to_string(), "1").await.refused(404, "not-found");
    assert_eq!(app.changes().await, before, "half of a transfer was recorded");
}

/// A credential is good for one organization, so that nobody's key moves credits into another.
#[tokio::test]
async fn who_is_nobody_in_the_other_organization_moves_nothing_there() {
    let app = App::new().await;
    let (from, to) = (app.organization().await, app.organization().await);
    let credits = format!("/v1/organizations/{from}/credits");
    let bought = json!({"amount": "10", "currency": "USD"});
    let lot = app.admin().post(&format!("{credits}/purchases"), bought).await.id("lot_id");
    for (login, role) in [("ada", "owner"), ("bob", "billing")] {
        let member = app.member(&from, login, role).await;
        let keys = format!("/v1/organizations/{from}/api-keys");
        let key = json!({"member_id": member, "name": "admin"});
        let key = app.admin().post(&keys, key).await.ok();
        let client = app.first().presenting(&key);
        let transfer = async |to: &str| {
            let body = json!({"lot_id": lot, "currency": "USD", "to_organization_id": to});
            let reply = client.post(&format!("{credits}/transfers"), body).await;
            let mut body = reply.refused(404, "not-found");
            body.as_object_mut().expect("an object").remove("instance");
            body
        };
        assert_eq!(transfer(&to).await, transfer(&uuid::Uuid::nil().to_string()).await);
    }
    assert_eq!(app.count("credits.transferred_out").await, 0);
}

#[tokio::test]
async fn a_policy_is_changed_by_who_may_and_once() {
    let app = App::new().await;
    let organization = app.organization().await;
    let path = format!("/v1/organizations/{organization}/credits/policy");
    let put = async |policy: &str| {
        let body = json!({"currency": "USD", "policy": policy});
        app.admin().ask(axum::http::Method::PUT, &path).json(&body).await
    };
    for _ in 0..2 {
        put("block").await.ok();
    }
    assert_eq!(app.count("credits.policy_changed").await, 1);
    put("perhaps").await.refused_field(400, "invalid-request", "policy");
}
