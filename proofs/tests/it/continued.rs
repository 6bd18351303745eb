//! Bundles that show that the log begins with what it was, and bundles of one usage record.

use proofs::Hash;
use proofs::bundle::{EARLIER_MAX, Earlier, ProvenRecord, RecordPlace, Verified, verify};
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::{
    Cut, bundle_with, earlier, key, keys, place_of, record_bundle, row, story, whole,
};

fn verified(continued: &[Earlier]) -> Result<Verified, String> {
    let story = story(20);
    let bundle = bundle_with(&story, &story, &whole(&story), &key(1), continued);
    verify(&bundle[..], &keys()).map_err(|trouble| trouble.to_string())
}

#[test]
fn a_bundle_shows_what_the_log_was_at_earlier_sizes() {
    let story = story(20);
    let before = [earlier(&story, 1), earlier(&story, 2)];
    let found = verified(&before).unwrap();
    for earlier in &before {
        assert_eq!(found.root_at(earlier.size), Some(earlier.root), "{}", earlier.size);
    }
    assert_eq!(found.root_at(3), Some(found.checkpoint.root));
    assert_eq!((found.root_at(0), found.root_at(4)), (None, None));
    assert!(verified(&[]).unwrap().earlier.is_empty());
}

#[test]
fn what_the_log_never_was_is_refused() {
    let story = story(20);
    let (one, two) = (earlier(&story, 1), earlier(&story, 2));
    let other = Hash::of(b"another");
    let refused = |earlier: Earlier, why: &str| {
        let said = verified(std::slice::from_ref(&earlier)).expect_err(why);
        let begins = "consistency/000001.txt does not show that the log begins with what it was: ";
        assert!(said.starts_with(begins) && said.ends_with(why), "{earlier:?}: {said}");
    };
    // A complete tree's root is no node of its path, any other's is.
    refused(Earlier { root: other, ..one.clone() }, "the path leads to another root");
    refused(Earlier { root: other, ..two.clone() }, "the path leads to another root");
    refused(Earlier { root: one.root, ..two.clone() }, "the path leads to another root");
    refused(Earlier { size: 1, ..two.clone() }, "the path has the wrong length");
    refused(Earlier { size: 3, ..two.clone() }, "the path has the wrong length");
    refused(Earlier { size: 4, ..two.clone() }, "the tree is too small for it");
    refused(Earlier { path: vec![], ..two.clone() }, "the path has the wrong length");
    refused(Earlier { size: 0, path: vec![], ..two.clone() }, "the path leads to another root");
    let long = Earlier { path: vec![other; 65], ..two };
    refused(long, "it is not a size, a root and a path");
}

#[test]
fn a_bundle_has_so_many_and_no_more() {
    let one = earlier(&story(20), 1);
    assert_eq!(verified(&vec![one.clone(); EARLIER_MAX]).unwrap().earlier.len(), EARLIER_MAX);
    let said = verified(&vec![one; EARLIER_MAX + 1]).unwrap_err();
    assert_eq!(said, "the file has consistency/001001.txt where schemas/ belongs");
}

fn of_record(number: u64, place: RecordPlace, rows: &[Vec<u8>]) -> Result<Verified, String> {
    let bundle = record_bundle(&story(90), number, place, rows);
    verify(&bundle[..], &keys()).map_err(|trouble| trouble.to_string())
}

#[test]
fn any_record_is_proven_without_the_others() {
    let story = story(90);
    for number in (0..90).filter(|number| number % 7 == 3) {
        let rows = &story.rows[usize::try_from(number).unwrap()];
        for (ordinal, row) in (0..).zip(rows) {
            let place = place_of(&story, number, ordinal);
            let found = of_record(number, place, std::slice::from_ref(row)).unwrap();
            let (first, _) = found.positions.unwrap();
            let expected = ProvenRecord {
                batch_id: Uuid::from_u128(u128::from(number)),
                ordinal,
                count: rows.len() as u64,
                position: first + ordinal,
                row: row.clone(),
            };
            assert_eq!(found.record, Some(expected));
            assert_eq!((found.usage_records, found.events), (1, 0));
            assert!(!found.is_complete());
            assert_eq!(found.earlier.len(), 1);
        }
    }
}

