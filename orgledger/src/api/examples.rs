//! Examples in the document. Those of bodies stand in a table beside the routes, `examples.json` of
//! each API, by the operation's id; what is the same everywhere is said here.

use std::collections::BTreeMap;

use api_conventions::problem::ProblemSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema as _;
use utoipa::openapi::path::{Operation, ParameterBuilder};
use utoipa::openapi::schema::{AdditionalProperties, SchemaType};
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr, Schema, Type};

/// The bodies of one operation.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    /// What is sent; left out where nothing is.
    request: Option<Value>,
    /// The same as other media types than JSON, by media type.
    #[serde(default)]
    requests: BTreeMap<String, Value>,
    /// What is answered; left out where that is only a position.
    response: Option<Value>,
    /// The same as text/csv, where that can be asked for.
    csv: Option<String>,
    /// The same as application/x-ndjson.
    ndjson: Option<String>,
    /// The same as text/plain, where that is what is answered.
    text: Option<String>,
}

/// Files of which there is no example.
const PARQUET: &str = "application/vnd.apache.parquet";

/// The position in examples of answers.
const POSITION: i64 = 1042;

/// Writes an example wherever there is one.
pub(super) fn add(document: &mut Document) {
    let table = table();
    for item in document.paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let id = operation.operation_id.clone().unwrap_or_default();
            add_to(operation, table.get(&id).unwrap_or(&Example::default()));
        }
    }
}

/// The tables are part of the program; a test reads them.
fn table() -> BTreeMap<String, Example> {
    let read = |text: &str| serde_json::from_str::<BTreeMap<String, Example>>(text);
    let mut table = read(command_api::EXAMPLES).unwrap_or_default();
    table.extend(read(query_api::EXAMPLES).unwrap_or_default());
    table
}

fn add_to(operation: &mut Operation, example: &Example) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let Some(RefOr::T(schema)) = &mut parameter.schema {
            never_null(schema);
        }
        let described = serde_json::to_value(&*parameter).unwrap_or_default();
        if described.get("example").is_none() {
            let example = of_parameter(&described);
            *parameter = ParameterBuilder::from(parameter.clone()).example(example).build();
        }
    }
    let request = operation.request_body.iter_mut().flat_map(|body| &mut body.content);
    for (kind, content) in request {
        content.example = example.requests.get(kind).or(example.request.as_ref()).cloned();
        content.schema = content.schema.take().map(without_null);
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        for (kind, content) in &mut response.content {
            if kind == "application/problem+json" {
                // Each would bring the whole schema along.
                content.schema = Some(Ref::from_schema_name(ProblemSchema::name()).into());
            }
            content.example = match kind.as_str() {
                "application/problem+json" => of_problem(status),
                "text/plain" => example.text.clone().map(Value::String),
                "text/csv" => example.csv.clone().map(Value::String),
                "application/x-ndjson" => example.ndjson.clone().map(Value::String),
                // No text shows what is in it.
                PARQUET => None,
                _ => example.response.clone().or_else(|| only_a_position(content)),
            };
        }
    }
}

/// A parameter that may be left out is text where it is there; the derived schema says it may be null.
fn never_null(schema: &mut Schema) {
    if let Schema::Object(schema) = schema
        && let SchemaType::Array(types) = &mut schema.schema_type
    {
        types.retain(|one| *one != Type::Null);
        if let [one] = &types[..] {
            schema.schema_type = SchemaType::Type(one.clone());
        }
    }
}

/// A body that may be left out is what it is where it is there.
fn without_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    let is_null = |schema: &RefOr<Schema>| {
        matches!(schema, RefOr::T(Schema::Object(object))
            if object.schema_type == SchemaType::Type(Type::Null))
    };
    match schema {
        RefOr::T(Schema::OneOf(mut choices)) if choices.items.iter().any(is_null) => {
            choices.items.retain(|choice| !is_null(choice));
            match choices.items.pop() {
                Some(only) if choices.items.is_empty() => only,
                other => {
                    choices.items.extend(other);
                    RefOr::T(Schema::OneOf(choices))
                }
            }
        }
        other => other,
    }
}

