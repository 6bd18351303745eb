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
        let most = "99999999999999999999999999";
        let body = json!({"amount": most, "currency": "XTS"});
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
