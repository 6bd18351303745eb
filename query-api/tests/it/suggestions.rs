//! Standing suggestions over a made history: each boundary from both sides.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use event_log::usage::NewUsage;
use event_schemas::{
    Actor, ApiKeyEvent, ApiKeyId, InviteId, KeyOwner, MemberId, OrganizationEvent, OrganizationId,
    OrganizationRole, OrganizationSettings, PersonId, ProjectEvent, ProjectId, ProjectRole,
    ServiceAccountEvent, ServiceAccountId,
};
use serde_json::{Value, json};

use crate::support::{World, id, path, time};

const ACME: u128 = 1;
const PROD: u128 = 10;
const DEV: u128 = 11;
const ALICE: u128 = 20;
const BOB: u128 = 21;
const CAROL: u128 = 22;
const DAVE: u128 = 23;
const ERIN: u128 = 24;
const FRANK: u128 = 25;
const ROBOT: u128 = 28;

/// 90 days before it is 3 March, 14 days before it 18 May, 14 days after it 15 June, at midnight.
const NOW: &str = "2026-06-01T00:00:00Z";

fn used(number: i64, at: &str, member: Option<u128>, key: Option<u128>) -> NewUsage {
    NewUsage {
        project_id: ProjectId(id(PROD)),
        api_key_id: key.map(|key| ApiKeyId(id(key))),
        member_id: member.map(|member| MemberId(id(member))),
        service_account_id: None,
        end_user: None,
        feature: "chat".to_owned(),
        provider: "openai".to_owned(),
        model: "m".to_owned(),
        request_id: format!("request {number}"),
        occurred_at: time(at),
        input_tokens: 1,
        cached_input_tokens: 0,
        cache_write_tokens: 0,
        output_tokens: 1,
        reasoning_tokens: 0,
        units: event_schemas::Units::NONE,
        service_tier: None,
        error_type: None,
        duration_ms: None,
        price: None,
        tags: BTreeMap::default(),
    }
}

async fn key(world: &World, number: u128, made: &str, due: Option<&str>, end: Option<&str>) {
    let created = ApiKeyEvent::Created {
        api_key_id: ApiKeyId(id(number)),
        organization_id: OrganizationId(id(ACME)),
        project_id: Some(ProjectId(id(PROD))),
        owner: KeyOwner::Member { member_id: MemberId(id(ERIN)) },
        name: format!("key {number}"),
        secret_hash: format!("{number}"),
        redacted: "olk_…x1".to_owned(),
        expires_at: end.map(time),
        rotation_due_at: due.map(time),
        rotation_days: None,
        scopes: None,
    };
    world.append(ACME, number, made, created).await;
}

/// The key's secret was shown to these as well.
async fn known_to(world: &World, key: u128, members: &[u128]) {
    let shown_to = members.iter().map(|member| MemberId(id(*member))).collect();
    let shared = ApiKeyEvent::SecretShared { shown_to, break_glass_id: None };
    world.append(ACME, key, "2026-05-01T00:00:00Z", shared).await;
}

async fn invite(world: &World, number: u128, sent: &str) {
    let event = OrganizationEvent::InviteSent {
        invite_id: InviteId(id(number)),
        email: format!("guest{number}@example.com"),
        role: OrganizationRole::Member,
        projects: vec![],
        expires_at: time("2026-12-01T00:00:00Z"),
        person_id: PersonId(id(number)),
        token_hash: None,
        invited_by: None,
    };
    world.append(ACME, ACME, sent, event).await;
}

async fn role(world: &World, member: u128, at: &str, role: OrganizationRole) {
    let previous_role = OrganizationRole::Member;
    let member_id = MemberId(id(member));
    let changed = OrganizationEvent::MemberRoleChanged { member_id, role, previous_role };
    world.append(ACME, ACME, at, changed).await;
}

async fn in_prod(world: &World, member: u128, at: &str, role: ProjectRole) {
    let member_id = MemberId(id(member));
    world.append(ACME, PROD, at, ProjectEvent::MemberAssigned { member_id, role }).await;
}

