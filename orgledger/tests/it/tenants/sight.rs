//! What one organization gets to see, by whatever way.

use std::collections::BTreeSet;

use embedded::testing::unique_name;
use reqwest::Method;
use serde_json::{Value, json};

use super::Shared;
use super::asker::{Asker, Reply};
use super::operations::{Ids, Operation};
use super::tenant::Tenant;
use super::unknown;
use crate::support::{CREDENTIAL, MASTER_KEY, PEPPER, until};

/// Reports of which the description does not say what to ask them.
const REPORTS: [&str; 8] = [
    "costs?by=feature,project,api_key,member,service_account,provider,model",
    "costs?by=member,project,day&format=csv",
    "costs?by=organization,end_user,service_tier,error_type,tag:team,week&time_zone=Asia/Kolkata",
    "costs?format=focus_csv",
    "suggestions?kind=too_many_admins",
    "suggestions?kind=unused_api_key&unused_days=1",
    "suggestions?unused_days=1&as_of=2999-01-01",
    "members?state=suspended",
];

/// How many pages of a list are read, one item each.
const PAGES_MAX: usize = 40;

/// What a cursor calls the item that it comes after; all else says of which list it is.
const AFTER: [&str; 2] = ["id", "after"];

fn and(path: &str, parameter: &str) -> String {
    format!("{path}{}{parameter}", if path.contains('?') { '&' } else { '?' })
}

/// Every read of somebody in the organization, now and at dates, waiting and not, page by page.
async fn reads_of(
    reads: &[Operation],
    asker: &Asker,
    ids: &Ids,
    positions: [i64; 2],
    entry: i64,
) -> Vec<(String, Reply)> {
    let [waited_for, earlier] = positions;
    let points = [
        ("min_position", waited_for.to_string()),
        ("at_position", earlier.to_string()),
        ("as_of", "2999-01-01".to_owned()),
    ];
    let mut replies = Vec::new();
    for operation in reads {
        let path = operation.fill(ids).path;
        for (name, value) in &points {
            if operation.query.contains(*name) {
                let path = and(&path, &format!("{name}={value}"));
                replies.push((operation.id.clone(), asker.get(&path).await));
            }
        }
        let mut next = Some(path);
        for _ in 0..PAGES_MAX {
            let Some(path) = next else { break };
            let path = if operation.query.contains("limit") { and(&path, "limit=1") } else { path };
            let reply = asker.get(&path).await;
            let cursor = cursor_of(&reply);
            replies.push((operation.id.clone(), reply));
            next = cursor.map(|cursor| and(&operation.fill(ids).path, &format!("cursor={cursor}")));
        }
    }
    for report in REPORTS {
        let path = format!("/v1/organizations/{}/{report}", ids["organization_id"]);
        replies.push((report.to_owned(), asker.get(&path).await));
    }
    replies.push(("an own entry's proof".to_owned(), asker.get(&proof_of(ids, entry)).await));
    replies
}

/// Where the proof of an entry is.
fn proof_of(ids: &Ids, entry: i64) -> String {
    format!("/v1/organizations/{}/entries/{entry}/proof", ids["organization_id"])
}

/// Waits until all that an organization did is under a signed checkpoint.
pub(super) async fn wait_for_seals(of: &Tenant) {
    let sealed = format!("/v1/checkpoint?min_position={}", of.position);
    until("it is sealed", || async { of.owner.get(&sealed).await.status == 200 }).await;
    let proof = of.owner.get(&proof_of(&of.ids, of.entry)).await;
    assert_eq!(proof.status, 200, "{}", proof.text);
}

fn cursor_of(reply: &Reply) -> Option<String> {
    let body: Value = serde_json::from_str(&reply.text).ok()?;
    body["next_cursor"].as_str().map(str::to_owned)
}

/// Reads all that somebody may read in their own organization: no id of the other's is in it.
pub(super) async fn read_everything(
    reads: &[Operation],
    asker: &Asker,
    own: &Tenant,
    other: &Tenant,
) {
    let replies = reads_of(reads, asker, &own.ids, [own.position, other.position], own.entry).await;
    for (what, reply) in replies {
        assert!(reply.status < 500, "{what}: {} {}", reply.status, reply.text);
        let found = other.ids.iter().find(|(_, id)| reply.text.contains(*id));
        assert!(found.is_none(), "{what} shows {found:?}: {}", reply.text);
    }
}

