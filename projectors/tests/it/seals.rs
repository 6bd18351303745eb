//! Sealing: every entry is a leaf once, whoever seals; and nothing is signed over what was changed.

use std::sync::Arc;

use event_log::HeadWatch;
use event_log::database::{self, Role};
use projectors::seals::audit::{AuditError, Finding, audit};
use projectors::seals::{Range, SealConfig, SealError, catch_up, export, run};
use proofs::bundle::verify;
use proofs::{Checkpoint, Note, SigningKey, VerifyingKey};
use sqlx::{Executor as _, PgPool};
use uuid::Uuid;

use crate::support::House;
use crate::support::history::Story;
use crate::support::usage::Usage;

fn key(seed: u8) -> SigningKey {
    SigningKey::of("ledger.example/tests", [seed; 32]).unwrap()
}

fn trusted() -> Vec<VerifyingKey> {
    vec![key(1).verifying_key()]
}

/// A log with some hundred events of several organizations, and usage.
async fn house() -> House {
    let house = House::with(&Story::new(11).tell(400)).await;
    let mut usage = Usage::new(11);
    for count in [1, 300, 7, 40, 2] {
        let (organization_id, records) = usage.batch(count);
        house.use_up(organization_id, &records).await;
    }
    house
}

async fn seal(house: &House) -> Result<i64, SealError> {
    catch_up(&house.read, &[key(1)]).await
}

async fn sound(house: &House) -> projectors::seals::audit::Audited {
    audit(&house.read, &trusted(), &[]).await.unwrap()
}

/// Runs statements as a superuser whom no trigger stops.
async fn tamper(house: &House, statements: &str) {
    let mut superuser = house.owner.acquire().await.unwrap();
    superuser.execute("set session_replication_role = replica").await.unwrap();
    superuser.execute(statements).await.unwrap();
    superuser.execute("set session_replication_role = origin").await.unwrap();
}

/// What was signed, in order.
async fn notes(house: &House) -> Vec<String> {
    sqlx::query_scalar("select note from seal.checkpoints order by size")
        .fetch_all(&house.owner)
        .await
        .unwrap()
}

async fn checkpoints(house: &House) -> Vec<Checkpoint> {
    let read =
        |note: &String| Checkpoint::verify(&Note::parse(note).unwrap(), &trusted()).unwrap().0;
    notes(house).await.iter().map(read).collect()
}

#[tokio::test]
async fn a_log_that_was_sealed_is_sound() {
    let house = house().await;
    let head = house.head().await;
    assert_eq!(seal(&house).await.unwrap(), head);
    let first = sound(&house).await;
    assert_eq!((first.position, first.head, first.checkpoints), (head, head, 1));
    assert_eq!(i64::try_from(first.events + first.usage_records).unwrap(), head);
    assert!(first.usage_records > 100 && first.events > 100);
    // Nothing new: nothing is signed.
    assert_eq!(seal(&house).await.unwrap(), head);
    assert_eq!(sound(&house).await, first);
    house.happen(&Story::new(12).tell(50)).await;
    seal(&house).await.unwrap();
    let second = sound(&house).await;
    assert_eq!(second.checkpoints, 2);
    assert!(second.checkpoint.size > first.checkpoint.size);
}

#[tokio::test]
async fn any_number_of_sealers_seals_each_entry_once() {
    let house = Arc::new(House::new().await);
    let mut sealers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let log =
            database::pool(&house.database.connect_options(), Role::Projector, 3).await.unwrap();
        let head = HeadWatch::start(log.clone(), Some(house.log.own_head()));
        let config = SealConfig { log, head, keys: Arc::from([key(1)]) };
        sealers.spawn(run(config, std::future::pending()));
    }
    for part in 0..20 {
        house.happen(&Story::new(100 + part).tell(40)).await;
        if part == 10 {
            // One is killed in the middle of whatever it does.
            sealers.abort_all();
            let log = house.read.clone();
            let head = HeadWatch::start(log.clone(), Some(house.log.own_head()));
            let config = SealConfig { log, head, keys: Arc::from([key(1)]) };
            sealers.spawn(run(config, std::future::pending()));
        }
    }
    let head = house.head().await;
    let sealed = async {
        loop {
            let status = projectors::seals::seal_status(&house.read).await.unwrap();
            if status.position == head {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), sealed).await.unwrap();
    let sound = sound(&house).await;
    assert_eq!(i64::try_from(sound.events).unwrap(), head);
}

/// What the sealer says, and that it has signed nothing.
async fn refused(house: &House) -> SealError {
    let before = notes(house).await;
    let error = seal(house).await.expect_err("it must not sign");
    assert_eq!(notes(house).await, before, "{error}");
    error
}

