//! `orgledger dev`: a session over HTTP, and commands on the same data directory beside it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::histories::registered;
use crate::support::{Client, Directory, Service, installation, until};

/// The credential that `dev` made, read where it says.
async fn credential_of(dev: &Service) -> String {
    let path =
        dev.printed(|line| line.strip_prefix("operator credential: in ").map(str::to_owned)).await;
    std::fs::read_to_string(path).unwrap()
}

/// That each credential that was refused is in the log, with why and from where, and not itself.
fn assert_strangers_are_logged(dev: &Service, credentials: &[&str]) {
    let log = dev.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let refused: Vec<_> =
        lines.filter(|line| line["message"] == "a credential was refused").collect();
    assert!(refused.len() >= credentials.len(), "{log}");
    for line in &refused {
        assert_eq!(line["peer"], "127.0.0.1", "{line}");
        assert!(line["reason"].as_str().is_some_and(|reason| reason.len() > 10), "{line}");
        assert!(line["span"]["request_id"].is_string(), "{line}");
    }
    let reasons: std::collections::BTreeSet<_> =
        refused.iter().map(|line| line["reason"].as_str()).collect();
    assert!(reasons.len() > 1, "{reasons:?}");
    for credential in credentials {
        assert!(!log.contains(credential), "{credential} is in the log");
    }
}

fn id<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}"))
}

#[tokio::test]
async fn a_first_session_from_nothing() {
    let directory = Directory::new();
    let dev = directory.place().start(&["dev"]).await;
    let client = dev.client(&credential_of(&dev).await);

    let body = json!({ "name": "Initech" });
    let made = client.post("/v1/organizations", "first", &body).await;
    let organization = made.expect(201);
    let base = format!("/v1/organizations/{}", id(&organization, "organization_id"));
    assert_eq!(made.headers["location"], base.as_str());

    // The same again is the same; another under the same key is a mistake.
    let again = client.post("/v1/organizations", "first", &body).await;
    assert_eq!(again.expect(201), organization);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let other = client.post("/v1/organizations", "first", &json!({ "name": "Other" })).await;
    other.assert_problem(422, "idempotency-key-reused");

    // Whoever runs the server names the first owner, who does the rest.
    let founder = client.found(&base, "ada").await;
    for closed in ["", "/members", "/costs", "/settings"] {
        client.get(&format!("{base}{closed}")).await.assert_problem(403, "break-glass-needed");
    }
    // But what they may be asked to decide about they see.
    let accesses = client.get(&format!("{base}/break-glass")).await.expect(200);
    assert_eq!(accesses["items"], json!([]));
    let client = founder.client;
    let members = format!("{base}/members?min_position={}", founder.position);
    let members = client.get(&members).await.expect(200);
    let member_id = id(&members["items"][0], "member_id");
    let project = client
        .post(
            &format!("{base}/projects"),
            "p",
            &json!({ "name": "Web", "environment": "production" }),
        )
        .await
        .expect(201);
    let project_id = id(&project, "project_id");
    let assign = format!("{base}/projects/{project_id}/members/{member_id}");
    client.put(&assign, &json!({ "role": "owner" })).await.expect(200);
    let account = json!({ "project_id": project_id, "name": "indexer", "purpose": "search index" });
    let account = client.post(&format!("{base}/service-accounts"), "s", &account).await.expect(201);
    let account_id = id(&account, "service_account_id");
    let key = json!({ "project_id": project_id, "service_account_id": account_id,
                      "name": "production-web-indexing", "rotation_due_at": "2030-01-01T00:00:00Z" });
    let made = client.post(&format!("{base}/api-keys"), "k", &key).await.expect(201);
    let secret = id(&made, "secret");
    assert!(secret.starts_with("olk_"), "{secret}");
    let again = client.post(&format!("{base}/api-keys"), "k", &key).await.expect(201);
    assert_eq!(again["secret"], Value::Null, "a secret is shown twice");
    let granted = json!({ "amount": "25", "currency": "USD" });
    client.post(&format!("{base}/credits/grants"), "g", &granted).await.expect(201);

    // Its own write is there, whatever the projectors are at.
    let usage = json!({ "records": [{
        "project_id": project_id, "api_key_id": id(&made, "api_key_id"), "feature": "search",
        "provider": "openai", "model": "gpt-4o-mini", "request_id": "r-1",
        "occurred_at": "2026-01-31T12:00:00Z", "input_tokens": 10, "output_tokens": 5,
    }]});
    let usage = client.post(&format!("{base}/usage"), "u", &usage).await.expect(200);
    let position = usage["position"].as_i64().unwrap();
    let read = |path: String| {
        let client = client.clone();
        async move { client.get(&format!("{path}?min_position={position}")).await.expect(200) }
    };
    let register = read(format!("{base}/access-register")).await;
    assert!(register["position"].as_i64().unwrap() >= position, "{register}");
    let people = &registered(&register)["Initech"];
    assert_eq!(people.members["ada"], "owner");
    assert_eq!(people.projects["Web"]["ada"], "owner");
    let keys = &register["organizations"][0]["service_accounts"][0]["keys"];
    assert_eq!(keys[0]["name"], "production-web-indexing", "{register}");
    let costs = read(format!("{base}/costs")).await;
    assert_eq!(costs["rows"][0]["requests"], 1, "{costs}");
    let balance = read(format!("{base}/balance")).await;
    assert_eq!(balance["balances"][0]["granted"], "25.000000000000", "{balance}");

    // No secret anywhere but in that one answer.
    for file in ["operator-credential", "key-pepper"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = directory.path().join(file).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} can be read by others");
    }
    assert!(!dev.log().contains(secret), "the log shows a secret");
    dev.stop().await;

    // Nothing runs now; the directory has it all.
    let report = directory.place().json(&["access-register", "--format", "json"]).await;
    assert_eq!(report["organizations"], register["organizations"]);
}

