use event_schemas::{
    ApiKeyEvent, ApiKeyId, KeyOwner, MemberId, OrganizationEvent, OrganizationId, OrganizationRole,
    ProjectEvent, ProjectId, ServiceAccountEvent, ServiceAccountId,
};
use query_api::access_register::{AccessRegisterQuery, access_register};
use query_api::{OrganizationRef, Projection, QueryError, Temporal};
use serde_json::{Value, json};

use crate::support::{World, id, path, time};

const ACME: u128 = 1;
const OTHER: u128 = 2;
const PROD: u128 = 10;
const DEV: u128 = 11;
const ALICE: u128 = 20;
const BOB: u128 = 21;
const ROBOT: u128 = 30;
const KEY: u128 = 40;

/// Acme: Alice from January, made admin in March; Bob, who left in April.
async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.organization(OTHER, "2026-01-01T00:00:00Z", "Zeta").await;
    world.project(ACME, PROD, "2026-01-02T00:00:00Z", "Product-Prod").await;
    world.project(ACME, DEV, "2026-01-02T00:00:00Z", "Analytics-Dev").await;
    world.member(ACME, BOB, "2026-01-03T00:00:00Z", "bob").await;
    world.member(ACME, ALICE, "2026-01-04T00:00:00Z", "Alice").await;
    for project in [PROD, DEV] {
        world.assign(ACME, project, ALICE, "2026-02-01T00:00:00Z").await;
    }
    world.assign(ACME, PROD, BOB, "2026-02-01T00:00:00Z").await;
    service_account(&world).await;
    let promoted = OrganizationEvent::MemberRoleChanged {
        member_id: MemberId(id(ALICE)),
        role: OrganizationRole::Admin,
        previous_role: OrganizationRole::Member,
    };
    world.append(ACME, ACME, "2026-03-01T00:00:00Z", promoted).await;
    let left = OrganizationEvent::MemberRemoved { member_id: MemberId(id(BOB)), reason: None };
    world.append(ACME, ACME, "2026-04-01T00:00:00Z", left).await;
    world.project_all().await;
    world
}

async fn service_account(world: &World) {
    let created = ServiceAccountEvent::Created {
        service_account_id: ServiceAccountId(id(ROBOT)),
        organization_id: OrganizationId(id(ACME)),
        project_id: ProjectId(id(PROD)),
        name: "indexer".to_owned(),
        purpose: Some("fills the search index".to_owned()),
    };
    world.append(ACME, ROBOT, "2026-02-02T00:00:00Z", created).await;
    let created = ApiKeyEvent::Created {
        api_key_id: ApiKeyId(id(KEY)),
        organization_id: OrganizationId(id(ACME)),
        project_id: Some(ProjectId(id(PROD))),
        owner: KeyOwner::ServiceAccount { service_account_id: ServiceAccountId(id(ROBOT)) },
        name: "prod-search-index".to_owned(),
        secret_hash: "00".to_owned(),
        redacted: "olk_…x1".to_owned(),
        expires_at: None,
        rotation_due_at: Some(time("2026-05-02T00:00:00Z")),
        rotation_days: None,
        scopes: None,
    };
    world.append(ACME, KEY, "2026-02-02T00:00:00Z", created).await;
}

#[tokio::test]
async fn the_register_says_who_may_do_what() {
    let world = acme().await;
    let answer = world.found(&path(ACME, "/access-register")).await;
    let register = answer.json();
    assert_eq!(register["position"].to_string(), answer.headers["orgledger-position"]);
    assert!(register["as_of"].is_string(), "{register}");
    let expected = json!([{
        "organization_id": id(ACME),
        "name": "Acme",
        "people": [{
            "member_id": id(ALICE),
            "login": "Alice",
            "email": "Alice@example.com",
            "role": "admin",
            "suspended": false,
            "projects": [
                {"name": "Analytics-Dev", "role": "member"},
                {"name": "Product-Prod", "role": "member"},
            ],
            "since": "2026-03-01T00:00:00Z",
            "granted_by": "operator:ops",
            "last_review": null,
        }],
        "service_accounts": [{
            "service_account_id": id(ROBOT),
            "name": "indexer",
            "project": "Product-Prod",
            "purpose": "fills the search index",
            "disabled": false,
            "keys": [{
                "name": "prod-search-index",
                "redacted": "olk_…x1",
                "state": "active",
                "expires_at": null,
                "rotation_due_at": "2026-05-02T00:00:00Z",
            }],
        }],
    }]);
    assert_eq!(register["organizations"], expected);
}

/// Logins with role and number of projects.
fn people(register: &Value) -> Vec<String> {
    let people = register["organizations"][0]["people"].as_array().expect("people");
    let text = |person: &Value| {
        let projects = person["projects"].as_array().expect("projects").len();
        format!("{} {} {projects}", person["login"], person["role"]).replace('"', "")
    };
    people.iter().map(text).collect()
}