/// The canary is looked for where it would be: who may see it does, in most of what there is to read.
pub(super) async fn assert_seen_by_its_own(reads: &[Operation], own: &Tenant, other: &Tenant) {
    let replies = reads_of(reads, &own.owner, &own.ids, [own.position; 2], own.entry).await;
    let mut without = BTreeSet::new();
    for operation in reads {
        let is_in =
            |(id, reply): &(String, Reply)| *id == operation.id && reply.text.contains(&own.canary);
        if !replies.iter().any(is_in) {
            without.insert(operation.id.as_str());
        }
    }
    // The operator's, and what has no text of anybody's.
    let expected = [
        "get_checkpoint",
        "get_credit_authorization",
        "get_entry_proof",
        "get_status",
        "list_approvals",
        "list_credit_lots",
        "list_price_lists",
        "list_refusals",
        "list_webhook_deliveries",
        "what_if_usage",
    ];
    assert_eq!(Vec::from_iter(without), expected, "reads without a text of their own organization");
    let seen = own.owner.received();
    assert!(!seen.contains(&other.canary), "it works the other way round, too");
}

/// Cursors of the other's lists, in one's own lists: each is what a cursor after nothing's id is.
pub(super) async fn use_their_cursors(
    reads: &[Operation],
    asker: &Asker,
    own: &Tenant,
    other: &Tenant,
) {
    let mut used = 0;
    for operation in reads.iter().filter(|operation| operation.query.contains("cursor")) {
        let path = operation.fill(&other.ids).path;
        let Some(cursor) = cursor_of(&other.owner.get(&and(&path, "limit=1")).await) else {
            continue;
        };
        let spelled = decoded(&cursor);
        assert!(!spelled.contains(&other.canary), "{}: {spelled}", operation.id);
        let path = operation.fill(&own.ids).path;
        let pretended = as_own(&spelled, own, other);
        for spelled in [spelled, pretended] {
            let mut seen = Vec::new();
            for spelled in [&spelled, &after_nothing(&spelled)] {
                let cursor = encoded(spelled);
                let reply = asker.get(&and(&path, &format!("limit=2&cursor={cursor}"))).await;
                assert!(reply.status < 500, "{}: {}", operation.id, reply.text);
                seen.push(reply.seen_by_who_sent(&[cursor]));
            }
            assert_eq!(seen[0], seen[1], "{} shows whether {spelled} is there", operation.id);
        }
        used += 1;
    }
    assert!(used > 7, "{used} cursors");
}

/// What a cursor spells, with the ids of the item that it comes after ids of nothing.
fn after_nothing(spelled: &str) -> String {
    let mut cursor: Value = serde_json::from_str(spelled).unwrap();
    for (name, value) in cursor[1].as_object_mut().unwrap() {
        if AFTER.contains(&name.as_str()) {
            let text = value.to_string();
            let is_id = |part: &&str| part.len() == 36 && part.parse::<uuid::Uuid>().is_ok();
            let ids = text.split('"').filter(is_id);
            let text = ids.fold(text.clone(), |text, id| text.replace(id, &unknown(id)));
            *value = serde_json::from_str(&text).unwrap();
        }
    }
    cursor.to_string()
}

/// A cursor of the other's list, made up to be one of one's own.
fn as_own(spelled: &str, own: &Tenant, other: &Tenant) -> String {
    let mut cursor: Value = serde_json::from_str(spelled).unwrap();
    for (name, value) in cursor[1].as_object_mut().unwrap() {
        if !AFTER.contains(&name.as_str()) {
            let ids = other.ids.iter();
            let own =
                ids.fold(value.to_string(), |text, (name, id)| text.replace(id, &own.ids[name]));
            *value = serde_json::from_str(&own).unwrap();
        }
    }
    cursor.to_string()
}

/// A cursor with what its digits spell: whoever sees an address can read that.
fn decoded(cursor: &str) -> String {
    let digits: Vec<u32> = cursor[1..].chars().map(|c| c.to_digit(16).unwrap()).collect();
    let bytes = digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap());
    String::from_utf8(bytes.collect()).unwrap()
}

