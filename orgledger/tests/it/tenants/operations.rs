//! Every operation of the API's description as requests with gaps for ids. What an operation's body
//! is stands here; an operation, or an id in it, of which nothing is said here fails the test.

use std::collections::{BTreeMap, BTreeSet};

use embedded::testing::unique_name;
use reqwest::Method;
use serde_json::{Value, json};

/// What carries out something that no answer comes back from: after these, less is there.
const LAST: [&str; 24] = [
    "withdraw_approval",
    "approve_approval",
    "decline_approval",
    "end_break_glass",
    "review_break_glass",
    "close_access_review",
    "cancel_access_review",
    "withdraw_role",
    "remove_role",
    "remove_group_member",
    "remove_project_group",
    "remove_project_member",
    "remove_group",
    "remove_budget",
    "remove_webhook",
    "revoke_invite",
    "erase_invite",
    "revoke_api_key",
    "disable_service_account",
    "remove_service_account",
    "transfer_ownership",
    "remove_member",
    "archive_project",
    "erase_member",
];

/// What leaves nobody who could ask for more.
const VERY_LAST: [&str; 2] = ["leave_organization", "archive_organization"];

/// Stands for another name each time that it is asked.
const ANEW: &str = "(another each time)";

/// Ids by the name of their gap, `organization_id` for instance.
pub(super) type Ids = BTreeMap<String, String>;

/// A request with gaps for ids.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: Method,
    path: String,
    body: Option<Value>,
    /// Names of the query's parameters.
    pub(super) query: BTreeSet<String>,
    /// Whether it must be said which version it is about.
    pub(super) wants_version: bool,
}

