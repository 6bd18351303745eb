use event_schemas::{OrganizationId, ServiceAccountEvent as Was};
use proptest::prelude::*;

use super::{ServiceAccount, ServiceAccountCommand as Ask, ServiceAccountError as Refused};
use crate::testing::{
    self, acme, assert_replayable, folded, id, open_organization, open_project, step,
};
use crate::text::TextError;

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<ServiceAccount>(given, when, then);
}

fn elsewhere() -> OrganizationId {
    id(0xbe)
}

fn created() -> Was {
    Was::Created {
        service_account_id: id(0x5a),
        organization_id: acme(),
        project_id: id(0x50),
        name: "nightly".to_owned(),
        purpose: Some("evaluations".to_owned()),
    }
}

fn disabled() -> Was {
    Was::Disabled { reason: Some("leaked".to_owned()) }
}

fn removed() -> Was {
    Was::Removed {}
}

fn create(name: &str) -> Ask {
    Ask::Create {
        project: open_project(acme(), id(0x50)),
        service_account_id: id(0x5a),
        name: name.to_owned(),
        purpose: Some(" evaluations ".to_owned()),
    }
}

fn update(of: OrganizationId, name: Option<&str>, purpose: Option<&str>) -> Ask {
    Ask::Update {
        organization: open_organization(of),
        name: name.map(str::to_owned),
        purpose: purpose.map(str::to_owned),
    }
}

fn disable(of: OrganizationId) -> Ask {
    Ask::Disable { organization: open_organization(of), reason: Some("leaked".to_owned()) }
}

fn remove(of: OrganizationId) -> Ask {
    Ask::Remove { organization: open_organization(of) }
}

#[test]
fn a_service_account_is_renamed_until_it_is_removed() {
    let renamed = |name: Option<&str>, purpose: Option<&str>| Was::Updated {
        name: name.map(str::to_owned),
        purpose: purpose.map(str::to_owned),
    };
    for given in [vec![created()], vec![created(), disabled()]] {
        let ask = update(acme(), Some(" weekly "), None);
        check(&given, ask, Ok(vec![renamed(Some("weekly"), None)]));
        check(&given, update(acme(), None, Some("")), Ok(vec![renamed(None, Some(""))]));
        check(&given, update(acme(), Some("nightly"), Some("evaluations")), Ok(vec![]));
        check(&given, update(elsewhere(), Some("weekly"), None), Err(Refused::NotFound));
    }
    let silent = [created(), renamed(None, Some(""))];
    check(&silent, update(acme(), None, Some(" ")), Ok(vec![]));
    assert_eq!(folded::<ServiceAccount>(&silent).purpose(), None);
    let removed = [created(), removed()];
    check(&removed, update(acme(), Some("weekly"), None), Err(Refused::Removed));
    check(&[], update(acme(), Some("weekly"), None), Err(Refused::NotFound));
    let nameless = update(acme(), Some(" "), None);
    check(&[created()], nameless, Err(Refused::Text(TextError::Empty { what: "name" })));
}

#[test]
fn a_service_account_is_created_once() {
    check(&[], create("nightly "), Ok(vec![created()]));
    for given in [vec![created()], vec![created(), disabled()], vec![created(), removed()]] {
        check(&given, create("nightly"), Err(Refused::AlreadyExists));
    }
    check(&[], create(""), Err(Refused::Text(TextError::Empty { what: "name" })));
}

#[test]
fn a_service_account_is_disabled_once() {
    check(&[created()], disable(acme()), Ok(vec![disabled()]));
    check(&[created(), disabled()], disable(acme()), Ok(vec![]));
    check(&[created(), removed()], disable(acme()), Err(Refused::Removed));
    check(&[created()], disable(elsewhere()), Err(Refused::NotFound));
    check(&[], disable(acme()), Err(Refused::NotFound));
}

#[test]
fn a_service_account_is_removed_once() {
    check(&[created()], remove(acme()), Ok(vec![removed()]));
    check(&[created(), disabled()], remove(acme()), Ok(vec![removed()]));
    check(&[created(), removed()], remove(acme()), Ok(vec![]));
    check(&[created()], remove(elsewhere()), Err(Refused::NotFound));
    check(&[], remove(acme()), Err(Refused::NotFound));
}

#[test]
fn evidence_of_a_service_account_needs_one_that_works() {
    let state = |events: &[Was]| folded::<ServiceAccount>(events);
    let working = state(&[created()]).active(acme()).unwrap();
    assert_eq!(working.service_account_id(), id(0x5a));
    assert_eq!(working.organization_id(), acme());
    assert_eq!(working.project_id(), id(0x50));
    assert_eq!(state(&[]).active(acme()), Err(Refused::NotFound));
    assert_eq!(state(&[created()]).active(elsewhere()), Err(Refused::NotFound));
    assert_eq!(state(&[created(), disabled()]).active(acme()), Err(Refused::Disabled));
    assert_eq!(state(&[created(), disabled(), removed()]).active(acme()), Err(Refused::Removed));
}

#[test]
fn a_service_account_says_who_it_is_to_the_end() {
    let account: ServiceAccount = folded(&[created(), disabled(), removed()]);
    assert_eq!(account.name(), Some("nightly"));
    assert_eq!(account.purpose(), Some("evaluations"));
    assert_eq!(account.project_id(), Some(id(0x50)));
    assert_eq!(account.organization_id(), Some(acme()));
    assert_eq!(account.service_account_id(), Some(id(0x5a)));
}

/// How far its life has gone.
fn stage(account: &ServiceAccount) -> u8 {
    match account {
        ServiceAccount::Absent => 0,
        ServiceAccount::Active(_) => 1,
        ServiceAccount::Disabled(_) => 2,
        ServiceAccount::Removed(_) => 3,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Its life goes one way, only its own organization moves it, and it acts only while it is
    /// active.
    #[test]
    fn a_life_goes_one_way(asked in prop::collection::vec((0..4_u8, any::<bool>()), 1..20)) {
        let mut state = ServiceAccount::default();
        let mut history = vec![];
        for (what, own) in asked {
            let before = stage(&state);
            let of = if own { acme() } else { elsewhere() };
            let command = match what {
                0 => create("nightly"),
                1 => disable(of),
                2 => update(of, Some("weekly"), None),
                _ => remove(of),
            };
            let caused = step(&mut state, &mut history, command).unwrap_or(0);
            prop_assert_eq!(stage(&state) > before, caused > 0 && what != 2);
            prop_assert!(stage(&state) >= before, "it came back");
            prop_assert!(caused == 0 || own || what == 0, "another organization moved it");
            prop_assert_eq!(state.active(acme()).is_ok(), stage(&state) == 1);
            prop_assert!(state.active(elsewhere()).is_err());
        }
        prop_assert!(history.len() <= 4);
        assert_replayable(&state, &history);
    }
}
