//! The operations of the OpenAPI document: what each is called and what it takes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::schema::{Kind, alternatives, description, settled};
use super::words::Words;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Flags that every command has or may have, and that mean the same everywhere.
const RESERVED: [&str; 13] = [
    "server",
    "credential",
    "credential-file",
    "format",
    "headers",
    "body",
    "content-type",
    "idempotency-key",
    "if-match",
    "all",
    "cursor",
    "help",
    "version",
];

/// An operation of the API.
#[derive(Debug)]
pub(crate) struct Operation {
    /// How it is called on the command line.
    pub(crate) words: Words,
    /// `GET` and the like.
    pub(crate) method: String,
    /// With its parameters in braces.
    pub(crate) path: String,
    /// What it does, in a sentence.
    pub(crate) summary: String,
    /// And what else there is to know.
    pub(super) description: String,
    /// What it takes, but for the headers and parameters that are the same everywhere.
    pub(super) fields: Vec<Field>,
    /// Its body, where it has one.
    pub(super) body: Option<Body>,
    /// Whether it takes an `Idempotency-Key`.
    pub(super) takes_key: bool,
    /// Whether it takes `If-Match`.
    pub(super) takes_version: bool,
    /// Whether it answers pages.
    pub(super) has_pages: bool,
    /// The formats that it can answer in, where there is a choice.
    pub(super) formats: Vec<String>,
}

/// A value that an operation takes.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name in the API.
    pub(super) name: String,
    /// Its flag, without dashes.
    pub(super) flag: String,
    /// Where it goes.
    pub(super) place: Place,
    /// Whether it must be given.
    pub(super) is_required: bool,
    /// What may be given.
    pub(super) kind: Kind,
    /// What it means.
    pub(super) help: String,
    /// One that it could be.
    pub(super) example: Option<Value>,
}

/// Where a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Into the path.
    Path,
    /// Into the query.
    Query,
    /// Into a header.
    Header,
    /// Into the body's object.
    Body,
}

/// The body of a request.
#[derive(Debug)]
pub(super) struct Body {
    /// Whether there must be one.
    pub(super) is_required: bool,
    /// The media types that it can have; the first is what is sent where nothing is said.
    pub(super) media_types: Vec<String>,
    /// One that it could be.
    pub(super) example: Option<Value>,
}

/// Every operation of a document, by its words.
pub(crate) fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            if let Some(described) = item.get(method) {
                operations.push(read(document, path, method, item, described));
            }
        }
    }
    operations.sort_by(|a, b| a.words.cmp(&b.words));
    operations
}

fn read(document: &Value, path: &str, method: &str, item: &Value, described: &Value) -> Operation {
    let id = described["operationId"].as_str().unwrap_or(method);
    let mut operation = Operation {
        words: Words::of(id, path),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&described["summary"]),
        description: text(&described["description"]),
        fields: Vec::new(),
        body: None,
        takes_key: false,
        takes_version: false,
        has_pages: false,
        formats: Vec::new(),
    };
    let mut flags: BTreeSet<String> = RESERVED.iter().map(|flag| (*flag).to_owned()).collect();
    let parameters = [&item["parameters"], &described["parameters"]];
    for parameter in parameters.iter().filter_map(|several| several.as_array()).flatten() {
        let parameter = settled(document, parameter);
        read_parameter(document, parameter, &mut operation, &mut flags);
    }
    if let Some(content) = described["requestBody"]["content"].as_object() {
        read_body(document, described, content, &mut operation, &mut flags);
    }
    operation
}

