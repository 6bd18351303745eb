//! The version of what is asked for one by one: the sequence of its stream.

use axum::body::Body;
use axum::extract::Request;
use event_schemas::{ApiKeyEvent, KeyOwner, MemberId, OrganizationEvent, ProjectEvent, ProjectId};
use utoipa::openapi::path::ParameterIn;

use crate::support::{Answer, CREDENTIAL, World, id, path, time};

const ACME: u128 = 1;
const PROJECT: u128 = 10;
const ADA: u128 = 200;
const KEY: u128 = 300;

impl World {
    async fn get_unless(&self, path: &str, tag: &str) -> Answer {
        let request = Request::get(path)
            .header("authorization", format!("Bearer {CREDENTIAL}"))
            .header("if-none-match", tag);
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    async fn version(&self, path: &str) -> String {
        let answer = self.found(path).await;
        answer.headers["etag"].to_str().expect("visible").to_owned()
    }
}

/// An organization with one of each: two events of it, two of the project, one of the key.
async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.member(ACME, ADA, "2026-01-01T00:00:00Z", "ada").await;
    world.project(ACME, PROJECT, "2026-01-01T00:00:00Z", "Prod").await;
    world.assign(ACME, PROJECT, ADA, "2026-01-01T00:00:00Z").await;
    let created = ApiKeyEvent::Created {
        api_key_id: event_schemas::ApiKeyId(id(KEY)),
        organization_id: event_schemas::OrganizationId(id(ACME)),
        project_id: Some(ProjectId(id(PROJECT))),
        owner: KeyOwner::Member { member_id: MemberId(id(ADA)) },
        name: "of ada".to_owned(),
        redacted: "olk_prd_abcd…wxyz".to_owned(),
        secret_hash: "0".repeat(64),
        expires_at: None,
        rotation_due_at: Some(time("2026-06-01T00:00:00Z")),
        rotation_days: None,
        scopes: None,
    };
    world.append(ACME, KEY, "2026-01-01T00:00:00Z", created).await;
    world.project_all().await;
    world
}

fn paths() -> [String; 6] {
    [
        path(ACME, ""),
        path(ACME, "/settings"),
        path(ACME, "/security"),
        path(ACME, &format!("/members/{}", id(ADA))),
        path(ACME, &format!("/projects/{}", id(PROJECT))),
        path(ACME, &format!("/api-keys/{}", id(KEY))),
    ]
}

#[tokio::test]
async fn it_is_the_sequence_of_the_stream_and_changes_with_it() {
    let world = acme().await;
    let versions = async || {
        let mut versions = Vec::new();
        for path in paths() {
            versions.push(world.version(&path).await);
        }
        versions
    };
    assert_eq!(versions().await, ["\"2\"", "\"2\"", "\"2\"", "\"2\"", "\"2\"", "\"1\""]);
    // A member lives in the organization's stream.
    let renamed = OrganizationEvent::Updated { name: Some("Acme 2".to_owned()), seat_limit: None };
    world.append(ACME, ACME, "2026-02-01T00:00:00Z", renamed).await;
    let renamed = ProjectEvent::Updated { name: Some("Prod 2".to_owned()), environment: None };
    world.append(ACME, PROJECT, "2026-02-01T00:00:00Z", renamed.clone()).await;
    world.append(ACME, PROJECT, "2026-02-02T00:00:00Z", renamed).await;
    world.project_all().await;
    assert_eq!(versions().await, ["\"3\"", "\"3\"", "\"3\"", "\"3\"", "\"4\"", "\"1\""]);
    world.rebuild(query_api::Projection::AccessRegister).await;
    assert_eq!(versions().await, ["\"3\"", "\"3\"", "\"3\"", "\"3\"", "\"4\"", "\"1\""], "rebuilt");
}

#[tokio::test]
async fn what_the_caller_has_is_not_sent_again() {
    let world = acme().await;
    for path in paths() {
        let tag = world.version(&path).await;
        for named in [&tag, &format!("\"99\", W/{tag}"), "*"] {
            let answer = world.get_unless(&path, named).await;
            assert_eq!(answer.status, 304, "{path} {named}: {}", answer.text);
            assert_eq!(answer.text, "", "{path}");
            assert_eq!(answer.headers["etag"], tag.as_str(), "{path}");
            assert!(answer.headers.contains_key("orgledger-position"), "{path}");
            assert!(!answer.headers.contains_key("content-type"), "{path}");
        }
        assert_eq!(world.get_unless(&path, "\"99\"").await.status, 200, "{path}");
    }
    let absent = world.get_unless(&path(ACME, &format!("/projects/{}", id(99))), "*").await;
    absent.assert_problem(404, "not-found", "what is not there is not unchanged");
}

#[tokio::test]
async fn what_was_has_no_version_that_could_be_changed() {
    let world = acme().await;
    let position = world.project_all().await;
    for path in paths() {
        for query in ["as_of=2026-01-02".to_owned(), format!("at_position={position}")] {
            let answer = world.found(&format!("{path}?{query}")).await;
            assert!(!answer.headers.contains_key("etag"), "{path}?{query}");
        }
    }
}

#[tokio::test]
async fn every_route_for_one_thing_by_its_id_has_a_version() {
    let world = acme().await;
    let mut found = 0;
    for (template, item) in world.description().paths.paths {
        let operation = item.get.expect("a GET");
        let headers = operation.parameters.iter().flatten();
        let takes = headers
            .filter(|one| one.parameter_in == ParameterIn::Header)
            .any(|one| one.name == "If-None-Match");
        // Two that are one of a kind have no id of their own; what stands in the log never changes.
        let is_one = ["}", "/settings", "/security"].iter().any(|end| template.ends_with(end))
            && !template.contains("/audit-log/")
            // What is spent of one changes with no event of its own: its version is in the body.
            && !template.ends_with("{budget_id}")
            // Nor does how far one is.
            && !template.ends_with("{webhook_id}");
        assert_eq!(takes, is_one, "{template}");
        found += usize::from(takes);
    }
    assert_eq!(found, 11);
}
