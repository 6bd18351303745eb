//! The audit log: every event, found by what it is about, in pages that stay as they are.

use std::collections::BTreeSet;

use event_log::usage::{NewUsage, Price};
use event_schemas::{
    Actor, ApiKeyEvent, ApiKeyId, BudgetEvent, BudgetPeriod, BudgetScope, Currency, KeyOwner,
    MemberId, OrganizationEvent, OrganizationId, OrganizationRole, ProjectEvent, ProjectId,
    ProjectRole, RefusalEvent,
};
use serde_json::{Value, json};

use crate::costs::record;
use crate::support::{World, column, id, path};

const ACME: u128 = 1;
const BETA: u128 = 2;
const PROD: u128 = 10;
const ADA: u128 = 20;
const KEY: u128 = 30;

async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.organization(BETA, "2026-01-01T00:00:00Z", "Beta").await;
    world.project(ACME, PROD, "2026-01-02T00:00:00Z", "Prod").await;
    world.member(ACME, ADA, "2026-01-03T00:00:00Z", "ada").await;
    world.assign(ACME, PROD, ADA, "2026-01-04T00:00:00Z").await;
    let role = OrganizationEvent::MemberRoleChanged {
        member_id: MemberId(id(ADA)),
        role: OrganizationRole::Admin,
        previous_role: OrganizationRole::Member,
    };
    world.append(ACME, ACME, "2026-01-05T00:00:00Z", role).await;
    let key = ApiKeyEvent::Created {
        api_key_id: ApiKeyId(id(KEY)),
        organization_id: OrganizationId(id(ACME)),
        project_id: Some(ProjectId(id(PROD))),
        owner: KeyOwner::Member { member_id: MemberId(id(ADA)) },
        name: "=cmd()".to_owned(),
        secret_hash: "5ec4e7".to_owned(),
        redacted: "olk_…".to_owned(),
        expires_at: None,
        rotation_due_at: None,
        rotation_days: None,
        scopes: None,
    };
    let by = Actor::member(MemberId(id(ADA)));
    world.append_by(&by, None, (ACME, KEY), "2026-01-06T00:00:00Z", key).await;
    let refusal = RefusalEvent::Recorded {
        organization_id: Some(OrganizationId(id(ACME))),
        command: "members.add".to_owned(),
        problem: "/problems/forbidden".to_owned(),
        permission: Some("members.update".to_owned()),
        unrecorded_before: 0,
    };
    world.append_by(&by, None, (ACME, 40), "2026-01-07T00:00:00Z", refusal).await;
    world
}

fn usage(number: i64) -> NewUsage {
    let record = record(number, "2026-01-08T00:00:00Z", None);
    NewUsage { project_id: ProjectId(id(PROD)), feature: "search".to_owned(), ..record }
}

async fn lines(world: &World, query: &str) -> Value {
    world.found(&path(ACME, &format!("/audit-log{query}"))).await.at("/items")
}

async fn types(world: &World, query: &str) -> Vec<String> {
    column(&lines(world, query).await, "type")
}

#[tokio::test]
async fn a_line_says_who_did_what_to_what_and_what_was_before() {
    let world = acme().await;
    world.project_all().await;
    let all = types(&world, "").await;
    assert_eq!(
        all,
        [
            "organization.created",
            "project.created",
            "member.added",
            "project_member.assigned",
            "member.role_changed",
            "api_key.created",
            "refusal.recorded"
        ]
    );
    let changed = lines(&world, "?type=member.role_changed").await[0].clone();
    assert_eq!(changed["actor"], "operator:ops");
    assert_eq!(changed["target"], json!({ "kind": "member", "id": id(ADA) }));
    assert_eq!(changed["before"], json!({ "role": "member" }));
    assert_eq!(changed["after"], json!({ "role": "admin" }));
    assert_eq!((&changed["outcome"], &changed["request_id"]), (&json!("done"), &json!("c")));
    let assigned = lines(&world, "?type=project_member.*").await[0].clone();
    assert_eq!(assigned["before"], Value::Null);
    assert_eq!(assigned["concerns"], json!([id(ADA), id(PROD)]));
    // Nothing to recognise a secret by is in any line.
    let text = world.found(&path(ACME, "/audit-log")).await.text;
    assert!(!text.contains("5ec4e7"), "{text}");
}

