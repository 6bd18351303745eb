//! The rule against a naive model: pages of any size, events in any order of time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::{Fold, Moment, Row, Version};

#[derive(Debug, Clone, PartialEq)]
struct Badge {
    id: u8,
    colour: u32,
}

fn parent_of(id: u8) -> Uuid {
    Uuid::from_u128(u128::from(id % 2))
}

impl Row for Badge {
    type Key = u8;

    fn key(&self) -> u8 {
        self.id
    }

    fn parents(&self) -> Vec<Uuid> {
        vec![parent_of(self.id)]
    }
}

#[derive(Debug, Clone, Copy)]
enum What {
    Set { id: u8, colour: u32 },
    Add { id: u8, colour: u32 },
    End { id: u8 },
    EndAllOf { parent: u8 },
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        (0..4_u8, 0..9_u32).prop_map(|(id, colour)| What::Set { id, colour }),
        (0..4_u8, 1..9_u32).prop_map(|(id, colour)| What::Add { id, colour }),
        (0..4_u8).prop_map(|id| What::End { id }),
        (0..2_u8).prop_map(|parent| What::EndAllOf { parent }),
    ]
}

fn time(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(minute * 60, 0).unwrap()
}

/// The table after a history that came in pages of `page` events.
fn table_of(history: &[(i64, What)], page: usize) -> Vec<Version<Badge>> {
    let mut table: Vec<Version<Badge>> = Vec::new();
    let numbered: Vec<(i64, i64, What)> =
        (1..).zip(history).map(|(position, (minute, what))| (position, *minute, *what)).collect();
    for page in numbered.chunks(page) {
        let earliest = page.iter().map(|(_, minute, _)| time(*minute)).min().unwrap();
        let (mut touched, mut rest) = (Vec::new(), Vec::new());
        for version in table {
            let current = version.known_to.is_none();
            if current && version.valid_to.is_none_or(|end| end > earliest) {
                touched.push(version);
            } else {
                rest.push(version);
            }
        }
        let mut fold = Fold::over(touched.clone());
        for (position, minute, what) in page {
            let at = Moment { time: time(*minute), position: *position };
            match what {
                What::Set { id, colour } => fold.set(at, Badge { id: *id, colour: *colour }),
                What::Add { id, colour } => fold.change(at, id, |badge| badge.colour += colour),
                What::End { id } => fold.end(at, id),
                What::EndAllOf { parent } => fold.end_children(at, parent_of(*parent)),
            }
        }
        for (index, known_to) in fold.overruled() {
            touched[index].known_to = Some(known_to);
        }
        table = [rest, touched, fold.inserted().to_vec()].concat();
    }
    table.sort_by_key(|v| (v.row.id, v.known_from, v.valid_from));
    table
}

/// What each event says of each badge, in the order of positions: from a time on, a colour or none.
fn sayings(history: &[(i64, What)]) -> BTreeMap<u8, Vec<(i64, i64, Option<u32>)>> {
    let mut said: BTreeMap<u8, Vec<(i64, i64, Option<u32>)>> = BTreeMap::new();
    for (position, (minute, what)) in (1..).zip(history) {
        let mut say =
            |id: u8, colour| said.entry(id).or_default().push((position, *minute, colour));
        match what {
            What::Set { id, colour } => say(*id, Some(*colour)),
            What::End { id } => say(*id, None),
            What::EndAllOf { parent } => {
                (0..4).filter(|id| id % 2 == *parent).for_each(|id| say(id, None));
            }
            What::Add { id, colour } => {
                let last = said.get(id).and_then(|said| said.last()).and_then(|last| last.2);
                if let Some(last) = last {
                    said.entry(*id).or_default().push((position, *minute, Some(last + colour)));
                }
            }
        }
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_time_is_as_the_latest_event_up_to_it_says(
        history in prop::collection::vec((0..12_i64, what()), 1..25),
        page in 1..9_usize,
    ) {
        let table = table_of(&history, page);
        let said = sayings(&history);
        let last = i64::try_from(history.len()).unwrap();
        for id in 0..4 {
            for minute in 0..13 {
                for position in 0..=last {
                    let of_id = said.get(&id).map(Vec::as_slice).unwrap_or_default();
                    let expected = of_id
                        .iter()
                        .rfind(|(p, m, _)| *p <= position && *m <= minute)
                        .and_then(|(_, _, colour)| *colour);
                    let found: Vec<u32> = table
                        .iter()
                        .filter(|v| v.row.id == id)
                        .filter(|v| v.known_from <= position)
                        .filter(|v| v.known_to.is_none_or(|to| to > position))
                        .filter(|v| v.valid_from <= time(minute))
                        .filter(|v| v.valid_to.is_none_or(|to| to > time(minute)))
                        .map(|v| v.row.colour)
                        .collect();
                    prop_assert_eq!(found, Vec::from_iter(expected), "{} at {} known {}", id, minute, position);
                }
            }
        }
    }

    #[test]
    fn where_pages_end_leaves_no_trace(
        history in prop::collection::vec((0..12_i64, what()), 1..40),
        page in 1..40_usize,
    ) {
        prop_assert_eq!(table_of(&history, page), table_of(&history, history.len()));
    }

    #[test]
    fn rows_are_well_formed(history in prop::collection::vec((0..12_i64, what()), 1..40)) {
        let table = table_of(&history, 7);
        let mut places = BTreeSet::new();
        for v in &table {
            prop_assert!(v.valid_to.is_none_or(|to| v.valid_from < to));
            prop_assert!(v.known_to.is_none_or(|to| v.known_from < to));
            prop_assert_eq!(v.valid_to.is_some(), v.closed_by.is_some());
            prop_assert!(v.opened_by <= v.known_from);
            prop_assert!(places.insert((v.row.id, v.known_from, v.valid_from)));
        }
    }
}
