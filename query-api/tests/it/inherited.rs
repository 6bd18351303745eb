//! What people have through groups and custom roles: the lists of it, and the register.

use event_schemas::{
    ApiKeyEvent, ApiKeyId, Grantee, GroupId, KeyOwner, MemberId, OrganizationEvent, OrganizationId,
    OrganizationRole, OrganizationSettings, Permission, ProjectEvent, ProjectId, ProjectRole,
    RoleId,
};
use serde_json::{Value, json};

use crate::support::{World, column, id, path};

pub(crate) const ACME: u128 = 1;
pub(crate) const PROD: u128 = 10;
pub(crate) const DEV: u128 = 11;
pub(crate) const ALICE: u128 = 20;
pub(crate) const BOB: u128 = 21;
const SUPPORT: u128 = 50;
const DEPLOYER: u128 = 60;
const KEY: u128 = 70;

fn group() -> GroupId {
    GroupId(id(SUPPORT))
}

fn role() -> RoleId {
    RoleId(id(DEPLOYER))
}

pub(crate) async fn happens(world: &World, at: &str, event: OrganizationEvent) {
    world.append(ACME, ACME, at, event).await;
}

/// Acme: Alice, in support since February, which owns Prod since March, and is reader everywhere;
/// deployer is a role of Alice's in Dev and of support's everywhere.
pub(crate) async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.project(ACME, PROD, "2026-01-02T00:00:00Z", "Prod").await;
    world.project(ACME, DEV, "2026-01-02T00:00:00Z", "Dev").await;
    world.member(ACME, ALICE, "2026-01-03T00:00:00Z", "alice").await;
    world.member(ACME, BOB, "2026-01-03T00:00:00Z", "bob").await;
    world.assign(ACME, PROD, ALICE, "2026-01-04T00:00:00Z").await;
    let role_of_group = Some(OrganizationRole::Reader);
    let created = OrganizationEvent::GroupCreated {
        group_id: group(),
        name: "support".to_owned(),
        role: role_of_group,
    };
    happens(&world, "2026-01-05T00:00:00Z", created).await;
    let member_id = MemberId(id(ALICE));
    let added = OrganizationEvent::GroupMemberAdded { group_id: group(), member_id };
    happens(&world, "2026-02-01T00:00:00Z", added).await;
    let assigned = ProjectEvent::GroupAssigned { group_id: group(), role: ProjectRole::Owner };
    world.append(ACME, PROD, "2026-03-01T00:00:00Z", assigned).await;
    let defined = OrganizationEvent::RoleDefined {
        role_id: role(),
        name: "Deployer".to_owned(),
        permissions: [Permission::ProjectsRead, Permission::UsageRead].into_iter().collect(),
    };
    happens(&world, "2026-01-06T00:00:00Z", defined).await;
    let (alice, support) = (Grantee::Member { member_id }, Grantee::Group { group_id: group() });
    for (at, grantee, project_id) in [
        ("2026-01-07T00:00:00Z", alice, Some(ProjectId(id(DEV)))),
        ("2026-01-08T00:00:00Z", support, None),
    ] {
        let granted = OrganizationEvent::RoleGranted { role_id: role(), grantee, project_id };
        happens(&world, at, granted).await;
    }
    world.project_all().await;
    world
}

/// What somebody has, in short.
fn held(person: &Value) -> Vec<String> {
    let via = |role: &Value| match role["group"].as_str() {
        Some(group) => format!(" via {group}"),
        None => String::new(),
    };
    let text = |role: &Value| {
        let custom = if role["custom"] == true { "custom " } else { "" };
        format!("{custom}{}{}", role["role"].as_str().expect("a role"), via(role))
    };
    let further = person["further_roles"].as_array().into_iter().flatten().map(text);
    let projects = person["projects"].as_array().into_iter().flatten();
    let in_projects = projects
        .map(|place| format!("{}: {}", place["name"].as_str().expect("a name"), text(place)));
    further.chain(in_projects).collect()
}

async fn register(world: &World, query: &str) -> Value {
    world.found(&path(ACME, &format!("/access-register{query}"))).await.at("/organizations/0")
}

