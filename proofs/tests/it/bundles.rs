//! Bundles that hold, and the first leaf that fails in those that do not.

use proofs::bundle::{Trouble, Verified, verify};
use proofs::{Hash, HeadLeaf};

use crate::support::{Cut, Story, bundle_of, key, keys, row, story, whole};

const SIZE: u64 = 300;

fn verified(story: &Story, sealed: &Story, cut: &Cut) -> Result<Verified, Trouble> {
    verify(&bundle_of(story, sealed, cut, &key(1))[..], &keys())
}

#[test]
fn a_clean_bundle_holds() {
    let story = story(SIZE);
    let found = verified(&story, &story, &whole(&story)).unwrap();
    assert!(found.is_complete());
    assert_eq!((found.events, found.usage_records, found.corrections), (257, 128, 15));
    let HeadLeaf { size, .. } = found.head;
    assert_eq!((size, found.checkpoint.size), (SIZE, 3));
    assert_eq!(found.signers, keys());
    assert_eq!(found.positions, Some((10, 10 + 257 + 128 - 1)));
    // One for each part in which it was sealed, and the last.
    assert_eq!(found.checkpoints.len(), 5);
}

#[test]
fn any_range_of_a_tree_holds() {
    let story = story(SIZE);
    for (first, end) in [(0, 1), (1, 2), (37, 211), (64, 128), (299, 300), (0, 299), (100, 100)] {
        for part in [1, 50, 1_000] {
            let cut = Cut { first, end, part, sealed_at: vec![1, 38, 100, 128, 211] };
            let found = verified(&story, &story, &cut).unwrap();
            assert_eq!(found.events + count_usage(first, end), end - first);
            assert!(!found.is_complete());
        }
    }
}

fn count_usage(first: u64, end: u64) -> u64 {
    (first..end).filter(|number| number % 7 == 3).count() as u64
}

#[test]
fn the_same_leaves_give_the_same_bytes() {
    let story = story(20);
    let cut = whole(&story);
    assert_eq!(bundle_of(&story, &story, &cut, &key(1)), bundle_of(&story, &story, &cut, &key(1)));
}

/// Does something to the leaves, and says what the verifier says of it.
fn told(change: impl FnOnce(&mut Story)) -> String {
    let sealed = story(SIZE);
    let mut story = story(SIZE);
    change(&mut story);
    let cut = Cut { end: SIZE, ..whole(&story) };
    verified(&story, &sealed, &cut).expect_err("it was changed").to_string()
}

fn replace(story: &mut Story, number: usize, what: &str, with: &str) {
    let changed = story.lines[number].replacen(what, with, 1);
    assert_ne!(changed, story.lines[number], "{what}");
    story.lines[number] = changed;
}

#[test]
fn the_first_leaf_that_fails_is_named() {
    let changed = |number: u64| format!("leaf {number} (project.created 00000000-0000-0000-0000-");
    for (what, with) in [
        ("Ünïcode 99", "Ünïcode 98"),
        ("1.10", "1.1"),
        ("\"actor_id\": \"ann\"", "\"actor_id\": \"bob\""),
        ("project.created", "project.archived"),
        ("\"sequence\":100", "\"sequence\":101"),
        ("it's", "its"),
        ("2026-09-21T14:13:20.123456Z", "2026-09-21T14:13:20.123455Z"),
    ] {
        let told = told(|story| replace(story, 99, what, with));
        let name = if what.starts_with("project") { "leaf 99 (" } else { &changed(99) };
        assert!(told.starts_with(name) && told.ends_with("was changed"), "{what}: {told}");
    }
    // Two were changed: the first is named.
    let both = told(|story| {
        replace(story, 120, "Ünïcode", "Unicode");
        replace(story, 99, "Ünïcode", "Unicode");
    });
    assert!(both.starts_with("leaf 99 "), "{both}");
}

#[test]
fn leaves_that_were_taken_out_added_or_moved_are_named() {
    let removed = told(|story| {
        story.lines.remove(99);
        story.lines.push(String::new());
    });
    assert!(removed.starts_with("leaf 99 is missing: leaf 100 "), "{removed}");
    let doubled = told(|story| story.lines[99] = story.lines[99].repeat(2));
    assert!(doubled.starts_with("leaf 100 is missing: leaf 99 "), "{doubled}");
    let swapped = told(|story| story.lines.swap(99, 100));
    assert!(swapped.starts_with("leaf 99 is missing: leaf 100 "), "{swapped}");
    // Who swaps contents and leaves the numbers in place is found by the hash.
    let contents = told(|story| {
        replace(story, 99, "Ünïcode 99", "Ünïcode 100");
        replace(story, 100, "Ünïcode 100", "Ünïcode 99");
    });
    assert!(contents.starts_with("leaf 99 ") && contents.ends_with("was changed"), "{contents}");
    let backdated = told(|story| replace(story, 99, "T14:14:59", "T14:14:58"));
    assert!(backdated.starts_with("leaf 99 "), "{backdated}");
    let cut = told(|story| {
        story.lines.truncate(290);
        story.rows.truncate(290);
        story.lines.resize(300, String::new());
        story.rows.resize(300, Vec::new());
        story.corrections[299].clear();
    });
    assert_eq!(cut, "the file has nothing where events/000006.ndjson belongs");
}

