//! Somebody with all rights over the database changes what is recorded: it is found and named, by who has
//! the public key and a file of evidence, and by who asks the log itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use embedded::testing::programs_dir;
use embedded::{DataDir, Postgres};
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::support::{Directory, Place};

/// What the demonstration's organization is called.
const ORGANIZATION: &str = "Acme Corp";

/// A data directory in which much has happened and all is sealed, its public key, and the evidence of it.
struct Original {
    directory: Directory,
    key: String,
}

impl Original {
    async fn new() -> Self {
        let directory = Directory::new();
        let place = directory.place();
        place.print(&["demo", "--exit", "--listen", "127.0.0.1:0"]).await;
        reprice(&directory, &place).await;
        if let Some(file) = crate::real_data::real_data("membership/rust-lang.jsonl") {
            place.print(&["import", "membership", file.to_str().unwrap()]).await;
        }
        let evidence = directory.path().with_extension("tar");
        let out = evidence.to_str().unwrap();
        place.print(&["evidence", "export", "--organization", ORGANIZATION, "--out", out]).await;
        let key = place.print(&["signing-key", "show"]).await.trim().to_owned();
        Self { directory, key }
    }

    /// A copy to do something to.
    fn copy(&self) -> Copied {
        let temporary = embedded::testing::temporary_data_dir();
        let path = temporary.path().join("data");
        // As it is, owners too: the private Postgres runs as somebody else where this runs as root.
        let done = Command::new("cp").arg("-a").arg(self.directory.path()).arg(&path).status();
        assert!(done.unwrap().success());
        Copied { path, key: self.key.clone(), _temporary: temporary }
    }
}

/// Prices some of the organization's usage again, by a list of its own.
async fn reprice(directory: &Directory, place: &Place) {
    let service = place.start(&["dev"]).await;
    let owner = std::fs::read_to_string(directory.path().join("owner-credential")).unwrap();
    let owner = service.client(owner.trim());
    let organization_id = place
        .json(&["why", "--organization", ORGANIZATION, "--currency", "USD", "--format", "json"])
        .await["organization_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let base = format!("/v1/organizations/{organization_id}");
    let prices = json!({ "provider": "openai", "currency": "USD", "models": [
        { "model": "gpt-4o-mini", "matches": { "equals": "gpt-4o-mini" },
          "rates": { "input_tokens": "7", "cached_input_tokens": "5", "output_tokens": "9" } }],
        "effective_from": "2020-01-01T00:00:00Z" });
    owner.post(&format!("{base}/price-lists"), "prices", &prices).await.expect(200);
    let scope = json!({ "from": "2025-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" });
    let done = owner.post(&format!("{base}/usage/reprice"), "reprice", &scope).await.expect(200);
    assert!(done["changed"].as_i64() > Some(10), "{done}");
    service.stop().await;
}

/// A copy of the data directory; its server is stopped before it is removed.
struct Copied {
    path: PathBuf,
    key: String,
    _temporary: TempDir,
}

impl Copied {
    fn place(&self) -> Place {
        Place::data_dir(&self.path)
    }

    async fn serve(&self) -> Postgres {
        let data_dir = DataDir::new(&self.path).with_programs(programs_dir());
        Postgres::start(&data_dir).await.unwrap()
    }

    /// Runs statements as a superuser whom no trigger stops.
    async fn tamper(postgres: &Postgres, statements: &str) {
        let mut superuser = PgConnection::connect(&postgres.url("orgledger")).await.unwrap();
        superuser.execute("set session_replication_role = replica").await.unwrap();
        superuser.execute(statements).await.unwrap_or_else(|e| panic!("{statements}: {e}"));
        superuser.close().await.unwrap();
    }

    /// What `verify` says of the log, with further arguments.
    async fn live(&self, arguments: &[&str]) -> Result<String, String> {
        let ended = self.place().run(&[&["verify"], arguments].concat()).await;
        if ended.status.success() { Ok(ended.succeeded()) } else { Err(ended.refused()) }
    }

    /// Exports evidence and says what the verifier says of that, with the original's key.
    async fn evidence(&self) -> Result<String, String> {
        let out = self.path.join("evidence.tar");
        let out = out.to_str().unwrap();
        let export = ["evidence", "export", "--organization", ORGANIZATION, "--out", out];
        let ended = self.place().run(&export).await;
        if !ended.status.success() {
            return Err(ended.refused());
        }
        // Elsewhere, without a data directory.
        let ended = Place::default().run(&["verify", out, "--key", &self.key]).await;
        if ended.status.success() { Ok(ended.succeeded()) } else { Err(ended.refused()) }
    }
}

/// The position of a middle event of the organization.
const MIDDLE: &str = "(select position from log.events where organization_id = (
    select organization_id from log.events where event_type = 'organization.created'
        and payload ->> 'name' = 'Acme Corp') order by position offset 20 limit 1)";