#[tokio::test]
async fn the_register_tells_what_comes_through_groups_and_custom_roles() {
    let world = acme().await;
    let acme = register(&world, "").await;
    let expected = [
        "reader via support",
        "custom Deployer via support",
        "Dev: custom Deployer",
        "Prod: member",
        "Prod: owner via support",
    ];
    assert_eq!(held(&acme["people"][0]), expected);
    assert_eq!(acme["people"][0]["role"], "member", "their own");
    assert_eq!(acme["people"][0]["groups"], json!(["support"]));
    // Through a group it is had since both are so.
    let roles = &acme["people"][0]["further_roles"];
    assert_eq!(roles[0]["since"], "2026-02-01T00:00:00Z");
    let bob = acme["people"][1].as_object().expect("an object");
    assert!(!bob.contains_key("groups") && !bob.contains_key("further_roles"), "{bob:?}");
    for (as_of, expected) in [
        ("2026-01-31", &["Dev: custom Deployer", "Prod: member"][..]),
        (
            "2026-02-28",
            &[
                "reader via support",
                "custom Deployer via support",
                "Dev: custom Deployer",
                "Prod: member",
            ],
        ),
    ] {
        let then = register(&world, &format!("?as_of={as_of}")).await;
        assert_eq!(held(&then["people"][0]), expected, "{as_of}");
    }
    happens(&world, "2026-04-01T00:00:00Z", OrganizationEvent::GroupRemoved { group_id: group() })
        .await;
    world.project_all().await;
    let after = register(&world, "").await;
    assert_eq!(held(&after["people"][0]), ["Dev: custom Deployer", "Prod: member"]);
}

#[tokio::test]
async fn a_part_of_the_register_is_asked_for() {
    let world = acme().await;
    let suspended =
        OrganizationEvent::MemberSuspended { member_id: MemberId(id(BOB)), reason: None };
    happens(&world, "2026-04-01T00:00:00Z", suspended).await;
    world.project_all().await;
    let logins = async |query: &str| column(&register(&world, query).await["people"], "login");
    assert_eq!(logins(&format!("?member_id={}", id(BOB))).await, ["bob"]);
    assert_eq!(logins("?state=active").await, ["alice"]);
    assert_eq!(logins("?state=suspended").await, ["bob"]);
    assert_eq!(logins(&format!("?project_id={}", id(PROD))).await, ["alice"]);
    let of_prod = register(&world, &format!("?project_id={}", id(DEV))).await;
    assert_eq!(held(&of_prod["people"][0])[2..], ["Dev: custom Deployer"]);
    assert_eq!(logins(&format!("?project_id={}", id(99))).await, Vec::<String>::new());
}

#[tokio::test]
async fn groups_and_who_is_in_them_are_listed() {
    let world = acme().await;
    let groups = world.found(&path(ACME, "/groups")).await;
    assert_eq!(column(&groups.at("/items"), "name"), ["support"]);
    let of_group = format!("/groups/{}", id(SUPPORT));
    let group = world.found(&path(ACME, &of_group)).await;
    assert_eq!(
        (group.at("/role"), group.at("/members/items/0/login")),
        (json!("reader"), json!("alice"))
    );
    assert_eq!(group.at("/members/items/0/since"), "2026-02-01T00:00:00Z");
    let members = world.found(&path(ACME, &format!("{of_group}/members"))).await;
    assert_eq!(members.at("/items"), group.at("/members/items"));
    let before = world.found(&path(ACME, &format!("{of_group}?as_of=2026-01-31"))).await;
    assert_eq!(before.at("/members/items"), json!([]));
    for missing in [format!("/groups/{}", id(99)), format!("/groups/{}/members", id(99))] {
        world.get(&path(ACME, &missing)).await.assert_problem(404, "not-found", &missing);
    }
    let places = world.found(&path(ACME, &format!("/projects/{}/groups", id(PROD)))).await;
    let place = json!({"group_id": id(SUPPORT), "name": "support", "role": "owner",
        "since": "2026-03-01T00:00:00Z", "granted_by": "operator:ops"});
    assert_eq!(places.at("/items"), json!([place]));
}

#[tokio::test]
async fn roles_and_who_has_them_are_listed() {
    let world = acme().await;
    let roles = world.found(&path(ACME, "/roles")).await;
    let of_role = format!("/roles/{}", id(DEPLOYER));
    let role = world.found(&path(ACME, &of_role)).await;
    assert_eq!(roles.at("/items/0"), role.json());
    assert_eq!(role.at("/permissions"), json!(["projects.read", "usage.read"]));
    let grants = world.found(&path(ACME, &format!("{of_role}/grants"))).await.at("/items");
    assert_eq!(grants.as_array().map(Vec::len), Some(2));
    assert_eq!(world.found(&path(ACME, "/role-grants")).await.at("/items"), grants);
    let of = async |query: String| {
        let found = world.found(&path(ACME, &format!("/role-grants?{query}"))).await;
        let item = found.at("/items/0");
        (item["member_id"].clone(), item["group_id"].clone(), item["project_id"].clone())
    };
    let (alice, support) = (json!(id(ALICE)), json!(id(SUPPORT)));
    assert_eq!(
        of(format!("member_id={}", id(ALICE))).await,
        (alice.clone(), Value::Null, json!(id(DEV)))
    );
    assert_eq!(of(format!("group_id={}", id(SUPPORT))).await, (Value::Null, support, Value::Null));
    assert_eq!(of(format!("project_id={}", id(DEV))).await.0, alice);
    let missing = format!("/roles/{}/grants", id(99));
    world.get(&path(ACME, &missing)).await.assert_problem(404, "not-found", &missing);
    // Page by page none is left out and none comes twice.
    let first = world.found(&path(ACME, "/role-grants?limit=1")).await;
    let cursor = first.at("/next_cursor");
    let next = format!("/role-grants?limit=1&cursor={}", cursor.as_str().expect("there is more"));
    let second = world.found(&path(ACME, &next)).await;
    assert_eq!(json!([first.at("/items/0"), second.at("/items/0")]), grants);
    assert_eq!(second.at("/next_cursor"), Value::Null);
}