#[tokio::test]
async fn lines_are_found_by_all_that_they_are() {
    let world = acme().await;
    let written = world.usage(ACME, vec![usage(1), usage(2)]).await;
    world.project_all().await;
    let check = async |query: &str, expected: &[&str]| {
        assert_eq!(types(&world, query).await, expected, "{query}");
    };
    let (ada, prod) = (id(ADA), id(PROD));
    check(&format!("?target={ada},{prod}"), &["project_member.assigned", "api_key.created"]).await;
    check(
        &format!("?project_id={prod}"),
        &["project.created", "project_member.assigned", "api_key.created"],
    )
    .await;
    check(&format!("?actor=member:{ada}"), &["api_key.created", "refusal.recorded"]).await;
    check("?outcome=refused", &["refusal.recorded"]).await;
    check("?type=members.add", &["refusal.recorded"]).await;
    check("?type=refusal.recorded", &["refusal.recorded"]).await;
    check(
        "?type=member.*,project.created",
        &["project.created", "member.added", "member.role_changed"],
    )
    .await;
    check("?from=2026-01-05&to=2026-01-07", &["member.role_changed", "api_key.created"]).await;
    check("?to=2026-01-02&type=organization.*", &["organization.created"]).await;
    check("?recorded_to=2026-01-02", &[]).await;
    check("?from_position=5&at_position=6", &["project_member.assigned", "member.role_changed"])
        .await;
    check("?order=newest_first&limit=2", &["usage.recorded", "refusal.recorded"]).await;
    check("?request_id=nobodys", &[]).await;
    // A batch is one line, found by each of its positions, with its records behind a link.
    let (first, last) = (written.position - 1, written.position);
    check(&format!("?from_position={last}"), &["usage.recorded"]).await;
    let batch = lines(&world, "?type=usage.recorded").await[0].clone();
    assert_eq!((&batch["position"], &batch["last_position"]), (&json!(first), &json!(last)));
    assert_eq!((&batch["records"], &batch["actor"]), (&json!(2), &json!("operator:ops")));
    let records = world.found(batch["records_link"].as_str().unwrap_or_default()).await;
    let requests = column(&records.at("/items"), "request_id");
    assert_eq!(
        BTreeSet::from_iter(requests),
        BTreeSet::from(["request 1".into(), "request 2".into()])
    );
}

/// What happens to a project's key or budget happens in the project, though its event names none.
#[tokio::test]
async fn a_projects_lines_have_what_became_of_its_keys_and_budgets() {
    let world = acme().await;
    let scope = BudgetScope::Project { project_id: ProjectId(id(PROD)) };
    let set = crate::budgets::set(50, scope, BudgetPeriod::Monthly);
    world.append(ACME, 50, "2026-01-08T00:00:00Z", set).await;
    world.project_all().await;
    let renamed = ApiKeyEvent::Renamed { name: "k".to_owned() };
    world.append(ACME, KEY, "2026-01-09T00:00:00Z", renamed).await;
    let revoked = ApiKeyEvent::Revoked { reason: None };
    world.append(ACME, KEY, "2026-01-10T00:00:00Z", revoked).await;
    let removed = BudgetEvent::Removed {
        budget_id: id(50).into(),
        organization_id: OrganizationId(id(ACME)),
    };
    world.append(ACME, 50, "2026-01-11T00:00:00Z", removed).await;
    world.project_all().await;
    let prod = id(PROD);
    assert_eq!(
        types(&world, &format!("?project_id={prod}&from=2026-01-06")).await,
        ["api_key.created", "budget.set", "api_key.renamed", "api_key.revoked", "budget.removed"]
    );
    let revoked = lines(&world, "?type=api_key.revoked,budget.removed").await;
    assert_eq!(column(&revoked, "project_id"), [prod.to_string(), prod.to_string()]);
}

#[tokio::test]
async fn why_of_a_balance_has_the_batches_that_were_used_by_a_time_whenever_they_were_recorded() {
    let world = acme().await;
    let price = Price { version: 1, cost_pico: 5, currency: Currency::USD };
    world.usage(ACME, vec![record(1, "2026-01-08T00:00:00Z", Some(price))]).await;
    world.project_all().await;
    let behind = async |as_of: &str| {
        let asked = format!("/why?currency=USD{as_of}");
        let found = world.found(&path(ACME, &asked)).await;
        column(&found.at("/lines/1/events"), "type")
    };
    assert_eq!(behind("").await, ["usage.recorded"]);
    assert_eq!(behind("&as_of=2026-01-08").await, ["usage.recorded"]);
    assert_eq!(behind("&as_of=2026-01-07").await, [""; 0]);
}