async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.project(ACME, PROD, "2026-01-01T00:00:00Z", "Prod").await;
    world.project(ACME, DEV, "2026-01-05T00:00:00Z", "Dev").await;
    for (member, joined, login) in [
        (ALICE, "2026-03-03T00:00:00Z", "alice"),
        (BOB, "2026-03-03T00:00:01Z", "bob"),
        (CAROL, "2026-01-01T00:00:00Z", "carol"),
        (DAVE, "2026-01-01T00:00:00Z", "dave"),
        (ERIN, "2026-01-01T00:00:00Z", "erin"),
        (FRANK, "2026-01-01T00:00:00Z", "frank"),
    ] {
        world.member(ACME, member, joined, login).await;
    }
    let settings = OrganizationSettings { admins_max: Some(1), ..OrganizationSettings::default() };
    let settled = OrganizationEvent::SettingsChanged { settings };
    world.append(ACME, ACME, "2026-01-02T00:00:00Z", settled).await;
    role(&world, ERIN, "2026-01-03T00:00:00Z", OrganizationRole::Owner).await;
    role(&world, DAVE, "2026-02-01T00:00:00Z", OrganizationRole::Admin).await;
    let suspended =
        OrganizationEvent::MemberSuspended { member_id: MemberId(id(FRANK)), reason: None };
    world.append(ACME, ACME, "2026-03-03T00:00:00Z", suspended).await;
    in_prod(&world, ALICE, "2026-03-03T00:00:00Z", ProjectRole::Member).await;
    in_prod(&world, BOB, "2026-03-03T00:00:01Z", ProjectRole::Member).await;
    in_prod(&world, CAROL, "2026-01-01T00:00:00Z", ProjectRole::Reader).await;
    in_prod(&world, ERIN, "2026-01-01T00:00:00Z", ProjectRole::Owner).await;
    key(&world, 30, "2026-03-03T00:00:00Z", None, None).await;
    key(&world, 31, "2026-03-03T00:00:01Z", None, None).await;
    key(&world, 32, "2026-01-01T00:00:00Z", None, None).await;
    key(&world, 33, "2026-05-01T00:00:00Z", Some(NOW), None).await;
    key(&world, 34, "2026-05-01T00:00:00Z", Some("2026-06-01T00:00:01Z"), None).await;
    key(&world, 35, "2026-05-01T00:00:00Z", None, Some("2026-06-15T00:00:00Z")).await;
    key(&world, 36, "2026-05-01T00:00:00Z", None, Some("2026-06-15T00:00:01Z")).await;
    // Over, though nobody has recorded it.
    key(&world, 37, "2026-01-01T00:00:00Z", Some("2026-02-01T00:00:00Z"), Some(NOW)).await;
    known_to(&world, 36, &[CAROL, FRANK]).await;
    known_to(&world, 35, &[DAVE]).await;
    invite(&world, 50, "2026-05-18T00:00:00Z").await;
    invite(&world, 51, "2026-05-18T00:00:01Z").await;
    let created = ServiceAccountEvent::Created {
        service_account_id: ServiceAccountId(id(ROBOT)),
        organization_id: OrganizationId(id(ACME)),
        project_id: ProjectId(id(PROD)),
        name: "robot".to_owned(),
        purpose: None,
    };
    world.append(ACME, ROBOT, "2026-02-01T00:00:00Z", created).await;
    let disabled = ServiceAccountEvent::Disabled { reason: None };
    world.append(ACME, ROBOT, "2026-05-01T00:00:00Z", disabled).await;
    // Dave has used nothing lately; that he has commanded something counts as well.
    world
        .append_by(
            &Actor::member(MemberId(id(DAVE))),
            Some(format!("api_key:{}", id(32))),
            (ACME, DEV),
            "2026-03-03T00:00:01Z",
            ProjectEvent::Updated { name: Some("Development".to_owned()), environment: None },
        )
        .await;
    let records = vec![
        used(1, "2026-02-01T00:00:00Z", Some(CAROL), None),
        used(2, "2026-03-03T00:00:00Z", Some(CAROL), None),
        used(3, "2026-05-01T00:00:00Z", Some(ERIN), None),
        used(4, "2026-03-03T00:00:00Z", None, Some(32)),
    ];
    world.usage(ACME, records).await;
    world.project_all().await;
    world
}

