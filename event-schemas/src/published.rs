//! Every published event type, with its schema and a sample: what `make generate` writes and the
//! tests hold against the committed files.

mod samples;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::personal::{PersonalField, SEALED_PATTERN};
use crate::usage::{USAGE_RECORDED, USAGE_RECORDED_VERSION};
use crate::{
    AccessReviewEvent, ApiKeyEvent, ApprovalEvent, BudgetEvent, CreditAccountEvent, NameEvent,
    OrganizationEvent, PersonEvent, PriceListEvent, ProjectEvent, RecordedUsage, RefusalEvent,
    ServiceAccountEvent, SigningKeyEvent, StreamEvent, UsageMonthEvent, UsageRepricingEvent,
    WebhookEvent,
};

/// A version of an event type, as consumers of the log know it.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedEvent {
    /// The type, `noun.past`.
    pub event_type: String,
    /// The version of the payload's schema.
    pub version: String,
    /// The payload's JSON Schema, draft 2020-12.
    pub schema: Value,
    /// A payload as it may stand in the log.
    pub sample: Value,
}

impl PublishedEvent {
    /// The event's name in file names and schema ids, for example `api_key.created.v1`.
    pub fn name(&self) -> String {
        format!("{}.v{}", self.event_type, self.version)
    }
}

/// Every event type at its current version.
pub fn published() -> Vec<PublishedEvent> {
    let mut events = vec![usage_recorded()];
    events.extend(stream::<OrganizationEvent>(samples::organization()));
    events.extend(stream::<ProjectEvent>(samples::project()));
    events.extend(stream::<ServiceAccountEvent>(samples::service_account()));
    events.extend(stream::<ApiKeyEvent>(samples::api_key()));
    events.extend(stream::<AccessReviewEvent>(samples::access_review()));
    events.extend(stream::<ApprovalEvent>(samples::approval()));
    events.extend(stream::<RefusalEvent>(samples::refusal()));
    events.extend(stream::<CreditAccountEvent>(samples::credit_account()));
    events.extend(stream::<BudgetEvent>(samples::budget()));
    events.extend(stream::<WebhookEvent>(samples::webhook()));
    events.extend(stream::<NameEvent>(samples::name()));
    events.extend(stream::<PriceListEvent>(samples::price_list()));
    events.extend(stream::<PersonEvent>(samples::person()));
    events.extend(stream::<UsageRepricingEvent>(samples::usage_repricing()));
    events.extend(stream::<UsageMonthEvent>(samples::usage_month()));
    events.extend(stream::<SigningKeyEvent>(samples::signing_key()));
    events
}

/// The files that are committed for them: path relative to `event-schemas/`, and contents.
pub fn files() -> Vec<(String, String)> {
    let both = |event: PublishedEvent| {
        let name = event.name();
        [
            (format!("schemas/{name}.json"), pretty(event.schema)),
            (format!("samples/{name}.json"), pretty(event.sample)),
        ]
    };
    published().into_iter().flat_map(both).collect()
}

fn stream<E: StreamEvent + JsonSchema>(samples: Vec<E>) -> impl Iterator<Item = PublishedEvent> {
    let every = written_schema::<E>();
    samples.into_iter().map(move |sample| {
        let (event_type, version) = (sample.event_type(), sample.event_version());
        let mut schema = variant(&every, &event_type);
        let mut sample = written(&sample);
        for personal in E::PERSONAL.iter().filter(|personal| personal.event_type == event_type) {
            seal_schema(&mut schema, personal);
            seal_sample(&mut sample, personal);
        }
        let schema = described(schema, &event_type, &version);
        PublishedEvent { event_type, version, schema, sample }
    })
}

/// Consumers see a personal text in its sealed form alone.
fn seal_schema(schema: &mut Map<String, Value>, personal: &PersonalField) {
    let property = schema.get_mut("properties").and_then(|all| all.get_mut(personal.field));
    let property = property.and_then(Value::as_object_mut).expect("the field has a schema");
    property.insert("pattern".to_owned(), SEALED_PATTERN.into());
}

fn seal_sample(sample: &mut Value, personal: &PersonalField) {
    if let Some(text) = sample.get_mut(personal.field).filter(|text| text.is_string()) {
        *text = samples::SEALED.into();
    }
}

/// Usage is the second lane: typed columns instead of a stream of JSON, one type, no enum.
fn usage_recorded() -> PublishedEvent {
    let (event_type, version) = (USAGE_RECORDED.to_owned(), USAGE_RECORDED_VERSION.to_owned());
    let schema = object(written_schema::<RecordedUsage>());
    PublishedEvent {
        schema: described(schema, &event_type, &version),
        sample: written(&samples::usage()),
        event_type,
        version,
    }
}

/// The schema of what is written, which is what consumers read: a field without a value is there,
/// as null.
fn written_schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RecursiveTransform(on_one_line))
        .into_generator()
        .into_root_schema_for::<T>()
}

/// Where a comment's lines end in the source is nothing to a schema's reader.
fn on_one_line(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
}

/// The schema of one event out of the schema of its stream's events, with the definitions that it
/// needs.
fn variant(every: &Schema, event_type: &str) -> Map<String, Value> {
    let is_it = |schema: &&Value| schema["properties"]["type"]["const"] == event_type;
    let variants = every.get("oneOf").and_then(Value::as_array);
    let one = variants.and_then(|variants| variants.iter().find(is_it));
    let mut schema = one
        .and_then(Value::as_object)
        .cloned()
        .expect("schemars lists each variant of a tagged enum by its tag");
    let all = every.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    let needed = needed(&schema, &all);
    if !needed.is_empty() {
        schema.insert("$defs".to_owned(), needed.into());
    }
    schema
}

/// The definitions that a schema refers to, and those that they refer to.
fn needed(schema: &Map<String, Value>, all: &Map<String, Value>) -> Map<String, Value> {
    let mut found = Map::new();
    let mut text = Value::from(schema.clone()).to_string();
    loop {
        let more = all.iter().find(|(name, _)| {
            !found.contains_key(*name) && text.contains(&format!("\"#/$defs/{name}\""))
        });
        let Some((name, definition)) = more else { return found };
        text.push_str(&definition.to_string());
        found.insert(name.clone(), definition.clone());
    }
}

fn described(mut schema: Map<String, Value>, event_type: &str, version: &str) -> Value {
    let dialect = "https://json-schema.org/draft/2020-12/schema";
    schema.insert("$schema".to_owned(), dialect.into());
    schema.insert("$id".to_owned(), format!("{event_type}.v{version}.json").into());
    schema.insert("title".to_owned(), event_type.into());
    schema.into()
}

fn object(schema: Schema) -> Map<String, Value> {
    match Value::from(schema) {
        Value::Object(schema) => schema,
        _ => unreachable!("a struct's schema is an object"),
    }
}

fn written<T: Serialize>(payload: &T) -> Value {
    serde_json::to_value(payload).expect("a payload is plain data with text keys")
}

/// Sorted, whatever features of `serde_json` a build happens to unite: a committed file has one
/// spelling.
fn pretty(mut value: Value) -> String {
    value.sort_all_objects();
    format!("{value:#}\n")
}
