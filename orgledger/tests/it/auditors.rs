//! What auditors ask: every example of docs/for-auditors.md, run as its reader would; and replays of a
//! real history, and of one that is killed.

use event_log::database::{self, Role};
use event_log::{MasterKeys, Vault};
use projectors::replay::{Comparison, Live, Replay};
use projectors::{Feed, PostgresFeed, all, catch_up};
use serde_json::Value;

use crate::imports::import_membership;
use crate::real_data::real_data;
use crate::support::examples::Examples;
use crate::support::log::{assert_sound, database_of};
use crate::support::{installation, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_for_auditors_says_something() {
    let examples = Examples::of("for-auditors.md").await;
    let log = examples.with("--limit 20");
    assert!(log.contains("member.added") && log.contains("role: admin"), "{log}");
    let lines = String::from_utf8(examples.file("audit-log.ndjson")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let positions: Vec<i64> = lines.iter().map(|line| line["position"].as_i64().unwrap()).collect();
    assert!(positions.is_sorted() && positions.len() > 40, "{positions:?}");
    let batches: i64 = lines.iter().filter_map(|line| line["records"].as_i64()).sum();
    assert!(batches > 100, "{batches} usage records");
    let csv = String::from_utf8(examples.file("audit-log.csv")).unwrap();
    assert_eq!(csv::Reader::from_reader(csv.as_bytes()).records().count(), lines.len());
    let siem = String::from_utf8(examples.file("audit-log.ocsf.ndjson")).unwrap();
    assert_eq!(siem.lines().count(), lines.len());
    assert!(siem.lines().all(|line| line.contains("\"class_uid\"")));

    let why = examples.with("--project Product-Prod");
    assert!(
        why.contains("owner in Product-Prod") && why.contains("project_member.assigned"),
        "{why}"
    );
    assert!(why.contains("usage records of project 'Product-Prod', model 'gpt-4o-mini'"), "{why}");
    assert!(why.contains("of these") && why.contains(" requests: "), "{why}");
    let gone = examples.with("member.removed,member.suspended");
    assert!(gone.contains("member.removed: left at ") && gone.contains("last command: "), "{gone}");
    let diff = examples.with("--net");
    assert!(diff.contains("Access") && diff.contains("Balances"), "{diff}");
    let markdown = String::from_utf8(examples.file("changes.md")).unwrap();
    assert!(
        markdown.starts_with("# What changed\n") && markdown.contains("| member"),
        "{markdown}"
    );
    let replayed = examples.with("orgledger replay\n");
    assert!(replayed.contains("same") && !replayed.contains("DIFFERS"), "{replayed}");
    assert!(replayed.contains("\n          + "), "{replayed}");
    let state: Value = serde_json::from_slice(&examples.file("state.json")).unwrap();
    let members = state.pointer("/read_models/0/tables").unwrap().as_array().unwrap();
    let members = members.iter().find(|table| table["table"] == "members").unwrap();
    assert!(members["state"].as_array().unwrap().len() > 5, "{members}");
    let verified = examples.with("verify evidence.tar");
    assert!(
        verified.starts_with("evidence.tar: VERIFIED") && verified.contains("all "),
        "{verified}"
    );
    let anchored = examples.with("verify since.tar");
    assert!(
        anchored.contains("1 of 1 checkpoints: the log of this file had that root"),
        "{anchored}"
    );
    let today = examples.with("verify today.tar");
    assert!(today.contains("1 of 1 checkpoints: the log of this file had that root"), "{today}");
    let record = examples.with("verify record.tar");
    assert!(record.contains("request_id           acme-2025-10-01-2-7"), "{record}");
    assert!(record.contains("proven: this record is one of its batch"), "{record}");
    let live = examples.with("orgledger verify --anchor");
    assert!(live.starts_with("the log is VERIFIED") && live.contains("agrees with each"), "{live}");
    examples.end().await;
}

/// How many positions of the real history are tried.
const POSITIONS: i64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_any_position_of_a_real_history_the_live_read_models_are_what_it_says() {
    let Some(file) = real_data("membership/rust-lang.jsonl") else { return };
    let (servers, place) = installation().await;
    import_membership(&place, &file).await;
    let database = database_of(servers.postgres()).await;
    let head = assert_sound(&database).await;
    let options = (*database.connect_options()).clone();
    let key = std::fs::read_to_string(servers.data_dir().path().join("master-key")).unwrap();
    let read = database::pool(&options, Role::Projector, 16).await.unwrap();
    let masters = MasterKeys::parse(key.trim()).unwrap();
    let vault = Vault::open(read.clone(), masters).await.unwrap();
    // Spread over the history, and never the same distance apart.
    let mut positions: Vec<i64> =
        (1..=POSITIONS).map(|n| (n * 7_919 * 31 + n * n * 13) % head + 1).collect();
    positions.sort_unstable();
    for position in positions {
        let feed = PostgresFeed::of(read.clone(), vault.clone()).with_end(position);
        catch_up(&read, &Feed::Postgres(feed), &all(), position).await.unwrap();
        let mut replay = Replay::begin(&options, vault.clone(), &all()).await.unwrap();
        replay.advance(position, &mut |_| {}).await.unwrap();
        let mut live = Live::open(&read).await.unwrap();
        for scratch in replay.scratches() {
            for table in live.compare(scratch).await.unwrap() {
                assert_eq!(table.live, Comparison::Same, "position {position}: {table:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_replay_that_is_killed_leaves_nothing_and_changes_nothing() {
    let (servers, place) = installation().await;
    let file = servers.data_dir().path().join("history.jsonl");
    let line = |number: u32| {
        format!(
            "{{\"ts\":\"2024-05-01T00:00:00Z\",\"actor\":\"a\",\"kind\":\"{}\",\"org\":\"Imported\"{}}}",
            if number == 0 { "org_created" } else { "member_added" },
            if number == 0 {
                String::new()
            } else {
                format!(",\"subject\":\"member-{number}\",\"role\":\"member\"")
            }
        )
    };
    let history: Vec<String> = (0..2_000).map(line).collect();
    std::fs::write(&file, history.join("\n")).unwrap();
    import_membership(&place, &file).await;
    place.print(&["access-register", "--format", "json"]).await;
    place.print(&["replay"]).await;
    let database = database_of(servers.postgres()).await;
    let live = projectors::fingerprint(&database, "access_register").await.unwrap();
    let sessions = async || -> i64 {
        sqlx::query_scalar(
            "select count(*) from pg_stat_activity where application_name = 'orgledger replay'",
        )
        .fetch_one(&database)
        .await
        .unwrap()
    };
    let tables = async || -> i64 {
        sqlx::query_scalar("select count(*) from pg_class where relpersistence = 't'")
            .fetch_one(&database)
            .await
            .unwrap()
    };
    until("no session is left", async || sessions().await == 0).await;
    // It prints more than a pipe holds, and nobody reads: so it stands in the middle of it.
    let mut replay = place.command(&["replay", "--step"]).spawn().unwrap();
    until("it replays", async || tables().await > 0 && sessions().await > 0).await;
    replay.start_kill().unwrap();
    replay.wait().await.unwrap();
    until("its sessions are gone", async || sessions().await == 0).await;
    until("its tables are gone", async || tables().await == 0).await;
    let after = projectors::fingerprint(&database, "access_register").await.unwrap();
    assert_eq!(after, live);
    let late = place.run(&["replay", "--to", "1000000"]).await.refused();
    assert!(late.contains("the log ends at position"), "{late}");
}
