//! What every route owes, driven from the list of routes: a new one without a body here fails.

use std::collections::BTreeMap;

use axum::http::Method;
use embedded::testing::unique_name;
use serde_json::{Value, json};
use utoipa::openapi::Required;
use utoipa::openapi::path::Operation;

use crate::support::{App, Asking, Client, Reply};

/// Routes that take no idempotency key.
const WITHOUT_KEY: &[&str] = &["record_usage", "record_litellm_usage"];

/// A route, as it describes itself.
struct Route {
    id: String,
    method: Method,
    path: String,
    has_body: bool,
    needs_version: bool,
}

/// Ids for the places in a path and in bodies.
struct Ids(BTreeMap<&'static str, String>);

impl Ids {
    /// Ids of nothing.
    fn unknown() -> Self {
        let id = |n: u128| uuid::Uuid::from_u128(n + (0x7000 << 64)).to_string();
        let names = [
            "organization",
            "member",
            "invite",
            "project",
            "service_account",
            "api_key",
            "break_glass",
            "approval",
            "group",
            "role",
            "access_review",
            "line",
            "export",
            "lot",
            "budget",
            "webhook",
        ];
        Self(names.into_iter().zip((1..).map(id)).collect())
    }

    /// Ids of an organization that has one of each.
    async fn of_new_organization(app: &App) -> Self {
        let organization = app.organization().await;
        let member = app.member(&organization, "ada", "admin").await;
        let project = app.project(&organization, "alpha").await;
        let service_account = app.service_account(&organization, &project).await;
        let key = app.api_key(&organization, &project, ("member_id", &member)).await;
        let path = format!("/v1/organizations/{organization}/invites");
        let invite = json!({"email": "eve@example.com", "role": "member"});
        let invite = app.admin().post(&path, invite).await.id("invite_id");
        let path = format!("/v1/organizations/{organization}/break-glass");
        let emergency = json!({"reason": "an emergency", "minutes": 60});
        let break_glass = app.operator().post(&path, emergency).await.id("break_glass_id");
        let api_key = key["api_key_id"].as_str().expect("an id").to_owned();
        let of = format!("/v1/organizations/{organization}");
        let group = json!({"name": "support"});
        let group = app.admin().post(&format!("{of}/groups"), group).await.id("group_id");
        let role = json!({"name": "readers", "permissions": ["usage.read"]});
        let role = app.admin().post(&format!("{of}/roles"), role).await.id("role_id");
        let review = json!({"title": "Keys", "scope": {"kind": "api_keys"},
            "due_at": "2999-01-01T00:00:00Z"});
        let review = app.admin().post(&format!("{of}/access-reviews"), review).await;
        let access_review = review.id("access_review_id");
        let bought = json!({"amount": "5", "currency": "USD"});
        let lot = app.admin().post(&format!("{of}/credits/purchases"), bought).await.id("lot_id");
        let budget = json!({"name": "All", "scope": {"kind": "organization"}, "currency": "USD",
            "period": "monthly", "amount": "5"});
        let budget = app.admin().post(&format!("{of}/budgets"), budget).await.id("budget_id");
        let webhook = json!({"url": "https://alerts.example.com/in", "event_types": ["*"]});
        let webhook = app.admin().post(&format!("{of}/webhooks"), webhook).await.id("webhook_id");
        let line = app.review_lines(&access_review).await[0].0.clone();
        Self(BTreeMap::from([
            ("access_review", access_review),
            ("line", line),
            ("organization", organization),
            ("member", member),
            ("invite", invite),
            ("project", project),
            ("service_account", service_account),
            ("api_key", api_key),
            ("break_glass", break_glass),
            // Nothing here needs one: ids of nothing.
            ("export", uuid::Uuid::from_u128(0x7001 << 64).to_string()),
            ("lot", lot),
            ("budget", budget),
            ("webhook", webhook),
            ("approval", uuid::Uuid::from_u128(0x7000 << 64).to_string()),
            ("group", group),
            ("role", role),
        ]))
    }

    fn with_organization(mut self, organization: String) -> Self {
        self.0.insert("organization", organization);
        self
    }

    fn path(&self, path: &str) -> String {
        self.0
            .iter()
            .fold(path.to_owned(), |path, (name, id)| path.replace(&format!("{{{name}_id}}"), id))
    }
}

/// A body that the route takes; none where it takes none.
#[allow(clippy::too_many_lines)] // A list of routes.
fn body(operation: &str, ids: &Ids) -> Option<Value> {
    let id = |name: &str| ids.0[name].clone();
    Some(match operation {
        "create_organization"
        | "update_organization"
        | "update_project"
        | "update_service_account"
        | "create_group"
        | "update_group"
        | "update_role" => {
            json!({"name": unique_name()})
        }
        "send_invite" => json!({"email": "bob@example.com", "role": "member"}),
        "accept_invite" => json!({"login": "eve"}),
        "add_member" => json!({"login": "bob", "role": "member"}),
        "change_member_role" => json!({"role": "reader"}),
        "rename_member" => json!({"login": "ada2"}),
        "request_break_glass" => json!({"reason": "an emergency", "minutes": 30}),
        "review_break_glass" => json!({"note": "all is well"}),
        "suspend_member"
        | "decline_approval"
        | "cancel_access_review"
        | "decline_break_glass"
        | "erase_invite"
        | "erase_member"
        | "disable_service_account"
        | "revoke_api_key"
        | "revoke_api_keys_of_member"
        | "revoke_api_keys_of_project" => json!({"reason": "because"}),
        "replace_organization_settings" => json!({"default_role": "member",
            "default_project_role": "member", "invite_domains": ["example.com"]}),
        "replace_security_settings" => json!({"approvals": ["grant_owner"]}),
        "resend_invite" => json!({"expires_at": null}),
        "send_invites_in_bulk" => json!({"invites": [{"email": "bob@example.com"}]}),
        "define_role" => json!({"name": unique_name(), "permissions": ["usage.read"]}),
        "grant_role" | "withdraw_role" => json!({"member_id": id("member")}),
        "create_project" => json!({"name": "beta", "environment": "production"}),
        "assign_project_member" | "assign_project_group" => json!({"role": "member"}),
        "create_service_account" => json!({"project_id": id("project"), "name": "indexer"}),
        "create_api_key" => {
            json!({"project_id": id("project"), "member_id": id("member"), "name": "k"})
        }
        "rename_api_key" => json!({"name": "production-chat"}),
        "rotate_api_key" => json!({"grace_seconds": 60}),
        "purchase_credits" | "grant_credits" => json!({"amount": "5", "currency": "USD"}),
        "refund_credits" => json!({"lot_id": id("lot"), "currency": "USD"}),
        "transfer_credits" => json!({"lot_id": id("lot"), "currency": "USD",
            "to_organization_id": uuid::Uuid::from_u128(0x7002 << 64)}),
        "change_credit_policy" => json!({"currency": "USD", "policy": "block"}),
        "set_budget" => {
            json!({"name": "Chat", "currency": "USD", "period": "monthly", "amount": "5",
            "scope": {"kind": "project", "project_id": id("project")}})
        }
        "change_budget" => json!({"amount": "7"}),
        "create_webhook" => {
            json!({"url": "https://alerts.example.com/in", "event_types": ["budget.*"]})
        }
        "change_webhook" => json!({"event_types": ["member.added"]}),
        "replay_webhook" => json!({"after_position": 0}),
        "publish_price_list" => json!({"catalogue": "c", "provider": "p", "currency": "USD",
            "models": [{"model": "m", "matches": {"equals": "m"}, "rates": {"input_tokens": "1"}}]}),
        "publish_own_prices" => {
            json!({"provider": "*", "currency": "USD", "mark_up_percent": "12.5"})
        }
        "record_usage" => json!({"records": []}),
        "reprice_usage" => json!({"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z",
            "project_id": id("project")}),
        "record_litellm_usage" => json!([]),
        "open_access_review" => json!({"title": "All", "scope": {"kind": "members"},
            "due_at": "2999-01-01T00:00:00Z"}),
        "attest_access_review_line" => json!({"decision": "keep"}),
        "attest_access_review_lines" => {
            json!({"attestations": [{"line_id": id("line"), "decision": "keep"}]})
        }
        "close_access_review" => json!({"revoke_unattested": true}),
        "archive_organization"
        | "revoke_invite"
        | "approve_approval"
        | "withdraw_approval"
        | "approve_break_glass"
        | "end_break_glass"
        | "reinstate_member"
        | "archive_project"
        | "remove_member"
        | "remove_project_member"
        | "remove_project_group"
        | "remove_group"
        | "add_group_member"
        | "remove_group_member"
        | "remove_role"
        | "leave_organization"
        | "export_personal_data"
        | "read_personal_data_export"
        | "transfer_ownership"
        | "remove_budget"
        | "remove_webhook"
        | "rotate_webhook_secret"
        | "enable_webhook"
        | "disable_webhook"
        | "test_webhook"
        | "remove_service_account" => return None,
        other => panic!("say here which body {other} takes"),
    })
}

fn routes(app: &App) -> Vec<Route> {
    let mut routes = Vec::new();
    for (path, item) in &app.first().openapi.paths.paths {
        let operations: [(Method, &Option<Operation>); 5] = [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ];
        for (method, operation) in operations {
            // What is read here is tested beside it; it changes nothing, and takes neither body nor key.
            let Some(operation) = operation.as_ref().filter(|_| method != Method::GET) else {
                continue;
            };
            let id = operation.operation_id.clone().expect("an operation id");
            let has_body = operation.request_body.is_some();
            let needs_version = operation.parameters.iter().flatten().any(|parameter| {
                parameter.name == "If-Match" && parameter.required == Required::True
            });
            routes.push(Route { id, method, path: path.clone(), has_body, needs_version });
        }
    }
    assert!(routes.len() > 25, "{} routes", routes.len());
    routes
}

impl Route {
    fn takes_key(&self) -> bool {
        !WITHOUT_KEY.contains(&self.id.as_str())
    }

    fn ask(&self, client: &Client, path: &str) -> Asking {
        let asking = client.ask(self.method.clone(), path).key(&unique_name());
        if self.needs_version { asking.if_match("*") } else { asking }
    }

    async fn send(&self, client: &Client, path: &str, body: Option<&Value>) -> Reply {
        let asking = self.ask(client, path);
        match body {
            Some(body) => asking.json(body).await,
            None => asking.empty().await,
        }
    }
}

#[tokio::test]
async fn every_route_describes_the_body_that_it_takes() {
    let app = App::new().await;
    let ids = Ids::unknown();
    for route in routes(&app) {
        assert_eq!(route.has_body, body(&route.id, &ids).is_some(), "{}", route.id);
    }
}

#[tokio::test]
async fn every_route_wants_a_credential() {
    let app = App::new().await;
    let ids = Ids::of_new_organization(&app).await;
    let before = app.changes().await;
    for route in routes(&app) {
        for credential in [None, Some("another-credential-than-that"), Some("")] {
            let stranger = app.stranger(credential);
            let reply =
                route.send(&stranger, &ids.path(&route.path), body(&route.id, &ids).as_ref()).await;
            assert_eq!(reply.header("www-authenticate"), "Bearer", "{}", route.id);
            reply.refused(401, "unauthorized");
        }
    }
    assert_eq!(app.changes().await, before, "nothing was changed");
}

#[tokio::test]
async fn what_is_another_organizations_is_not_there() {
    let app = App::new().await;
    let theirs = Ids::of_new_organization(&app).await;
    let other = app.organization().await;
    let foreign = Ids(theirs.0.clone()).with_organization(other);
    let unknown = Ids::unknown();
    let before = app.changes().await;
    let mut checked = 0;
    for route in routes(&app).iter().filter(|route| route.path.contains("{organization_id}")) {
        let not_found = async |ids: &Ids| {
            let body = body(&route.id, ids);
            let reply = route.send(&app.admin(), &ids.path(&route.path), body.as_ref()).await;
            let mut body = reply.refused(404, "not-found");
            body.as_object_mut().expect("an object").remove("instance");
            body
        };
        let nobodys = not_found(&unknown).await;
        let is_nested = route.path.matches('{').count() > 1
            || route.id == "set_budget"
            || body(&route.id, &theirs).is_some_and(|body| {
                ["project_id", "lot_id"].iter().any(|id| body.get(id).is_some())
            });
        if is_nested {
            assert_eq!(not_found(&foreign).await, nobodys, "{}", route.id);
            let absent = Ids::unknown().with_organization(foreign.0["organization"].clone());
            assert_eq!(not_found(&absent).await, nobodys, "{}", route.id);
            checked += 1;
        }
    }
    assert!(checked > 15, "{checked}");
    assert_eq!(app.changes().await, before, "nothing was changed");
}

#[tokio::test]
async fn to_somebody_elsewhere_what_is_there_is_as_what_is_not() {
    let app = App::new().await;
    let theirs = Ids::of_new_organization(&app).await;
    let unknown = Ids::unknown();
    // An owner of another organization, with a key of theirs.
    let elsewhere = app.organization().await;
    let project = app.project(&elsewhere, "elsewhere").await;
    let owner = app.member(&elsewhere, "mallory", "owner").await;
    let key = app.api_key(&elsewhere, &project, ("member_id", &owner)).await;
    let mallory = app.stranger(key["secret"].as_str());
    let before = app.changes().await;
    // LiteLLM's events are recorded for whoever posts them.
    for route in routes(&app).iter().filter(|route| route.id != "record_litellm_usage") {
        let answer = async |ids: &Ids| {
            let body = body(&route.id, ids);
            let mut reply = route.send(&mallory, &ids.path(&route.path), body.as_ref()).await;
            if let Some(body) = reply.body.as_object_mut() {
                body.remove("instance");
            }
            (reply.status.as_u16(), reply.body)
        };
        let (status, body) = answer(&theirs).await;
        assert!(matches!(status, 403 | 404), "{}: {status} {body}", route.id);
        assert_eq!((status, body), answer(&unknown).await, "{}", route.id);
    }
    assert_eq!(app.changes().await, before, "something was changed");
}

#[tokio::test]
async fn every_post_wants_an_idempotency_key() {
    let app = App::new().await;
    let ids = Ids::of_new_organization(&app).await;
    let before = app.changes().await;
    for route in routes(&app).iter().filter(|r| r.method == Method::POST && r.takes_key()) {
        let path = ids.path(&route.path);
        let body = body(&route.id, &ids).unwrap_or_else(|| json!({}));
        for key in [None, Some("two words"), Some("")] {
            let asking = app.admin().ask(Method::POST, &path);
            let asking = match key {
                Some(key) => asking.key(key),
                None => asking,
            };
            asking.json(&body).await.refused_field(
                400,
                "idempotency-key-required",
                "Idempotency-Key",
            );
        }
    }
    assert_eq!(app.changes().await, before, "nothing was changed");
}

#[tokio::test]
async fn every_body_is_checked() {
    let app = App::new().await;
    let ids = Ids::of_new_organization(&app).await;
    let before = app.changes().await;
    let operator = app.admin();
    for route in routes(&app) {
        let path = ids.path(&route.path);
        let asking = || route.ask(&operator, &path);
        let id = &route.id;
        asking().text("application/json", "{".to_owned()).await.refused(400, "malformed-json");
        asking().text("text/plain", "{}".to_owned()).await.refused(415, "unsupported-media-type");
        asking().json(&json!(7)).await.refused(400, "invalid-request");
        // LiteLLM's events have more fields than are looked at.
        if id != "record_litellm_usage" {
            let mut body = body(id, &ids).unwrap_or_else(|| json!({}));
            body["unheard_of"] = json!(1);
            asking().json(&body).await.refused_field(400, "invalid-request", "unheard_of");
        }
        let bytes_max = match &**id {
            "record_usage" => command_api::USAGE_BODY_BYTES_MAX,
            "record_litellm_usage" => command_api::LITELLM_BODY_BYTES_MAX,
            _ => 1024 * 1024,
        };
        let large = format!("{{\"name\": \"{}\"}}", "x".repeat(bytes_max));
        let large = asking().text("application/json", large).await.refused(413, "body-too-large");
        assert_eq!(large["bytes_max"], bytes_max, "{id}");
    }
    assert_eq!(app.changes().await, before, "nothing was changed");
}

#[tokio::test]
async fn every_id_in_a_path_is_checked() {
    let app = App::new().await;
    let ids = Ids::unknown();
    for route in routes(&app) {
        let names = ids.0.keys().filter(|name| route.path.contains(&format!("{{{name}_id}}")));
        for name in names {
            let path = route.path.replace(&format!("{{{name}_id}}"), "42");
            let body = body(&route.id, &ids);
            route.send(&app.admin(), &ids.path(&path), body.as_ref()).await.refused_field(
                400,
                "invalid-request",
                &format!("{name}_id"),
            );
        }
    }
}

#[tokio::test]
async fn every_operation_is_described_once_with_its_refusals() {
    let app = App::new().await;
    let document = serde_json::to_value(&app.first().openapi).expect("JSON");
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(ids.insert(id.to_owned()), "{id} twice");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{method} {path}");
            for status in ["400", "401", "404", "409", "503"] {
                let response = &operation["responses"][status]["content"];
                assert!(response["application/problem+json"].is_object(), "{id} {status}");
            }
        }
    }
}