#[tokio::test]
async fn wrong_requests_are_problems_and_change_nothing() {
    let (_servers, place) = installation().await;
    let dev = place.start(&["dev"]).await;
    let client = dev.client(&credential_of(&dev).await);
    let stranger = dev.client("not-the-credential-at-all");
    let organizations = "/v1/organizations";
    let nowhere = "/v1/organizations/0190a1b2-77aa-7000-8000-000000000000";
    let body = json!({ "name": "X" });

    stranger.get(organizations).await.assert_problem(401, "unauthorized");
    stranger.post(organizations, "k", &body).await.assert_problem(401, "unauthorized");
    let made_up = dev.client("e30.eyJpc3MiOiJodHRwczovL2V2aWwuZXhhbXBsZSJ9.AA");
    made_up.get(organizations).await.assert_problem(401, "unauthorized");
    assert_strangers_are_logged(&dev, &["not-the-credential-at-all", "eyJpc3MiOi"]);
    client.get(nowhere).await.assert_problem(404, "not-found");
    client.get(&format!("{nowhere}/costs")).await.assert_problem(404, "not-found");
    let posted = client.post(&format!("{nowhere}/projects"), "k", &body).await;
    posted.assert_problem(404, "not-found");
    client.get("/v1/nothing").await.assert_problem(404, "not-found");
    let no_key = client.request(Method::POST, organizations).json(&body);
    let no_key = crate::support::send(no_key).await.unwrap();
    no_key.assert_problem(400, "idempotency-key-required");
    let unknown = client.post(organizations, "k", &json!({ "name": "X", "colour": "red" })).await;
    assert!((400..500).contains(&unknown.status), "{}", unknown.text);
    assert!(unknown.text.contains("colour"), "{}", unknown.text);
    let large = json!({ "name": "x".repeat(2 << 20) });
    // From somebody else: after this the connection is closed.
    let sender = dev.client(&credential_of(&dev).await);
    assert_eq!(sender.post(organizations, "k", &large).await.status, 413);
    let far = client.get("/v1/organizations?min_position=1000000").await;
    assert_eq!(far.status, 503, "{}", far.text);
    let status = place.json(&["status", "--format", "json"]).await;
    // The one command that was refused to somebody is on record; all else was no command.
    assert_eq!(status["position"], 1, "a wrong request changed something");
    dev.stop().await;
}

