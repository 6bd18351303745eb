//! A command sent again with its key is the same command.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{App, Client, Reply};

async fn send(client: &Client, path: &str, key: &str, body: &Value) -> Reply {
    client.ask(Method::POST, path).key(key).json(body).await
}

/// The body of a repeated answer.
fn repeated(reply: Reply) -> Value {
    assert!(reply.is_replayed(), "{reply:?}");
    reply.ok()
}

#[tokio::test]
async fn the_same_request_gets_the_first_answer_whatever_has_happened_since() {
    let app = App::new().await;
    let there = app.process().await.admin();
    let (here, path, body) = (app.admin(), "/v1/organizations", json!({"name": "Acme"}));
    let first = send(&here, path, "k", &body).await;
    assert!(!first.is_replayed());
    assert_eq!(first.etag(), "\"1\"");
    let location = first.header("location");
    let first = first.ok();
    let id = first["organization_id"].as_str().expect("an id");
    assert_eq!(location, format!("{path}/{id}"));

    // By now the name is taken, by what the request itself has made.
    let again = send(&here, path, "k", &body).await;
    assert_eq!((again.status.as_u16(), again.header("location")), (201, location));
    assert_eq!(repeated(again), first);
    assert_eq!(repeated(send(&there, path, "k", &body).await), first);
    // And by now the organization has gone, and somebody else has the name.
    app.with_owner(id).await;
    here.post(&format!("{path}/{id}/archive"), json!({})).await.ok();
    here.post(path, body.clone()).await.ok();
    assert_eq!(repeated(send(&here, path, "k", &body).await), first);
    assert_eq!(repeated(send(&there, path, "k", &body).await), first);
    assert_eq!(app.count("organization.created").await, 2);
}

#[tokio::test]
async fn the_key_with_another_request_is_refused() {
    let app = App::new().await;
    let there = app.process().await.operator();
    let here = app.operator();
    let organization = app.organization().await;
    let other = app.organization().await;
    for organization in [&organization, &other] {
        app.let_operator_in(organization).await;
    }
    let projects = |id: &str| format!("/v1/organizations/{id}/projects");
    let alpha = json!({"name": "alpha"});
    send(&here, &projects(&organization), "k", &alpha).await.ok();
    let (head, refused) = (app.head().await, app.count("refusal.recorded").await);
    for client in [&here, &there] {
        let reused = "idempotency-key-reused";
        let beta = json!({"name": "beta"});
        send(client, &projects(&organization), "k", &beta).await.refused(422, reused);
        // Even where the other request would be refused anyway.
        let empty = json!({"name": ""});
        send(client, &projects(&organization), "k", &empty).await.refused(422, reused);
        send(client, &projects(&other), "k", &alpha).await.refused(422, reused);
        let members = format!("/v1/organizations/{organization}/members");
        let ada = json!({"login": "ada", "role": "owner"});
        send(client, &members, "k", &ada).await.refused(422, reused);
    }
    // What was refused is on record, and nothing else is.
    let refused = app.count("refusal.recorded").await - refused;
    assert_eq!((refused, app.head().await - head), (8, 8));
    // Said with other words, it is the same request.
    let same = json!({"environment": null, "name": "alpha"});
    repeated(send(&there, &projects(&organization), "k", &same).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_many_times_at_once_happens_once() {
    let app = App::new().await;
    let other = app.process().await;
    let organization = app.organization().await;
    let project = app.project(&organization, "home").await;
    let base = format!("/v1/organizations/{organization}");
    let requests = [
        ("/v1/organizations".to_owned(), json!({"name": "Acme"})),
        (format!("{base}/members"), json!({"login": "ada", "role": "owner"})),
        (format!("{base}/projects"), json!({"name": "alpha"})),
        (format!("{base}/service-accounts"), json!({"project_id": project, "name": "indexer"})),
        (format!("{base}/invites"), json!({"email": "eve@example.com", "role": "reader"})),
        (format!("{base}/credits/grants"), json!({"amount": "1", "currency": "USD"})),
    ];
    for (path, body) in requests {
        let before = app.head().await;
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let client = if n % 2 == 0 { app.admin() } else { other.admin() };
                let (path, body) = (path.clone(), body.clone());
                tokio::spawn(async move { send(&client, &path, &path, &body).await })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            let reply = task.await.expect("no panic");
            answers.push((reply.is_replayed(), reply.ok()));
        }
        let firsts = answers.iter().filter(|(replayed, _)| !replayed).count();
        assert_eq!(firsts, 1, "{path}: {answers:?}");
        // What is secret is shown once.
        for (replayed, body) in &mut answers {
            let secret = body.as_object_mut().expect("an object").remove("secret");
            assert_eq!(secret.is_some(), !*replayed && path.ends_with("/invites"), "{path}");
        }
        assert!(answers.iter().all(|(_, body)| *body == answers[0].1), "{path}: {answers:?}");
        let position = answers[0].1["position"].as_i64().expect("a position");
        assert!(before < position, "{path}");
        assert_eq!(app.head().await, position, "{path}");
    }
}

#[tokio::test]
async fn a_request_with_nothing_to_do_has_an_answer_too() {
    let app = App::new().await;
    let organization = app.organization().await;
    let ada = app.member(&organization, "ada", "owner").await;
    app.member(&organization, "bob", "owner").await;
    let path = format!("/v1/organizations/{organization}/members/{ada}");
    let head = app.head().await;
    let put = async |key: &str| {
        let asking = app.admin().ask(Method::PUT, &format!("{path}/role")).key(key);
        asking.json(&json!({"role": "owner"})).await
    };
    let nothing = put("k").await;
    assert_eq!((nothing.position(), nothing.etag()), (head, "\"4\"".to_owned()));
    assert_eq!(app.head().await, head, "no event");
    // The key was taken all the same: after the role has changed, it does not change it back.
    app.admin().put(&format!("{path}/role"), json!({"role": "reader"})).await.ok();
    assert_eq!(repeated(put("k").await)["position"], head);
    // Without its key it would.
    assert_eq!(put("l").await.position(), head + 2);
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let app = App::new().await;
    let organization = app.organization().await;
    let path = format!("/v1/organizations/{organization}/projects");
    let taken = app.project(&organization, "alpha").await;
    let body = json!({"name": "Alpha"});
    send(&app.admin(), &path, "k", &body).await.refused(409, "name-taken");
    app.admin().post(&format!("{path}/{taken}/archive"), json!({})).await.ok();
    let done = send(&app.admin(), &path, "k", &body).await;
    assert!(!done.is_replayed());
    done.ok();
}