/// Something done, and what is said of it: of the log, and of evidence that is exported afterwards.
struct Drill {
    what: &'static str,
    statements: String,
    live: &'static str,
    evidence: Evidence,
}

/// What evidence shows.
enum Evidence {
    /// It is refused with these words.
    Says(&'static str),
    /// It is refused, or it has nothing of what was changed.
    Any,
    /// It holds: what was changed is none of it.
    Holds,
}

fn drill(what: &'static str, statements: &str, live: &'static str, evidence: Evidence) -> Drill {
    Drill { what, statements: statements.replace("MIDDLE", MIDDLE), live, evidence }
}

/// What an entry is changed to.
fn contents() -> Vec<Drill> {
    use Evidence::Says;
    let changed = "is not what was sealed as leaf";
    vec![
        drill(
            "one byte of a payload",
            "update log.events set payload = overlay(payload::text placing
                 case substr(payload::text, position('-' in payload::text) + 1, 1) when '0' then '1' else '0' end
                 from position('-' in payload::text) + 1 for 1)::json where position = MIDDLE",
            changed,
            Says("was changed"),
        ),
        drill(
            "a usage record's cost",
            "update log.usage_records set cost_pico = cost_pico + 1 where (batch_id, ordinal) = (
                 select batch_id, ordinal from log.usage_records where cost_pico is not null
                 order by occurred_at, batch_id, ordinal limit 1)",
            changed,
            Says("was changed"),
        ),
        drill(
            "what a record costs since it was priced again",
            "update log.usage_corrections set cost_pico = cost_pico + 1 where (position, ordinal) = (
                 select position, ordinal from log.usage_corrections order by 1, 2 limit 1)",
            "its corrections are not those that it was written with",
            Says("the corrections of leaf"),
        ),
        drill(
            "when a correction was recorded",
            "update log.usage_corrections set recorded_at = recorded_at - interval '9 days'
             where ordinal = 0",
            "a correction of it is another organization's, or of another time",
            Evidence::Holds,
        ),
        drill(
            "a correction is deleted",
            "delete from log.usage_corrections where (position, ordinal) = (
                 select position, max(ordinal) from log.usage_corrections group by 1 limit 1)",
            "corrections stand beside it, and it says",
            Says("the corrections of leaf"),
        ),
        drill(
            "a correction is put in",
            "insert into log.usage_corrections select position - 1, 0, organization_id, batch_id, record_ordinal,
                 occurred_at, occurred_day, price_version_before, cost_pico_before, currency_before,
                 price_version, 1, currency, recorded_at
             from log.usage_corrections order by position, ordinal limit 1",
            "corrections of usage are in the log, and its events have",
            Evidence::Holds,
        ),
        drill(
            "who did it",
            "update log.events set metadata = replace(metadata::text, '\"actor_id\":\"', '\"actor_id\":\"x')::json
             where position = MIDDLE",
            changed,
            Says("was changed"),
        ),
    ]
}

/// The next number of an event's stream.
const NEXT: &str = "(select max(sequence) + 1 from log.events s
    where s.aggregate_type = e.aggregate_type and s.aggregate_id = e.aggregate_id)";

/// Puts a copy of an event at the log's end, and moves the head.
fn at_the_end(sequence: &str, recorded_at: &str) -> String {
    format!(
        "insert into log.events select h.position + 1, gen_random_uuid(), organization_id,
             aggregate_type, aggregate_id, {sequence}, event_type, event_version, payload, metadata,
             occurred_at, {recorded_at} from log.events e, log.head h where e.position = MIDDLE;
         update log.head set position = position + 1"
    )
}

