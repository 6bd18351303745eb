//! Why somebody may do something: through which grant, by whom and since when.

use api_conventions::Caller;
use api_conventions::permissions::{Access, Answering, Permissions, Reach};
use chrono::TimeDelta;
use event_schemas::{
    BreakGlassId, Grantee, MemberId, OrganizationEvent, OrganizationId, OrganizationRole,
    Permission, PermissionSet, ProjectId, ProjectRole, RoleId,
};
use serde_json::Value;

use crate::inherited::{ACME, ALICE, BOB, DEV, PROD, acme, happens};
use crate::support::{World, id, path, time};

async fn explained(world: &World, member: u128, asked: &str) -> Value {
    let query = format!("/permissions/explain?member={}&permission={asked}", id(member));
    world.found(&path(ACME, &query)).await.json()
}

/// Whether it is allowed, and what would allow it, in short.
fn told(explained: &Value) -> (bool, Vec<String>) {
    let grants = explained["grants"].as_array().expect("an array").iter();
    let grants = grants.map(|grant| {
        let text = |name: &str| grant[name].as_str().map(str::to_owned);
        let day = text("since").map(|since| since[..10].to_owned());
        let parts = [text("kind"), text("role"), text("group"), day, text("granted_by")];
        let project = grant["project_id"].as_str().map(|id| id[id.len() - 2..].to_owned());
        parts.into_iter().chain([project]).flatten().collect::<Vec<_>>().join(" ")
    });
    (explained["allowed"] == true, grants.collect())
}

#[tokio::test]
async fn every_kind_of_grant_is_named_with_who_gave_it_and_since_when() {
    let world = acme().await;
    let (prod, dev) = (format!("&project={}", id(PROD)), format!("&project={}", id(DEV)));
    let ops = "operator:ops";
    let by_reader = format!("role reader support 2026-02-01 {ops}");
    let by_role = format!("custom_role Deployer support 2026-02-01 {ops}");
    let in_dev = format!("custom_role Deployer 2026-01-07 {ops} 0b");
    let member_in_prod = format!("project_role member 2026-01-04 {ops} 0a");
    let owner_in_prod = format!("project_role owner support 2026-03-01 {ops} 0a");
    let check = async |member: u128, asked: &str, allowed: bool, grants: &[&String]| {
        let (is_allowed, found) = told(&explained(&world, member, asked).await);
        let grants: Vec<String> = grants.iter().map(|grant| (*grant).clone()).collect();
        assert_eq!((is_allowed, found), (allowed, grants), "{asked}");
    };
    check(
        ALICE,
        "organization.read",
        true,
        &[&format!("role member 2026-01-03 {ops}"), &by_reader],
    )
    .await;
    check(BOB, "organization.read", true, &[&format!("role member 2026-01-03 {ops}")]).await;
    check(ALICE, "members.read", true, &[&by_reader]).await;
    check(BOB, "members.read", false, &[]).await;
    check(ALICE, "members.update", false, &[]).await;
    // Through both at once; and of single projects what would allow it there.
    let everywhere = [&by_reader, &in_dev, &by_role, &member_in_prod, &owner_in_prod];
    check(ALICE, "usage.read", true, &everywhere).await;
    check(ALICE, &format!("usage.read{dev}"), true, &[&by_reader, &in_dev, &by_role]).await;
    check(ALICE, &format!("service_accounts.update{prod}"), true, &[&owner_in_prod]).await;
    check(ALICE, &format!("service_accounts.update{dev}"), false, &[]).await;
    // What is had in one project is not had everywhere.
    check(ALICE, "service_accounts.update", false, &[&owner_in_prod]).await;
    let reason = |explained: Value| explained["reason"].as_str().expect("text").to_owned();
    assert_eq!(
        reason(explained(&world, ALICE, "members.read").await),
        "alice has the role reader, through the group support, since 2026-02-01 by operator:ops."
    );
    assert_eq!(
        reason(explained(&world, BOB, "members.read").await),
        "Nothing gives bob members.read in the whole organization."
    );
    let added = explained(&world, ALICE, "members.read").await;
    assert_eq!(added["grants"][0]["added_to_group_by"], ops);
}

#[tokio::test]
async fn it_is_explained_as_of_a_date_and_as_the_log_knew_it() {
    let world = acme().await;
    let allowed = async |asked: &str| explained(&world, ALICE, asked).await["allowed"] == true;
    assert!(!allowed("members.read&as_of=2026-01-31").await);
    assert!(allowed("members.read&as_of=2026-02-01").await);
    let before = world.log.head().await.expect("a head");
    // It is learned late that she had left the group in February.
    let left = OrganizationEvent::GroupMemberRemoved {
        group_id: event_schemas::GroupId(id(50)),
        member_id: MemberId(id(ALICE)),
    };
    happens(&world, "2026-02-10T00:00:00Z", left).await;
    world.project_all().await;
    assert!(allowed("members.read&as_of=2026-02-09").await);
    assert!(!allowed("members.read&as_of=2026-02-11").await);
    assert!(allowed(&format!("members.read&as_of=2026-02-11&at_position={before}")).await);
    assert!(!allowed("members.read").await);
}