fn read_parameter(
    document: &Value,
    parameter: &Value,
    operation: &mut Operation,
    flags: &mut BTreeSet<String>,
) {
    let name = text(&parameter["name"]);
    let kind = Kind::of(document, &parameter["schema"]);
    let place = match parameter["in"].as_str() {
        Some("path") => Place::Path,
        Some("query") => Place::Query,
        Some("header") => Place::Header,
        Some(_) | None => return,
    };
    match (place, &*name.to_lowercase(), &kind) {
        (Place::Header, "idempotency-key", _) => operation.takes_key = true,
        (Place::Header, "if-match", _) => operation.takes_version = true,
        // What the program says itself.
        (Place::Header, "authorization" | "accept" | "content-type", _) => {}
        (Place::Query, "cursor", _) => operation.has_pages = true,
        (Place::Query, "format", Kind::OneOf(formats)) => operation.formats.clone_from(formats),
        _ => {
            let mut help = text(&parameter["description"]);
            if help.is_empty() {
                help = description(document, &parameter["schema"]);
            }
            if place == Place::Path && help == "The id." {
                let what = name.trim_end_matches("_id").replace('_', " ");
                help = format!("The {what}, by its id.");
            }
            operation.fields.push(Field {
                flag: flag(&name, place, &kind, flags),
                place,
                is_required: parameter["required"] == true,
                help,
                example: example_of(parameter).or_else(|| example_of(&parameter["schema"])),
                name,
                kind,
            });
        }
    }
}

fn read_body(
    document: &Value,
    described: &Value,
    content: &serde_json::Map<String, Value>,
    operation: &mut Operation,
    flags: &mut BTreeSet<String>,
) {
    let is_required = described["requestBody"]["required"] == true;
    let mut media_types: Vec<String> = content.keys().cloned().collect();
    // Plain JSON first: it is what flags make.
    media_types.sort_by_key(|kind| (kind != "application/json", !is_json(kind)));
    let json = media_types.first().filter(|media_type| is_json(media_type));
    let described = json.map_or(&Value::Null, |media_type| &content[media_type]);
    let schema = settled(document, &described["schema"]);
    let example = example_of(described).or_else(|| example_of(schema));
    for (name, schema, is_needed) in properties(document, schema) {
        let kind = Kind::of(document, schema);
        operation.fields.push(Field {
            flag: flag(name, Place::Body, &kind, flags),
            place: Place::Body,
            is_required: is_required && is_needed,
            help: description(document, schema),
            example: example_of(schema),
            name: name.to_owned(),
            kind,
        });
    }
    operation.body = Some(Body { is_required, media_types, example });
}

/// The example of a media type or of a schema.
fn example_of(described: &Value) -> Option<Value> {
    let named = described["examples"].as_object().and_then(|several| several.values().next());
    let listed = described["examples"].as_array().and_then(|several| several.first());
    let one = (!described["example"].is_null()).then_some(&described["example"]);
    one.or_else(|| named.map(|one| &one["value"])).or(listed).filter(|one| !one.is_null()).cloned()
}

/// The properties of an object, with whether each is required. Of an object that can be one of
/// several, the properties of all, and required are those that all require.
fn properties<'a>(document: &'a Value, schema: &'a Value) -> Vec<(&'a str, &'a Value, bool)> {
    let mut found = Vec::new();
    let own = schema["properties"].as_object().into_iter().flatten();
    found.extend(own.map(|(name, of)| (&**name, of, requires(schema, name))));
    let are_all = schema["allOf"].is_array();
    let parts: Vec<_> =
        alternatives(schema).map(|one| properties(document, settled(document, one))).collect();
    for (name, of, is_required) in parts.iter().flatten() {
        let everywhere = parts
            .iter()
            .all(|part| part.iter().any(|(other, _, required)| other == name && *required));
        if !found.iter().any(|(other, _, _)| other == name) {
            found.push((name, of, if are_all { *is_required } else { everywhere }));
        }
    }
    found
}

fn requires(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name))
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

/// A flag for a value: its name, an id's without the `_id`; where that is taken, with its place.
fn flag(name: &str, place: Place, kind: &Kind, taken: &mut BTreeSet<String>) -> String {
    let whole = name.to_lowercase().replace(['_', '.'], "-");
    let short = match kind {
        Kind::Id => whole.strip_suffix("-id").unwrap_or(&whole),
        _ => &whole,
    };
    let at = match place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
        Place::Body => "body",
    };
    let candidates = [short.to_owned(), whole.clone(), format!("{at}-{whole}")];
    let free = candidates.iter().find(|one| !taken.contains(*one)).unwrap_or(&candidates[2]);
    taken.insert(free.clone());
    free.clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