/// What is taken out, put in or moved.
fn places() -> Vec<Drill> {
    use Evidence::{Any, Holds, Says};
    let changed = "is not what was sealed as leaf";
    vec![
        drill(
            "an event is deleted",
            "delete from log.events where position = MIDDLE",
            "is missing",
            Says("the entry at position"),
        ),
        drill(
            "an event is put in at the end",
            "insert into log.events select h.position + 1, gen_random_uuid(), organization_id,
                 aggregate_type, aggregate_id, 100000, event_type, event_version, payload, metadata,
                 occurred_at, e.recorded_at from log.events e, log.head h where e.position = MIDDLE",
            "beyond the log's head",
            Holds,
        ),
        drill(
            "an event is put in at the end, with the head, that is none of its stream",
            &at_the_end("100000", "h.recorded_at"),
            "it is number 100000 of its stream",
            // A text of a person is not read where its event is another: then nothing is exported.
            Any,
        ),
        drill(
            "one is put in at the end that says it was there earlier",
            &at_the_end(NEXT, "e.recorded_at - interval '10 days'"),
            "and what precedes it later",
            // A text of a person is not read where its event is another: then nothing is exported.
            Any,
        ),
        drill(
            "an event is put in instead of another",
            "update log.events set event_id = gen_random_uuid() where position = MIDDLE",
            changed,
            Says("was changed"),
        ),
        drill(
            "two events change places",
            "create temporary table pair as select min(position) as a, max(position) as b from (
                 select position from log.events where position >= MIDDLE order by position limit 2) two;
             update log.events e set position = 1000000000 + case e.position when a then b else a end
                 from pair where e.position in (a, b);
             update log.events set position = position - 1000000000 where position > 1000000000",
            changed,
            Says("was changed"),
        ),
        drill(
            "an event is backdated",
            "update log.events set occurred_at = occurred_at - interval '1 day' where position = MIDDLE",
            changed,
            Says("was changed"),
        ),
        drill(
            "the log learned of it earlier",
            "update log.events set recorded_at = recorded_at - interval '1 microsecond' where position = MIDDLE",
            changed,
            // Where it is that far out of order, that is said.
            Says("leaf "),
        ),
        drill(
            "the tail is cut off",
            "delete from log.events where position > (select position from log.head) - 5;
             delete from log.usage_batches where first_position + count > (select position from log.head) - 5;
             update log.head set position = greatest((select max(position) from log.events),
                 (select max(first_position + count - 1) from log.usage_batches))",
            "the log's end was cut off",
            Any,
        ),
        drill(
            "events are renumbered",
            "update log.events set position = position + 1000000000 where position >= MIDDLE;
             update log.events set position = position - 999999999 where position > 1000000000",
            "",
            Says(""),
        ),
        drill(
            "a record is taken out of its batch",
            "update log.usage_records set batch_id = gen_random_uuid() where (batch_id, ordinal) = (
                 select batch_id, ordinal from log.usage_records order by occurred_at, batch_id, ordinal limit 1)",
            "usage batch",
            Says("usage batch"),
        ),
        drill(
            "a record is put in without a batch",
            "insert into log.usage_records select gen_random_uuid(), ordinal, organization_id, project_id,
                 api_key_id, member_id, service_account_id, end_user, feature, provider, model, request_id,
                 occurred_at, occurred_day, gen_random_uuid(), content_key, input_tokens, cached_input_tokens,
                 cache_write_tokens, output_tokens, reasoning_tokens, price_version, cost_pico, currency, tags,
                 units, service_tier, error_type, duration_ms
             from log.usage_records order by occurred_at limit 1",
            "usage records are in the log",
            Holds,
        ),
    ]
}

#[tokio::test]
async fn every_change_is_found_and_named() {
    let original = Original::new().await;
    let clean = original.copy();
    let postgres = clean.serve().await;
    clean.live(&[]).await.expect("nothing was changed");
    let said = clean.evidence().await.expect("nothing was changed");
    assert!(said.contains(": VERIFIED"), "{said}");
    postgres.stop().await.unwrap();
    for drill in contents().into_iter().chain(places()) {
        let copied = original.copy();
        let postgres = copied.serve().await;
        Copied::tamper(&postgres, &drill.statements).await;
        let said = copied.live(&[]).await.expect_err(drill.what);
        assert!(
            said.contains("NOT VERIFIED") && said.contains(drill.live),
            "{}: {said}",
            drill.what
        );
        match (drill.evidence, copied.evidence().await) {
            (Evidence::Says(expected), Err(said)) => {
                assert!(said.contains(expected), "{}: {said}", drill.what);
            }
            (Evidence::Holds, Ok(_)) | (Evidence::Any, _) => {}
            (Evidence::Says(_), Ok(said)) | (Evidence::Holds, Err(said)) => {
                panic!("{}: {said}", drill.what)
            }
        }
        postgres.stop().await.unwrap();
    }
}

