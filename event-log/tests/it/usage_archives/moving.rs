//! Closing, detaching, dropping and restoring.

use std::path::Path;

use event_log::database::Role;
use event_log::usage::archive::{self, Archive, ArchiveError, restore_dropped, restore_kept};
use event_log::usage::months::{self, MonthError, close, detach, drop_detached, reopen};
use event_log::usage::{Fate, UsageOfRequest, UsageWriter, archived_months, usage_of_request};
use sqlx::Executor as _;

use super::{World, january, varied};
use crate::support::{differing, eventually, organization, usage, usage_write};

#[tokio::test]
async fn a_closed_month_takes_no_records_and_the_others_do() {
    let mut world = World::new().await;
    let sent = || {
        vec![
            usage("new", "2026-01-15T12:00:00Z"),
            usage("beside", "2026-02-15T12:00:00Z"),
            usage("new too", "2026-01-31T23:59:59.999999Z"),
        ]
    };
    close(&mut world.owner, january()).await.expect("it is open");
    let archived = Fate::Archived { month: january() };
    // The writer knew the month as open.
    let fates = world.write(1, sent()).await;
    assert_eq!([fates[0], fates[2]], [archived; 2]);
    assert!(matches!(fates[1], Fate::Recorded { .. }), "{fates:?}");
    // And one that never heard of it, by another way in.
    let other = UsageWriter::new(&world.log.open().await);
    let again = other.write(&usage_write(organization(1), sent())).await.expect("it answers");
    assert_eq!(again.fates, [archived, Fate::Duplicate, archived]);
    let mut writer = world.log.connect(Role::Writer).await;
    let by_hand = "insert into log.usage_records select * from log.usage_records
                   where occurred_day = '2026-01-15' limit 1";
    let refused = (&mut writer).execute(by_hand).await.expect_err("it is closed");
    assert!(refused.to_string().contains("takes no more records"), "{refused}");

    reopen(&mut world.owner, january()).await.expect("it is closed");
    let fates = world.write(1, sent()).await;
    assert!(matches!(fates[0], Fate::Recorded { .. }), "{fates:?}");
    assert_eq!(fates[1], Fate::Duplicate);
}

#[tokio::test]
async fn who_needs_detached_records_is_told_so_and_misses_nothing_else() {
    let (mut world, _) = World::detached().await;
    let months = archived_months(&mut world.reader).await.expect("it reads");
    assert_eq!(months, [january()]);
    for role in [Role::Writer, Role::Relay, Role::Projector, Role::Reader, Role::Operator] {
        let known = archived_months(&mut world.log.connect(role).await).await;
        assert_eq!(known.expect("it may ask"), [january()], "{role:?}");
    }
    let pool = world.process.pool();
    let of = async |request: &str| {
        usage_of_request(pool, organization(1), request, None).await.expect("it reads")
    };
    // 28 December, 5 February, and in between.
    let archived = |earlier| UsageOfRequest::Archived { months: vec![january()], earlier };
    let UsageOfRequest::Archived { earlier: Some(december), .. } = of("0/0").await else {
        panic!("there may be a later one")
    };
    let there = usage_of_request(pool, organization(1), "0/0", Some(december)).await;
    assert!(matches!(there.expect("it reads"), UsageOfRequest::Found(at, _) if at == december));
    assert_eq!(of("0/20").await, archived(None));
    assert!(matches!(of("0/38").await, UsageOfRequest::Found(..)));
    assert_eq!(of("nothing").await, archived(None));
    // Who has records before and after in one batch, and none in between, misses nothing.
    let around = ["2025-12-31T12:00:00Z", "2026-02-01T12:00:00Z"];
    let around = around.iter().enumerate().map(|(n, at)| usage(&format!("around/{n}"), at));
    world.write(4, around.collect()).await;
    for n in [0, 1] {
        let request = format!("around/{n}");
        let found = usage_of_request(pool, organization(4), &request, None).await;
        assert!(matches!(found.expect("it reads"), UsageOfRequest::Found(..)), "{request}");
    }
    let elsewhere = usage_of_request(pool, organization(3), "0/0", None).await.expect("it reads");
    assert_eq!(elsewhere, UsageOfRequest::Absent, "that organization never had any");
    // Whoever publishes the log from the beginning cannot leave them out.
    let page = event_log::read::read_page(&mut world.reader, 0, 1_000).await.expect("no hole");
    let run = page.usage.first().expect("a batch");
    let missing = months::first_missing(&mut world.reader, run.first_day, run.last_day).await;
    assert_eq!(missing.expect("it reads"), Some(january()));
}

