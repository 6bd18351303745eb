use event_schemas::NameEvent as Was;
use proptest::prelude::*;

use super::{Name, NameCommand as Ask, NameError as Refused, NameScope, stream_id};
use crate::Decider;
use crate::testing::{self, assert_replayable, id, step};

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<Name>(given, when, then);
}

fn claim(holder: &str) -> Ask {
    Ask::Claim { holder_id: holder.to_owned() }
}

fn release(holder: &str) -> Ask {
    Ask::Release { holder_id: holder.to_owned() }
}

fn claimed(holder: &str) -> Was {
    Was::Claimed { holder_id: holder.to_owned() }
}

#[test]
fn a_name_is_claimed_by_one() {
    check(&[], claim("a"), Ok(vec![claimed("a")]));
    check(&[claimed("a")], claim("a"), Ok(vec![]));
    check(&[claimed("a")], claim("b"), Err(Refused::Taken { holder_id: "a".to_owned() }));
    check(&[claimed("a"), Was::Released {}], claim("b"), Ok(vec![claimed("b")]));
}

#[test]
fn a_name_is_released_by_its_holder() {
    check(&[claimed("a")], release("a"), Ok(vec![Was::Released {}]));
    check(&[claimed("a")], release("b"), Ok(vec![]));
    check(&[], release("a"), Ok(vec![]));
}

#[test]
fn names_that_differ_in_case_share_a_stream_within_their_scope() {
    assert_eq!(stream_id(&NameScope::Organization, " Acme "), "organization/acme");
    let project = NameScope::Project(id(1));
    assert_eq!(stream_id(&project, "Chat"), stream_id(&project, "CHAT"));
    assert_eq!(stream_id(&project, "Chat"), "project:00000000-0000-0000-0000-000000000001/chat");
    let account = NameScope::ServiceAccount(id(1));
    assert_eq!(
        stream_id(&account, "Chat"),
        "service_account:00000000-0000-0000-0000-000000000001/chat"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_name_has_at_most_one_holder_and_only_they_give_it_up(
        asked in prop::collection::vec((any::<bool>(), 0..3_usize), 1..40),
    ) {
        let holders = ["a", "b", "c"];
        let mut state = Name::default();
        let mut history = vec![];
        let mut holder: Option<&str> = None;
        for (claims, who) in asked {
            let who = holders[who];
            let free = holder.is_none();
            if claims {
                holder = holder.or(Some(who));
                let outcome = step(&mut state, &mut history, claim(who));
                prop_assert_eq!(outcome.is_ok(), holder == Some(who));
                prop_assert_eq!(outcome.unwrap_or(0) > 0, free);
            } else {
                holder = holder.filter(|holder| *holder != who);
                step(&mut state, &mut history, release(who)).unwrap();
            }
            prop_assert_eq!(state.holder(), holder);
            let others = holders.iter().filter(|other| holder.is_some_and(|held| held != **other));
            for other in others {
                prop_assert!(state.decide(claim(other)).is_err());
            }
        }
        assert_replayable(&state, &history);
    }
}