#[tokio::test]
async fn nothing_is_signed_over_what_was_changed() {
    for (statements, expected) in [
        (
            "update log.events set payload = replace(payload::text, '}', ' }')::json
             where position = (select max(position) from log.events where position <= (select position from seal.state))",
            "Changed",
        ),
        (
            "delete from log.events where position = (
                 select max(position) from log.events where position <= (select position from seal.state))",
            "Changed",
        ),
        (
            "update log.usage_records set cost_pico = cost_pico + 1 where (batch_id, ordinal) = (
                 select batch_id, 0 from log.usage_batches order by first_position desc limit 1)",
            "Changed",
        ),
        (
            "update log.usage_batches set actor = 'somebody' where first_position = (
                 select max(first_position) from log.usage_batches)",
            "Changed",
        ),
        ("update log.head set position = (select position from seal.state) - 1", "Shorter"),
        ("update seal.tiles set hashes = overlay(hashes placing '\\xff'::bytea from 1) where level = 0", "Changed"),
        ("update seal.heads set root = sha256('x') where true", "Tree"),
        ("update seal.log_tiles set hashes = overlay(hashes placing '\\xff'::bytea from 1)", "Tree"),
        ("update seal.checkpoints set note = replace(note, 'ledger', 'ledges')", "Tree"),
        ("delete from seal.checkpoints", "Tree"),
    ] {
        let house = house().await;
        seal(&house).await.unwrap();
        house.happen(&Story::new(13).tell(20)).await;
        tamper(&house, statements).await;
        let error = refused(&house).await;
        assert!(format!("{error:?}").starts_with(expected), "{statements}: {error:?}");
    }
}

/// Usage with something in every column: what is written is what is read again.
async fn full_house() -> House {
    let house = House::with(&Story::new(11).tell(20)).await;
    let mut usage = Usage::new(11);
    for count in [1, 300, 7] {
        let (organization_id, mut records) = usage.batch(count);
        for (number, record) in records.iter_mut().enumerate().skip(1) {
            record.end_user = Some(format!("user ∑ {number}"));
            record.service_tier = Some("priority".to_owned());
            record.duration_ms = i64::try_from(number).ok();
            record.occurred_at += chrono::Duration::nanoseconds(123_456_789);
            let tag = |name: &str| (name.to_owned(), format!("\"{number}\" \\ ü\u{1}"));
            record.tags = ["env", "team ü"].map(tag).into_iter().collect();
        }
        house.use_up(organization_id, &records).await;
    }
    house
}

#[tokio::test]
async fn records_are_sealed_as_they_were_written() {
    let house = full_house().await;
    let unwritten: i64 =
        sqlx::query_scalar("select count(*) from log.usage_batches where records_root is null")
            .fetch_one(&house.owner)
            .await
            .unwrap();
    assert_eq!(unwritten, 0);
    seal(&house).await.unwrap();
    assert_eq!(sound(&house).await.usage_records, 308);
    // What is changed after it was written and before it is sealed is found.
    let (organization_id, records) = Usage::new(12).batch(9);
    house.use_up(organization_id, &records).await;
    let last = "(select batch_id, 4 from log.usage_batches order by first_position desc limit 1)";
    let cheaper =
        format!("update log.usage_records set input_tokens = 1 where (batch_id, ordinal) = {last}");
    tamper(&house, &cheaper).await;
    seal(&house).await.unwrap();
    let found = audit(&house.read, &trusted(), &[]).await.unwrap_err();
    assert!(matches!(found, AuditError::Found(Finding::Changed { .. })), "{found}");
    let error = refused(&house).await;
    assert!(matches!(error, SealError::Changed { .. }), "{error}");
}

#[tokio::test]
async fn a_batch_that_says_something_else_of_its_records_is_found() {
    let house = full_house().await;
    seal(&house).await.unwrap();
    let other = "update log.usage_batches set records_root = sha256('x')
        where first_position = (select min(first_position) from log.usage_batches)";
    tamper(&house, other).await;
    let found = audit(&house.read, &trusted(), &[]).await.unwrap_err();
    assert!(matches!(found, AuditError::Found(Finding::Records { .. })), "{found}");
}

#[tokio::test]
async fn batches_from_before_they_had_a_root_are_sealed() {
    let house = full_house().await;
    tamper(&house, "update log.usage_batches set records_root = null").await;
    seal(&house).await.unwrap();
    assert_eq!(sound(&house).await.usage_records, 308);
    let (organization_id, records) = Usage::new(12).batch(9);
    house.use_up(organization_id, &records).await;
    let fewer = "update log.usage_batches set records_root = null;
        delete from log.usage_records where (batch_id, ordinal) = (
            select batch_id, 4 from log.usage_batches order by first_position desc limit 1)";
    tamper(&house, fewer).await;
    let error = refused(&house).await;
    assert!(matches!(error, SealError::Records { .. }), "{error}");
}

