//! `/v1/price-lists`

use serde_json::{Value, json};

use crate::support::App;

fn list(input: &str) -> Value {
    json!({"catalogue": "genai-prices", "provider": "openai", "currency": "USD",
        "models": [{"model": "gpt-4o", "matches": {"starts_with": "gpt-4o-"},
            "rates": {"input": input, "output": "10"}}]})
}

#[tokio::test]
async fn each_change_of_prices_is_a_version() {
    let app = App::new().await;
    let publish = async |body| app.admin().post("/v1/price-lists", body).await;
    let first = publish(list("2.5")).await;
    assert_eq!(first.status.as_u16(), 200);
    let first = first.ok();
    assert_eq!((&first["version"], &first["published"]), (&json!(1), &json!(true)));
    let same = publish(list("2.50")).await.ok();
    assert_eq!((&same["version"], &same["published"]), (&json!(1), &json!(false)));
    let second = publish(list("3")).await.ok();
    assert_eq!((&second["version"], &second["published"]), (&json!(2), &json!(true)));
    let mut earlier = list("4");
    earlier["effective_from"] = json!("2001-01-01T00:00:00Z");
    let third = publish(earlier).await.ok();
    assert_eq!((&third["version"], &third["published"]), (&json!(3), &json!(true)));
}

#[tokio::test]
async fn what_cannot_be_a_price_list_is_refused() {
    let app = App::new().await;
    let publish = async |field: &str, value: Value| {
        let mut body = list("1");
        body[field] = value;
        app.admin().post("/v1/price-lists", body).await
    };
    let unprocessable = [
        ("models", json!([])),
        ("provider", json!(" ")),
        ("catalogue", json!("nul\u{0}")),
        ("catalogue", json!("a/b")),
        ("source", json!("x".repeat(1001))),
        ("effective_from", json!("+20000-01-01T00:00:00Z")),
    ];
    for (field, value) in unprocessable {
        publish(field, value).await.refused_field(422, "invalid-value", field);
    }
    let model = |model: Value, rule: Value, input: Value| json!([{"model": model, "matches": rule, "rates": {"input": input}}]);
    let rule = json!({"equals": "m"});
    let unprocessable = [
        model(json!("m"), rule.clone(), json!("-1")),
        model(json!(""), rule.clone(), json!("1")),
        model(json!("nul\u{0}"), rule.clone(), json!("1")),
        model(json!("m"), json!({"or": [{"contains": "\u{0}"}]}), json!("1")),
    ];
    for models in unprocessable {
        publish("models", models).await.refused_field(422, "invalid-value", "models");
    }
    // Prices are texts: a number would already have lost digits.
    let number = publish("models", model(json!("m"), rule.clone(), json!(0.1))).await;
    number.refused_field(400, "invalid-request", "models[0].rates.input");
    let kind = json!([{"model": "m", "matches": rule, "rates": {"imput": "1"}}]);
    let kind = publish("models", kind).await;
    kind.refused_field(400, "invalid-request", "models[0].rates.imput");
    assert_eq!(app.changes().await, 0);
}