/// Somebody who has nothing but the file and the key does what its README says.
#[tokio::test]
async fn evidence_is_verified_elsewhere_by_its_own_readme() {
    let original = Original::new().await;
    let evidence = original.directory.path().with_extension("tar");
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("from-them.tar");
    std::fs::copy(&evidence, &file).unwrap();
    drop(evidence);
    let unpacked = Command::new("tar").arg("-xf").arg(&file).current_dir(&elsewhere).status();
    assert!(unpacked.unwrap().success());
    let readme = std::fs::read_to_string(elsewhere.path().join("README.md")).unwrap();
    assert!(readme.contains(&format!("    {}\n", original.key)), "it names the key to compare");
    let command = readme.lines().find_map(|line| line.trim().strip_prefix("orgledger ")).unwrap();
    let command = command.replace("THIS-FILE.tar", file.to_str().unwrap());
    let arguments: Vec<String> = command
        .split(' ')
        .map(|word| word.trim_matches('\'').replace("KEY", &original.key))
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = Place::default().print(&arguments).await;
    assert!(said.contains(": VERIFIED") && said.contains("all "), "{said}");
    let json = Place::default().json(&[&arguments[..], &["--json"]].concat()).await;
    assert_eq!((&json["verified"], &json["complete"]), (&true.into(), &true.into()));
    assert!(json["usage_records"].as_u64() > Some(20) && json["events"].as_u64() > Some(20));
    // Without the key nothing is verified, nor with another.
    let refused = Place::default().run(&["verify", file.to_str().unwrap()]).await.refused();
    assert!(refused.contains("name it with --key"), "{refused}");
    let other = proofs::SigningKey::of("orgledger.localhost/other", [1; 32]).unwrap();
    let key = other.verifying_key().to_string();
    let with_other = ["verify", file.to_str().unwrap(), "--key", &key];
    let refused = Place::default().run(&with_other).await.refused();
    assert!(refused.contains("NOT VERIFIED") && refused.contains("none of the keys"), "{refused}");
}

#[tokio::test]
async fn a_row_of_a_read_model_that_was_replaced_is_found() {
    let original = Original::new().await;
    let copied = original.copy();
    let postgres = copied.serve().await;
    let replace = "do $$ declare build bigint; begin
        select b.build into build from read.builds b where projection = 'access_register' and state = 'serving';
        execute format('update read_access_register_%s.members set role = ''owner'' where known_to is null', build);
    end $$";
    Copied::tamper(&postgres, replace).await;
    let said = copied.live(&[]).await.unwrap_err();
    let named =
        "the read model access_register is not what the log says: in members, there is a row";
    assert!(said.contains(named) && said.contains("orgledger rebuild access_register"), "{said}");
    copied.place().print(&["rebuild", "access_register"]).await;
    copied.live(&[]).await.expect("it was mended");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_view_that_was_replaced_is_found() {
    let original = Original::new().await;
    let copied = original.copy();
    let postgres = copied.serve().await;
    let replace = "do $$ declare build bigint; begin
        select b.build into build from read.builds b where projection = 'access_register' and state = 'serving';
        execute format('create or replace view read.members with (security_invoker = true) as
            select * from read_access_register_%s.members where known_to is null', build);
    end $$";
    Copied::tamper(&postgres, replace).await;
    let said = copied.live(&[]).await.unwrap_err();
    let named = "the read model access_register is not what the log says: in the view read.members";
    assert!(said.contains(named) && said.contains("orgledger rebuild access_register"), "{said}");
    let replay = ["replay", "--only", "access_register"];
    let ended = copied.place().run(&replay).await;
    assert!(!ended.status.success() && ended.stderr.contains("view read.members"), "{ended:?}");
    copied.place().print(&["rebuild", "access_register"]).await;
    copied.live(&[]).await.expect("it was mended");
    copied.place().print(&replay).await;
    postgres.stop().await.unwrap();
}

/// Whoever has all rights over the database may append what looks right: no proof tells it from what is.
/// Where it contradicts what was there, folding it says which event that is.
#[tokio::test]
async fn an_event_that_cannot_be_applied_is_named() {
    let original = Original::new().await;
    let copied = original.copy();
    let postgres = copied.serve().await;
    let purchase = "(select min(position) from log.events where event_type = 'credits.purchased')";
    let again = at_the_end(NEXT, "h.recorded_at").replace("MIDDLE", purchase);
    // The same lot twice on one page: the tables take a row once.
    Copied::tamper(&postgres, &format!("{again}; {again}")).await;
    let mut connection = PgConnection::connect(&postgres.url("orgledger")).await.unwrap();
    let head: i64 = sqlx::query_scalar("select position from log.head")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let replay = ["replay", "--only", "balances", "--to", &head.to_string()];
    let said = copied.place().run(&replay).await.refused();
    // The first of the two, where the purchase that they repeat is on the same page.
    let is_named =
        [head - 1, head].iter().any(|at| said.contains(&format!("event {at} (credits.purchased ")));
    assert!(is_named && said.contains("cannot be applied"), "{said}");
    postgres.stop().await.unwrap();
}

/// A tar file's header of an entry of so many bytes.
fn header(name: &[u8], size: usize) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name);
    header[100..108].copy_from_slice(b"0000444\0");
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[tokio::test]
async fn a_hostile_file_writes_nothing_on_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("evidence.tar");
    let hostile = header(b"x\r\x1b[2K\x1b]0;title\x07\norgledger: evidence.tar: VERIFIED", 0);
    std::fs::write(&file, [hostile, vec![0; 1024]].concat()).unwrap();
    let key =
        proofs::SigningKey::of("ledger.example", [1; 32]).unwrap().verifying_key().to_string();
    let ended = Place::default().run(&["verify", file.to_str().unwrap(), "--key", &key]).await;
    assert!(!ended.stderr.contains(['\r', '\x1b', '\x07']), "{:?}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{:?}", ended.stderr);
    let said = ended.refused();
    assert!(said.contains("NOT VERIFIED") && said.contains("\\u000d\\u001b[2K"), "{said}");
}