#[tokio::test]
async fn keys_of_another_name_seal_nothing() {
    let house = house().await;
    seal(&house).await.unwrap();
    let other = SigningKey::of("another", [1; 32]).unwrap();
    let error = catch_up(&house.read, &[other]).await.unwrap_err();
    assert!(matches!(error, SealError::OtherName { .. }), "{error}");
    let error = catch_up(&house.read, &[]).await.unwrap_err();
    assert!(matches!(error, SealError::NoKey), "{error}");
    // A key of the same name goes on, and both sign for a while.
    house.happen(&Story::new(14).tell(20)).await;
    catch_up(&house.read, &[key(2), key(1)]).await.unwrap();
    house.happen(&Story::new(15).tell(20)).await;
    catch_up(&house.read, &[key(2)]).await.unwrap();
    let both = [trusted(), vec![key(2).verifying_key()]].concat();
    assert_eq!(audit(&house.read, &both, &[]).await.unwrap().checkpoints, 3);
    // The last one counts for what was signed before it, and for the last one nothing else does.
    let new = audit(&house.read, &both[1..], &[]).await.unwrap();
    assert_eq!((new.checkpoints, new.vouched), (3, 1));
    let old = audit(&house.read, &trusted(), &[]).await.unwrap_err();
    let AuditError::Found(Finding::Checkpoint { .. }) = old else { panic!("{old}") };
    let later = "update seal.checkpoints set sealed_at = sealed_at + interval '1 day'
        where size = (select max(size) from seal.checkpoints)";
    tamper(&house, later).await;
    let moved = audit(&house.read, &both, &[]).await.unwrap_err();
    assert!(moved.to_string().contains("at another time than is sealed"), "{moved}");
}

#[tokio::test]
async fn a_kept_checkpoint_shows_a_log_that_was_written_anew_or_put_back() {
    let house = house().await;
    seal(&house).await.unwrap();
    let kept = checkpoints(&house).await;
    audit(&house.read, &trusted(), &kept).await.unwrap();
    house.happen(&Story::new(16).tell(30)).await;
    seal(&house).await.unwrap();
    audit(&house.read, &trusted(), &kept).await.unwrap();
    let later = checkpoints(&house).await;
    // Who has the key and the database seals everything anew.
    let anew = "truncate seal.tiles, seal.log_tiles, seal.heads, seal.organizations;
        truncate seal.checkpoints cascade; update seal.state set position = 0, size = 0;
        update log.events set payload = replace(payload::text, '}', ' }')::json where position = 1";
    tamper(&house, anew).await;
    seal(&house).await.unwrap();
    sound(&house).await;
    let found = audit(&house.read, &trusted(), &kept).await.unwrap_err();
    assert!(matches!(found, AuditError::Found(Finding::Rewritten { .. })), "{found}");
    let found = audit(&house.read, &trusted(), &later[1..]).await.unwrap_err();
    assert!(matches!(found, AuditError::Found(Finding::PutBack { .. })), "{found}");
}

async fn bundle(log: &PgPool, organization_id: Uuid, range: Range) -> Vec<u8> {
    let mut bytes = Vec::new();
    let schemas = [("x.v1.json".to_owned(), "{}".to_owned())];
    export(log, organization_id, range, &trusted(), &schemas, &mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn what_is_exported_is_verified_without_the_database() {
    let house = house().await;
    seal(&house).await.unwrap();
    house.happen(&Story::new(17).tell(300)).await;
    seal(&house).await.unwrap();
    let organizations: Vec<(Uuid, i64)> =
        sqlx::query_as("select organization_id, size from seal.organizations order by size")
            .fetch_all(&house.owner)
            .await
            .unwrap();
    let (mut events, mut usage_records) = (0, 0);
    for (organization_id, size) in &organizations {
        let bytes = bundle(&house.read, *organization_id, Range::default()).await;
        let found = verify(&bytes[..], &trusted()).unwrap();
        assert!(found.is_complete());
        assert_eq!(i64::try_from(found.size).unwrap(), *size);
        events += found.events;
        usage_records += found.usage_records;
    }
    assert_eq!(i64::try_from(events + usage_records).unwrap(), house.head().await);
    // A range is what was recorded in it.
    let of_one = |(organization_id, _): &&(Uuid, i64)| !organization_id.is_nil();
    let (organization_id, size) = *organizations.iter().rev().find(of_one).unwrap();
    let middle: chrono::DateTime<chrono::Utc> = sqlx::query_scalar(
        "select recorded_at from log.events where organization_id = $1 order by position offset $2 limit 1",
    )
    .bind(organization_id)
    .bind(size / 3)
    .fetch_one(&house.owner)
    .await
    .unwrap();
    let until = Range { from: None, to: Some(middle) };
    let from = Range { from: Some(middle), to: None };
    let until = verify(&bundle(&house.read, organization_id, until).await[..], &trusted()).unwrap();
    let from = verify(&bundle(&house.read, organization_id, from).await[..], &trusted()).unwrap();
    assert_eq!((until.first, until.end, from.end), (0, from.first, from.size));
}
