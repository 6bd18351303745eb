//! What is in an archive, and what is none.

use event_log::usage::archive::{self, ArchiveError};
use event_log::usage::months::{self, MonthState, close, reopen};

use super::{World, january};
use crate::support::{Entry, usage};

fn is_january(entry: &Entry) -> bool {
    match entry {
        Entry::Event(_) => false,
        Entry::Usage(_, record) => {
            january().meets(record.occurred_at.date_naive(), record.occurred_at.date_naive())
        }
    }
}

#[tokio::test]
async fn an_archive_has_every_record_to_the_last_bit_and_says_where_it_has_not() {
    let mut world = World::new().await;
    close(&mut world.owner, january()).await.expect("it is open");
    let archive = world.archive().await;
    let totals = &archive.manifest.totals;
    let of_january: Vec<Entry> = world.log.entries().await.into_iter().filter(is_january).collect();
    assert!(of_january.len() > 100, "{}", of_january.len());
    let positions: Vec<i64> = of_january.iter().map(Entry::position).collect();
    assert_eq!(totals.records, i64::try_from(positions.len()).expect("few"));
    assert_eq!(
        (totals.first_position, totals.last_position),
        (positions[0], positions[positions.len() - 1])
    );
    let cost = |currency: &str| -> i128 {
        let costs = of_january.iter().filter_map(|entry| match entry {
            Entry::Usage(_, record) if record.currency.is_some_and(|c| c.as_str() == currency) => {
                record.cost_pico
            }
            Entry::Usage(..) | Entry::Event(_) => None,
        });
        costs.map(i128::from).sum()
    };
    for (currency, amount) in &totals.costs {
        assert_eq!(amount.pico(), cost(currency.as_str()), "{currency}");
    }
    assert_eq!(totals.costs.len(), 2);
    let versions: i64 = totals.price_versions.values().map(|version| version.records).sum();
    assert_eq!(versions + totals.without_price, totals.records);

    // Again it is the same; and the same again in another place.
    assert_eq!(world.archive().await, archive);
    let elsewhere = world.archives.path().join("elsewhere");
    let there = archive::write(&mut world.reader, january(), &elsewhere, &mut |_| {}).await;
    assert_eq!(there.expect("it is written").manifest_sha256, archive.manifest_sha256);

    let directory = world.directory();
    let file = directory.join(&archive.manifest.files[0].name);
    let whole = std::fs::read(&file).expect("a file");
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for (contents, why) in [(damaged, "a bit"), (whole[..whole.len() - 1].to_vec(), "a byte")] {
        std::fs::write(&file, contents).expect("it is written");
        let opened = archive::open(&mut world.reader, january(), &directory).await;
        assert!(opened.is_err(), "{why} is missing, and nobody noticed");
    }
    std::fs::write(&file, whole).expect("it is written");
    archive::open(&mut world.reader, january(), &directory).await.expect("it is whole");
}

#[tokio::test]
async fn an_archive_of_something_else_is_not_taken_for_this_one() {
    let mut world = World::new().await;
    close(&mut world.owner, january()).await.expect("it is open");
    let archive = world.archive().await;
    let (directory, manifest) = (world.directory(), world.directory().join("manifest.json"));
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    let log_id = archive.manifest.log_id.to_string();
    let records = format!("\"records\": {}", archive.manifest.totals.records);
    for (from, to) in [
        ("2026-01", "2026-02"),
        (log_id.as_str(), "00000000-0000-0000-0000-000000000001"),
        ("usage archive 1", "usage archive 2"),
        ("\"ordinal\"", "\"cardinal\""),
        ("records-0001", "../records-0001"),
        (records.as_str(), "\"records\": 7"),
        ("{", "["),
    ] {
        std::fs::write(&manifest, text.replacen(from, to, 1)).expect("it is written");
        let opened = archive::open(&mut world.reader, january(), &directory).await;
        assert!(
            matches!(opened, Err(ArchiveError::NotThis { .. } | ArchiveError::Differs { .. })),
            "{from}: {opened:?}"
        );
    }
    std::fs::remove_file(&manifest).expect("it is there");
    let opened = archive::open(&mut world.reader, january(), &directory).await;
    assert!(matches!(opened, Err(ArchiveError::NoManifest(_))), "{opened:?}");
    // What was written before is written over.
    assert_eq!(world.archive().await, archive);
    // After more was recorded, the archive that is there is another's.
    reopen(&mut world.owner, january()).await.expect("it is closed");
    world.write(1, vec![usage("late", "2026-01-15T12:00:00Z")]).await;
    close(&mut world.owner, january()).await.expect("it is open");
    let again = archive::write(&mut world.reader, january(), &directory, &mut |_| {}).await;
    assert!(matches!(again, Err(ArchiveError::Differs { .. })), "{again:?}");
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_nothing_is_left_that_could_be_taken_for_an_archive() {
    let mut world = World::new().await;
    close(&mut world.owner, january()).await.expect("it is open");
    let directory = world.directory();
    for part in ["records-0001.parquet.part", "manifest.json.part"] {
        std::fs::create_dir_all(&directory).expect("a directory");
        let full = directory.join(part);
        std::os::unix::fs::symlink("/dev/full", &full).expect("a link");
        let refused = archive::write(&mut world.reader, january(), &directory, &mut |_| {}).await;
        let refused = refused.expect_err(part).to_string();
        assert!(refused.contains("No space left") && refused.contains(part), "{refused}");
        assert!(!directory.join("manifest.json").exists(), "{part}");
        std::fs::remove_file(&full).expect("it is there");
    }
    world.archive().await;
    assert_eq!(
        months::month_state(&mut world.reader, january()).await.expect("it is known"),
        MonthState::Closed
    );
}