/// A choice between objects of one field each is that one field and no other; one that says its
/// kind has that kind's fields.
pub(super) fn close_choices(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::OneOf(choices)) = schema else { return };
    for choice in &mut choices.items {
        if let RefOr::T(Schema::Object(choice)) = choice
            && (choice.properties.contains_key("kind")
                || (choice.properties.len() == 1 && choice.required.len() == 1))
        {
            choice.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

/// The answer to a command that only does what it was asked.
fn only_a_position(content: &Content) -> Option<Value> {
    let Some(RefOr::Ref(reference)) = &content.schema else { return None };
    reference.ref_location.ends_with("/Answered_Done").then(|| json!({"position": POSITION}))
}

fn of_parameter(described: &Value) -> Option<Value> {
    let id = |n: u16| Some(json!(format!("0190a1b2-77aa-7000-8000-{n:012x}")));
    match described["name"].as_str()? {
        "organization_id" => id(0x0a),
        "member_id" | "member" => id(0x1a),
        "invite_id" => id(0x2a),
        "project_id" | "project" => id(0x3a),
        "service_account_id" => id(0x4a),
        "api_key_id" => id(0x5a),
        "group_id" => id(0x7a),
        "role_id" => id(0x8a),
        "approval_id" => id(0x9a),
        "break_glass_id" => id(0xaa),
        "Idempotency-Key" => Some(json!("onboarding-2026-03-ada")),
        "If-Match" | "If-None-Match" => Some(json!("\"7\"")),
        "min_position" | "at_position" | "from_position" | "position" => Some(json!(POSITION)),
        "limit" => Some(json!(100)),
        "open" => Some(json!(true)),
        "prices" | "net" => Some(json!(false)),
        "permission" => Some(json!("api_keys.update")),
        "as_of" | "from" | "recorded_from" => Some(json!("2026-01-31")),
        "to" | "recorded_to" => Some(json!("2026-02-28")),
        "unused_days" => Some(json!(90)),
        "reason" => Some(json!("left the company")),
        "format" => Some(json!("json")),
        "feature" => Some(json!("search")),
        "provider" => Some(json!("openai")),
        "model" => Some(json!("gpt-4o-mini")),
        "end_user" => Some(json!("u-1")),
        name if name.ends_with("_id") => id(0xff),
        // What is one of a few values is any of them; the rest says an example itself.
        _ => described["schema"]["enum"].get(0).cloned(),
    }
}

/// One of the problems with that status.
fn of_problem(status: &str) -> Option<Value> {
    let problem = match status {
        "400" => json!({"type": "/problems/invalid-request", "field": "organization_id",
            "detail": "organization_id: invalid character: found `x` at 1"}),
        "401" => json!({"type": "/problems/unauthorized"}),
        "403" => json!({"type": "/problems/forbidden"}),
        "404" => json!({"type": "/problems/not-found"}),
        "409" => json!({"type": "/problems/concurrent-change", "retry_after_seconds": 1,
            "detail": "Nothing was changed. Send it again."}),
        "412" => json!({"type": "/problems/precondition-failed",
            "detail": "It stands at version \"8\"."}),
        "413" => json!({"type": "/problems/body-too-large",
            "detail": "At most 1048576 bytes are taken."}),
        "415" => json!({"type": "/problems/unsupported-media-type"}),
        "422" => json!({"type": "/problems/invalid-value", "field": "name",
            "detail": "The name is empty."}),
        "428" => json!({"type": "/problems/precondition-required"}),
        "429" => json!({"type": "/problems/too-many-requests", "retry_after_seconds": 1}),
        "503" => json!({"type": "/problems/unavailable", "retry_after_seconds": 1,
            "detail": "The database does not answer at the moment."}),
        _ => return None,
    };
    let mut problem = problem;
    let kinds = super::problems::all();
    let kind = kinds.iter().find(|kind| problem["type"] == kind.uri)?;
    problem["title"] = json!(kind.title);
    problem["status"] = json!(kind.status.as_u16());
    problem["instance"] = json!("0190a1b2-77aa-7000-8000-000000000fff");
    Some(problem)
}

#[cfg(test)]
mod tests;