#[tokio::test]
async fn pages_stay_as_they_are_while_the_log_grows() {
    let world = acme().await;
    world.project_all().await;
    for order in ["oldest_first", "newest_first"] {
        let whole = lines(&world, &format!("?order={order}")).await;
        let mut read = Vec::new();
        let mut next = format!("?order={order}&limit=2");
        loop {
            let page = world.found(&path(ACME, &format!("/audit-log{next}"))).await;
            read.extend(page.at("/items").as_array().expect("items").iter().cloned());
            // Something happens between any two pages.
            world.project(ACME, 100 + read.len() as u128, "2026-02-01T00:00:00Z", "More").await;
            world.project_all().await;
            let Some(cursor) = page.at("/next_cursor").as_str().map(str::to_owned) else { break };
            next = format!("?order={order}&limit=2&cursor={cursor}");
            if read.len() >= whole.as_array().map_or(0, Vec::len) {
                break;
            }
        }
        let whole = whole.as_array().expect("lines").clone();
        assert_eq!(read[..whole.len()], whole[..], "{order}");
    }
    let cursor = world.found(&path(ACME, "/audit-log?limit=1")).await.at("/next_cursor");
    let cursor = cursor.as_str().unwrap_or_default();
    let other = path(ACME, &format!("/audit-log?limit=1&outcome=done&cursor={cursor}"));
    world.get(&other).await.assert_problem(400, "invalid-request", "another question");
}

#[tokio::test]
async fn lines_are_written_for_programs_spreadsheets_and_a_siem() {
    let world = acme().await;
    world.project_all().await;
    let all = lines(&world, "").await;
    let ndjson = world.found(&path(ACME, "/audit-log?format=ndjson")).await;
    assert_eq!(ndjson.headers["content-type"], "application/x-ndjson");
    let read: Vec<Value> =
        ndjson.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(Value::from(read), all);

    let csv = world.found(&path(ACME, "/audit-log?format=csv&limit=6")).await;
    let next = csv.headers["link"].to_str().expect("a link");
    assert!(next.contains("rel=\"next\"") && next.contains("format=csv"), "{next}");
    let mut reader = csv::Reader::from_reader(csv.text.as_bytes());
    let records: Vec<csv::StringRecord> =
        reader.records().map(|record| record.expect("a record")).collect();
    assert_eq!(records.len(), 6);
    assert!(records[5][15].contains(r#""name":"=cmd()""#), "{:?}", records[5]);

    let ocsf = world.found(&path(ACME, "/audit-log?format=ocsf")).await;
    let events: Vec<Value> =
        ocsf.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let classes: Vec<u64> = events.iter().filter_map(|event| event["class_uid"].as_u64()).collect();
    assert_eq!(classes, [3_004, 3_004, 3_001, 3_005, 3_005, 3_004, 6_003]);
    assert_eq!(events[2]["user"]["name"], "ada");
    assert_eq!(events[6]["status_id"], 2);
}

#[tokio::test]
async fn a_line_leads_to_what_it_came_from_and_what_came_of_it() {
    let world = acme().await;
    world.project_all().await;
    // All that the tests append is of one request.
    let changed = lines(&world, "?type=member.role_changed").await[0].clone();
    let event_id = changed["event_id"].as_str().unwrap_or_default().to_owned();
    let context = world.found(&path(ACME, &format!("/audit-log/{event_id}"))).await;
    assert_eq!(context.at("/entry"), changed);
    assert_eq!(
        column(&context.at("/causes"), "type"),
        ["organization.created", "project.created", "member.added", "project_member.assigned"]
    );
    assert_eq!(column(&context.at("/effects"), "type"), ["api_key.created", "refusal.recorded"]);
    let nobodys = path(BETA, &format!("/audit-log/{event_id}"));
    world.get(&nobodys).await.assert_problem(404, "not-found", "another organization's");
}

#[tokio::test]
async fn a_diff_says_what_changed_between_two_dates_and_by_which_event() {
    let world = acme().await;
    let removed = ProjectEvent::MemberRemoved { member_id: MemberId(id(ADA)) };
    world.append(ACME, PROD, "2026-01-09T00:00:00Z", removed).await;
    let again =
        ProjectEvent::MemberAssigned { member_id: MemberId(id(ADA)), role: ProjectRole::Member };
    world.append(ACME, PROD, "2026-01-10T00:00:00Z", again).await;
    world.project_all().await;
    let diff = async |query: &str| world.found(&path(ACME, &format!("/diff{query}"))).await;
    let lines = diff("?from=2026-01-04&to=2026-01-31").await.at("/lines");
    let told: Vec<(String, String, String)> = lines
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (text("kind"), text("became"), text("type"))
        })
        .collect();
    let line = |kind: &str, became: &str, event: &str| {
        (kind.to_owned(), became.to_owned(), event.to_owned())
    };
    assert_eq!(
        told,
        [
            line("member", "changed", "member.role_changed"),
            line("api_key", "began", "api_key.created"),
            line("project_member", "ended", "project_member.removed"),
            line("project_member", "began", "project_member.assigned"),
        ]
    );
    assert_eq!(lines[0]["name"], "ada");
    assert_eq!(lines[0]["before"], json!({ "role": "member" }));
    assert_eq!(lines[0]["after"], json!({ "role": "admin" }));
    assert_eq!(lines[2]["name"], "ada · Prod");
    // What is as it was at both ends is no difference between them.
    let net = diff("?from=2026-01-04&to=2026-01-31&net=true").await.at("/lines");
    assert_eq!(column(&net, "kind"), ["member", "api_key"]);
    // Before there was anything, there was nothing: all that is has begun.
    let all = diff("?to=2026-01-04&net=true").await.at("/lines");
    let began: BTreeSet<String> = column(&all, "became").into_iter().collect();
    assert_eq!(began, BTreeSet::from(["began".to_owned()]));
    assert_eq!(all.as_array().map(Vec::len), Some(4));
    // As it was known before the removal was recorded, there was none.
    let known = diff("?from=2026-01-04&at_position=8").await.at("/lines");
    assert_eq!(column(&known, "kind"), ["member", "api_key"]);
    world.get(&path(ACME, "/diff?from=2026-02-01&to=2026-01-01")).await.assert_problem(
        400,
        "invalid-request",
        "the wrong way round",
    );
}

