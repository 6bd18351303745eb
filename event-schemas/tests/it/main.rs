//! The published language as consumers hold it in their hands: the committed schemas and samples.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cqrs_es::persist::SerializedEvent;
use event_schemas::personal::{SEALED_PATTERN, SEALED_PREFIX, personal_fields};
use event_schemas::published::{files, published};
use event_schemas::upcast::{upcast, upcasters};
use event_schemas::usage::{USAGE_RECORDED, USAGE_RECORDED_VERSION};
use event_schemas::{
    AccessReviewEvent, ApiKeyEvent, ApprovalEvent, BudgetEvent, CreditAccountEvent, NameEvent,
    OrganizationEvent, PersonEvent, PersonId, PriceListEvent, ProjectEvent, RecordedUsage,
    RefusalEvent, ServiceAccountEvent, SigningKeyEvent, StreamEvent, UsageMonthEvent,
    UsageRepricingEvent, WebhookEvent,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of a folder by name: `api_key.created.v1` and its contents.
fn committed(folder: &str) -> BTreeMap<String, String> {
    fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path: PathBuf| {
            assert_eq!(path.extension().unwrap(), "json", "{}", path.display());
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The type and version that a file is named after.
fn type_and_version(name: &str) -> (&str, u32) {
    let (event_type, version) = name.rsplit_once(".v").unwrap();
    (event_type, version.parse().unwrap())
}

/// Every type with its current version.
fn current() -> BTreeMap<&'static str, u32> {
    [
        OrganizationEvent::TYPES,
        ProjectEvent::TYPES,
        ServiceAccountEvent::TYPES,
        AccessReviewEvent::TYPES,
        ApiKeyEvent::TYPES,
        CreditAccountEvent::TYPES,
        BudgetEvent::TYPES,
        WebhookEvent::TYPES,
        NameEvent::TYPES,
        PriceListEvent::TYPES,
        PersonEvent::TYPES,
        ApprovalEvent::TYPES,
        RefusalEvent::TYPES,
        SigningKeyEvent::TYPES,
        UsageMonthEvent::TYPES,
        UsageRepricingEvent::TYPES,
        &[(USAGE_RECORDED, USAGE_RECORDED_VERSION)],
    ]
    .into_iter()
    .flatten()
    .map(|(event_type, version)| (*event_type, version.parse().unwrap()))
    .collect()
}

/// A payload read as today's event and written again.
fn reread(event_type: &str, payload: Value) -> Value {
    fn through<E: Serialize + DeserializeOwned>(payload: Value) -> Value {
        let event: E = serde_json::from_value(payload).unwrap();
        serde_json::to_value(event).unwrap()
    }
    fn has<E: StreamEvent>(event_type: &str) -> bool {
        E::TYPES.iter().any(|(known, _)| *known == event_type)
    }
    match event_type {
        USAGE_RECORDED => through::<RecordedUsage>(payload),
        it if has::<OrganizationEvent>(it) => through::<OrganizationEvent>(payload),
        it if has::<ProjectEvent>(it) => through::<ProjectEvent>(payload),
        it if has::<AccessReviewEvent>(it) => through::<AccessReviewEvent>(payload),
        it if has::<ServiceAccountEvent>(it) => through::<ServiceAccountEvent>(payload),
        it if has::<ApiKeyEvent>(it) => through::<ApiKeyEvent>(payload),
        it if has::<CreditAccountEvent>(it) => through::<CreditAccountEvent>(payload),
        it if has::<BudgetEvent>(it) => through::<BudgetEvent>(payload),
        it if has::<WebhookEvent>(it) => through::<WebhookEvent>(payload),
        it if has::<NameEvent>(it) => through::<NameEvent>(payload),
        it if has::<PriceListEvent>(it) => through::<PriceListEvent>(payload),
        it if has::<PersonEvent>(it) => through::<PersonEvent>(payload),
        it if has::<ApprovalEvent>(it) => through::<ApprovalEvent>(payload),
        it if has::<RefusalEvent>(it) => through::<RefusalEvent>(payload),
        it if has::<UsageRepricingEvent>(it) => through::<UsageRepricingEvent>(payload),
        it if has::<UsageMonthEvent>(it) => through::<UsageMonthEvent>(payload),
        it if has::<SigningKeyEvent>(it) => through::<SigningKeyEvent>(payload),
        it => panic!("{it} is no event of ours"),
    }
}

fn stored(event_type: &str, version: u32, payload: Value) -> SerializedEvent {
    SerializedEvent {
        aggregate_id: "sample".to_owned(),
        sequence: 1,
        aggregate_type: "sample".to_owned(),
        event_type: event_type.to_owned(),
        event_version: version.to_string(),
        payload,
        metadata: Value::Null,
    }
}

#[test]
fn every_sample_ever_committed_loads_as_todays_event() {
    for (name, sample) in committed("samples") {
        let (event_type, version) = type_and_version(&name);
        let payload: Value = serde_json::from_str(&sample).unwrap();
        let today = upcast(stored(event_type, version, payload.clone()), &upcasters());
        assert_eq!(today.event_version, current()[event_type].to_string(), "{name}");
        let written = reread(event_type, today.payload.clone());
        assert_eq!(written, today.payload, "{name}");
        if version == current()[event_type] {
            assert_eq!(written, payload, "{name}");
        }
    }
}

#[test]
fn every_sample_ever_committed_is_valid_by_its_committed_schema() {
    let schemas = committed("schemas");
    for (name, sample) in committed("samples") {
        let schema: Value = serde_json::from_str(&schemas[&name]).unwrap();
        jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let sample: Value = serde_json::from_str(&sample).unwrap();
        let errors: Vec<_> = validator.iter_errors(&sample).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        assert_strict(&name, &validator, &sample);
    }
}

/// A schema that accepts everything would pass: take a field away, or add one, and it must not.
fn assert_strict(name: &str, validator: &jsonschema::Validator, sample: &Value) {
    let fields = sample.as_object().unwrap();
    for field in fields.keys() {
        let mut without = fields.clone();
        without.remove(field);
        assert!(!validator.is_valid(&without.into()), "{name} is valid without {field}");
        let mut other = fields.clone();
        other.insert(field.clone(), Value::Array(vec![Value::Null]));
        assert!(!validator.is_valid(&other.into()), "{name} is valid with any {field}");
    }
    let mut more = fields.clone();
    more.insert("surprise".to_owned(), Value::Null);
    assert!(!validator.is_valid(&more.into()), "{name} is valid with an unknown field");
}

#[test]
fn every_type_and_no_other_has_a_schema_and_a_sample() {
    let current = current();
    for folder in ["schemas", "samples"] {
        let files = committed(folder);
        for (event_type, version) in &current {
            let name = format!("{event_type}.v{version}");
            assert!(files.contains_key(&name), "{folder}/{name}.json is missing");
        }
        for name in files.keys() {
            let (event_type, version) = type_and_version(name);
            let newest = current.get(event_type);
            assert!(newest.is_some(), "{folder}/{name}.json is of no type");
            assert!(newest >= Some(&version), "{folder}/{name}.json is of no version");
        }
    }
    let names = |folder| committed(folder).into_keys().collect::<BTreeSet<_>>();
    assert_eq!(names("schemas"), names("samples"), "a schema without its sample, or the reverse");
}

/// The lists above and in `published` are written by hand; the declarations are not.
#[test]
fn every_type_that_is_declared_is_published() {
    let declared: BTreeSet<(String, u32)> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .flat_map(|path| declarations(&fs::read_to_string(path).unwrap()))
        .chain([(USAGE_RECORDED.to_owned(), USAGE_RECORDED_VERSION.parse().unwrap())])
        .collect();
    let listed: BTreeSet<_> =
        current().into_iter().map(|(name, version)| (name.to_owned(), version)).collect();
    assert_eq!(declared, listed, "declared, and listed in this test");
    let shown: BTreeSet<_> = published()
        .into_iter()
        .map(|event| (event.event_type, event.version.parse().unwrap()))
        .collect();
    assert_eq!(declared, shown, "declared, and shown by `published`");
}

/// Lines of `stream_events!` such as `Created = "api_key.created" "1" {`.
fn declarations(source: &str) -> Vec<(String, u32)> {
    source
        .lines()
        .filter_map(|line| {
            let (_, rest) = line.trim().split_once(" = \"")?;
            let (event_type, rest) = rest.split_once("\" \"")?;
            let (version, _) = rest.split_once("\" {")?;
            Some((event_type.to_owned(), version.parse().ok()?))
        })
        .collect()
}

#[test]
fn the_committed_files_are_the_generated_ones() {
    for (path, contents) in files() {
        let committed = fs::read_to_string(root().join(&path)).unwrap_or_default();
        assert_eq!(committed, contents, "{path} is not what `make generate` writes");
    }
}

/// Free texts that no person is named in by design, each with why. A new text field is either
/// declared personal or joins this list: none is in the log in the clear by oversight.
const NOT_PERSONAL: &[(&str, &str)] = &[
    ("access_review.attested.reason", "words about what was attested"),
    ("access_review.closed.reason", "words about the review"),
    ("access_review.opened.title", "a review's name"),
    ("api_key.created.name", "a name that people give to a key"),
    ("api_key.created.redacted", "a part of a secret"),
    ("api_key.created.secret_hash", "a hash"),
    ("api_key.renamed.name", "a name that people give to a key"),
    ("api_key.revoked.reason", "words about the key"),
    ("api_key.rotated.redacted", "a part of a secret"),
    ("api_key.rotated.secret_hash", "a hash"),
    ("approval.declined.reason", "words about what was asked for"),
    ("break_glass.declined.reason", "words about the access"),
    ("break_glass.requested.operator", "the name that an operator's credential was given"),
    ("break_glass.requested.reason", "words about the access"),
    ("break_glass.reviewed.note", "words about the access"),
    ("budget.changed.name", "a name that people give to a budget"),
    ("budget.changed.time_zone", "a time zone"),
    ("budget.exhausted.name", "a name that people give to a budget"),
    ("budget.set.name", "a name that people give to a budget"),
    ("budget.set.time_zone", "a time zone"),
    ("budget.threshold_reached.name", "a name that people give to a budget"),
    ("credits.granted.reason", "words about credits"),
    ("credits.purchased.reference", "an invoice or order"),
    ("credits.refunded.reference", "a credit note"),
    ("credits.transferred_in.reason", "words about credits"),
    ("credits.transferred_out.reason", "words about credits"),
    ("group.created.name", "a group's name"),
    ("group.renamed.name", "a group's name"),
    ("invite.resent.token_hash", "a hash"),
    ("invite.sent.token_hash", "a hash"),
    ("member.removed.reason", "words about the membership"),
    ("member.suspended.reason", "words about the membership"),
    ("name.claimed.holder_id", "an id"),
    ("organization.created.name", "an organization's name"),
    ("organization.updated.name", "an organization's name"),
    ("person.erased.reason", "words about the erasure"),
    ("price_list.published.provider", "a provider of models"),
    ("price_list.published.source", "where prices were taken from"),
    ("project.created.name", "a project's name"),
    ("project.updated.name", "a project's name"),
    ("refusal.recorded.command", "a command"),
    ("refusal.recorded.permission", "a permission"),
    ("refusal.recorded.problem", "a type of problem"),
    ("role.defined.name", "a role's name"),
    ("role.updated.name", "a role's name"),
    ("service_account.created.name", "a program's name"),
    ("service_account.created.purpose", "what a program is for"),
    ("service_account.updated.name", "a program's name"),
    ("service_account.updated.purpose", "what a program is for"),
    ("service_account.disabled.reason", "words about a program"),
    ("signing_key.introduced.key", "a public key"),
    ("signing_key.retired.key", "a public key"),
    ("usage.archived.manifest_sha256", "a hash"),
    ("usage.archived.rows_sha256", "a hash"),
    ("usage.dropped.manifest_sha256", "a hash"),
    ("usage.recorded.end_user", "the customer's own id of their user"),
    ("usage.recorded.error_type", "a kind of failure"),
    ("usage.recorded.feature", "a feature of the customer's product"),
    ("usage.recorded.model", "a model"),
    ("usage.recorded.provider", "a provider of models"),
    ("usage.recorded.request_id", "an id"),
    ("usage.recorded.service_tier", "a provider's word"),
    ("usage.repriced.corrections_hash", "a hash"),
    ("usage.repriced.reason", "words about prices"),
    ("webhook.changed.description", "what a receiver is for"),
    ("webhook.changed.url", "where a receiver is"),
    ("webhook.created.description", "what a receiver is for"),
    ("webhook.created.url", "where a receiver is"),
];

/// Whether a property may hold any text at all.
fn is_free_text(property: &Value) -> bool {
    let kinds = [&property["type"], &property["type"][0]];
    let closed =
        ["const", "enum", "format", "pattern"].iter().any(|word| !property[word].is_null());
    kinds.iter().any(|kind| *kind == "string") && !closed
}

#[test]
fn every_text_in_the_log_is_sealed_or_known_to_name_nobody() {
    let mut open: BTreeSet<String> = BTreeSet::new();
    for event in published() {
        let properties = event.schema["properties"].as_object().unwrap();
        let free = properties.iter().filter(|(_, property)| is_free_text(property));
        open.extend(free.map(|(field, _)| format!("{}.{field}", event.event_type)));
    }
    let known: BTreeSet<String> =
        NOT_PERSONAL.iter().map(|(field, _)| (*field).to_owned()).collect();
    assert_eq!(open, known, "in the clear, and known to name nobody");
}

#[test]
fn what_is_declared_personal_is_sealed_and_names_its_person() {
    for event in published() {
        let properties = event.schema["properties"].as_object().unwrap();
        let sealed: BTreeSet<&str> = properties
            .iter()
            .filter(|(_, property)| property["pattern"] == SEALED_PATTERN)
            .map(|(field, _)| field.as_str())
            .collect();
        // Of all streams: one that is left out of the list there would be written in the clear.
        let declared = personal_fields(&event.event_type);
        assert_eq!(sealed, declared.iter().map(|personal| personal.field).collect());
        for personal in declared {
            assert_eq!(
                event.schema["required"].as_array().map(|r| r.contains(&personal.person.into())),
                Some(true)
            );
            let person = event.sample[personal.person].as_str().unwrap();
            assert!(person.parse::<PersonId>().is_ok(), "{} names no person", event.event_type);
            let field = &event.sample[personal.field];
            assert!(field.as_str().is_none_or(|text| text.starts_with(SEALED_PREFIX)), "{field}");
            assert_eq!(properties[personal.field]["type"].is_array(), personal.optional);
        }
    }
}
