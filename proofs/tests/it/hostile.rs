//! Files that somebody made to do harm: a clear answer, and no crash.

use std::sync::LazyLock;

use proofs::bundle::{Trouble, verify};
use proptest::prelude::*;

use crate::support::{
    Cut, bundle_of, bundle_with, earlier, key, keys, place_of, record_bundle, story, whole,
};

static BUNDLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let story = story(90);
    bundle_of(&story, &story, &whole(&story), &key(1))
});

/// Of the third of a batch's five records, with where the log stood before.
static RECORD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let story = story(90);
    record_bundle(&story, 24, place_of(&story, 24, 2), &story.rows[24][2..3])
});

/// A few leaves, with where the log stood before.
static CONTINUED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let story = story(90);
    let cut = Cut { first: 50, end: 60, part: 64, sealed_at: vec![] };
    let before = [earlier(&story, 1), earlier(&story, 2), earlier(&story, 3)];
    bundle_with(&story, &story, &cut, &key(1), &before)
});

#[test]
fn a_file_that_is_cut_off_is_refused_wherever_it_is_cut() {
    for bundle in [&BUNDLE, &RECORD, &CONTINUED] {
        assert!(verify(&bundle[..], &keys()).is_ok());
        // The last entry's padding and the end marks say nothing.
        let said = bundle.iter().rposition(|byte| *byte != 0).unwrap();
        for length in (0..=said).step_by(97).chain([said]) {
            let refused = verify(&bundle[..length], &keys());
            assert!(refused.is_err(), "cut at {length} of {}", bundle.len());
        }
    }
}

/// The blocks of a tar file that an entry takes.
fn entries() -> Vec<std::ops::Range<usize>> {
    let mut archive = tar::Archive::new(&BUNDLE[..]);
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let start = usize::try_from(entry.raw_header_position()).unwrap();
        let size = usize::try_from(entry.size()).unwrap();
        found.push(start..start + 512 + size.next_multiple_of(512));
    }
    found
}

#[test]
fn entries_that_are_missing_doubled_or_moved_are_named() {
    let entries = entries();
    let names_wrong = |bytes: Vec<u8>| match verify(&bytes[..], &keys()) {
        // A proof or a schema that is not there is not missed; the others prove the same.
        Err(
            Trouble::OtherEntry { .. }
            | Trouble::Line { .. }
            | Trouble::Missing { .. }
            | Trouble::Corrections { .. },
        )
        | Ok(_) => {}
        Err(other) => panic!("{other}"),
    };
    let mut accepted = 0;
    for (number, range) in entries.iter().enumerate() {
        let without = [&BUNDLE[..range.start], &BUNDLE[range.end..]].concat();
        accepted += usize::from(verify(&without[..], &keys()).is_ok());
        names_wrong(without);
        let twice = [&BUNDLE[..range.end], &BUNDLE[range.start..]].concat();
        let is_schema = number == 3;
        assert_eq!(verify(&twice[..], &keys()).is_ok(), is_schema, "entry {number} twice");
        if let Some(after) = entries.get(number + 1) {
            let swapped = [
                &BUNDLE[..range.start],
                &BUNDLE[after.clone()],
                &BUNDLE[range.clone()],
                &BUNDLE[after.end..],
            ]
            .concat();
            assert!(
                verify(&swapped[..], &keys()).is_err(),
                "entries {number} and the next swapped"
            );
        }
    }
    // The schema, and the earlier proofs.
    assert_eq!(accepted, 3);
}

#[test]
fn what_is_no_plain_file_is_refused() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    archive.append_link(&mut header, "README.md", "/etc/passwd").unwrap();
    let bytes = archive.into_inner().unwrap();
    assert!(matches!(verify(&bytes[..], &keys()), Err(Trouble::OtherEntry { .. })));
}

/// A bundle's head, and then an entry of a size that is not there, or zeroes without end.
#[test]
fn sizes_that_lie_cost_nothing() {
    let entries = entries();
    let mut header = tar::Header::new_ustar();
    header.set_path("manifest.json").unwrap();
    header.set_size(u64::MAX / 4);
    header.set_mode(0o444);
    header.set_cksum();
    let start = [&BUNDLE[..entries[1].start], header.as_bytes()].concat();
    let endless = std::io::Read::chain(&start[..], std::io::repeat(b'x'));
    assert!(matches!(verify(endless, &keys()), Err(Trouble::Manifest(_))));
    let mut header = tar::Header::new_ustar();
    header.set_path("events/000001.ndjson").unwrap();
    header.set_size(1 << 40);
    header.set_mode(0o444);
    header.set_cksum();
    let start = [&BUNDLE[..entries[4].start], header.as_bytes()].concat();
    let endless = std::io::Read::chain(&start[..], std::io::repeat(b'{'));
    assert!(matches!(verify(endless, &keys()), Err(Trouble::Line { number: 0, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// One byte anywhere: it is found, or it stands where nothing is proven by it (the README, a schema,
    /// a date in a tar header), and what is proven is the same.
    #[test]
    fn one_byte_changes_nothing_that_is_proven(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for bundle in [&BUNDLE, &RECORD, &CONTINUED] {
            let mut bytes = bundle.to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(found) = verify(&bytes[..], &keys()) {
                let honest = verify(&bundle[..], &keys()).unwrap();
                prop_assert_eq!(found.head, honest.head);
                prop_assert_eq!((found.events, found.usage_records), (honest.events, honest.usage_records));
                prop_assert_eq!((found.record, found.earlier), (honest.record, honest.earlier));
            }
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..3_000), from in any::<prop::sample::Index>()) {
        prop_assert!(verify(&bytes[..], &keys()).is_err());
        // The beginning of a bundle, and then anything.
        for bundle in [&BUNDLE, &RECORD, &CONTINUED] {
            let start = from.index(bundle.len() - 4_096);
            let mixed = [&bundle[..start], &bytes].concat();
            let _ = verify(&mixed[..], &keys());
        }
    }

    #[test]
    fn manifests_that_lie_are_refused(size in any::<u64>(), first in any::<u64>(), end in any::<u64>()) {
        let manifest = entries()[1].clone();
        let text = &BUNDLE[manifest.start + 512..manifest.end];
        let text = String::from_utf8(text.to_vec()).unwrap();
        let lying = text.trim_end_matches('\0')
            .replace("\"size\": 90", &format!("\"size\": {size}"))
            .replace("\"first\": 0", &format!("\"first\": {first}"))
            .replace("\"end\": 90", &format!("\"end\": {end}"));
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(lying.len() as u64);
        header.set_mode(0o444);
        archive.append_data(&mut header, "manifest.json", lying.as_bytes()).unwrap();
        let entry = archive.get_ref().clone();
        let bytes = [&BUNDLE[..manifest.start], &entry, &BUNDLE[manifest.end..]].concat();
        prop_assert!(verify(&bytes[..], &keys()).is_err());
    }
}