/// The kinds, names of the subjects and times of what is suggested.
fn told(items: &Value) -> Vec<String> {
    let items = items.as_array().expect("an array").iter();
    let told = items.map(|item| {
        let names = item["subjects"].as_array().expect("an array").iter();
        let names: Vec<&str> = names.map(|s| s["name"].as_str().expect("a name")).collect();
        let text = |name: &str| item[name].as_str().expect("text").to_owned();
        format!("{} {} {}", text("kind"), names.join("+"), text("since"))
    });
    told.collect()
}

async fn asked(world: &World, query: &str) -> Vec<String> {
    told(&world.found(&path(ACME, &format!("/suggestions?{query}"))).await.at("/items"))
}

#[tokio::test]
async fn what_is_to_be_done_is_suggested_and_nothing_else() {
    let world = acme().await;
    let expected = [
        "too_many_admins dave+erin 2026-02-01T00:00:00Z",
        "project_without_owner Development 2026-01-05T00:00:00Z",
        "inactive_member carol 2026-03-03T00:00:00Z",
        "inactive_member alice 2026-03-03T00:00:00Z",
        "suspended_member frank 2026-03-03T00:00:00Z",
        "idle_project_member alice+Prod 2026-03-03T00:00:00Z",
        "unused_api_key key 30+erin+Prod 2026-03-03T00:00:00Z",
        "overdue_rotation key 33+erin+Prod 2026-06-01T00:00:00Z",
        "expiring_api_key key 35+erin+Prod 2026-06-01T00:00:00Z",
        "known_to_former key 36+frank+Prod 2026-03-03T00:00:00Z",
        "disabled_service_account robot+Prod 2026-05-01T00:00:00Z",
        "stale_invite guest50@example.com 2026-05-18T00:00:00Z",
    ];
    let mut found = asked(&world, &format!("as_of={NOW}")).await;
    // Those of one time are by id.
    assert_eq!(found[2..4], [expected[3], expected[2]]);
    found.swap(2, 3);
    assert_eq!(found, expected);

    // A second earlier nothing is so that has just become so, and a second later the next is.
    let at = |seconds| (time(NOW) + TimeDelta::seconds(seconds)).format("%Y-%m-%dT%H:%M:%SZ");
    let earlier = asked(&world, &format!("as_of={}", at(-1))).await;
    let still: Vec<&str> = [0, 1, 9, 10].into_iter().map(|index: usize| expected[index]).collect();
    let with_end: Vec<&String> = earlier.iter().filter(|told| !told.contains("key 37")).collect();
    assert_eq!(with_end, still);
    let later = asked(&world, &format!("as_of={}", at(1))).await;
    for (kind, name) in [
        ("inactive_member", "bob"),
        ("inactive_member", "dave"),
        ("idle_project_member", "bob"),
        ("unused_api_key", "key 31"),
        ("unused_api_key", "key 32"),
        ("overdue_rotation", "key 34"),
        ("expiring_api_key", "key 36"),
        ("stale_invite", "guest51"),
    ] {
        let is_it = |told: &&String| told.starts_with(&format!("{kind} {name}"));
        assert_eq!(later.iter().filter(is_it).count(), 1, "{kind} {name}: {later:?}");
    }
    assert_eq!(later.len(), expected.len() + 8, "{later:?}");
}

