//! Every example of docs/reports.md, run as its reader would.

use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::support::examples::Examples;
use crate::support::installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_of_reports_says_something() {
    let examples = Examples::of("reports.md").await;
    let of = |word: &str| examples.with(word);
    assert!(of("--by feature,model").contains("summarization"));
    assert!(of("weekly-by-project").contains("Product-Prod"));
    assert!(of("focus-csv").starts_with("BilledCost,BillingAccountId,"));
    assert!(of("analyst grant").contains("password, shown this once: "));
    assert!(of("repeat('#'").contains(&"#".repeat(40)));
    assert!(of("analyst revoke").contains("is dropped"));
    let file = |name: &str| examples.file(name);
    assert!(file("costs.parquet").starts_with(b"PAR1") && file("costs.parquet").ends_with(b"PAR1"));
    let picture = String::from_utf8(file("cost-per-feature.svg")).unwrap();
    assert!(picture.contains("summarization") && picture.trim().ends_with("</svg>"), "{picture}");
    examples.end().await;
}

#[tokio::test]
async fn an_analyst_who_is_revoked_sees_nothing_more_whatever_they_have_begun() {
    let (servers, place) = installation().await;
    let serving = place.start(&["dev"]).await;
    let credential = servers.data_dir().path().join("operator-credential");
    let client = serving.client(&std::fs::read_to_string(credential).unwrap());
    let mut positions = Vec::new();
    for name in ["Initech", "Hooli"] {
        let body = serde_json::json!({ "name": name });
        let made = client.post("/v1/organizations", name, &body).await.expect(201);
        positions.push(made["position"].as_i64().unwrap());
    }
    client.get(&format!("/v1/organizations?min_position={}", positions[1])).await.expect(200);
    let login = embedded::testing::unique_name();
    let analyst = async |what: &str, organization: &str| {
        place.print(&["analyst", what, &login, "--organization", organization]).await
    };
    let granted = analyst("grant", "Initech").await;
    analyst("grant", "Hooli").await;
    let password = granted.rsplit(' ').next().unwrap().trim();
    let options = PgConnectOptions::from_str(&servers.postgres().url("orgledger")).unwrap();
    let options = options.username(&login).password(password);
    let begin = async || {
        let mut session = PgConnection::connect_with(&options).await.unwrap();
        session
            .execute("set default_transaction_read_only to off; select lo_create(0)")
            .await
            .unwrap();
        session
            .execute("begin isolation level repeatable read; table reports.freshness")
            .await
            .unwrap();
        session
    };
    let organizations = "select name from reports.organizations order by name";
    let sees = async |session: &mut PgConnection| -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar(organizations).fetch_all(session).await
    };

    let mut session = begin().await;
    assert_eq!(sees(&mut session).await.unwrap(), ["Hooli", "Initech"]);
    let temporary = session.execute("create temporary table t (n integer)").await.unwrap_err();
    assert!(temporary.to_string().contains("permission denied"), "{temporary}");
    analyst("revoke", "Hooli").await;
    assert!(sees(&mut session).await.is_err(), "what was begun before has ended");
    let mut session = begin().await;
    assert_eq!(sees(&mut session).await.unwrap(), ["Initech"]);
    assert!(analyst("revoke", "Initech").await.contains("is dropped"));
    assert!(sees(&mut session).await.is_err(), "what was begun before has ended");
    assert!(PgConnection::connect_with(&options).await.is_err(), "there is no such login");
    let again = place.run(&["analyst", "revoke", &login, "--organization", "Initech"]).await;
    assert!(again.refused().contains("does not see"));
    serving.stop().await;
}
