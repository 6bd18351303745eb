//! What leaves are made of.

use chrono::{DateTime, Utc};
use proofs::{EventLeaf, Hash, HeadLeaf, LeafError, actor_of, organization_hash, records_root};
use proptest::prelude::*;
use uuid::Uuid;

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap()
}

const METADATA: &str = r#"{"actor_id":"ann","actor_kind":"operator","correlation_id":"c"}"#;

fn leaf() -> EventLeaf<'static> {
    EventLeaf {
        organization_id: Uuid::from_u128(1),
        number: 2,
        position: 3,
        event_id: Uuid::from_u128(4),
        aggregate_type: "project",
        aggregate_id: "5",
        sequence: 6,
        event_type: "project.created",
        event_version: "1",
        occurred_at: time(7),
        recorded_at: time(-8),
        payload: "{}",
        metadata: METADATA,
    }
}

/// The format does not move: what was sealed once is verified for ever.
#[test]
fn an_events_record_is_written_field_by_field() {
    let id = |last: u8| [[0; 15].to_vec(), vec![last]].concat();
    let number = |number: i64| number.to_be_bytes().to_vec();
    let fields: [Vec<u8>; 15] = [
        b"orgledger event 1".to_vec(),
        id(1),
        number(2),
        number(3),
        id(4),
        b"project".to_vec(),
        b"5".to_vec(),
        number(6),
        b"project.created".to_vec(),
        b"1".to_vec(),
        number(7),
        number(-8),
        b"operator:ann".to_vec(),
        Hash::of(b"{}").0.to_vec(),
        Hash::of(METADATA.as_bytes()).0.to_vec(),
    ];
    let mut expected = Vec::new();
    for field in fields {
        expected.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        expected.extend_from_slice(&field);
    }
    assert_eq!(leaf().record(), expected);
    assert_eq!(leaf().hash().to_string(), "TTWdDkPCYKqx7bROPVUoR5s9+geU4W1N6xIDep/gZ9M=");
}

#[test]
fn every_field_counts() {
    let leaves = [
        leaf(),
        EventLeaf { organization_id: Uuid::nil(), ..leaf() },
        EventLeaf { number: 0, ..leaf() },
        EventLeaf { position: 0, ..leaf() },
        EventLeaf { event_id: Uuid::nil(), ..leaf() },
        EventLeaf { aggregate_type: "projec", aggregate_id: "t5", ..leaf() },
        EventLeaf { aggregate_id: "6", ..leaf() },
        EventLeaf { sequence: 0, ..leaf() },
        EventLeaf { event_type: "", ..leaf() },
        EventLeaf { event_version: "2", ..leaf() },
        EventLeaf { occurred_at: time(8), ..leaf() },
        EventLeaf { recorded_at: time(8), ..leaf() },
        EventLeaf { payload: "{ }", ..leaf() },
        EventLeaf { metadata: "{}", ..leaf() },
    ];
    let hashes: std::collections::BTreeSet<Hash> = leaves.iter().map(EventLeaf::hash).collect();
    assert_eq!(hashes.len(), leaves.len());
}

#[test]
fn who_did_it_stands_in_the_metadata() {
    assert_eq!(actor_of(METADATA), "operator:ann");
    for none in ["", "{}", "[]", r#"{"actor_kind":1,"actor_id":"x"}"#] {
        assert_eq!(actor_of(none), "", "{none}");
    }
}

#[test]
fn a_head_is_read_back() {
    for previous in [None, Some(0), Some(u64::MAX)] {
        let head = HeadLeaf {
            organization: organization_hash(b"salt", Uuid::from_u128(1)),
            size: 7,
            root: Hash::of(b"root"),
            previous,
            position: 9,
            sealed_at: time(123_456_789),
        };
        let record = head.record();
        assert_eq!(HeadLeaf::parse(&record), Ok(head));
        for cut in 0..record.len() {
            assert_eq!(HeadLeaf::parse(&record[..cut]), Err(LeafError));
        }
        let more = [record, vec![0, 0, 0, 0]].concat();
        assert_eq!(HeadLeaf::parse(&more), Err(LeafError));
    }
    let salted = |salt| organization_hash(salt, Uuid::from_u128(1));
    assert_ne!(salted(b"one"), salted(b"two"));
}

#[test]
fn records_stand_in_an_order() {
    let root = |rows: &[&[u8]]| records_root(rows.iter().copied());
    assert_ne!(root(&[b"a", b"b"]), root(&[b"b", b"a"]));
    assert_ne!(root(&[b"a", b"b"]), root(&[b"ab"]));
    assert_eq!(root(&[b"a"]), Hash::leaf(b"a"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = HeadLeaf::parse(&bytes);
        let mut rows = proofs::CopyRows::default();
        rows.push(&proofs::COPY_HEADER);
        rows.push(&bytes);
        while let Ok(Some(_)) = rows.next_row() {}
    }
}