#[test]
fn a_record_that_is_another_is_named() {
    let story = story(90);
    let (rows, place) = (&story.rows[24], place_of(&story, 24, 2));
    assert_eq!(rows.len(), 5);
    let id = Uuid::from_u128(24);
    let refused = |place: RecordPlace, rows: &[Vec<u8>], why: &str| {
        let said = of_record(24, place, rows).expect_err(why);
        assert!(
            said.starts_with("the records of leaf 24 (usage batch ") && said.contains(why),
            "{said}"
        );
    };
    let changed = row(id, 2, "record 3 of 24");
    refused(place.clone(), &[changed], "record 2 is none of them: the path leads to another root");
    refused(place.clone(), &rows[3..4], "record 3 of batch ");
    let others = [row(Uuid::from_u128(31), 2, "record 2 of 24")];
    refused(place.clone(), &others, "stands in its place");
    refused(place.clone(), &rows[2..4], "it is not one row");
    let moved = RecordPlace { ordinal: 3, ..place.clone() };
    refused(moved, &[row(id, 3, "record 2 of 24")], "the path leads to another root");
    refused(
        RecordPlace { ordinal: 5, ..place.clone() },
        &[row(id, 5, "x")],
        "the tree is too small",
    );
    let short = RecordPlace { path: place.path[1..].to_vec(), ..place.clone() };
    refused(short, &rows[2..3], "the path has the wrong length");
    let none = RecordPlace { path: vec!["x".to_owned()], ..place.clone() };
    refused(none, &rows[2..3], "its path has no hashes");
    // An event has no records, and without its row a record is nothing.
    let of_event = of_record(25, place.clone(), &[]).unwrap_err();
    assert!(of_event.contains("the leaf of a record is a batch"), "{of_event}");
    let missing = of_record(24, place, &[]).unwrap_err();
    assert_eq!(missing, "the file has nothing where usage/000001.copy belongs");
}

#[test]
fn a_record_is_of_one_leaf() {
    let story = story(90);
    let place = place_of(&story, 24, 2);
    let bundle = record_bundle(&story, 24, place, &story.rows[24][2..3]);
    let text = String::from_utf8_lossy(&bundle);
    // A number of as many digits, so that the entry keeps its size.
    let lying = text.find("\"end\": 25").unwrap();
    let mut bytes = bundle.clone();
    assert_eq!(&bytes[lying..lying + 9], b"\"end\": 25");
    bytes[lying + 8] = b'6';
    let said = verify(&bytes[..], &keys()).unwrap_err().to_string();
    assert!(said.contains("a record is of one leaf"), "{said}");
    let whole = Cut { first: 0, end: 90, part: 64, sealed_at: vec![] };
    assert!(verify(&bundle_with(&story, &story, &whole, &key(1), &[])[..], &keys()).is_ok());
}

proptest! {
    /// Whatever is said of what the log was, it is what it was, or refused.
    #[test]
    fn nothing_but_what_was_is_shown(
        size in 0_u64..6,
        root in 0_usize..4,
        path in prop::collection::vec(0_usize..5, 0..5),
    ) {
        let story = story(20);
        let (one, two, three) = (earlier(&story, 1), earlier(&story, 2), earlier(&story, 3));
        let nodes = [&one.path[..], &two.path, &[one.root, two.root, three.root]].concat();
        let root = [one.root, two.root, three.root, Hash::of_nothing()][root];
        let path = path.into_iter().map(|at| nodes[at % nodes.len()]).collect();
        if let Ok(found) = verified(&[Earlier { size, root, path }]) {
            let was = [Hash::of_nothing(), one.root, two.root, three.root];
            prop_assert_eq!(root, was[usize::try_from(size).unwrap()]);
            prop_assert_eq!(found.earlier, vec![(size, root)]);
        }
    }
}