#[tokio::test]
async fn a_suggestion_says_why_and_what_would_act_on_it() {
    let world = acme().await;
    let one = async |kind: &str| {
        let query = format!("/suggestions?kind={kind}&as_of={NOW}&limit=1");
        world.found(&path(ACME, &query)).await.at("/items/0")
    };
    let expected = json!({
        "kind": "idle_project_member",
        "subjects": [
            {"kind": "member", "id": id(ALICE), "name": "alice"},
            {"kind": "project", "id": id(PROD), "name": "Prod"},
        ],
        "since": "2026-03-03T00:00:00Z",
        "last_used_at": null,
        "due_at": null,
        "why": "they have used nothing in the project since they got the role",
        "command": {
            "method": "DELETE",
            "path": path(ACME, &format!("/projects/{}/members/{}", id(PROD), id(ALICE))),
        },
    });
    assert_eq!(one("idle_project_member").await, expected);
    for (kind, method, rest) in [
        ("too_many_admins", "POST", "/access-reviews".to_owned()),
        ("project_without_owner", "PUT", format!("/projects/{}/members/{{member_id}}", id(DEV))),
        ("inactive_member", "DELETE", format!("/members/{}", id(ALICE))),
        ("suspended_member", "DELETE", format!("/members/{}", id(FRANK))),
        ("unused_api_key", "POST", format!("/api-keys/{}/revoke", id(30))),
        ("overdue_rotation", "POST", format!("/api-keys/{}/rotate", id(33))),
        ("expiring_api_key", "POST", "/api-keys".to_owned()),
        ("known_to_former", "POST", format!("/api-keys/{}/rotate", id(36))),
        ("disabled_service_account", "DELETE", format!("/service-accounts/{}", id(ROBOT))),
        ("stale_invite", "POST", format!("/invites/{}/revoke", id(50))),
    ] {
        let command = one(kind).await["command"].clone();
        assert_eq!(command, json!({"method": method, "path": path(ACME, &rest)}), "{kind}");
    }
    assert_eq!(one("expiring_api_key").await["due_at"], "2026-06-15T00:00:00Z");
}

#[tokio::test]
async fn keys_are_unused_for_as_many_days_as_are_asked_for() {
    let world = acme().await;
    let unused = async |days: i32| {
        let query = format!("kind=unused_api_key&unused_days={days}&as_of={NOW}");
        asked(&world, &query).await.len()
    };
    // Since 1 May it is 31 days: from then on all but the one that is over.
    assert_eq!([unused(91).await, unused(90).await, unused(89).await], [0, 1, 3]);
    assert_eq!([unused(32).await, unused(31).await], [3, 7]);
}

#[tokio::test]
async fn pages_leave_nothing_out_and_are_measured_at_one_time() {
    let world = acme().await;
    let all = asked(&world, &format!("as_of={NOW}")).await;
    let mut paged = Vec::new();
    let mut next = format!("/suggestions?as_of={NOW}&limit=2");
    loop {
        let page = world.found(&path(ACME, &next)).await.json();
        paged.extend(told(&page["items"]));
        let Value::String(cursor) = &page["next_cursor"] else { break };
        next = format!("/suggestions?as_of={NOW}&limit=2&cursor={cursor}");
    }
    assert_eq!(paged, all);
    let first = world.found(&path(ACME, "/suggestions?limit=1")).await.at("/next_cursor");
    let cursor = first.as_str().expect("there is more");
    world.found(&path(ACME, &format!("/suggestions?cursor={cursor}"))).await;
    let other = format!("/suggestions?kind=stale_invite&cursor={cursor}");
    let refused = world.get(&path(ACME, &other)).await;
    refused.assert_problem(400, "invalid-request", &other);
}

#[tokio::test]
async fn who_comes_back_to_work_is_suggested_no_more() {
    let world = acme().await;
    let records = vec![used(9, "2026-05-31T00:00:00Z", Some(ALICE), Some(30))];
    world.usage(ACME, records).await;
    world.project_all().await;
    let found = asked(&world, &format!("as_of={NOW}")).await;
    assert!(!found.iter().any(|told| told.contains("alice") || told.contains("key 30")));
    assert_eq!(found.len(), 9, "{found:?}");
}
