use super::*;
use crate::text::TextError;

fn create() -> Ask {
    Ask::Create { organization_id: acme(), name: " Acme ".to_owned(), seat_limit: Some(5) }
}

fn update(name: Option<&str>, seat_limit: Option<u32>) -> Ask {
    Ask::Update { name: name.map(str::to_owned), seat_limit }
}

#[test]
fn an_organization_is_created_once() {
    check(&[], create(), Ok(vec![created(Some(5))]));
    check(&[created(None)], create(), Err(Refused::AlreadyExists));
    check(&archived(), create(), Err(Refused::AlreadyExists));
    let nameless = Ask::Create { organization_id: other(), name: " ".to_owned(), seat_limit: None };
    check(&[], nameless, Err(Refused::Text(TextError::Empty { what: "name" })));
}

#[test]
fn an_update_says_only_what_differs() {
    let given = [created(Some(5))];
    let updated = |name: Option<&str>, seat_limit| {
        Ok(vec![Was::Updated { name: name.map(str::to_owned), seat_limit }])
    };
    check(&given, update(Some("ACME"), Some(5)), updated(Some("ACME"), None));
    check(&given, update(Some("Acme"), Some(6)), updated(None, Some(6)));
    check(&given, update(Some(" Acme"), Some(5)), Ok(vec![]));
    check(&given, update(None, None), Ok(vec![]));
    check(&[], update(Some("Acme"), None), Err(Refused::NotFound));
    check(&archived(), update(Some("Acme"), None), Err(Refused::Archived));
}

#[test]
fn a_seat_limit_is_not_set_below_the_members_present() {
    let given = with(staffed(), [suspended(cyd())]);
    let changed = Ok(vec![Was::Updated { name: None, seat_limit: Some(3) }]);
    check(&given, update(None, Some(3)), changed);
    let refused = Refused::SeatLimitBelowMembers { seat_limit: 2, members: 3 };
    check(&given, update(None, Some(2)), Err(refused));
}

#[test]
fn an_organization_is_archived_once_and_then_takes_nothing() {
    check(&[], Ask::Archive, Err(Refused::NotFound));
    check(&staffed(), Ask::Archive, Ok(vec![Was::Archived {}]));
    check(&archived(), Ask::Archive, Ok(vec![]));
    let remove = Ask::RemoveMember { by: OPERATOR, member_id: cyd(), reason: None };
    check(&archived(), remove, Err(Refused::Archived));
}

#[test]
fn an_organization_says_who_it_is() {
    let (absent, open, closed) =
        (organization(&[]), organization(&staffed()), organization(&archived()));
    assert_eq!(absent.organization_id(), None);
    assert_eq!(absent.name(), None);
    for known in [&open, &closed] {
        assert_eq!(known.organization_id(), Some(acme()));
        assert_eq!(known.name(), Some("Acme"));
    }
    assert_eq!(open.active().unwrap().organization_id(), acme());
    assert_eq!(absent.active(), Err(Refused::NotFound));
    assert_eq!(closed.active(), Err(Refused::Archived));
    assert_eq!(
        open.roster().map(|member| member.member_id).collect::<Vec<_>>(),
        [ada(), ben(), cyd()]
    );
    assert_eq!(closed.roster().count(), 0);
}

#[test]
fn evidence_of_a_member_needs_a_member_who_is_active_in_an_open_organization() {
    let open = organization(&with(staffed(), [suspended(ben())]));
    let member = open.member(cyd()).unwrap();
    assert_eq!((member.member_id(), member.organization_id()), (cyd(), acme()));
    assert_eq!(open.member(ben()), Err(Refused::MemberSuspended(ben())));
    assert_eq!(open.member(dan()), Err(Refused::MemberNotFound(dan())));
    assert_eq!(organization(&archived()).member(cyd()), Err(Refused::Archived));
    assert_eq!(organization(&[]).member(cyd()), Err(Refused::NotFound));
    let left = organization(&with(staffed(), [removed(cyd())]));
    assert_eq!(left.member(cyd()), Err(Refused::MemberNotFound(cyd())));
}