#[tokio::test]
async fn who_is_suspended_or_rests_may_do_nothing() {
    let world = acme().await;
    let member_id = MemberId(id(ALICE));
    let asked = async || {
        let explained = explained(&world, ALICE, "organization.read").await;
        (explained["allowed"] == true, explained["reason"].as_str().expect("text").to_owned())
    };
    let suspended = OrganizationEvent::MemberSuspended { member_id, reason: None };
    happens(&world, "2026-03-02T00:00:00Z", suspended).await;
    world.project_all().await;
    assert_eq!(asked().await, (false, "alice is suspended and may do nothing.".to_owned()));
    happens(&world, "2026-03-03T00:00:00Z", OrganizationEvent::MemberReinstated { member_id })
        .await;
    let break_glass_id = BreakGlassId(id(90));
    let requested = OrganizationEvent::BreakGlassRequested {
        break_glass_id,
        operator: "ops".to_owned(),
        reason: "everybody is away".to_owned(),
        minutes: 60,
    };
    happens(&world, "2026-03-04T00:00:00Z", requested).await;
    let expires_at = time("2026-03-04T01:00:00Z");
    let approved = OrganizationEvent::BreakGlassApproved { break_glass_id, expires_at };
    happens(&world, "2026-03-04T00:00:00Z", approved).await;
    let took_in = OrganizationEvent::BreakGlassTookIn { break_glass_id, member_id };
    happens(&world, "2026-03-04T00:10:00Z", took_in).await;
    world.project_all().await;
    let rests = "alice came in by an access of the operator, and may do nothing until somebody \
                 reviewed it.";
    // Over by time alone, recorded or not; while it lasted, they might.
    assert_eq!(asked().await, (false, rests.to_owned()));
    let lasted = (expires_at - TimeDelta::seconds(1)).format("%Y-%m-%dT%H:%M:%SZ");
    let then = explained(&world, ALICE, &format!("organization.read&as_of={lasted}")).await;
    assert_eq!(then["allowed"], true);
    let access = world.found(&path(ACME, "/break-glass")).await.at("/items/0/took_in");
    assert_eq!(access, serde_json::json!([member_id]));
    let note = "in order".to_owned();
    let reviewed = OrganizationEvent::BreakGlassReviewed { break_glass_id, note };
    happens(&world, "2026-03-05T00:00:00Z", reviewed).await;
    world.project_all().await;
    assert!(asked().await.0);
}

/// Enforcement looks at a role within a project for what is of projects alone.
#[tokio::test]
async fn a_role_within_a_project_gives_nothing_that_is_not_of_projects() {
    let world = acme().await;
    let role_id = RoleId(id(61));
    let permissions = [Permission::UsageRead, Permission::CreditsRead].into_iter().collect();
    let name = "Books".to_owned();
    let defined = OrganizationEvent::RoleDefined { role_id, name, permissions };
    happens(&world, "2026-03-01T00:00:00Z", defined).await;
    let grant = |project_id| {
        let grantee = Grantee::Member { member_id: MemberId(id(BOB)) };
        OrganizationEvent::RoleGranted { role_id, grantee, project_id }
    };
    happens(&world, "2026-03-02T00:00:00Z", grant(Some(ProjectId(id(DEV))))).await;
    world.project_all().await;
    let asked = async |asked: &str| {
        let asked = format!("{asked}&project={}", id(DEV));
        told(&explained(&world, BOB, &asked).await)
    };
    let granted = "custom_role Books 2026-03-02 operator:ops";
    assert_eq!(asked("usage.read").await, (true, vec![format!("{granted} 0b")]));
    assert_eq!(asked("credits.read").await, (false, vec![]));
    // Granted everywhere it counts in a project, too.
    happens(&world, "2026-03-02T00:00:00Z", grant(None)).await;
    world.project_all().await;
    assert_eq!(asked("credits.read").await, (true, vec![granted.to_owned()]));
}

/// Alice, who sees Prod and nothing else.
struct AliceInProd;

impl Permissions for AliceInProd {
    fn in_organization<'a>(&'a self, _: &'a Caller, _: OrganizationId) -> Answering<'a, Reach> {
        let access = Access {
            member_id: Some(MemberId(id(ALICE))),
            organization: OrganizationRole::Member.permissions(),
            only_in: None,
            groups: Vec::new(),
            granted_in: Vec::new(),
        };
        Box::pin(async { Ok(Reach::Of(access)) })
    }

    fn in_projects<'a>(
        &'a self,
        _: &'a Caller,
        _: OrganizationId,
        projects: &'a [ProjectId],
    ) -> Answering<'a, Vec<(ProjectId, PermissionSet)>> {
        let seen = projects.iter().filter(|project_id| project_id.0 == id(PROD));
        let seen = seen.map(|project_id| (*project_id, ProjectRole::Member.permissions()));
        Box::pin(async { Ok(seen.collect()) })
    }
}

#[tokio::test]
async fn of_a_project_that_one_does_not_see_nothing_is_told() {
    let world = acme().await.asked_by(AliceInProd);
    let ask = async |project: u128| {
        let of = format!("member={}&permission=usage.read&project={}", id(ALICE), id(project));
        world.get(&path(ACME, &format!("/permissions/explain?{of}"))).await
    };
    assert_eq!(ask(PROD).await.at("/allowed"), true);
    let (unseen, nowhere) = (ask(DEV).await, ask(99).await);
    unseen.assert_problem(404, "not-found", "Dev");
    nowhere.assert_problem(404, "not-found", "none");
    assert_eq!(unseen.at("/detail"), nowhere.at("/detail"));
}