/// A request without gaps.
pub(super) struct Filled {
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

/// The bodies that an operation takes: between them, every id that there can be one of.
fn bodies(operation: &str) -> Vec<Value> {
    let name = || unique_name();
    match operation {
        "create_organization" | "create_group" | "create_project" | "update_project" | "update_group"
        | "update_service_account"
        | "update_role" | "rename_api_key" => vec![json!({"name": name()})],
        "update_organization" => vec![json!({"seat_limit": 90})],
        "send_invite" => vec![json!({"email": format!("{}@example.com", name()), "role": "member",
            "projects": [{"project_id": "{project_id}", "role": "member"}]})],
        "send_invites_in_bulk" => vec![json!({"invites": [
            {"email": format!("{}@example.com", name()), "role": "member",
             "projects": [{"project_id": "{project_id}", "role": "member"}]}]})],
        "accept_invite" | "rename_member" => vec![json!({"login": name()})],
        "add_member" => vec![json!({"login": name(), "role": "member"})],
        "change_member_role" => vec![json!({"role": "reader"})],
        "request_break_glass" => vec![json!({"reason": "an emergency", "minutes": 30})],
        "review_break_glass" => vec![json!({"note": "all is well"})],
        "decline_approval"
        | "decline_break_glass"
        | "suspend_member"
        | "erase_member"
        | "erase_invite"
        | "disable_service_account"
        | "revoke_api_key"
        | "revoke_api_keys_of_member"
        | "revoke_api_keys_of_project"
        | "cancel_access_review" => vec![json!({"reason": "because"})],
        "replace_organization_settings" => vec![json!({"default_role": "member",
            "default_project_role": "member", "invite_domains": []})],
        "replace_security_settings" => vec![json!({"approvals": ["grant_owner"]})],
        "resend_invite" => vec![json!({"expires_at": null})],
        "define_role" => vec![json!({"name": name(), "permissions": ["usage.read"]})],
        "grant_role" | "withdraw_role" => vec![
            json!({"member_id": "{member_id}", "project_id": "{project_id}"}),
            json!({"group_id": "{group_id}"}),
        ],
        "assign_project_member" | "assign_project_group" => vec![json!({"role": "member"})],
        "create_service_account" => {
            vec![json!({"project_id": "{project_id}", "name": name(), "purpose": "tests"})]
        }
        "create_api_key" => ["member_id", "service_account_id"]
            .map(|owner| {
                json!({"project_id": "{project_id}", owner: format!("{{{owner}}}"), "name": name()})
            })
            .to_vec(),
        "rotate_api_key" => vec![json!({"grace_seconds": 60})],
        "purchase_credits" | "grant_credits" => vec![json!({"amount": "5", "currency": "USD"})],
        "refund_credits" => vec![json!({"lot_id": "{lot_id}", "currency": "USD"})],
        "transfer_credits" => vec![json!({"lot_id": "{lot_id}", "currency": "USD",
            "to_organization_id": "{to_organization_id}"})],
        "set_budget" => [
            json!({"kind": "project", "project_id": "{project_id}"}),
            json!({"kind": "api_key", "api_key_id": "{api_key_id}"}),
            json!({"kind": "member", "member_id": "{member_id}"}),
        ]
        .map(|scope| {
            json!({"name": name(), "scope": scope, "currency": "USD", "period": "monthly",
                "amount": "5"})
        })
        .to_vec(),
        "create_webhook" => {
            vec![json!({"url": "https://192.0.2.1/in", "event_types": ["budget.*"]})]
        }
        "change_webhook" => vec![json!({"event_types": ["budget.exhausted"]})],
        "replay_webhook" => vec![json!({"after_position": 0})],
        "change_budget" => vec![json!({"amount": "7"})],
        "change_credit_policy" => vec![json!({"currency": "USD", "policy": "allow"})],
        "publish_price_list" => vec![json!({"catalogue": "c", "provider": "p", "currency": "USD",
            "models": [{"model": "m", "matches": {"equals": "m"}, "rates": {"input_tokens": "1"}}]})],
        "publish_own_prices" => {
            vec![json!({"provider": "*", "currency": "USD", "mark_up_percent": "12.5"})]
        }
        "record_usage" => ["api_key_id", "member_id", "service_account_id"]
            .map(|of| {
                json!({"records": [{"project_id": "{project_id}", of: format!("{{{of}}}"),
                    "feature": "search", "provider": "p", "model": "m", "request_id": name(),
                    "occurred_at": "2026-01-31T12:00:00Z", "input_tokens": 1}]})
            })
            .to_vec(),
        "reprice_usage" => vec![json!({"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z",
            "project_id": "{project_id}"})],
        // A project's key records in its project, whatever is named: each asking is a request of its
        // own, or the second would be told that it was there.
        "record_litellm_usage" => vec![json!([{"id": ANEW, "custom_llm_provider": "p",
            "model": "m", "startTime": 1_769_860_800.5, "prompt_tokens": 1,
            "metadata": {"user_api_key_project_id": "{project_id}"}}])],
        "open_access_review" => vec![json!({"title": "All", "due_at": "2999-01-01T00:00:00Z",
            "scope": {"kind": "project", "project_id": "{project_id}"}})],
        "attest_access_review_line" => vec![json!({"decision": "keep"})],
        "attest_access_review_lines" => {
            vec![json!({"attestations": [{"line_id": "{line_id}", "decision": "keep"}]})]
        }
        "close_access_review" => vec![json!({"revoke_unattested": true})],
        other => panic!("say here which bodies {other} takes"),
    }
}

/// Every operation of the description, each as often as it takes different ids.
pub(super) fn operations(document: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            all.extend(variants(document, path, method, operation));
        }
    }
    all.sort_by_key(|operation| rank(&operation.id));
    all
}

/// Reading first, and what ends something last.
fn rank(operation: &str) -> usize {
    let of = |list: &[&str]| list.iter().position(|one| *one == operation);
    if let Some(place) = of(&VERY_LAST) {
        return 200 + place;
    }
    of(&LAST).map_or(0, |place| 100 + place)
}