#[tokio::test]
async fn why_leads_from_what_is_held_to_the_events_behind_it() {
    let world = acme().await;
    world.usage(ACME, vec![usage(1)]).await;
    world.project_all().await;
    let why = async |query: String| world.found(&path(ACME, &format!("/why?{query}"))).await;
    let (ada, prod, key) = (id(ADA), id(PROD), id(KEY));
    let held = why(format!("member_id={ada}&project_id={prod}")).await;
    let lines = held.at("/lines");
    assert_eq!(column(&lines, "kind"), ["member", "project_member"]);
    assert_eq!(column(&lines[0]["events"], "type"), ["member.added", "member.role_changed"]);
    assert_eq!(column(&lines[1]["events"], "type"), ["project_member.assigned"]);
    assert_eq!(held.at("/departure"), Value::Null);
    // As of a day before the role was changed.
    let before = why(format!("member_id={ada}&as_of=2026-01-04")).await;
    assert_eq!(column(&before.at("/lines/0/events"), "type"), ["member.added"]);
    assert_eq!(before.at("/lines/0/what"), "ada is member of the organization");
    let subject = why(format!("subject={key}")).await;
    assert_eq!(column(&subject.at("/lines/0/events"), "type"), ["api_key.created"]);
    let used = why("feature=search".to_owned()).await;
    assert_eq!(column(&used.at("/lines/0/events"), "type"), ["usage.recorded"]);
    assert_eq!(why(format!("subject={}", id(999))).await.at("/lines"), json!([]));

    let reason = Some("left".to_owned());
    let removed = OrganizationEvent::MemberRemoved { member_id: MemberId(id(ADA)), reason };
    world.append(ACME, ACME, "2026-01-20T00:00:00Z", removed).await;
    world.project_all().await;
    let gone = why(format!("member_id={ada}")).await;
    assert_eq!(gone.at("/lines"), json!([]));
    assert_eq!(gone.at("/departure/event/reason"), "left");
    assert_eq!(gone.at("/departure/left_at"), "2026-01-20T00:00:00Z");
    assert_eq!(gone.at("/departure/last_command_at"), "2026-01-07T00:00:00Z");
}
