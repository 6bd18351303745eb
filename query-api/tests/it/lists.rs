use event_schemas::{
    MemberId, OrganizationEvent, OrganizationRole, PersonId, ProjectGrant, ProjectId, ProjectRole,
};
use serde_json::{Value, json};

use crate::support::{World, column, id, path, time};

const ACME: u128 = 1;
const PROD: u128 = 10;

/// Acme with members m00 … m24, all in one project.
async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.project(ACME, PROD, "2026-01-01T00:00:00Z", "Prod").await;
    for number in 0..25 {
        // Ids against the order of names, and two of one name but for case.
        let login = if number == 7 { "M06".to_owned() } else { format!("m{number:02}") };
        world.member(ACME, 200 - number, "2026-01-02T00:00:00Z", &login).await;
        world.assign(ACME, PROD, 200 - number, "2026-01-02T00:00:00Z").await;
    }
    world.project_all().await;
    world
}

async fn pages(world: &World, path: &str, field: &str) -> Vec<Vec<String>> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut pages = Vec::new();
    let mut next = format!("{path}{separator}limit=10");
    loop {
        let page = world.found(&next).await.json();
        pages.push(column(&page["items"], field));
        let Value::String(cursor) = &page["next_cursor"] else {
            return pages;
        };
        next = format!("{path}{separator}limit=10&cursor={cursor}");
    }
}

#[tokio::test]
async fn pages_are_in_order_and_leave_nothing_out() {
    let world = acme().await;
    for list in ["/members", &format!("/projects/{}/members", id(PROD))] {
        let pages = pages(&world, &path(ACME, list), "login").await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5], "{list}");
        let logins = pages.concat();
        assert_eq!(logins.len(), 25);
        assert!(logins.is_sorted_by_key(|login| login.to_lowercase()), "{logins:?}");
        // Those of one name are by id.
        assert_eq!(logins[6..8], ["M06", "m06"]);
    }
    // A page that is exactly full is the last.
    let page = world.found(&path(ACME, "/members?limit=25")).await;
    assert_eq!(page.at("/next_cursor"), json!(null));
}

#[tokio::test]
async fn all_pages_are_of_the_position_of_the_first() {
    let world = acme().await;
    let first = world.found(&path(ACME, "/members?limit=10")).await;
    let cursor = first.at("/next_cursor");
    let cursor = cursor.as_str().expect("there is more");

    // Meanwhile one on the next page leaves, one comes before it, and one is renamed.
    let gone = OrganizationEvent::MemberRemoved { member_id: MemberId(id(200 - 12)), reason: None };
    world.append(ACME, ACME, "2026-01-03T00:00:00Z", gone).await;
    world.member(ACME, 300, "2026-01-03T00:00:00Z", "m105").await;
    let member_id = MemberId(id(200 - 14));
    let person_id = PersonId(member_id.0);
    let renamed = OrganizationEvent::MemberRenamed { member_id, person_id, login: "a".to_owned() };
    world.append(ACME, ACME, "2026-01-03T00:00:00Z", renamed).await;
    world.project_all().await;

    let second = world.found(&path(ACME, &format!("/members?limit=5&cursor={cursor}"))).await;
    assert_eq!(column(&second.at("/items"), "login"), ["m10", "m11", "m12", "m13", "m14"]);
    let now = world.found(&path(ACME, "/members?limit=500")).await;
    let now = column(&now.at("/items"), "login");
    assert!(now.contains(&"m105".to_owned()) && !now.contains(&"m12".to_owned()), "{now:?}");
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_alone() {
    let world = acme().await;
    world.organization(2, "2026-01-01T00:00:00Z", "Other").await;
    let position = world.project_all().await;
    let first = world.found(&path(ACME, "/members?limit=10&as_of=2026-02-01")).await;
    let cursor = first.at("/next_cursor");
    let cursor = cursor.as_str().expect("there is more");
    world.found(&path(ACME, &format!("/members?as_of=2026-02-01&cursor={cursor}"))).await;
    let pinned = format!("/members?as_of=2026-02-01&at_position={position}&cursor={cursor}");
    world.found(&path(ACME, &pinned)).await;
    for (organization, query) in [
        (ACME, format!("/members?cursor={cursor}")),
        (ACME, format!("/members?as_of=2026-02-02&cursor={cursor}")),
        (ACME, format!("/members?as_of=2026-02-01&at_position=5&cursor={cursor}")),
        (ACME, format!("/projects?as_of=2026-02-01&cursor={cursor}")),
        (2, format!("/members?as_of=2026-02-01&cursor={cursor}")),
        (ACME, format!("/members?as_of=2026-02-01&cursor={cursor}00")),
    ] {
        let answer = world.get(&path(organization, &query)).await;
        answer.assert_problem(400, "invalid-request", &query);
        assert_eq!(answer.at("/field"), "cursor", "{query}");
    }
}

#[tokio::test]
async fn another_organizations_things_are_not_there() {
    let world = acme().await;
    world.organization(2, "2026-01-01T00:00:00Z", "Other").await;
    world.project_all().await;
    for rest in [
        format!("/members/{}", id(200)),
        format!("/projects/{}", id(PROD)),
        format!("/projects/{}/members", id(PROD)),
    ] {
        world.found(&path(ACME, &rest)).await;
        world.get(&path(2, &rest)).await.assert_problem(404, "not-found", &rest);
    }
    assert_eq!(world.found(&path(2, "/members")).await.at("/items"), json!([]));
}

#[tokio::test]
async fn one_member_is_as_of_any_time() {
    let world = acme().await;
    let member_id = MemberId(id(200));
    let (role, previous_role) = (OrganizationRole::Owner, OrganizationRole::Member);
    let changed = OrganizationEvent::MemberRoleChanged { member_id, role, previous_role };
    world.append(ACME, ACME, "2026-02-01T00:00:00Z", changed).await;
    world.project_all().await;
    let member = format!("/members/{member_id}");
    let role =
        async |query: &str| world.found(&path(ACME, &format!("{member}{query}"))).await.at("/role");
    assert_eq!(role("").await, "owner");
    assert_eq!(role("?as_of=2026-01-31").await, "member");
    let before = world.get(&path(ACME, &format!("{member}?as_of=2025-01-01"))).await;
    before.assert_problem(404, "not-found", "not yet a member");
}

#[tokio::test]
async fn invites_and_organizations_are_listed() {
    let world = acme().await;
    let sent = OrganizationEvent::InviteSent {
        invite_id: event_schemas::InviteId(id(500)),
        email: "carol@example.com".to_owned(),
        role: OrganizationRole::Reader,
        projects: vec![ProjectGrant { project_id: ProjectId(id(PROD)), role: ProjectRole::Reader }],
        expires_at: time("2026-03-01T00:00:00Z"),
        person_id: PersonId(id(501)),
        token_hash: None,
        invited_by: None,
    };
    world.append(ACME, ACME, "2026-02-01T00:00:00Z", sent).await;
    world.project_all().await;
    let invites = world.found(&path(ACME, "/invites")).await.at("/items");
    let expected = json!([{
        "invite_id": id(500),
        "email": "carol@example.com",
        "role": "reader",
        "projects": [{"project_id": id(PROD), "role": "reader"}],
        "expires_at": "2026-03-01T00:00:00Z",
        "state": "open",
        "invited_by": "operator:ops",
        "valid_from": "2026-02-01T00:00:00Z",
    }]);
    assert_eq!(invites, expected);
    let organizations = world.found("/v1/organizations").await.at("/items");
    assert_eq!(column(&organizations, "name"), ["Acme"]);
}
