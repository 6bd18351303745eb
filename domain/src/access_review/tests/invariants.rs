//! Whatever is asked in whatever order: what a closed review says is what a fold of its events that
//! knows nothing of the decider comes to.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::testing::{assert_replayable, step};

#[derive(Debug, Clone)]
enum Move {
    Attest { by_ada: bool, said: Vec<(u128, bool, bool)> },
    Close { by_ada: bool, revoke_unattested: bool },
    Cancel,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    // Lines 1 and 2 are Ada's and Bob's own, 7 is none.
    let said = prop::collection::vec((1..8_u128, any::<bool>(), any::<bool>()), 1..4);
    let attest = (any::<bool>(), said).prop_map(|(by_ada, said)| Move::Attest { by_ada, said });
    let close = (any::<bool>(), any::<bool>())
        .prop_map(|(by_ada, revoke_unattested)| Move::Close { by_ada, revoke_unattested });
    prop::collection::vec(prop_oneof![12 => attest, 2 => close, 1 => Just(Move::Cancel)], 1..30)
}

fn asked(wanted: &Move) -> (MemberId, Ask) {
    let who = |by_ada: bool| if by_ada { ada() } else { bob() };
    match wanted {
        Move::Attest { by_ada, said } => {
            let said: Vec<_> = said
                .iter()
                .map(|(line, keep, reason)| {
                    let decision = if *keep { Keep } else { Revoke };
                    (*line, decision, reason.then_some("because"))
                })
                .collect();
            (who(*by_ada), attest(by(who(*by_ada)), &said))
        }
        Move::Close { by_ada, revoke_unattested } => {
            (who(*by_ada), close(by(who(*by_ada)), *revoke_unattested))
        }
        Move::Cancel => (ada(), Ask::Cancel { reviewer: by(ada()), reason: None }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_review_ends_once_with_every_line_accounted_for_by_others(moves in moves()) {
        let mut state = AccessReview::default();
        let mut history = vec![];
        step(&mut state, &mut history, open("x", 100, lines(1..=6))).unwrap();
        let mut said: BTreeMap<ReviewLineId, ReviewDecision> = BTreeMap::new();
        let mut ended = false;
        for wanted in &moves {
            let before = history.len();
            let to_revoke = match wanted {
                Move::Close { revoke_unattested, .. } => state.revocations(*revoke_unattested),
                Move::Attest { .. } | Move::Cancel => vec![],
            };
            let (who, ask) = asked(wanted);
            let _ = step(&mut state, &mut history, ask);
            for event in &history[before..] {
                prop_assert!(!ended, "something happened after the end");
                match event {
                    Was::Opened { .. } | Was::LinesAdded { .. } => prop_assert!(false),
                    Was::Attested { line_id, decision, reason } => {
                        prop_assert!(line_id.0 != who.0, "somebody attested their own line");
                        prop_assert!(line_id.0.as_u128() <= 6);
                        prop_assert!(*decision == Keep || reason.is_some());
                        said.insert(*line_id, *decision);
                    }
                    Was::Closed { outcome, kept, revoked, unattested, .. } => {
                        ended = true;
                        let count = |of| {
                            u32::try_from(said.values().filter(|d| **d == of).count()).unwrap()
                        };
                        prop_assert_eq!((*kept, *revoked), (count(Keep), count(Revoke)));
                        prop_assert_eq!(kept + revoked + unattested, 6);
                        let completed = *outcome == ReviewOutcome::Completed;
                        if completed {
                            let expected = (1..=6_u128).map(id::<ReviewLineId>)
                                .filter(|line| said.get(line) != Some(&Keep));
                            let revoked: Vec<_> = to_revoke.iter().map(|r| r.line_id).collect();
                            prop_assert_eq!(revoked, expected.collect::<Vec<_>>());
                        }
                    }
                }
            }
        }
        assert_replayable(&state, &history);
    }
}
