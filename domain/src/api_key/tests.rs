mod invariants;
mod rules;

use chrono::Duration;
use event_schemas::{
    ApiKeyEvent as Was, KeyOwner, OrganizationId, OrganizationSettings, ProjectId,
};

use super::{
    ActiveOwner, ApiKey, ApiKeyCommand as Ask, ApiKeyError as Refused, GRACE_MAX, KeyPlace,
};
use crate::service_account::{ActiveServiceAccount, ServiceAccount, ServiceAccountCommand};
use crate::testing::{self, acme, active_member, at, folded, id, open_project, step};
use crate::text::TextError;

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<ApiKey>(given, when, then);
}

fn elsewhere() -> OrganizationId {
    id(0xbe)
}

fn chat() -> ProjectId {
    id(0x50)
}

fn mail() -> ProjectId {
    id(0x51)
}

fn ada() -> ActiveOwner {
    ActiveOwner::Member(active_member(acme(), id(1)))
}

fn account_of(organization_id: OrganizationId, project_id: ProjectId) -> ActiveServiceAccount {
    let mut account = ServiceAccount::default();
    let create = ServiceAccountCommand::Create {
        project: open_project(organization_id, project_id),
        service_account_id: id(0x5a),
        name: "nightly".to_owned(),
        purpose: None,
    };
    step(&mut account, &mut vec![], create).unwrap();
    account.active(organization_id).unwrap()
}

fn owned_by(owner: ActiveOwner, expires: Option<i64>) -> Ask {
    Ask::Create {
        place: KeyPlace::Project(open_project(acme(), chat())),
        rules: OrganizationSettings::default(),
        owner,
        api_key_id: id(0x4e),
        name: " ci ".to_owned(),
        secret_hash: "hash-1".to_owned(),
        redacted: "olk_1…".to_owned(),
        expires_at: expires.map(at),
        rotation_due_at: None,
        rotation_days: None,
        scopes: None,
        now: at(0),
    }
}

fn created_for(owner: KeyOwner, expires: Option<i64>) -> Was {
    Was::Created {
        api_key_id: id(0x4e),
        organization_id: acme(),
        project_id: Some(chat()),
        owner,
        name: "ci".to_owned(),
        secret_hash: "hash-1".to_owned(),
        redacted: "olk_1…".to_owned(),
        expires_at: expires.map(at),
        rotation_due_at: None,
        rotation_days: None,
        scopes: None,
    }
}

fn created(expires: Option<i64>) -> Was {
    created_for(KeyOwner::Member { member_id: id(1) }, expires)
}

fn rotate(project: ProjectId, grace: Duration, now: i64) -> Ask {
    Ask::Rotate {
        place: KeyPlace::Project(open_project(acme(), project)),
        secret_hash: "hash-2".to_owned(),
        redacted: "olk_2…".to_owned(),
        grace,
        rotation_due_at: Some(at(90)),
        now: at(now),
    }
}

fn rotated(previous_valid_until: i64) -> Was {
    Was::Rotated {
        secret_hash: "hash-2".to_owned(),
        redacted: "olk_2…".to_owned(),
        previous_valid_until: at(previous_valid_until),
        rotation_due_at: Some(at(90)),
    }
}

fn revoked() -> Was {
    Was::Revoked { reason: None }
}

fn expired() -> Was {
    Was::Expired {}
}

fn hours(hours: i64) -> Duration {
    Duration::hours(hours)
}

fn rename(name: &str) -> Ask {
    Ask::Rename { rules: OrganizationSettings::default(), name: name.to_owned() }
}

fn revoke() -> Ask {
    Ask::Revoke { reason: None }
}

fn expire(now: i64) -> Ask {
    Ask::Expire { now: at(now) }
}

#[test]
fn a_key_is_created_once() {
    check(&[], owned_by(ada(), None), Ok(vec![created(None)]));
    check(&[], owned_by(ada(), Some(1)), Ok(vec![created(Some(1))]));
    let past = Refused::ExpiryInThePast { expires_at: at(0) };
    check(&[], owned_by(ada(), Some(0)), Err(past));
    for given in
        [vec![created(None)], vec![created(None), revoked()], vec![created(None), expired()]]
    {
        check(&given, owned_by(ada(), None), Err(Refused::AlreadyExists));
    }
}

#[test]
fn a_key_is_owned_by_a_member_or_a_service_account_of_its_project() {
    let nightly = ActiveOwner::ServiceAccount(account_of(acme(), chat()));
    let owner = KeyOwner::ServiceAccount { service_account_id: id(0x5a) };
    check(&[], owned_by(nightly, None), Ok(vec![created_for(owner, None)]));
    let of_mail = ActiveOwner::ServiceAccount(account_of(acme(), mail()));
    check(&[], owned_by(of_mail, None), Err(Refused::OwnerOfAnotherProject));
    let foreign = ActiveOwner::ServiceAccount(account_of(elsewhere(), chat()));
    check(&[], owned_by(foreign, None), Err(Refused::OwnerNotFound));
    let stranger = ActiveOwner::Member(active_member(elsewhere(), id(1)));
    check(&[], owned_by(stranger, None), Err(Refused::OwnerNotFound));
}

