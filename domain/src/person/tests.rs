use event_schemas::{
    InviteId, MemberId, OrganizationEvent as Was, OrganizationRole, PersonEvent, PersonId,
};

use super::{Person, PersonCommand};
use crate::organization::{Organization, OrganizationError as Refused};
use crate::testing::{acme, at, check, folded, id};

fn ada() -> MemberId {
    id(0xada)
}

fn person() -> PersonId {
    id(0xde)
}

fn joined() -> Was {
    let (login, role) = ("ada".to_owned(), OrganizationRole::Member);
    Was::MemberAdded { member_id: ada(), person_id: person(), login, email: None, role }
}

fn organization(events: impl IntoIterator<Item = Was>) -> Organization {
    let created =
        Was::Created { organization_id: acme(), name: "Acme".to_owned(), seat_limit: None };
    folded(&[created].into_iter().chain(events).collect::<Vec<_>>())
}

fn left() -> Organization {
    organization([joined(), Was::MemberRemoved { member_id: ada(), reason: None }])
}

#[test]
fn a_person_is_erased_once() {
    let erasable = left().erasable_member(ada()).unwrap();
    let erase = PersonCommand::Erase { person: erasable, reason: Some(" asked for ".to_owned()) };
    let erased = PersonEvent::Erased { person_id: person(), reason: Some("asked for".to_owned()) };
    check::<Person>(&[], erase.clone(), Ok(vec![erased.clone()]));
    check::<Person>(&[erased], erase, Ok(vec![]));
}

#[test]
fn a_member_is_erasable_who_has_left() {
    assert_eq!(left().erasable_member(ada()).unwrap().person_id(), person());
    let here = organization([joined()]);
    assert_eq!(here.erasable_member(ada()), Err(Refused::MemberPresent(ada())));
    assert_eq!(here.erasable_member(id(1)), Err(Refused::MemberNotFound(id(1))));
    assert_eq!(Organization::Absent.erasable_member(ada()), Err(Refused::NotFound));
    let closed = organization([joined(), Was::Archived {}]);
    assert_eq!(closed.erasable_member(ada()).unwrap().person_id(), person());
}

#[test]
fn an_invite_is_erasable_that_has_ended() {
    let invite_id: InviteId = id(0x14);
    let sent = Was::InviteSent {
        invite_id,
        person_id: person(),
        email: "ada@acme.example".to_owned(),
        role: OrganizationRole::Member,
        projects: vec![],
        expires_at: at(24),
        token_hash: None,
        invited_by: None,
    };
    let open = organization([sent.clone()]);
    assert_eq!(open.erasable_invite(invite_id), Err(Refused::InviteStillOpen(invite_id)));
    assert_eq!(open.erasable_invite(id(1)), Err(Refused::InviteNotFound(id(1))));
    let revoked = organization([sent.clone(), Was::InviteRevoked { invite_id }]);
    assert_eq!(revoked.erasable_invite(invite_id).unwrap().person_id(), person());
    let accepted = Was::InviteAccepted { invite_id, member_id: ada() };
    let member = organization([sent, accepted, joined()]);
    let known_as = Err(Refused::InviteAlreadyAccepted(invite_id));
    assert_eq!(member.erasable_invite(invite_id), known_as, "erased as a member");
}

#[test]
fn what_somebody_did_elsewhere_is_theirs_while_they_are_here() {
    assert_eq!(organization([joined()]).erasable_external("ADA", id(7)), None);
    assert_eq!(left().erasable_external("ada", id(7)).unwrap().person_id(), id(7));
}

#[test]
fn an_export_is_read_by_whom_it_was_granted_to_and_in_time() {
    use super::PersonError;
    use crate::testing::active_member;
    let (ben, cyd) = (active_member(acme(), id(2)), active_member(acme(), id(3)));
    let export_id = id(0xe0);
    let grant = PersonCommand::GrantExport {
        person_id: person(),
        export_id,
        granted_to: ben.member_id(),
        expires_at: at(24),
    };
    let granted = PersonEvent::ExportGranted {
        person_id: person(),
        export_id,
        granted_to: ben.member_id(),
        expires_at: at(24),
    };
    check::<Person>(&[], grant.clone(), Ok(vec![granted.clone()]));
    let read = |by, hours| PersonCommand::Export { export_id, by, now: at(hours) };
    let given = [granted.clone()];
    check::<Person>(&given, read(ben, 23), Ok(vec![PersonEvent::Exported { export_id }]));
    check::<Person>(&given, read(cyd, 1), Err(PersonError::ExportNotFound));
    check::<Person>(&given, read(ben, 24), Err(PersonError::ExportExpired { expires_at: at(24) }));
    check::<Person>(&[], read(ben, 1), Err(PersonError::ExportNotFound));
    let erased = [granted, PersonEvent::Erased { person_id: person(), reason: None }];
    check::<Person>(&erased, read(ben, 1), Err(PersonError::Erased));
    check::<Person>(&erased, grant, Err(PersonError::Erased));
}
