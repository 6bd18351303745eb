//! Every published event becomes an event that has what its class requires.

use chrono::DateTime;
use event_schemas::OrganizationId;
use event_schemas::published::published;
use uuid::Uuid;

use super::*;
use crate::audit_log::AuditTarget;

/// Attributes that version 1.3.0 requires of every class, without profiles.
const OF_ALL: [&str; 7] =
    ["activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"];

/// What each class requires beside them, and the activities that it has; of its group, class 3006
/// requires privileges or a user.
const CLASSES: [(u64, &[&str], &[u64]); 5] = [
    (3_001, &["user"], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 99]),
    (3_004, &["entity"], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99]),
    (3_005, &["user", "privileges"], &[0, 1, 2, 99]),
    (3_006, &["group"], &[0, 1, 2, 3, 4, 5, 6, 99]),
    (6_003, &["actor", "api", "src_endpoint"], &[0, 1, 2, 3, 4, 99]),
];

/// Objects that must have at least one of these.
const ONE_OF: [(&str, &[&str]); 7] = [
    ("/user", &["account", "name", "uid"]),
    ("/group", &["name", "uid"]),
    ("/resource", &["name", "uid"]),
    ("/entity", &["name", "uid"]),
    ("/entity_result", &["name", "uid"]),
    ("/src_endpoint", &["ip", "name", "uid"]),
    ("/actor", &["user", "app_name", "app_uid"]),
];

fn entry(event_type: &str) -> AuditEntry {
    let time = DateTime::from_timestamp(1_772_366_400, 0).unwrap_or_default();
    AuditEntry {
        organization_id: OrganizationId(Uuid::from_u128(1)),
        position: 7,
        last_position: 7,
        event_id: Uuid::from_u128(2),
        event_type: event_type.to_owned(),
        action: event_type.to_owned(),
        outcome: Outcome::Done,
        problem: None,
        permission: None,
        actor: Some("operator:ops".to_owned()),
        credential: None,
        target: AuditTarget { kind: "thing".to_owned(), id: Uuid::from_u128(3).to_string() },
        project_id: None,
        concerns: vec![],
        before: None,
        after: Some(json!({ "role": "member", "group_id": Uuid::from_u128(4) })),
        reason: None,
        records: None,
        records_link: None,
        caused_by: None,
        request_id: Some("r".to_owned()),
        causation_id: None,
        trace_id: None,
        source_address: Some("192.0.2.7".to_owned()),
        occurred_at: time,
        recorded_at: time,
    }
}

#[track_caller]
fn check(event: &Value) {
    let class = event["class_uid"].as_u64().unwrap_or_default();
    let known = CLASSES.iter().find(|(uid, ..)| *uid == class);
    let Some((_, required, activities)) = known else { panic!("there is no class {class}") };
    for name in OF_ALL.iter().chain(*required) {
        assert!(event.get(*name).is_some_and(|value| !value.is_null()), "{name}: {event}");
    }
    let activity = event["activity_id"].as_u64().unwrap_or_default();
    assert!(activities.contains(&activity), "{activity}: {event}");
    assert_eq!(event["type_uid"], class * 100 + activity, "{event}");
    assert_eq!(event["category_uid"], class / 1_000, "{event}");
    assert_eq!(event["metadata"]["version"], "1.3.0");
    assert!(event["metadata"]["product"]["vendor_name"].is_string());
    assert!(event["time"].is_i64(), "milliseconds");
    for (pointer, names) in ONE_OF {
        if let Some(object) = event.pointer(pointer) {
            let has_one = names.iter().any(|name| object.get(*name).is_some_and(|v| !v.is_null()));
            assert!(has_one, "{pointer}: {event}");
        }
    }
    if class == 3_006 {
        assert!(event.get("privileges").is_some() || event.get("user").is_some(), "{event}");
    }
    if class == 6_003 {
        assert!(event["api"]["operation"].is_string(), "{event}");
    }
}

#[test]
fn every_event_becomes_one_that_has_what_its_class_requires() {
    for published in published() {
        let kind = published.event_type.as_str();
        assert!(mapped(kind).is_some(), "nothing is said of {kind}");
        check(&to_ocsf(&entry(kind)));
        let ended = AuditEntry { before: entry(kind).after, after: None, ..entry(kind) };
        check(&to_ocsf(&ended));
        let refused = AuditEntry { outcome: Outcome::Refused, actor: None, ..entry(kind) };
        check(&to_ocsf(&AuditEntry { source_address: None, ..refused }));
    }
}

#[test]
fn who_gets_what_is_told_by_its_own_class() {
    let class = |entry: &AuditEntry| {
        let event = to_ocsf(entry);
        check(&event);
        (event["class_uid"].as_u64().unwrap_or_default(), event["activity_id"].clone())
    };
    assert_eq!(class(&entry("member.added")), (3_001, json!(1)));
    assert_eq!(class(&entry("project_member.removed")), (3_005, json!(2)));
    let granted = |grantee: &str| AuditEntry {
        after: Some(json!({ "role_id": "r", "grantee": { "kind": grantee } })),
        ..entry("role.granted")
    };
    assert_eq!(class(&granted("member")), (3_005, json!(1)));
    assert_eq!(class(&granted("group")), (3_006, json!(1)));
    let taken = AuditEntry {
        before: Some(json!({ "role": "admin" })),
        after: Some(json!({ "role": null })),
        ..entry("group.role_changed")
    };
    assert_eq!(class(&taken), (3_006, json!(2)));
    let refused = AuditEntry {
        outcome: Outcome::Refused,
        action: "members.add".to_owned(),
        problem: Some("/problems/forbidden".to_owned()),
        ..entry("refusal.recorded")
    };
    let event = to_ocsf(&refused);
    assert_eq!((&event["class_uid"], &event["status_id"]), (&json!(6_003), &json!(2)));
    assert_eq!(event["api"]["operation"], "members.add");
}