/// A tar file whose one entry of a name is another, or none.
fn with_entry(file: &[u8], name: &str, change: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let (mut at, mut changed) = (0, Vec::new());
    while file[at] != 0 {
        let named = file[at..at + 100].split(|byte| *byte == 0).next().unwrap();
        let digits = std::str::from_utf8(&file[at + 124..at + 135]).unwrap();
        let size = usize::from_str_radix(digits, 8).unwrap();
        let end = at + 512 + size.next_multiple_of(512);
        if named == name.as_bytes() {
            if let Some(mut contents) = change(&file[at + 512..at + 512 + size]) {
                changed.extend(header(named, contents.len()));
                contents.resize(contents.len().next_multiple_of(512), 0);
                changed.extend(contents);
            }
        } else {
            changed.extend_from_slice(&file[at..end]);
        }
        at = end;
    }
    changed.extend_from_slice(&file[at..]);
    changed
}

/// What becomes of an entry's contents.
type Change = fn(&[u8]) -> Option<Vec<u8>>;

#[tokio::test]
async fn what_was_taken_out_of_a_file_of_evidence_is_missed() {
    let original = Original::new().await;
    let evidence = std::fs::read(original.directory.path().with_extension("tar")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("from-them.tar");
    let verified = async |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let verify = ["verify", file.to_str().unwrap(), "--key", &original.key];
        Place::default().run(&verify).await
    };
    let corrections = "corrections/000001.txt";
    let same = with_entry(&evidence, corrections, |lines| Some(lines.to_vec()));
    verified(&same).await.succeeded();
    let changes: [(Change, &str); 4] = [
        (|_| None, "they are not in the file"),
        (|_| Some(Vec::new()), "correction 0 is missing"),
        // All but the last: the event that it belongs to is kept.
        (
            |lines| {
                let last =
                    lines[..lines.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
                Some(lines[..=last].to_vec())
            },
            "is missing",
        ),
        (|lines| Some(lines[..lines.len() / 2].to_vec()), "is missing"),
    ];
    for (change, expected) in changes {
        let said = verified(&with_entry(&evidence, corrections, change)).await.refused();
        let named = said.contains("the corrections of leaf") && said.contains("usage.repriced");
        assert!(said.contains("NOT VERIFIED") && named && said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn one_usage_record_is_evidence_by_itself() {
    let original = Original::new().await;
    let copied = original.copy();
    let postgres = copied.serve().await;
    let file = copied.path.join("record.tar");
    let file = file.to_str().unwrap();
    let request = "acme-2025-10-01-2-7";
    let export = ["evidence", "export", "--organization", ORGANIZATION, "--out", file, "--request"];
    let exported = async |more: &[&str]| copied.place().run(&[&export[..], more].concat()).await;
    let told = exported(&[request]).await.succeeded();
    assert!(told.contains("the usage record at position "), "{told}");
    let verify = ["verify", file, "--key", &copied.key];
    let said = Place::default().json(&[&verify[..], &["--json"]].concat()).await;
    let record = &said["record"];
    assert_eq!((&record["request_id"], &record["model"]), (&json!(request), &json!("gpt-4o-mini")));
    assert_eq!((&said["complete"], &said["usage_records"]), (&json!(false), &json!(1)));
    // It is what the log has.
    let mut connection = PgConnection::connect(&postgres.url("orgledger")).await.unwrap();
    let stored: serde_json::Value =
        sqlx::query_scalar("select to_json(u) from log.usage_records u where request_id = $1")
            .bind(request)
            .fetch_one(&mut connection)
            .await
            .unwrap();
    connection.close().await.unwrap();
    for (column, value) in stored.as_object().unwrap() {
        let same = match column.as_str() {
            // Written in another way.
            "occurred_at" => {
                record[column].as_str().unwrap()[..19] == value.as_str().unwrap()[..19]
            }
            _ => record[column] == *value,
        };
        assert!(same, "{column}: {} and {value}", record[column]);
    }
    // Nothing of another record is in it.
    let bytes = std::fs::read(file).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(text.matches("acme-2025-10-01-").count(), 1);
    for (more, why) in [
        (&["no-such-request"][..], "has no usage record of the request"),
        (&[request, "--position", "1"], "at that position"),
        (&[request, "--from", "2025-01-01"], "cannot be used with"),
    ] {
        let refused = exported(more).await;
        assert!(!refused.status.success() && refused.stderr.contains(why), "{refused:?}");
    }
    // Who changes it exports evidence against themselves.
    let dearer = "update log.usage_records set cost_pico = cost_pico + 1
        where request_id = 'acme-2025-10-01-2-7'";
    Copied::tamper(&postgres, dearer).await;
    exported(&[request]).await.succeeded();
    let said = Place::default().run(&verify).await.refused();
    assert!(said.contains("NOT VERIFIED") && said.contains("was changed"), "{said}");
    postgres.stop().await.unwrap();
}

/// Writes what was signed so far to a file, as an anchor does.
async fn keep(postgres: &Postgres, path: &Path) {
    let mut connection = PgConnection::connect(&postgres.url("orgledger")).await.unwrap();
    let notes: Vec<String> = sqlx::query_scalar("select note from seal.checkpoints order by size")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    std::fs::write(path, notes.join("\n")).unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn who_signs_anew_with_a_stolen_key_is_found_by_a_kept_checkpoint() {
    let original = Original::new().await;
    let copied = original.copy();
    let anchor = copied.path.join("kept");
    let kept = anchor.to_str().unwrap();
    let postgres = copied.serve().await;
    keep(&postgres, &anchor).await;
    copied.live(&["--anchor", kept]).await.expect("nothing was changed");
    let anew = "truncate seal.tiles, seal.log_tiles, seal.heads, seal.organizations;
        truncate seal.checkpoints cascade; update seal.state set position = 0, size = 0;
        update log.events set payload = regexp_replace(payload::text, '^\\{', '{ ')::json where position = MIDDLE";
    Copied::tamper(&postgres, &anew.replace("MIDDLE", MIDDLE)).await;
    // The key lies in the directory that was stolen.
    let evidence = copied.evidence().await.expect("all of it is signed");
    assert!(evidence.contains("VERIFIED") && evidence.contains("only a checkpoint that was kept"));
    copied.live(&[]).await.expect("all of it is signed");
    let said = copied.live(&["--anchor", kept]).await.unwrap_err();
    assert!(said.contains("WRITTEN ANEW") || said.contains("PUT BACK"), "{said}");
    postgres.stop().await.unwrap();
}

/// Nothing is asked of the log: a checkpoint that was kept, and a file of evidence that came later.
#[tokio::test]
async fn who_signs_anew_with_a_stolen_key_is_found_offline() {
    let original = Original::new().await;
    let copied = original.copy();
    let (anchor, newer) = (copied.path.join("kept"), copied.path.join("newer.tar"));
    let (kept, newer) = (anchor.to_str().unwrap(), newer.to_str().unwrap());
    let postgres = copied.serve().await;
    keep(&postgres, &anchor).await;
    // All but the newest: that one is in a file of evidence by itself.
    let notes = std::fs::read_to_string(&anchor).unwrap();
    let newest = notes.rfind("\n\norgledger.localhost/").unwrap();
    std::fs::write(&anchor, &notes[..=newest]).unwrap();
    let import = async |name: &str| {
        let history = copied.path.join("history.jsonl");
        let line = format!(
            "{{\"ts\":\"2024-05-01T00:00:00Z\",\"kind\":\"org_created\",\"org\":\"{name}\"}}\n"
        );
        std::fs::write(&history, line).unwrap();
        copied.place().print(&["import", "membership", history.to_str().unwrap()]).await;
    };
    let export = async |more: &[&str]| {
        let export =
            ["evidence", "export", "--organization", ORGANIZATION, "--out", newer, "--json"];
        copied.place().json(&[&export[..], more].concat()).await
    };
    let verified = async || {
        let verify = ["verify", newer, "--key", &copied.key, "--anchor", kept];
        Place::default().run(&verify).await
    };
    // The log goes on, and begins with what was kept.
    import("Later Ltd").await;
    let exported = export(&["--anchor", kept]).await;
    let continued = exported["continued"].as_array().unwrap().len();
    assert!(continued > 0, "{exported}");
    let said = verified().await.succeeded();
    let all = format!("{continued} of {continued} checkpoints: the log of this file had that root");
    assert!(said.contains(&all) && said.contains("the newest that was kept"), "{said}");
    // Of a file that does not say it, it is said what to ask for.
    export(&[]).await;
    let said = verified().await.refused();
    assert!(said.contains("NOT COMPARED with the newest checkpoint that was kept"), "{said}");
    assert!(said.contains("evidence export … --anchor FILE"), "{said}");
    // Written anew, with the key that lies in the directory.
    let anew = "truncate seal.tiles, seal.log_tiles, seal.heads, seal.organizations;
        truncate seal.checkpoints cascade; update seal.state set position = 0, size = 0;
        update log.events set payload = regexp_replace(payload::text, '^\\{', '{ ')::json where position = MIDDLE";
    Copied::tamper(&postgres, &anew.replace("MIDDLE", MIDDLE)).await;
    // Smaller than what was kept: it could be an older file.
    let mut exported = export(&["--anchor", kept]).await;
    let said = verified().await.refused();
    assert!(said.contains("NOT COMPARED") || said.contains("WRITTEN ANEW"), "{said}");
    // As large as what was kept, so that it speaks of it.
    let rewritten = |exported: &serde_json::Value| exported["rewritten"].as_array().unwrap().len();
    for number in 0..20 {
        if rewritten(&exported) == continued {
            break;
        }
        import(&format!("Later {number} Ltd")).await;
        exported = export(&["--anchor", kept]).await;
    }
    assert_eq!(rewritten(&exported), continued, "{exported}");
    assert_eq!(exported["continued"], serde_json::json!([]), "{exported}");
    copied.live(&[]).await.expect("all of it is signed");
    let said = verified().await.refused();
    assert!(said.contains("WRITTEN ANEW"), "{said}");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_that_was_put_back_is_found_by_a_kept_checkpoint() {
    let original = Original::new().await;
    let (older, newer) = (original.copy(), original.copy());
    let postgres = newer.serve().await;
    let history = newer.path.join("history.jsonl");
    let line = r#"{"ts":"2024-05-01T00:00:00Z","kind":"org_created","org":"Later Ltd"}"#;
    std::fs::write(&history, format!("{line}\n")).unwrap();
    newer.place().print(&["import", "membership", history.to_str().unwrap()]).await;
    newer.evidence().await.expect("it is sealed with all else");
    let anchor = newer.path.join("kept");
    keep(&postgres, &anchor).await;
    newer.live(&["--anchor", anchor.to_str().unwrap()]).await.expect("nothing was changed");
    postgres.stop().await.unwrap();
    let postgres = older.serve().await;
    older.live(&[]).await.expect("by itself an older state is sound");
    let said = older.live(&["--anchor", anchor.to_str().unwrap()]).await.unwrap_err();
    assert!(said.contains("PUT BACK"), "{said}");
    postgres.stop().await.unwrap();
}
