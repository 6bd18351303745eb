//! Admin keys and scopes, and the organization's rules for keys.

use event_schemas::{Permission, PermissionSet};

use super::*;
use crate::testing::open_organization;

fn day(days: i64) -> chrono::DateTime<chrono::Utc> {
    at(days * 24)
}

/// A key to create: the usual one, changed.
fn asked(change: impl FnOnce(&mut Wanted)) -> Ask {
    let mut wanted = Wanted {
        place: KeyPlace::Project(open_project(acme(), chat())),
        owner: ada(),
        rules: OrganizationSettings::default(),
        name: "ci",
        expires: None,
        due: None,
        rotation_days: None,
        scopes: None,
    };
    change(&mut wanted);
    Ask::Create {
        place: wanted.place,
        rules: wanted.rules,
        owner: wanted.owner,
        api_key_id: id(0x4e),
        name: wanted.name.to_owned(),
        secret_hash: "hash-1".to_owned(),
        redacted: "olk_1…".to_owned(),
        expires_at: wanted.expires.map(day),
        rotation_due_at: wanted.due.map(day),
        rotation_days: wanted.rotation_days,
        scopes: wanted.scopes,
        now: at(0),
    }
}

struct Wanted {
    place: KeyPlace,
    owner: ActiveOwner,
    rules: OrganizationSettings,
    name: &'static str,
    /// Days from now.
    expires: Option<i64>,
    due: Option<i64>,
    rotation_days: Option<u32>,
    scopes: Option<PermissionSet>,
}

fn made(place: Option<ProjectId>, scopes: Option<PermissionSet>) -> Was {
    with_term(place, scopes, None, None, None)
}

fn with_term(
    place: Option<ProjectId>,
    limits: Option<PermissionSet>,
    expires: Option<i64>,
    due: Option<i64>,
    every: Option<u32>,
) -> Was {
    let mut was = created(None);
    if let Was::Created { project_id, scopes, expires_at, rotation_due_at, rotation_days, .. } =
        &mut was
    {
        (*project_id, *scopes, *rotation_days) = (place, limits, every);
        (*expires_at, *rotation_due_at) = (expires.map(day), due.map(day));
    }
    was
}

fn admin() -> KeyPlace {
    KeyPlace::Organization(open_organization(acme()))
}

fn some() -> PermissionSet {
    [Permission::UsageRead, Permission::UsageRecord].into_iter().collect()
}

#[test]
fn an_admin_key_is_a_members_and_of_no_project() {
    check(&[], asked(|key| key.place = admin()), Ok(vec![made(None, None)]));
    let nightly = ActiveOwner::ServiceAccount(account_of(acme(), chat()));
    let of_nobody = |key: &mut Wanted| (key.place, key.owner) = (admin(), nightly);
    check(&[], asked(of_nobody), Err(Refused::AdminKeyOfServiceAccount));
    let stranger = ActiveOwner::Member(active_member(elsewhere(), id(1)));
    let of_stranger = |key: &mut Wanted| (key.place, key.owner) = (admin(), stranger);
    check(&[], asked(of_stranger), Err(Refused::OwnerNotFound));
}

#[test]
fn an_admin_key_is_rotated_as_one() {
    let rotate_at = |place| Ask::Rotate {
        place,
        secret_hash: "hash-2".to_owned(),
        redacted: "olk_2…".to_owned(),
        grace: hours(0),
        rotation_due_at: Some(at(90)),
        now: at(1),
    };
    let of_chat = KeyPlace::Project(open_project(acme(), chat()));
    check(&[made(None, None)], rotate_at(admin()), Ok(vec![rotated(1)]));
    check(&[made(None, None)], rotate_at(of_chat), Err(Refused::NotFound));
    check(&[created(None)], rotate_at(admin()), Err(Refused::NotFound));
    let foreign = KeyPlace::Organization(open_organization(elsewhere()));
    check(&[made(None, None)], rotate_at(foreign), Err(Refused::NotFound));
}