/// A detaching that comes after a transaction has its picture, and before it reads.
#[tokio::test]
async fn a_picture_from_before_does_not_hide_that_records_are_gone() {
    let mut world = World::new().await;
    close(&mut world.owner, january()).await.expect("it is open");
    let mut old = world.log.connect(Role::Reader).await;
    let picture = "begin isolation level repeatable read read only; select 1";
    (&mut old).execute(picture).await.expect("a picture");
    detach(&mut world.owner, january()).await.expect("it is closed");
    (&mut old).execute("lock table log.usage_records in access share mode").await.expect("a lock");
    assert_eq!(archived_months(&mut old).await.expect("it reads"), [january()]);
}

#[tokio::test]
async fn what_is_sent_again_beside_an_archived_month_counts_once() {
    let mut world = World::new().await;
    let edges = [
        ("last", "2026-01-31T23:50:00Z"),
        ("first", "2026-01-01T00:10:00Z"),
        ("early", "2026-01-31T00:00:00Z"),
    ];
    world.write(1, edges.map(|(request, at)| usage(request, at)).to_vec()).await;
    close(&mut world.owner, january()).await.expect("it is open");
    detach(&mut world.owner, january()).await.expect("it is closed");
    let again = || {
        vec![
            usage("last", "2026-02-01T00:10:00Z"),
            differing(usage("last", "2026-02-01T12:00:00Z")),
            usage("first", "2025-12-31T23:50:00Z"),
            usage("last", "2026-02-01T23:50:00Z"),
            usage("early", "2026-02-01T00:10:00Z"),
            usage("last", "2026-01-31T23:50:00Z"),
        ]
    };
    let archived = Fate::Archived { month: january() };
    for dropped in [false, true] {
        let fates = world.write(1, again()).await;
        assert_eq!(fates[..3], [Fate::Duplicate, Fate::Conflict, Fate::Duplicate], "{dropped}");
        // A day apart they are other requests.
        let fresh = |fate: Fate| matches!(fate, Fate::Recorded { .. });
        assert_eq!([fresh(fates[3]), fresh(fates[4])], [!dropped; 2], "{fates:?}");
        // A writer that has not heard of the archive yet may know the record, and says so.
        assert!(fates[5] == archived || fates[5] == Fate::Duplicate, "{fates:?}");
        if !dropped {
            drop_detached(&mut world.owner, january()).await.expect("it is detached");
        }
    }
    // Another organization's request of that name is another.
    let others = world.write(2, vec![usage("last", "2026-02-01T00:10:00Z")]).await;
    assert!(matches!(others[0], Fate::Recorded { .. }), "{others:?}");
}

#[tokio::test]
async fn a_month_comes_back_as_it_was_from_its_table_and_from_its_archive() {
    let mut world = World::new().await;
    for dropped in [false, true] {
        let before = world.log.entries().await;
        close(&mut world.owner, january()).await.expect("it is open");
        let archive = world.archive().await;
        detach(&mut world.owner, january()).await.expect("it is closed");
        if dropped {
            drop_detached(&mut world.owner, january()).await.expect("it is detached");
            let other = Archive {
                manifest: archive::Manifest {
                    totals: archive::Totals { records: 1, ..archive.manifest.totals.clone() },
                    ..archive.manifest.clone()
                },
                ..archive.clone()
            };
            let directory = world.directory();
            let refused =
                restore_dropped(&mut world.owner, january(), &directory, &other, &mut |_| {}).await;
            assert!(matches!(refused, Err(ArchiveError::Differs { .. })), "{refused:?}");
            restore_dropped(&mut world.owner, january(), &directory, &archive, &mut |_| {})
                .await
                .expect("it is the archive");
        } else {
            let (owner, reader) = (&mut world.owner, &mut world.reader);
            let refused = restore_kept(owner, reader, january(), "00").await;
            assert!(matches!(refused, Err(ArchiveError::Differs { .. })), "{refused:?}");
            let rows = &archive.manifest.totals.rows_sha256;
            restore_kept(owner, reader, january(), rows).await.expect("it is the table");
        }
        assert_eq!(world.log.entries().await, before, "{dropped}");
        // It takes records again, and knows those that it had.
        let fates = world.write(1, vec![varied(0, 20), usage("x", "2026-01-15T12:00:00Z")]).await;
        assert_eq!(fates[0], Fate::Duplicate, "{dropped}");
        assert!(!matches!(fates[1], Fate::Archived { .. }), "{fates:?}");
        // The archive of the first round is none of the second.
        std::fs::remove_dir_all(world.directory()).expect("it is there");
    }
}

