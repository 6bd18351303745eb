//! Sealing: every entry is a leaf once, whoever seals; and nothing is signed over what was changed.

use std::sync::Arc;

use event_log::HeadWatch;
use event_log::database::{self, Role};
use projectors::seals::audit::{AuditError, Finding, audit};
use projectors::seals::{Range, SealConfig, SealError, Wanted, catch_up, export, run};
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
    let without = "update log.usage_batches set records_root = null";
    let mut superuser = house.owner.acquire().await.unwrap();
    superuser.execute("set session_replication_role = replica").await.unwrap();
    let refused_to = superuser.execute(without).await.unwrap_err();
    assert!(refused_to.to_string().contains("records_root_is_there"), "{refused_to}");
    drop(superuser);
    tamper(&house, "alter table log.usage_batches drop constraint records_root_is_there").await;
    tamper(&house, without).await;
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

/// What is new and not sealed yet, as whoever has all rights over the database leaves it.
#[tokio::test]
async fn nothing_is_signed_over_what_is_new_and_cannot_be() {
    let corrections = "(select max(position) from log.usage_corrections)";
    let new = "(select max(position) from log.events)";
    let first_new = "(select min(position) from log.events
        where position > (select position from seal.state))";
    let written = "its corrections are not those that it was written with";
    for (statements, expected) in [
        (
            format!(
                "update log.usage_corrections set cost_pico = cost_pico - 1
                 where position = {corrections} and ordinal = 0"
            ),
            written,
        ),
        (
            format!(
                "update log.usage_corrections set currency = 'CHF'
                 where position = {corrections} and ordinal = 0"
            ),
            written,
        ),
        (
            format!(
                "update log.usage_corrections set record_ordinal = record_ordinal + 1
                 where position = {corrections} and ordinal = 0"
            ),
            written,
        ),
        (
            format!(
                "delete from log.usage_corrections where position = {corrections} and ordinal = 0"
            ),
            "corrections stand beside it, and it says",
        ),
        (
            format!("delete from log.usage_corrections where position = {corrections}"),
            "0 corrections stand beside it, and it says",
        ),
        (
            format!(
                "insert into log.usage_corrections select position, 1000000, organization_id, batch_id,
                     record_ordinal, occurred_at, occurred_day, price_version_before, cost_pico_before,
                     currency_before, price_version, cost_pico, currency, recorded_at
                 from log.usage_corrections where position = {corrections} and ordinal = 0"
            ),
            "corrections stand beside it, and it says",
        ),
        (
            format!(
                "update log.usage_corrections set organization_id = gen_random_uuid()
                 where position = {corrections} and ordinal = 0"
            ),
            "a correction of it is another organization's, or of another time",
        ),
        (
            format!(
                "update log.events set recorded_at = recorded_at - interval '1 year'
                 where position = {new}"
            ),
            "and what precedes it later",
        ),
        // Earlier than what was sealed last, and by nothing that could be rounded away.
        (
            format!(
                "update log.events set recorded_at = (
                     select min(recorded_at) from log.usage_batches) - interval '1 microsecond'
                 where position = {first_new}"
            ),
            "and what precedes it later",
        ),
        (
            format!("update log.events set sequence = sequence + 1 where position = {new}"),
            "of its stream",
        ),
        (
            format!("update log.events set sequence = 1000000 where position = {first_new}"),
            "it is number 1000000 of its stream, and the one before it is not there",
        ),
    ] {
        let house = house().await;
        let mut usage = Usage::new(19);
        seal(&house).await.unwrap();
        house.happen(&Story::new(13).tell(20)).await;
        let any = "select exists (select from log.usage_corrections)";
        while !sqlx::query_scalar::<_, bool>(any).fetch_one(&house.owner).await.unwrap() {
            usage.reprice(&house).await;
        }
        tamper(&house, &statements).await;
        let error = refused(&house).await;
        assert!(matches!(error, SealError::Unsound { .. }), "{statements}: {error:?}");
        assert!(error.to_string().contains(expected), "{statements}: {error}");
    }
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
    let keys = trusted();
    let wanted = Wanted { range, keys: &keys, schemas: &schemas, ..Wanted::of(organization_id) };
    export(log, wanted, &mut bytes).await.unwrap();
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