#[tokio::test]
async fn it_tells_what_it_serves_and_how_it_fares() {
    let (_servers, place) = installation().await;
    let dev = place.start(&["dev"]).await;
    let client = dev.client(&credential_of(&dev).await);
    let nobody = Client::new(dev.base(), "");
    assert_eq!(nobody.get("/healthz").await.expect(200)["status"], "up");
    assert_eq!(nobody.get("/readyz").await.expect(200)["status"], "ready");
    place.print(&["probe", &format!("{}/readyz", dev.base())]).await;
    let not_found = place.run(&["probe", &format!("{}/nothing", dev.base())]).await.refused();
    assert!(not_found.contains("404"), "{not_found}");

    let document = nobody.get("/v1/openapi.json").await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let paths = document["paths"].as_object().unwrap();
    for path in ["/v1/organizations", "/v1/status", "/v1/organizations/{organization_id}/usage"] {
        assert!(paths.contains_key(path), "{path} is not described");
    }

    // For people: without a credential, and without anything from elsewhere.
    let page = nobody.get("/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(page.text.contains("POST</b> /v1/organizations<"), "{}", page.text);
    let refused = nobody.get("/v1/organizations").await.json();
    let explained = nobody.get(refused["type"].as_str().unwrap()).await.expect(200);
    assert_eq!((&explained["type"], &explained["status"]), (&refused["type"], &refused["status"]));
    assert!(explained["advice"].as_str().unwrap().contains("Bearer"), "{explained}");
    nobody.get("/problems/unheard-of").await.assert_problem(404, "not-found");

    let made =
        client.post("/v1/organizations", "m", &json!({ "name": "Metrics" })).await.expect(201);
    let position = &made["position"];
    client.get(&format!("/v1/organizations?min_position={position}")).await.expect(200);
    let promised = [
        format!("orgledger_log_position {position}"),
        format!("orgledger_projection_position{{projection=\"access_register\"}} {position}"),
        "orgledger_projection_lag_positions{projection=\"access_register\"} 0".to_owned(),
        "orgledger_append_queue_depth 0".to_owned(),
        "orgledger_append_batch_appends_count 1".to_owned(),
        "orgledger_append_commit_seconds_bucket".to_owned(),
        "orgledger_command_seconds_bucket".to_owned(),
        "orgledger_http_request_seconds_bucket".to_owned(),
        format!("orgledger_relay_position {position}"),
    ];
    // Lag is measured every few seconds, and NATS may take a moment to store.
    until("every promised metric is there", || async {
        let metrics = nobody.get("/metrics").await;
        promised.iter().all(|one| metrics.text.contains(one))
    })
    .await;
    dev.stop().await;
}

#[tokio::test]
async fn what_was_read_is_changed_only_while_it_is_so_and_not_too_often() {
    let (_servers, place) = installation().await;
    let dev = place.start(&["dev", "--rate-limit-per-second", "1", "--rate-burst", "200"]).await;
    let client = dev.client(&credential_of(&dev).await);
    let made = client.post("/v1/organizations", "o", &json!({ "name": "Versions" })).await;
    assert_eq!(made.headers["ratelimit-policy"], "\"credential\";q=200;w=200");
    let made = made.expect(201);
    let path = format!("/v1/organizations/{}", id(&made, "organization_id"));
    let founder = client.found(&path, "ada").await;
    let client = founder.client;
    let read = client.get(&format!("{path}?min_position={}", founder.position)).await;
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let change = async |limit: u32| {
        let body = json!({ "seat_limit": limit });
        let request = client.request(Method::PATCH, &path).header("if-match", &tag).json(&body);
        crate::support::send(request).await.unwrap()
    };
    assert_eq!(change(5).await.status, 200, "the tag that a query gave is the command's");
    change(6).await.assert_problem(412, "precondition-failed");

    // Half a second would have to pass before each for none to be too many.
    let mut statuses = Vec::new();
    for _ in 0..400 {
        statuses.push(client.get("/v1/status").await.status);
    }
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    let refused = client.get("/v1/status").await;
    if refused.status == 429 {
        refused.assert_problem(429, "too-many-requests");
        assert_eq!(refused.headers["retry-after"], "1");
    }
    assert_eq!(client.get("/healthz").await.status, 200, "a probe is always answered");
    dev.stop().await;
}

/// Everything on one data directory at once: `dev`, imports and reports.
#[tokio::test]
async fn commands_work_beside_it_on_the_same_directory() {
    let directory = Directory::new();
    let place = directory.place();
    let dev = place.start(&["dev"]).await;
    let client = dev.client(&credential_of(&dev).await);
    let made =
        client.post("/v1/organizations", "o", &json!({ "name": "Beside" })).await.expect(201);
    let base = format!("/v1/organizations/{}", id(&made, "organization_id"));
    let client = client.found(&base, "ada").await.client;

    let line = |kind: &str, subject: &str| {
        json!({ "ts": "2024-01-01T00:00:00Z", "kind": kind, "org": "Beside", "subject": subject,
                "role": "member" })
    };
    let file = directory.path().join("more.jsonl");
    std::fs::write(
        &file,
        format!("{}\n{}\n", line("member_added", "bea"), line("member_added", "cy")),
    )
    .unwrap();
    let import = ["import", "membership", file.to_str().unwrap(), "--json"];
    let report = place.json(&import).await;
    assert_eq!(report["recorded"], 2, "{report}");
    // What another process wrote is seen here, and decided on.
    let status = place.json(&["status", "--format", "json"]).await;
    let path = format!("{base}/access-register?min_position={}", status["position"]);
    let register = client.get(&path).await.expect(200);
    let people = registered(&register)["Beside"].members.clone();
    assert_eq!(people.keys().collect::<Vec<_>>(), ["ada", "bea", "cy"]);
    let members = client.get(&format!("{base}/members?min_position={}", status["position"])).await;
    let members = members.expect(200);
    let mut members = members["items"].as_array().unwrap().iter();
    let bea = members.find(|member| member["login"] == "bea").unwrap()["member_id"].clone();
    let role = format!("{base}/members/{}/role", bea.as_str().unwrap());
    let same = client.put(&role, &json!({ "role": "admin" })).await.expect(200);
    let members = client.get(&format!("{base}/members?min_position={}", same["position"])).await;
    assert_eq!(members.expect(200)["items"].as_array().unwrap().len(), 3);

    let (register, rebuilt) = tokio::join!(
        place.json(&["access-register", "--organization", "Beside", "--format", "json"]),
        place.json(&["rebuild", "access_register", "--json"]),
    );
    assert_eq!(registered(&register)["Beside"].members["bea"], "admin");
    assert_eq!(rebuilt["position"], same["position"]);
    // A second one would fight over the port, not over the data.
    let address = dev.base().trim_start_matches("http://").to_owned();
    let refused = place.run(&["dev", "--listen", &address]).await.refused();
    assert!(refused.contains("--listen"), "{refused}");
    let refused =
        place.run(&["demo", "--fresh", "--exit", "--listen", "127.0.0.1:0"]).await.refused();
    assert!(refused.contains("use"), "{refused}");
    dev.stop().await;
}

#[tokio::test]
async fn a_private_postgres_that_is_killed_is_started_again() {
    use rustix::process::{Pid, Signal, kill_process};
    let directory = Directory::new();
    let dev = directory.place().start(&["dev"]).await;
    let client = dev.client(&credential_of(&dev).await);
    let body = json!({ "name": "Before" });
    client.post("/v1/organizations", "before", &body).await.expect(201);
    let pids = || {
        let lines = dev.log();
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|line| line["postgres_pid"].as_i64()).collect::<Vec<_>>()
    };
    let first = pids()[0];
    let pid = Pid::from_raw(first.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    dev.logged("the private Postgres runs again").await;
    assert!(pids().last().is_some_and(|last| *last != first), "{:?}", pids());
    // Connections from before are noticed to be gone as they are used.
    until("commands and queries are answered again", || async {
        let made = client.post("/v1/organizations", "after", &json!({ "name": "After" })).await;
        let list = client.get("/v1/organizations").await;
        made.status == 201 && list.status == 200 && list.text.contains("Before")
    })
    .await;
    dev.stop().await;
}