#[tokio::test]
async fn nobody_changes_what_is_detached_and_no_service_moves_a_month() {
    let mut world = World::new().await;
    for role in [Role::Writer, Role::Relay, Role::Projector, Role::Reader, Role::Operator] {
        let mut connection = world.log.connect(role).await;
        let refused = close(&mut connection, january()).await;
        assert!(matches!(refused, Err(MonthError::NotTheOwner(_))), "{role:?}: {refused:?}");
    }
    close(&mut world.owner, january()).await.expect("it is open");
    for role in [Role::Writer, Role::Relay, Role::Projector, Role::Reader, Role::Operator] {
        let mut connection = world.log.connect(role).await;
        for refused in [
            reopen(&mut connection, january()).await,
            detach(&mut connection, january()).await,
            drop_detached(&mut connection, january()).await,
        ] {
            assert!(matches!(refused, Err(MonthError::NotTheOwner(_))), "{role:?}: {refused:?}");
        }
    }
    detach(&mut world.owner, january()).await.expect("it is closed");
    for change in [
        "update log.usage_archived_2026_01 set output_tokens = 0",
        "delete from log.usage_archived_2026_01",
        "truncate log.usage_archived_2026_01",
    ] {
        let refused = (&mut world.owner).execute(change).await.expect_err(change);
        assert!(refused.to_string().contains("append-only"), "{change}: {refused}");
    }
    let mut writer = world.log.connect(Role::Writer).await;
    for touch in [
        "select from log.usage_archived_2026_01",
        "insert into log.usage_archived_2026_01 select * from log.usage_records limit 1",
        "delete from log.usage_archives",
        "insert into log.usage_archives values ('2026-02-01', 'closed')",
        "delete from log.usage_archived_requests",
    ] {
        (&mut writer).execute(touch).await.expect_err(touch);
    }
    // Each step from where it is alone.
    let again = detach(&mut world.owner, january()).await;
    assert!(again.is_err(), "{again:?}");
    let again = reopen(&mut world.owner, january()).await;
    assert!(again.is_err(), "{again:?}");
    let nothing = close(&mut world.owner, "2031-05".parse().expect("a month")).await;
    assert!(matches!(nothing, Err(MonthError::NoUsage(_))), "{nothing:?}");
}

/// Senders that never stop, a month that closes among them, and is archived: whatever was answered
/// `recorded` is in the archive, and nothing else is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_that_closes_among_senders_loses_nothing_that_was_acknowledged() {
    let mut world = World::new().await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let recorded = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..4_u128 {
        let (writer, stop) = (world.writer.clone(), std::sync::Arc::clone(&stop));
        let recorded = std::sync::Arc::clone(&recorded);
        senders.spawn(async move {
            let mut acknowledged = Vec::new();
            for round in 0.. {
                let records = (0..20).map(|n| {
                    let day = if n % 2 == 0 { "2026-01-15" } else { "2026-02-15" };
                    usage(&format!("{sender}/{round}/{n}"), &format!("{day}T12:00:00Z"))
                });
                let write = usage_write(organization(10 + sender), records.collect());
                let written = writer.write(&write).await.expect("nothing is in its way");
                let mut closed = false;
                for (record, fate) in write.records.iter().zip(written.fates) {
                    match fate {
                        Fate::Recorded { position } => {
                            assert!(!closed || record.day() >= january().end());
                            if record.day() < january().end() {
                                acknowledged.push(position);
                            }
                        }
                        Fate::Archived { .. } => closed = true,
                        Fate::Duplicate | Fate::Conflict => panic!("{fate:?}"),
                    }
                }
                recorded.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                if stop.load(std::sync::atomic::Ordering::SeqCst) {
                    break;
                }
            }
            acknowledged
        });
    }
    let so_many = |n| {
        let recorded = std::sync::Arc::clone(&recorded);
        async move {
            eventually("senders go on", async || {
                recorded.load(std::sync::atomic::Ordering::SeqCst) >= n
            })
            .await;
        }
    };
    so_many(10).await;
    close(&mut world.owner, january()).await.expect("it is open");
    so_many(recorded.load(std::sync::atomic::Ordering::SeqCst) + 10).await;
    let archive = world.archive().await;
    detach(&mut world.owner, january()).await.expect("it is closed");
    so_many(recorded.load(std::sync::atomic::Ordering::SeqCst) + 10).await;
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let mut acknowledged = 0;
    while let Some(sent) = senders.join_next().await {
        acknowledged += sent.expect("no panic").len();
    }
    assert!(acknowledged >= 100, "{acknowledged}");
    let before = archive_of_nobody_else(&archive.manifest.files, &world.directory());
    let own = i64::try_from(acknowledged).expect("few");
    assert_eq!(
        archive.manifest.totals.records,
        own + before,
        "all of it, and the records from before"
    );
}

/// How many records of January the world began with.
fn archive_of_nobody_else(files: &[archive::ArchiveFile], directory: &Path) -> i64 {
    assert!(files.iter().all(|file| directory.join(&file.name).is_file()));
    let days = (0..6).flat_map(|batch| (0..40).map(move |n| varied(batch, n).day()));
    i64::try_from(days.filter(|day| january().meets(*day, *day)).count()).expect("few")
}