#[test]
fn a_key_is_renamed() {
    let given = [created(None)];
    check(&given, rename("build"), Ok(vec![Was::Renamed { name: "build".to_owned() }]));
    check(&given, rename(" ci"), Ok(vec![]));
    check(&given, rename(""), Err(Refused::Text(TextError::Empty { what: "name" })));
    check(&[], rename("build"), Err(Refused::NotFound));
    check(&[created(None), revoked()], rename("build"), Err(Refused::Revoked));
    check(&[created(None), expired()], rename("build"), Err(Refused::Expired));
}

#[test]
fn a_key_is_rotated_with_a_bounded_grace() {
    let given = [created(Some(48))];
    check(&given, rotate(chat(), hours(24), 1), Ok(vec![rotated(25)]));
    check(&given, rotate(chat(), hours(0), 1), Ok(vec![rotated(1)]));
    check(&given, rotate(chat(), GRACE_MAX, 1), Ok(vec![rotated(1 + 30 * 24)]));
    for grace in [GRACE_MAX + Duration::seconds(1), hours(-1)] {
        check(&given, rotate(chat(), grace, 1), Err(Refused::GraceTooLong { grace }));
    }
    check(&[], rotate(chat(), hours(1), 1), Err(Refused::NotFound));
    check(&given, rotate(mail(), hours(1), 1), Err(Refused::NotFound));
    check(&[created(None), revoked()], rotate(chat(), hours(1), 1), Err(Refused::Revoked));
    check(&[created(None), expired()], rotate(chat(), hours(1), 1), Err(Refused::Expired));
}

#[test]
fn a_key_past_its_time_is_not_rotated_even_before_that_is_recorded() {
    let given = [created(Some(48))];
    check(&given, rotate(chat(), hours(1), 47), Ok(vec![rotated(48)]));
    check(&given, rotate(chat(), hours(1), 48), Err(Refused::Expired));
}

#[test]
fn a_key_is_revoked_once() {
    check(&[created(None)], revoke(), Ok(vec![revoked()]));
    check(&[created(None), revoked()], revoke(), Ok(vec![]));
    check(&[created(None), expired()], revoke(), Ok(vec![]));
    check(&[], revoke(), Err(Refused::NotFound));
}

#[test]
fn a_key_expires_when_its_time_is_over() {
    check(&[created(Some(48))], expire(48), Ok(vec![expired()]));
    check(&[created(Some(48))], expire(47), Err(Refused::NotYetExpired));
    check(&[created(None)], expire(48), Err(Refused::NotYetExpired));
    check(&[created(Some(48)), expired()], expire(48), Ok(vec![]));
    check(&[created(Some(48)), revoked()], expire(48), Ok(vec![]));
    check(&[], expire(48), Err(Refused::NotFound));
}

#[test]
fn the_old_secret_is_accepted_within_its_grace() {
    let key: ApiKey = folded(&[created(Some(48)), rotated(10)]);
    for (secret, now, accepted) in [
        ("hash-1", 9, true),
        ("hash-1", 10, false),
        ("hash-2", 9, true),
        ("hash-2", 47, true),
        ("hash-2", 48, false),
        ("hash-3", 9, false),
        ("", 9, false),
    ] {
        assert_eq!(key.accepts(secret, at(now)), accepted, "{secret} at {now}");
    }
    let past_expiry: ApiKey = folded(&[created(Some(48)), rotated(60)]);
    assert!(!past_expiry.accepts("hash-1", at(50)), "no grace outlives the key");
}

#[test]
fn a_key_that_ended_accepts_nothing() {
    for end in [revoked(), expired()] {
        let key: ApiKey = folded(&[created(None), rotated(10), end]);
        assert!(!key.accepts("hash-1", at(1)));
        assert!(!key.accepts("hash-2", at(1)));
    }
    assert!(!ApiKey::default().accepts("", at(1)));
}

#[test]
fn evidence_of_a_key_needs_one_that_works() {
    let key: ApiKey = folded(&[created(Some(48))]);
    let usable = key.usable(at(47)).unwrap();
    assert_eq!(usable.api_key_id(), id(0x4e));
    assert_eq!((usable.organization_id(), usable.project_id()), (acme(), Some(chat())));
    assert_eq!(usable.owner(), KeyOwner::Member { member_id: id(1) });
    assert_eq!(key.usable(at(48)), Err(Refused::Expired));
    assert_eq!(ApiKey::default().usable(at(0)), Err(Refused::NotFound));
    let ended = |end| folded::<ApiKey>(&[created(None), end]).usable(at(0));
    assert_eq!(ended(revoked()), Err(Refused::Revoked));
    assert_eq!(ended(expired()), Err(Refused::Expired));
}