#[tokio::test]
async fn settings_are_answered_as_they_are_taken() {
    let world = acme().await;
    let settings =
        async |query: &str| world.found(&path(ACME, &format!("/settings{query}"))).await.json();
    let default = json!(OrganizationSettings::default());
    assert_eq!(settings("").await, default);
    let changed = OrganizationSettings {
        default_role: OrganizationRole::Reader,
        invite_domains: vec!["example.com".to_owned()],
        ..OrganizationSettings::default()
    };
    let event = OrganizationEvent::SettingsChanged { settings: changed.clone() };
    happens(&world, "2026-02-01T00:00:00Z", event).await;
    world.project_all().await;
    assert_eq!(settings("").await, json!(changed));
    assert_eq!(settings("?as_of=2026-01-31").await, default);
    let security = world.found(&path(ACME, "/security")).await;
    assert_eq!(security.json(), json!({"identity_provider": null, "approvals": []}));
}

#[tokio::test]
async fn keys_and_members_are_listed_by_owner_and_state() {
    let world = acme().await;
    let key =
        |n: u128, project: Option<u128>, scopes: Option<Vec<Permission>>| ApiKeyEvent::Created {
            api_key_id: ApiKeyId(id(KEY + n)),
            organization_id: OrganizationId(id(ACME)),
            project_id: project.map(|project| ProjectId(id(project))),
            owner: KeyOwner::Member { member_id: MemberId(id(if n == 2 { BOB } else { ALICE })) },
            name: format!("key-{n}"),
            secret_hash: format!("{n:02}"),
            redacted: "olk_…".to_owned(),
            expires_at: None,
            rotation_due_at: None,
            rotation_days: scopes.as_ref().map(|_| 30),
            scopes: scopes.map(|scopes| scopes.into_iter().collect()),
        };
    let at = "2026-03-01T00:00:00Z";
    world.append(ACME, KEY, at, key(0, Some(PROD), Some(vec![Permission::UsageRecord]))).await;
    world.append(ACME, KEY + 1, at, key(1, None, None)).await;
    world.append(ACME, KEY + 2, at, key(2, Some(PROD), None)).await;
    world.append(ACME, KEY + 1, at, ApiKeyEvent::Revoked { reason: None }).await;
    let suspended =
        OrganizationEvent::MemberSuspended { member_id: MemberId(id(BOB)), reason: None };
    happens(&world, at, suspended).await;
    world.project_all().await;
    let names = async |query: String| {
        let keys = world.found(&path(ACME, &format!("/api-keys?{query}"))).await;
        column(&keys.at("/items"), "name")
    };
    assert_eq!(names(String::new()).await, ["key-0", "key-1", "key-2"]);
    let alice = id(ALICE);
    assert_eq!(names(format!("member_id={alice}")).await, ["key-0", "key-1"]);
    assert_eq!(names(format!("member_id={alice}&state=active")).await, ["key-0"]);
    assert_eq!(names(format!("project_id={}", id(PROD))).await, ["key-0", "key-2"]);
    assert_eq!(names("state=revoked".to_owned()).await, ["key-1"]);
    let first = world.found(&path(ACME, &format!("/api-keys/{}", id(KEY)))).await;
    assert_eq!(
        (first.at("/scopes"), first.at("/rotation_days")),
        (json!(["usage.record"]), json!(30))
    );
    let admin = world.found(&path(ACME, &format!("/api-keys/{}", id(KEY + 1)))).await;
    assert_eq!((admin.at("/project_id"), admin.at("/scopes")), (Value::Null, Value::Null));
    let logins = async |query: &str| {
        let members = world.found(&path(ACME, &format!("/members{query}"))).await;
        column(&members.at("/items"), "login")
    };
    assert_eq!(logins("?state=active").await, ["alice"]);
    assert_eq!(logins("?state=suspended").await, ["bob"]);
    // A cursor is of the list that was asked for.
    let page = world.found(&path(ACME, "/api-keys?limit=1&state=active")).await;
    let cursor = page.at("/next_cursor");
    let other = format!("/api-keys?limit=1&cursor={}", cursor.as_str().expect("there is more"));
    world.get(&path(ACME, &other)).await.assert_problem(400, "invalid-request", &other);
    for wrong in ["/members?state=open", "/invites?state=active", "/api-keys?state=suspended"] {
        let answer = world.get(&path(ACME, wrong)).await;
        answer.assert_problem(400, "invalid-request", wrong);
        assert_eq!(answer.at("/field"), "state", "{wrong}");
    }
}