/// The examples in the description are what the routes take: what stands in their way is only that
/// nothing of theirs is there.
#[tokio::test]
async fn every_example_of_a_body_is_taken() {
    let app = App::new().await;
    let examples: BTreeMap<String, Value> =
        serde_json::from_str(command_api::EXAMPLES).expect("a table");
    let ids = Ids::unknown();
    let mut taken = 0;
    for route in routes(&app) {
        let example = examples.get(&route.id).and_then(|example| example.get("request"));
        assert_eq!(route.has_body, example.is_some(), "{}", route.id);
        let Some(example) = example else { continue };
        let reply = route.send(&app.admin(), &ids.path(&route.path), Some(example)).await;
        let expected = match &*route.id {
            // The operator's credential has no organization.
            "record_litellm_usage" => 403..404,
            _ if route.path.contains('{') => 404..405,
            _ => 200..202,
        };
        assert!(expected.contains(&reply.status.as_u16()), "{}: {reply:?}", route.id);
        taken += 1;
    }
    assert!(taken > 15, "{taken}");
}

/// What no caller has to know: the names of Rust's types, and serde's words.
const OF_THE_PROGRAM: &[&str] = &[
    "struct ",
    "enum ",
    "variant",
    "tuple",
    "sequence",
    "newtype",
    "untagged",
    "unit value",
    "expected a ",
    "expected u",
    "expected i",
    "expected f",
    "invalid type",
    "invalid value",
    "invalid length",
    "u8",
    "u16",
    "u32",
    "u64",
    "i8",
    "i16",
    "i32",
    "i64",
    "usize",
    "f64",
    "map,",
    "Some(",
    "parsing failed",
    "input contains",
];

