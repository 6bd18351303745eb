use event_schemas::UsageMonthEvent as Was;

use super::{UsageArchive, UsageMonth, UsageMonthCommand as Ask, UsageMonthError as Refused};
use crate::testing::{self, folded};

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<UsageMonth>(given, when, then);
}

fn month() -> event_schemas::Month {
    "2026-01".parse().unwrap()
}

fn archive(manifest: &str) -> UsageArchive {
    UsageArchive {
        records: 3,
        first_position: 5,
        last_position: 9,
        rows_sha256: "rows".to_owned(),
        manifest_sha256: manifest.to_owned(),
    }
}

fn ask_archive(manifest: &str) -> Ask {
    Ask::Archive { month: month(), archive: archive(manifest) }
}

fn ask_drop(manifest: &str) -> Ask {
    Ask::Drop { month: month(), manifest_sha256: manifest.to_owned() }
}

fn archived(manifest: &str) -> Was {
    super::archived(month(), archive(manifest))
}

fn dropped(manifest: &str) -> Was {
    Was::Dropped { month: month(), manifest_sha256: manifest.to_owned() }
}

fn restored() -> Was {
    Was::Restored { month: month() }
}

fn otherwise(manifest: &str) -> Refused {
    Refused::ArchivedOtherwise { manifest_sha256: manifest.to_owned() }
}

#[test]
fn a_month_is_archived_once_and_anew_after_it_was_restored() {
    check(&[], ask_archive("a"), Ok(vec![archived("a")]));
    check(&[archived("a")], ask_archive("a"), Ok(vec![]));
    check(&[archived("a"), dropped("a")], ask_archive("a"), Ok(vec![]));
    check(&[archived("a")], ask_archive("b"), Err(otherwise("a")));
    check(&[archived("a"), dropped("a")], ask_archive("b"), Err(otherwise("a")));
    check(&[archived("a"), restored()], ask_archive("b"), Ok(vec![archived("b")]));
}

#[test]
fn only_what_is_in_that_archive_is_dropped() {
    check(&[], ask_drop("a"), Err(Refused::NotArchived));
    check(&[archived("a")], ask_drop("b"), Err(otherwise("a")));
    check(&[archived("a")], ask_drop("a"), Ok(vec![dropped("a")]));
    check(&[archived("a"), dropped("a")], ask_drop("a"), Ok(vec![]));
    check(&[archived("a"), restored()], ask_drop("a"), Err(Refused::NotArchived));
}

#[test]
fn what_is_archived_is_restored_dropped_or_not() {
    let ask = || Ask::Restore { month: month() };
    check(&[], ask(), Ok(vec![]));
    check(&[archived("a")], ask(), Ok(vec![restored()]));
    check(&[archived("a"), dropped("a")], ask(), Ok(vec![restored()]));
    check(&[archived("a"), restored()], ask(), Ok(vec![]));
}

#[test]
fn the_archive_is_known_until_the_month_is_restored() {
    let known = |events: &[Was]| folded::<UsageMonth>(events).archive().cloned();
    assert_eq!(known(&[]), None);
    assert_eq!(known(&[archived("a")]), Some(archive("a")));
    assert_eq!(known(&[archived("a"), dropped("a")]), Some(archive("a")));
    assert_eq!(known(&[archived("a"), dropped("a"), restored()]), None);
}
