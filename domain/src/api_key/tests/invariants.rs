//! Time goes on and anything is asked of a key: which secrets it accepts is what a list of all its
//! secrets, each with its end, says.

use proptest::prelude::*;

use super::*;
use crate::testing::assert_replayable;

#[derive(Debug, Clone)]
enum Move {
    Rotate { grace: i64 },
    Rename(&'static str),
    Revoke,
    Expire,
}

fn moves() -> impl Strategy<Value = Vec<(i64, Move)>> {
    let any = prop_oneof![
        6 => (-1..40_i64).prop_map(|grace| Move::Rotate { grace }),
        2 => prop::sample::select(vec!["ci", "build"]).prop_map(Move::Rename),
        1 => Just(Move::Revoke),
        2 => Just(Move::Expire),
    ];
    prop::collection::vec((0..12_i64, any), 1..20)
}

/// A secret that the key has had, and the hour at which it stops working.
struct Secret {
    hash: String,
    until: i64,
}

fn asked(step: usize, now: i64, wanted: &Move) -> Ask {
    match wanted {
        Move::Rotate { grace } => Ask::Rotate {
            place: KeyPlace::Project(open_project(acme(), chat())),
            secret_hash: format!("hash-{}", step + 2),
            redacted: String::new(),
            grace: hours(*grace),
            rotation_due_at: None,
            now: at(now),
        },
        Move::Rename(name) => rename(name),
        Move::Revoke => revoke(),
        Move::Expire => expire(now),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_key_accepts_its_newest_secret_and_the_one_before_within_its_grace(
        expires in prop::option::of(1..100_i64),
        moves in moves(),
    ) {
        let mut state = ApiKey::default();
        let mut history = vec![];
        step(&mut state, &mut history, owned_by(ada(), expires)).unwrap();
        let end = expires.unwrap_or(i64::MAX);
        let mut secrets = vec![Secret { hash: "hash-1".to_owned(), until: end }];
        let mut now = 0;
        let mut ended = false;
        for (number, (pause, wanted)) in moves.into_iter().enumerate() {
            now += pause;
            let before = state.clone();
            let outcome = step(&mut state, &mut history, asked(number, now, &wanted));
            prop_assert_eq!(outcome.clone().unwrap_or(0) == 0, state == before);
            if ended {
                prop_assert_eq!(&state, &before, "what has ended changed");
            }
            match (wanted, outcome) {
                (Move::Rotate { grace }, Ok(_)) => {
                    prop_assert!(grace >= 0 && now < end && !ended);
                    let current = secrets.len() - 1;
                    for (age, secret) in secrets.iter_mut().enumerate() {
                        let longest = if age == current { now + grace } else { now };
                        secret.until = secret.until.min(longest);
                    }
                    secrets.push(Secret { hash: format!("hash-{}", number + 2), until: end });
                }
                (Move::Revoke, Ok(_)) => ended = true,
                (Move::Expire, Ok(_)) => {
                    prop_assert!(ended || end <= now);
                    ended = true;
                }
                (Move::Rename(_), Ok(_)) | (_, Err(_)) => {}
            }
            for later in [now, now + 1, now + 5, now + 39, now + 200] {
                for secret in &secrets {
                    let expected = !ended && later < secret.until;
                    prop_assert_eq!(
                        state.accepts(&secret.hash, at(later)), expected,
                        "{} at {}", secret.hash, later
                    );
                }
            }
        }
        assert_replayable(&state, &history);
    }
}