#[test]
fn scopes_limit_a_key_to_something() {
    let wanted = asked(|key| key.scopes = Some(some()));
    check(&[], wanted, Ok(vec![made(Some(chat()), Some(some()))]));
    let nothing = asked(|key| key.scopes = Some(PermissionSet::NONE));
    check(&[], nothing, Err(Refused::NoScopes));
    let key: ApiKey = folded(&[made(None, Some(some())), rotated(10)]);
    assert_eq!(key.scopes(), Some(some()), "rotating widens nothing");
    let usable = key.usable(at(0)).unwrap();
    assert_eq!((usable.scopes(), usable.project_id()), (Some(some()), None));
}

#[test]
fn names_follow_the_organizations_pattern() {
    let rules = || OrganizationSettings {
        api_key_name_pattern: Some("[a-z]+-[0-9]+|cd".to_owned()),
        ..OrganizationSettings::default()
    };
    let refused = || Err(Refused::NameAgainstConvention { pattern: "[a-z]+-[0-9]+|cd".to_owned() });
    check(&[], asked(|key| key.rules = rules()), refused());
    check(&[created(None)], Ask::Rename { rules: rules(), name: "Build 1".to_owned() }, refused());
    // The whole name.
    for name in ["my build-1", "build-1x", "cds"] {
        let renamed = Ask::Rename { rules: rules(), name: name.to_owned() };
        check(&[created(None)], renamed, refused());
    }
    let named = Ask::Rename { rules: rules(), name: " build-1 ".to_owned() };
    check(&[created(None)], named, Ok(vec![Was::Renamed { name: "build-1".to_owned() }]));
}

#[test]
fn a_key_lives_no_longer_than_the_organization_allows() {
    let rules = OrganizationSettings {
        api_key_lifetime_days_max: Some(90),
        ..OrganizationSettings::default()
    };
    let table = [
        (None, Ok(90)),
        (Some(30), Ok(30)),
        (Some(90), Ok(90)),
        (Some(91), Err(Refused::LivesTooLong { days_max: 90 })),
    ];
    for (expires, then) in table {
        let wanted = asked(|key| (key.expires, key.rules) = (expires, rules.clone()));
        let then = then.map(|end| vec![with_term(Some(chat()), None, Some(end), None, None)]);
        check(&[], wanted, then);
    }
}

#[test]
fn a_key_is_rotated_as_often_as_the_organization_wants() {
    let rules =
        OrganizationSettings { api_key_rotation_days: Some(90), ..OrganizationSettings::default() };
    let seldom = || Err(Refused::RotatedTooSeldom { days_max: 90 });
    let table = [
        (None, None, Ok((90, 90))),
        (Some(30), None, Ok((30, 30))),
        (Some(30), Some(10), Ok((10, 30))),
        (None, Some(80), Ok((80, 90))),
        (None, Some(91), seldom()),
        (Some(91), None, seldom()),
        (Some(91), Some(10), seldom()),
    ];
    for (every, due, then) in table {
        let wanted = asked(|key| {
            (key.rotation_days, key.due, key.rules) = (every, due, rules.clone());
        });
        let then = then
            .map(|(due, every)| vec![with_term(Some(chat()), None, None, Some(due), Some(every))]);
        check(&[], wanted, then);
    }
    for days in [0, 3_651] {
        check(&[], asked(|key| key.rotation_days = Some(days)), Err(Refused::RotationDays));
    }
}

#[test]
fn each_rotation_is_due_the_keys_own_number_of_days_after_the_last() {
    let given = [with_term(Some(chat()), None, None, Some(30), Some(30))];
    let rotate = |due: Option<i64>| Ask::Rotate {
        place: KeyPlace::Project(open_project(acme(), chat())),
        secret_hash: "hash-2".to_owned(),
        redacted: "olk_2…".to_owned(),
        grace: hours(0),
        rotation_due_at: due.map(day),
        now: day(20),
    };
    let due_on = |due| {
        Ok(vec![Was::Rotated {
            secret_hash: "hash-2".to_owned(),
            redacted: "olk_2…".to_owned(),
            previous_valid_until: day(20),
            rotation_due_at: Some(day(due)),
        }])
    };
    check(&given, rotate(None), due_on(50));
    check(&given, rotate(Some(40)), due_on(40));
    let seldom = Err(Refused::RotatedTooSeldom { days_max: 30 });
    check(&given, rotate(Some(51)), seldom);
}
