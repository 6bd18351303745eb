//! `orgledger serve`: the roles as processes of their own, on servers that somebody else runs.

use std::time::Duration;

use embedded::testing::TestServers;
use serde_json::{Value, json};
use sqlx::Executor as _;

use crate::support::histories::{self, Times, assert_same, registered};
use crate::support::log::{fingerprints, pool};
use crate::support::{CREDENTIAL, Place, Service, until, within};

/// Servers with an empty database on them, and how to reach it.
async fn servers() -> (TestServers, Place) {
    let servers = TestServers::start().await.unwrap();
    let admin = pool(&servers.postgres().url("postgres")).await;
    admin.execute("create database ledger").await.unwrap();
    admin.execute("create database elsewhere").await.unwrap();
    let place = Place::database(&servers.postgres().url("ledger"));
    let place = place.with("NATS_URL", &servers.nats().url());
    (servers, place)
}

#[tokio::test]
async fn four_roles_and_a_region_that_lives_on_nats_alone() {
    let (servers, place) = servers().await;
    let elsewhere_url = servers.postgres().url("elsewhere");
    place.print(&["migrate"]).await;
    let both = place.clone().with("ORGLEDGER_READ_DATABASE_URL", &elsewhere_url);
    both.print(&["migrate"]).await;
    // No way to the log's tables from there, only to the keys of persons.
    let elsewhere = both
        .clone()
        .without("DATABASE_URL")
        .with("ORGLEDGER_VAULT_DATABASE_URL", &servers.postgres().url("ledger"))
        .with("ORGLEDGER_FEED", "nats");

    let commands = place.start(&["serve", "command-api"]).await;
    let queries = place.start(&["serve", "query-api"]).await;
    let projectors = place.start(&["serve", "projectors"]).await;
    let relay = place.start(&["serve", "relay"]).await;
    let far_projectors = elsewhere.start(&["serve", "projectors"]).await;
    // Whose a credential is, only the log says; what is read, is read there.
    let far_queries = both.start(&["serve", "query-api"]).await;

    let history = histories::generate(11, 1_500, Times::InOrder);
    let file = servers.data_dir().path().join("history.jsonl");
    std::fs::write(&file, histories::lines(&history)).unwrap();
    place.print(&["import", "membership", file.to_str().unwrap()]).await;

    let client = commands.client(CREDENTIAL);
    let made =
        client.post("/v1/organizations", "o", &json!({ "name": "Spread" })).await.expect(201);
    let base = format!("/v1/organizations/{}", made["organization_id"].as_str().unwrap());
    let owner = client.found(&base, "ada").await.client;
    let project = owner.post(&format!("{base}/projects"), "p", &json!({ "name": "P" })).await;
    let project = project.expect(201)["project_id"].clone();
    let record = |n: i64| {
        json!({ "project_id": project, "feature": format!("f{}", n % 3), "provider": "x", "model": "y",
                "request_id": format!("r{n}"), "occurred_at": "2026-01-31T12:00:00Z",
                "input_tokens": n, "output_tokens": 1 })
    };
    let usage = json!({ "records": (0..500).map(record).collect::<Vec<Value>>() });
    let usage = owner.post(&format!("{base}/usage"), "u", &usage).await.expect(200);
    let bought = json!({ "amount": "100", "currency": "USD" });
    let bought = owner.post(&format!("{base}/credits/grants"), "g", &bought).await.expect(201);
    let position = bought["position"].as_i64().unwrap();
    assert_eq!(position, usage["position"].as_i64().unwrap() + 1);

    // Both are asked for what was written last, and both have everything.
    let (world, _) = histories::fold(&history, "9");
    for (queries, place) in [(&queries, &place), (&far_queries, &both)] {
        let (operator, owner) = (client.at(queries.base()), owner.at(queries.base()));
        for (asking, path) in [
            (&operator, "/v1/organizations"),
            (&owner, &format!("{base}/costs")),
            (&owner, &format!("{base}/balance")),
        ] {
            let path = format!("{path}?min_position={position}");
            until("the projectors are there", || async { asking.get(&path).await.status != 503 })
                .await;
            asking.get(&path).await.expect(200);
        }
        let mut ours = registered(&place.json(&["access-register", "--format", "json"]).await);
        assert!(ours.remove("Spread").is_some());
        assert_same(&ours, &world, queries.base());
        let costs = owner.get(&format!("{base}/costs")).await.expect(200);
        let requests: Vec<_> =
            costs["rows"].as_array().unwrap().iter().map(|row| row["requests"].clone()).collect();
        assert_eq!(requests, [167, 167, 166]);
    }
    // A role serves its own API and nothing else.
    client
        .at(queries.base())
        .post("/v1/organizations", "k", &json!({}))
        .await
        .assert_problem(405, "method-not-allowed");
    client.get("/v1/organizations").await.assert_problem(405, "method-not-allowed");
    for service in [&commands, &queries, &projectors, &relay, &far_projectors, &far_queries] {
        assert_eq!(client.at(service.base()).get("/readyz").await.status, 200);
        assert!(client.at(service.base()).get("/metrics").await.text.contains("orgledger_"));
    }

    let (here, there) = (pool(&servers.postgres().url("ledger")).await, pool(&elsewhere_url).await);
    for tables in [&here, &there] {
        until("every projection is there", || async {
            fingerprints(tables).await.iter().all(|one| one.position == position)
        })
        .await;
    }
    let (here, there) = (fingerprints(&here).await, fingerprints(&there).await);
    assert_eq!(here, there, "the feeds do not give the same tables");
    for service in [commands, queries, projectors, relay, far_projectors, far_queries] {
        service.stop().await;
    }
}

