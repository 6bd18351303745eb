//! A secret is shown once and stored nowhere.

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::{App, Reply};

#[tokio::test]
async fn a_secret_is_in_one_answer_and_nowhere_else() {
    let app = App::new().await;
    let organization = app.organization().await;
    let project = app.project(&organization, "alpha").await;
    let ada = app.member(&organization, "ada", "member").await;
    let keys = format!("/v1/organizations/{organization}/api-keys");
    let create = json!({"project_id": project, "member_id": ada, "name": "chat"});
    let send = async |path: &str, key: &str, body: &Value| {
        app.admin().ask(Method::POST, path).key(key).json(body).await
    };
    let created = secret(send(&keys, "create", &create).await);
    let without = replayed(send(&keys, "create", &create).await);
    let rotate = format!("{keys}/{}/rotate", without["api_key_id"].as_str().expect("an id"));
    let rotated = secret(send(&rotate, "rotate", &json!({"grace_seconds": 60})).await);
    replayed(send(&rotate, "rotate", &json!({"grace_seconds": 60})).await);
    assert_ne!(created, rotated);
    for secret in [&created, &rotated] {
        assert!(command_api::api_keys::secret::is_well_formed(secret), "{secret}");
        // Neither all of it nor its random part.
        for part in [secret.as_str(), &secret[8..51]] {
            assert_eq!(tables_with(&app, part).await, Vec::<String>::new());
        }
    }
    // The search does find what is stored.
    let redacted = without["redacted"].as_str().expect("a text");
    assert_eq!(tables_with(&app, redacted).await, ["log.events", "log.idempotency_keys"]);
}

fn secret(reply: Reply) -> String {
    assert_eq!(reply.header("cache-control"), "no-store");
    reply.ok()["secret"].as_str().expect("a secret").to_owned()
}

fn replayed(reply: Reply) -> Value {
    assert!(reply.is_replayed());
    let body = reply.ok();
    assert!(body.get("secret").is_none(), "{body}");
    body
}

/// Every table that has a text in any of its rows.
async fn tables_with(app: &App, text: &str) -> Vec<String> {
    let tables = sqlx::query(
        "select format('%I.%I', schemaname, tablename) from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema') order by 1",
    )
    .fetch_all(app.pool())
    .await
    .expect("tables");
    let mut found = Vec::new();
    for table in tables {
        let table: String = table.get(0);
        let query = format!("select exists (select from {table} t where strpos(t::text, $1) > 0)");
        let has_it: bool =
            sqlx::query_scalar(&query).bind(text).fetch_one(app.pool()).await.expect("a row");
        if has_it {
            found.push(table);
        }
    }
    found
}