#[test]
fn records_that_were_changed_are_named() {
    // Leaf 101 is a batch with two records, leaf 108 one with four.
    let batch = "leaf 101 (usage batch 00000000-0000-0000-0000-000000000065, at position ";
    let id = uuid::Uuid::from_u128(101);
    let cost = told(|story| story.rows[101][1] = row(id, 1, "record 2 of 101"));
    assert!(cost.contains(batch) && cost.ends_with("one of them was changed"), "{cost}");
    let gone = told(|story| story.rows[101].truncate(1));
    assert!(gone.contains(batch) && gone.contains("record 1 is missing"), "{gone}");
    let swapped = told(|story| story.rows[101].swap(0, 1));
    assert!(swapped.contains(batch) && swapped.contains("record 0 is missing"), "{swapped}");
    let all_gone = told(|story| (64..128).for_each(|number| story.rows[number].clear()));
    assert_eq!(all_gone, "the file has corrections/000002.txt where usage/000002.copy belongs");
}

#[test]
fn corrections_that_were_changed_or_left_out_are_named() {
    // Leaf 54 has one correction, leaf 103 two, leaf 152 three.
    let event = |number: u64| format!("the corrections of leaf {number} (usage.repriced ");
    let changed = told(|story| {
        story.corrections[103] = story.corrections[103].replace(" 103 USD", " 104 USD");
    });
    assert!(changed.starts_with(&event(103)), "{changed}");
    assert!(changed.ends_with("one of them was changed"), "{changed}");
    let cut = told(|story| {
        let first = story.corrections[103].split_inclusive('\n').next().unwrap().to_owned();
        story.corrections[103] = first;
    });
    assert!(cut.starts_with(&event(103)) && cut.ends_with("correction 1 is missing"), "{cut}");
    // One entry has those of two events: the second's are gone.
    let second = told(|story| story.corrections[54].clear());
    assert!(second.starts_with(&event(54)), "{second}");
    let doubled = told(|story| story.corrections[103] = story.corrections[103].repeat(2));
    assert_eq!(doubled, "the file has another where the end of the corrections belongs");
    let removed = told(|story| story.corrections[103].clear());
    assert!(removed.starts_with(&event(103)), "{removed}");
    assert!(removed.ends_with("they are not in the file"), "{removed}");
    let all = told(|story| story.corrections.iter_mut().for_each(String::clear));
    assert!(all.starts_with(&event(5)) && all.ends_with("they are not in the file"), "{all}");
}

#[test]
fn who_changes_the_hashes_too_is_found_by_the_next_proof() {
    let sealed = story(SIZE);
    let mut forged = story(SIZE);
    replace(&mut forged, 99, "Ünïcode 99", "Ünïcode XX");
    let line: proofs::bundle::Line<'_> = serde_json::from_str(&forged.lines[99]).unwrap();
    let hash = line.hash(crate::support::organization_id()).unwrap().to_string();
    let leaf = sealed.hashes[99].to_string();
    replace(&mut forged, 99, &leaf, &hash);
    let told = verified(&forged, &sealed, &whole(&forged)).unwrap_err().to_string();
    // The tree was proven up to 65, and the next proof is of 130.
    assert_eq!(told, "the leaves from 65 to before 130 are not what was sealed");
    let mut hash_alone = story(SIZE);
    replace(&mut hash_alone, 99, &leaf, &hash);
    let told = verified(&hash_alone, &sealed, &whole(&sealed)).unwrap_err();
    assert!(matches!(told, Trouble::ChangedHash(suspect) if suspect.number == 99));
}

#[test]
fn a_bundle_counts_by_the_keys_that_one_trusts() {
    let story = story(20);
    let bundle = bundle_of(&story, &story, &whole(&story), &key(2));
    let told = verify(&bundle[..], &keys()).unwrap_err().to_string();
    assert!(
        told.starts_with("head.tlog-proof: the checkpoint does not count: none of the"),
        "{told}"
    );
    let none = verify(&bundle[..], &[]).unwrap_err().to_string();
    assert!(none.contains("none of the keys that you trust"), "{none}");
}

#[test]
fn a_bundle_of_another_organization_does_not_pass_for_it() {
    let story = story(20);
    let bundle = bundle_of(&story, &story, &whole(&story), &key(1));
    let (ours, theirs) = (crate::support::organization_id().to_string(), uuid::Uuid::nil());
    let text = String::from_utf8_lossy(&bundle);
    assert!(text.contains(&ours));
    let mut forged = bundle.clone();
    let manifest = find(&bundle, b"manifest.json");
    let at = manifest + find(&bundle[manifest..], ours.as_bytes());
    forged[at..at + 36].copy_from_slice(theirs.to_string().as_bytes());
    let told = verify(&forged[..], &keys()).unwrap_err();
    assert!(matches!(told, Trouble::OtherHead(_)), "{told}");
    assert_ne!(Hash::of(&bundle), Hash::of(&forged));
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}