#[tokio::test]
async fn the_register_is_as_of_any_time() {
    let world = acme().await;
    let check = async |as_of: &str, expected: &[&str]| {
        let query = format!("/access-register?as_of={as_of}");
        let register = world.found(&path(ACME, &query)).await.json();
        assert_eq!(people(&register), expected, "{as_of}");
    };
    check("2026-01-03", &["bob member 0"]).await;
    check("2026-01-03T23:59:59%2B01:00", &["bob member 0"]).await;
    check("2026-01-04T00:00:00Z", &["Alice member 0", "bob member 0"]).await;
    check("2026-02-01", &["Alice member 2", "bob member 1"]).await;
    check("2026-02-28", &["Alice member 2", "bob member 1"]).await;
    check("2026-03-01", &["Alice admin 2", "bob member 1"]).await;
    check("2026-03-31T23:59:59.999999Z", &["Alice admin 2", "bob member 1"]).await;
    check("2026-04-01T00:00:00Z", &["Alice admin 2"]).await;
    check("2999-01-01", &["Alice admin 2"]).await;
    let before = world.found(&path(ACME, "/access-register?as_of=2025-12-31")).await;
    assert_eq!(before.at("/organizations"), json!([]));
    assert_eq!(before.at("/as_of"), "2025-12-31T23:59:59.999999Z");
}

#[tokio::test]
async fn the_register_is_what_the_log_knew_at_a_position() {
    let world = acme().await;
    // Told late: Alice had been suspended since the tenth of March.
    let suspended =
        OrganizationEvent::MemberSuspended { member_id: MemberId(id(ALICE)), reason: None };
    let position = world.append(ACME, ACME, "2026-03-10T00:00:00Z", suspended).await;
    world.project_all().await;
    let suspended = async |query: String| {
        let register = world.found(&path(ACME, &format!("/access-register?{query}"))).await;
        assert_eq!(
            register.at("/position"),
            json!(if query.contains("at_") { position - 1 } else { position })
        );
        register.at("/organizations/0/people/0/suspended")
    };
    assert_eq!(suspended("as_of=2026-03-20".to_owned()).await, true);
    assert_eq!(suspended("as_of=2026-03-09".to_owned()).await, false);
    let before = position - 1;
    assert_eq!(suspended(format!("as_of=2026-03-20&at_position={before}")).await, false);
    assert_eq!(suspended(format!("at_position={before}")).await, false);
    // At the very position that told it, one state holds and not two.
    world.member(OTHER, 90, "2026-05-01T00:00:00Z", "carol").await;
    world.project_all().await;
    let query = format!("/access-register?as_of=2026-03-20&at_position={position}");
    let register = world.found(&path(ACME, &query)).await;
    assert_eq!(people(&register.json()), ["Alice admin 2", "bob member 1"]);
    assert_eq!(register.at("/organizations/0/people/0/suspended"), true);
    let unknown = world.get(&path(ACME, "/access-register?at_position=0")).await;
    unknown.assert_problem(404, "not-found", "before the organization was known");
}

#[tokio::test]
async fn the_register_of_all_is_by_name_and_an_archived_one_is_history() {
    let world = acme().await;
    let mut snapshot = world.snapshot(&[Projection::AccessRegister]).await;
    let everything = AccessRegisterQuery { organization: None, temporal: Temporal::NOW };
    let all = access_register(&mut snapshot, &everything).await.expect("they are there");
    let names: Vec<&str> = all.organizations.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["Acme", "Zeta"]);
    assert_eq!(all.organizations[0].people[0].login, "Alice");
    assert!(all.organizations[1].people.is_empty());
    drop(snapshot);

    world.append(ACME, PROD, "2026-05-01T00:00:00Z", ProjectEvent::Archived {}).await;
    world.append(ACME, ACME, "2026-06-01T00:00:00Z", OrganizationEvent::Archived {}).await;
    world.project_all().await;
    let now = world.found(&path(ACME, "/access-register")).await;
    assert_eq!(now.at("/organizations"), json!([]));
    let then = world.found(&path(ACME, "/access-register?as_of=2026-05-15")).await.json();
    assert_eq!(people(&then), ["Alice admin 1"]);
    assert_eq!(then["organizations"][0]["service_accounts"], json!([]));
}

#[tokio::test]
async fn the_command_line_asks_by_name() {
    let world = acme().await;
    let mut snapshot = world.snapshot(&[Projection::AccessRegister]).await;
    let mut ask = async |text: &str| {
        let organization: OrganizationRef = text.parse().expect("any text is");
        let query =
            AccessRegisterQuery { organization: Some(organization), temporal: Temporal::NOW };
        access_register(&mut snapshot, &query).await
    };
    let by_name = ask("ACME").await.expect("it is there");
    assert_eq!(by_name.organizations[0].people.len(), 1);
    assert_eq!(ask(&id(ACME).to_string()).await.expect("it is there"), by_name);
    assert!(matches!(ask("Nobody").await, Err(QueryError::NotFound("organization"))));
}