fn variants(document: &Value, path: &str, method: Method, described: &Value) -> Vec<Operation> {
    let id = described["operationId"].as_str().unwrap().to_owned();
    let parameters = described["parameters"].as_array().cloned().unwrap_or_default();
    let of =
        |place: &'static str| parameters.iter().filter(move |parameter| parameter["in"] == place);
    let name = |parameter: &Value| parameter["name"].as_str().unwrap().to_owned();
    let wants_version =
        of("header").any(|header| header["name"] == "If-Match" && header["required"] == true);
    let bare = Operation {
        id: id.clone(),
        method,
        path: with_required(path, of("query")),
        body: None,
        query: of("query").map(name).collect(),
        wants_version,
    };
    let mut all = Vec::new();
    let schema = &described["requestBody"]["content"]["application/json"]["schema"];
    if schema.is_null() {
        all.push(bare.clone());
    } else {
        all.extend(
            bodies(&id).into_iter().map(|body| Operation { body: Some(body), ..bare.clone() }),
        );
        let mut ids = BTreeSet::new();
        IdsOf { document, within: Vec::new(), ids: &mut ids }.collect(schema, "");
        let covered: BTreeSet<String> = all.iter().flat_map(Operation::gaps).collect();
        let missing: Vec<_> = ids.iter().filter(|id| !covered.contains(*id)).collect();
        assert!(missing.is_empty(), "no body of {id} has {missing:?}");
    }
    for parameter in of("query").filter(|parameter| is_id(document, &parameter["schema"])) {
        let name = name(parameter);
        let separator = if bare.path.contains('?') { '&' } else { '?' };
        if parameter["required"] != true {
            let path = format!("{}{separator}{name}={}", bare.path, gap(&name));
            all.push(Operation { path, ..bare.clone() });
        }
    }
    all
}

/// The path with those parameters of the query that it must have.
fn with_required<'a>(path: &str, query: impl Iterator<Item = &'a Value>) -> String {
    let required = query.filter(|parameter| parameter["required"] == true).map(|parameter| {
        let name = parameter["name"].as_str().unwrap();
        let value = match name {
            "permission" => "usage.read".to_owned(),
            "from" => "2026-01-01".to_owned(),
            "to" => "2026-02-01".to_owned(),
            id => gap(id),
        };
        format!("{name}={value}")
    });
    let required = required.collect::<Vec<_>>().join("&");
    if required.is_empty() { path.to_owned() } else { format!("{path}?{required}") }
}

/// The gap for a parameter's id: `member` and `member_id` are the same.
fn gap(name: &str) -> String {
    format!("{{{}_id}}", name.trim_end_matches("_id"))
}

fn is_id(document: &Value, schema: &Value) -> bool {
    let mut ids = BTreeSet::new();
    IdsOf { document, within: Vec::new(), ids: &mut ids }.collect(schema, "it");
    !ids.is_empty()
}

/// Collects the names of what is an id in a schema.
struct IdsOf<'a> {
    document: &'a Value,
    /// The schemas that this one is a part of; some are a part of themselves.
    within: Vec<&'a str>,
    ids: &'a mut BTreeSet<String>,
}

impl<'a> IdsOf<'a> {
    fn collect(&mut self, schema: &'a Value, name: &str) {
        if let Some(reference) = schema["$ref"].as_str() {
            if !self.within.contains(&reference) {
                self.within.push(reference);
                let pointer = reference.trim_start_matches('#');
                self.collect(self.document.pointer(pointer).unwrap(), name);
                self.within.pop();
            }
            return;
        }
        if schema["format"] == "uuid" {
            self.ids.insert(name.to_owned());
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            self.collect(property, name);
        }
        for alternatives in ["oneOf", "anyOf", "allOf"] {
            for schema in schema[alternatives].as_array().into_iter().flatten() {
                self.collect(schema, name);
            }
        }
        if !schema["items"].is_null() {
            self.collect(&schema["items"], name);
        }
    }
}

impl Operation {
    pub(super) fn reads(&self) -> bool {
        self.method == Method::GET
    }

    /// The names of its gaps.
    pub(super) fn gaps(&self) -> BTreeSet<String> {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let text = format!("{} {body}", self.path);
        let names = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        let is_name = |name: &&str| {
            // A position is a number, which stands in many texts: it is none of the ids looked for.
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                && *name != "position"
        };
        names.map(|(name, _)| name).filter(is_name).map(str::to_owned).collect()
    }

    /// The request with these ids in its gaps.
    pub(super) fn fill(&self, ids: &Ids) -> Filled {
        let fill = |text: &str| {
            self.gaps().iter().fold(text.to_owned(), |text, name| {
                let id = ids.get(name).unwrap_or_else(|| panic!("{}: no {name}", self.id));
                text.replace(&format!("{{{name}}}"), id)
            })
        };
        let body = self.body.as_ref().map(|body| {
            let text = fill(&body.to_string()).replace(ANEW, &unique_name());
            serde_json::from_str(&text).unwrap()
        });
        Filled { path: fill(&self.path).replace("{position}", "1"), body }
    }
}