#[tokio::test]
async fn what_has_begun_is_answered_before_the_end() {
    let (servers, place) = servers().await;
    place.print(&["migrate"]).await;
    let mut commands = place.start(&["serve", "command-api"]).await;
    let client = commands.client(CREDENTIAL);

    // Somebody holds the head of the log: every command waits.
    let log = pool(&servers.postgres().url("ledger")).await;
    let mut holder = log.begin().await.unwrap();
    holder.execute("select from log.head for update").await.unwrap();
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..5 {
        let client = client.clone();
        asked.spawn(async move {
            let body = json!({ "name": format!("Organization {n}") });
            client.post("/v1/organizations", &format!("k{n}"), &body).await
        });
    }
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    until("a command waits", || async {
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&log).await.unwrap() > 0
    })
    .await;
    commands.terminate();
    commands.logged("shutting down").await;
    // It takes nothing new.
    until("it listens no more", || async {
        let refused = client.try_get("/healthz").await;
        refused.is_err_and(|error| error.is_connect())
    })
    .await;
    holder.rollback().await.unwrap();
    let mut positions = Vec::new();
    while let Some(answer) = within("answers", asked.join_next()).await {
        positions.push(answer.unwrap().expect(201)["position"].as_i64().unwrap());
    }
    positions.sort_unstable();
    assert!(commands.ended().await.success(), "{}", commands.log());
    let there = "select position from log.idempotency_keys where key like 'k%' order by 1";
    let there: Vec<i64> = sqlx::query_scalar(there).fetch_all(&log).await.unwrap();
    assert_eq!(positions, there);
    assert_eq!(positions.len(), 5);
    assert_eq!(crate::support::log::assert_sound(&log).await, positions[4]);
}

/// Two processes that write, one log.
#[tokio::test]
async fn several_command_apis_share_one_log() {
    let (servers, place) = servers().await;
    place.print(&["migrate"]).await;
    let first = place.start(&["serve", "command-api"]).await;
    let second = place.start(&["serve", "command-api"]).await;
    let client = first.client(CREDENTIAL);
    let made =
        client.post("/v1/organizations", "o", &json!({ "name": "Shared" })).await.expect(201);
    let base = format!("/v1/organizations/{}", made["organization_id"].as_str().unwrap());
    let founder = client.found(&base, "ada").await;
    let (client, path) = (founder.client, format!("{base}/members"));
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..60 {
        let service: &Service = if n % 2 == 0 { &first } else { &second };
        let (client, path) = (client.at(service.base()), path.clone());
        asked.spawn(async move {
            // Each login twice, once by each process.
            let body = json!({ "login": format!("m{}", n / 2), "role": "member" });
            loop {
                let answer = client.post(&path, &format!("k{n}"), &body).await;
                if answer.status == 201 {
                    return Some(answer.expect(201)["member_id"].to_string());
                }
                if answer.expect(409)["type"] == "/problems/login-taken" {
                    return None;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
    let mut ids = Vec::new();
    while let Some(id) = within("answers", asked.join_next()).await {
        ids.extend(id.unwrap());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 30, "each login has one membership");
    let log = pool(&servers.postgres().url("ledger")).await;
    crate::support::log::assert_sound(&log).await;
    let added: i64 = sqlx::query_scalar(
        "select count(*) from log.events where event_type = 'member.added' and position > $1",
    )
    .bind(founder.position)
    .fetch_one(&log)
    .await
    .unwrap();
    assert_eq!(added, 30);
    first.stop().await;
    second.stop().await;
}