fn encoded(spelled: &str) -> String {
    spelled.bytes().fold("1".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// An idempotency key that the other organization has used is free here: no answer of theirs is
/// repeated, and none refused for it.
pub(super) async fn repeat_their_keys(own: &Tenant, other: &Tenant) {
    let key = unique_name();
    for tenant in [other, own] {
        let path = format!("{}/groups", tenant.base);
        let body = json!({ "name": format!("again-{}", tenant.canary) });
        let request = tenant.owner.keyed(Method::POST, &path, &key).json(&body);
        let reply = tenant.owner.ask(request).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        assert!(!reply.headers.contains_key("idempotent-replayed"), "{}", reply.text);
    }
}

/// Nothing of A is in what B received, in what the process said, or in messages of B; and no secret
/// and no person anywhere.
pub(super) async fn assert_blind(shared: &Shared) {
    let Shared { a, b, dev, .. } = shared;
    let received = b.owner.received();
    assert!(received.contains(&b.canary), "B received nothing");
    assert_without(&received, &[&a.canary], "what B received");
    assert_without(&a.owner.received(), &[&b.canary], "what A received");

    let last = b.owner.get("/healthz").await;
    let last = last.headers["x-request-id"].to_str().unwrap().to_owned();
    until("the log has come this far", || async { dev.log().contains(&last) }).await;
    let log = dev.log();
    let debugged = log.lines().filter(|line| line.contains("\"level\":\"DEBUG\"")).count();
    assert!(debugged > 1_000, "{debugged} lines at debug");
    let mut unsaid = vec![&*a.canary, &*b.canary, CREDENTIAL, PEPPER, MASTER_KEY];
    unsaid.extend(a.secrets.iter().chain(&b.secrets).map(String::as_str));
    assert_without(&log, &unsaid, "the log");
    let of_b: String = log.lines().filter(|line| line.contains("\"request_id\":\"b-")).collect();
    assert!(!of_b.is_empty(), "no line of B's requests");

    let head = shared.head().await;
    let relayed = format!("orgledger_relay_position {head}\n");
    until("all is relayed", || async {
        shared.operator.get("/metrics").await.text.contains(&relayed)
    })
    .await;
    let metrics = shared.operator.get("/metrics").await.text;
    assert!(metrics.contains("orgledger_http_requests_total"), "{metrics}");
    assert_without(&metrics, &unsaid, "the metrics");
    assert_without(
        &metrics,
        &a.ids.values().map(String::as_str).collect::<Vec<_>>(),
        "the metrics",
    );
    assert_messages_apart(shared, &unsaid[2..]).await;
}

/// Subjects name nothing but ids and types, and each organization's messages have nothing of the
/// other's.
async fn assert_messages_apart(shared: &Shared, secrets: &[&str]) {
    let client = shared.servers.nats().connect().await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream("ORGLEDGER").await.unwrap();
    let (first, last) =
        (stream.cached_info().state.first_sequence, stream.cached_info().state.last_sequence);
    let mut counts = [0, 0];
    for sequence in first..=last {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let text = format!(
            "{}\n{:?}\n{}",
            message.subject,
            message.headers,
            String::from_utf8_lossy(&message.payload)
        );
        assert_without(
            message.subject.as_str(),
            &[&shared.a.canary, &shared.b.canary],
            "a subject",
        );
        assert_without(&text, secrets, "a message");
        for (number, (own, other)) in
            [(&shared.a, &shared.b), (&shared.b, &shared.a)].into_iter().enumerate()
        {
            if message.subject.contains(&own.ids["organization_id"]) {
                counts[number] += 1;
                assert_without(&text, &[&other.canary], "a message");
                let ids: Vec<&str> = other.ids.values().map(String::as_str).collect();
                assert_without(&text, &ids, "a message");
            }
        }
    }
    assert!(counts.iter().all(|count| *count > 30), "{counts:?} messages");
}

/// Asserts that none of it is in a text, and shows where it is.
#[track_caller]
pub(super) fn assert_without(text: &str, unsaid: &[&str], what: &str) {
    for word in unsaid {
        if let Some(at) = text.find(word) {
            let around: String = text[..at].chars().rev().take(300).collect();
            let around: String = around.chars().rev().collect();
            panic!("{what} has '{word}' after: …{around}");
        }
    }
}