#[tokio::test]
async fn evidence_shows_that_the_log_begins_with_every_checkpoint_that_was_kept() {
    let house = house().await;
    for part in 0..6 {
        seal(&house).await.unwrap();
        house.happen(&Story::new(100 + part).tell(40)).await;
    }
    seal(&house).await.unwrap();
    let kept = checkpoints(&house).await;
    let organization_id = an_organization(&house).await;
    let exported = async |kept: &[u64]| {
        let (mut bytes, keys) = (Vec::new(), trusted());
        let wanted = Wanted { kept, keys: &keys, ..Wanted::of(organization_id) };
        let exported = export(&house.read, wanted, &mut bytes).await.unwrap();
        (exported, verify(&bytes[..], &keys).unwrap())
    };
    let last = kept.last().unwrap().size;
    let mut sizes: Vec<u64> = kept.iter().map(|one| one.size).collect();
    // Of what is not there yet, or twice, nothing is said.
    let asked: Vec<u64> = sizes.iter().copied().rev().chain([1, 1, 0, last + 1]).collect();
    let (told, found) = exported(&asked).await;
    for one in &kept {
        assert_eq!(found.root_at(one.size), Some(one.root), "{}", one.size);
    }
    sizes.extend([1]);
    sizes.sort_unstable();
    sizes.dedup();
    sizes.retain(|size| *size < last);
    assert!(sizes.len() > 4, "{sizes:?}");
    let continued: Vec<u64> = told.continued.iter().map(|(size, _)| *size).collect();
    assert_eq!((continued, told.log_size), (sizes, last));
    assert!(exported(&[]).await.1.earlier.is_empty());
    // Written anew with the same key: it begins with something else.
    let anew = "truncate seal.tiles, seal.log_tiles, seal.heads, seal.organizations;
        truncate seal.checkpoints cascade; update seal.state set position = 0, size = 0;
        update log.events set payload = replace(payload::text, '}', ' }')::json where position = 1";
    tamper(&house, anew).await;
    seal(&house).await.unwrap();
    let (_, found) = exported(&asked).await;
    let first = &kept[0];
    assert!(found.checkpoint.size >= first.size);
    assert_ne!(found.root_at(first.size).unwrap(), first.root);
}

/// An organization that has usage.
async fn an_organization(house: &House) -> Uuid {
    sqlx::query_scalar(
        "select organization_id from log.usage_batches group by 1 order by sum(count) desc limit 1",
    )
    .fetch_one(&house.owner)
    .await
    .unwrap()
}

#[tokio::test]
async fn each_usage_record_is_proven_by_itself() {
    let house = house().await;
    house.happen(&Story::new(29).tell(300)).await;
    seal(&house).await.unwrap();
    let organization_id = an_organization(&house).await;
    let keys = trusted();
    let exported = async |position: i64| {
        let mut bytes = Vec::new();
        let record = Some(position);
        let wanted = Wanted { record, keys: &keys, ..Wanted::of(organization_id) };
        export(&house.read, wanted, &mut bytes).await.map(|_| bytes)
    };
    let records: Vec<(i64, Uuid, i32)> = sqlx::query_as(
        "select first_position + ordinal, batch_id, ordinal
         from log.usage_batches join log.usage_records using (batch_id, organization_id)
         where organization_id = $1 order by 1",
    )
    .bind(organization_id)
    .fetch_all(&house.owner)
    .await
    .unwrap();
    assert!(records.len() > 20, "{}", records.len());
    for (position, batch_id, ordinal) in &records {
        let found = verify(&exported(*position).await.unwrap()[..], &keys).unwrap();
        let record = found.record.unwrap();
        let place = (i64::try_from(record.position), i32::try_from(record.ordinal));
        assert_eq!(place, (Ok(*position), Ok(*ordinal)));
        assert_eq!(record.batch_id, *batch_id);
        // The id, in the row's first field.
        assert_eq!(&record.row[6..22], batch_id.as_bytes());
    }
    // What is no record, or another organization's, is none of its.
    let others: Vec<i64> = sqlx::query_scalar(
        "select first_position from log.usage_batches where organization_id <> $1
         union select min(position) from log.events union select max(position) from log.events
         union select max(position) + 1 from log.head",
    )
    .bind(organization_id)
    .fetch_all(&house.owner)
    .await
    .unwrap();
    assert!(others.len() > 3, "{others:?}");
    for other in others {
        exported(other).await.unwrap_err();
    }
    // One that was changed since is not what was sealed, nor is any other of its batch.
    let (position, batch_id, _) =
        records.iter().rev().find(|(_, _, ordinal)| *ordinal > 0).unwrap();
    let change = format!(
        "update log.usage_records set input_tokens = input_tokens + 1
         where batch_id = '{batch_id}' and ordinal = 0"
    );
    tamper(&house, &change).await;
    let refused = verify(&exported(*position).await.unwrap()[..], &keys).unwrap_err().to_string();
    assert!(refused.contains("was changed"), "{refused}");
    let gone =
        format!("delete from log.usage_records where batch_id = '{batch_id}' and ordinal = 0");
    tamper(&house, &gone).await;
    let refused = exported(*position).await.unwrap_err().to_string();
    assert!(refused.contains("not all records are here"), "{refused}");
}