/// Every value in a document, as a pointer to it, the document itself first.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(n, value)| places(value, &format!("{at}/{n}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The names of the fields that a route's body may have, by the description.
fn described(document: &Value, route: &Route) -> Vec<String> {
    let method = route.method.as_str().to_lowercase();
    let media = &document["paths"][&route.path][method]["requestBody"]["content"];
    let reference = media["application/json"]["schema"]["$ref"].as_str().unwrap_or_default();
    let schema = document.pointer(reference.trim_start_matches('#')).cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    properties.into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn no_answer_speaks_of_the_program() {
    let app = App::new().await;
    let ids = Ids::of_new_organization(&app).await;
    let examples: BTreeMap<String, Value> =
        serde_json::from_str(command_api::EXAMPLES).expect("a table");
    let document = serde_json::to_value(&app.first().openapi).expect("JSON");
    let wrong = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e30),
        json!(u64::MAX),
        json!("x"),
        json!(""),
        json!([]),
        json!([1]),
        json!({}),
        json!({"x": 1}),
        json!([{}, []]),
    ];
    let mut refused = 0;
    for route in routes(&app) {
        let Some(own) = body(&route.id, &ids) else { continue };
        let example = examples.get(&route.id).map(|example| example["request"].clone());
        let mut bodies = Vec::new();
        for whole in std::iter::once(own.clone()).chain(example) {
            let mut found = Vec::new();
            places(&whole, "", &mut found);
            for place in found {
                for value in &wrong {
                    let mut body = whole.clone();
                    *body.pointer_mut(&place).expect("it is there") = value.clone();
                    bodies.push(body);
                }
            }
        }
        for name in described(&document, &route) {
            for value in &wrong {
                let mut body = own.clone();
                body[name.as_str()] = value.clone();
                bodies.push(body);
            }
        }
        let path = ids.path(&route.path);
        for body in bodies {
            let reply = route.send(&app.admin(), &path, Some(&body)).await;
            assert!(reply.status.as_u16() < 500, "{} {body}: {reply:?}", route.id);
            refused += usize::from(reply.status.as_u16() >= 400);
            assert_speaks_of_json(&route.id, &body, &reply.body);
        }
    }
    assert!(refused > 1_000, "{refused}");
}

fn assert_speaks_of_json(route: &str, sent: &Value, answered: &Value) {
    let details = answered["detail"].as_str().into_iter();
    let records = answered["records"].as_array().into_iter().flatten();
    let texts = details.chain(records.filter_map(|record| record["reason"].as_str()));
    for text in texts {
        for word in OF_THE_PROGRAM {
            assert!(!text.contains(word), "{route} {sent}: {text}");
        }
        // A field keeps the name that it is sent under.
        let (first, _) = text.split_once(':').unwrap_or_default();
        let is_field = !first.is_empty() && !first.contains(' ');
        assert!(!is_field || !first.starts_with(char::is_uppercase), "{route} {sent}: {text}");
    }
}
