use super::*;
use crate::text::TextError;

fn add(member_id: MemberId, login: &str, role: Role) -> Ask {
    let email = Some(format!("{}@acme.example", login.to_lowercase()));
    let person_id = person(member_id);
    Ask::AddMember { by: OPERATOR, member_id, person_id, login: login.to_owned(), email, role }
}

fn rename(member_id: MemberId, login: &str) -> Ask {
    Ask::RenameMember { by: OPERATOR, member_id, login: login.to_owned() }
}

fn change(member_id: MemberId, role: Role) -> Ask {
    Ask::ChangeMemberRole { by: OPERATOR, member_id, role }
}

fn changed(member_id: MemberId, previous_role: Role, role: Role) -> Was {
    Was::MemberRoleChanged { member_id, role, previous_role }
}

fn suspend(member_id: MemberId) -> Ask {
    Ask::SuspendMember { by: OPERATOR, member_id, reason: Some(" ".to_owned()) }
}

fn reinstate(member_id: MemberId) -> Ask {
    Ask::ReinstateMember { by: OPERATOR, member_id }
}

fn remove(member_id: MemberId) -> Ask {
    Ask::RemoveMember { by: OPERATOR, member_id, reason: None }
}

#[test]
fn a_member_is_added() {
    let dan_added = || Ok(vec![added(dan(), "Dan", Role::Reader)]);
    check(&staffed(), add(dan(), "Dan", Role::Reader), dan_added());
    check(&[], add(dan(), "Dan", Role::Reader), Err(Refused::NotFound));
    let full = with(vec![created(Some(1))], [added(ada(), "Ada", Role::Owner)]);
    let no_seat = Refused::SeatLimitReached { seat_limit: 1 };
    check(&full, add(dan(), "Dan", Role::Reader), Err(no_seat.clone()));
    let promised = [created(Some(1)), sent(1, "x@acme.example", 9)];
    check(&promised, add(dan(), "Dan", Role::Reader), Err(no_seat));
    let spaced = Refused::Text(TextError::WhiteSpace { what: "login" });
    check(&staffed(), add(dan(), "D an", Role::Reader), Err(spaced));
}

#[test]
fn a_login_that_is_present_is_not_added_again() {
    let taken = |login: &str| Err(Refused::LoginTaken(login.to_owned()));
    check(&staffed(), add(dan(), "CYD", Role::Member), taken("CYD"));
    check(&staffed(), add(dan(), "cyd", Role::Admin), taken("cyd"));
    // A history from elsewhere tells anew what somebody is.
    let told = |login: &str, role| match add(dan(), login, role) {
        Ask::AddMember { by: _, member_id, person_id, login, email, role } => {
            let by = Authority::System;
            Ask::AddMember { by, member_id, person_id, login, email, role }
        }
        other => other,
    };
    check(&staffed(), told("CYD", Role::Member), Ok(vec![]));
    let promoted = vec![changed(cyd(), Role::Member, Role::Admin)];
    check(&staffed(), told("cyd", Role::Admin), Ok(promoted));
    check(&staffed(), told("ada", Role::Member), Err(Refused::LastOwner));
}

#[test]
fn a_membership_never_comes_back() {
    check(&staffed(), add(cyd(), "New", Role::Member), Err(Refused::MemberIdTaken(cyd())));
    let left = with(staffed(), [removed(cyd())]);
    check(&left, add(cyd(), "Cyd", Role::Member), Err(Refused::MemberIdTaken(cyd())));
    check(&left, add(dan(), "cyd", Role::Member), Ok(vec![added(dan(), "cyd", Role::Member)]));
}

#[test]
fn a_login_is_unique_without_case() {
    let renamed = |login: &str| {
        let (member_id, person_id) = (cyd(), person(cyd()));
        Ok(vec![Was::MemberRenamed { member_id, person_id, login: login.to_owned() }])
    };
    check(&staffed(), rename(cyd(), "Cydney"), renamed("Cydney"));
    check(&staffed(), rename(cyd(), "CYD"), renamed("CYD"));
    check(&staffed(), rename(cyd(), "Cyd"), Ok(vec![]));
    check(&staffed(), rename(cyd(), "aDA"), Err(Refused::LoginTaken("aDA".to_owned())));
    check(&staffed(), rename(dan(), "Dan"), Err(Refused::MemberNotFound(dan())));
    let moved = with(staffed(), renamed("Cydney").unwrap());
    assert_eq!(organization(&moved).member_by_login("cydNEY"), Some(cyd()));
    assert_eq!(organization(&moved).member_by_login("cyd"), None);
}

#[test]
fn nobody_takes_a_login_that_looks_like_anothers() {
    // Of Cyrillic letters alone, which are one script; and with a capital I, or a 1, for the l.
    let cyrillic = "\u{441}\u{43e}\u{441}\u{43e}";
    let coco = with(staffed(), [added(dan(), "coco", Role::Reader)]);
    check(&coco, rename(cyd(), cyrillic), Err(Refused::LoginAlike));
    let member_id: MemberId = id(5);
    let imported = Ask::AddMember {
        by: Authority::System,
        member_id,
        person_id: person(member_id),
        login: cyrillic.to_owned(),
        email: None,
        role: Role::Reader,
    };
    check(&coco, imported, Err(Refused::LoginAlike));
    let lily = with(staffed(), [added(dan(), "lily", Role::Reader)]);
    check(&lily, add(member_id, "LiIy", Role::Reader), Err(Refused::LoginAlike));
    check(&lily, rename(cyd(), "1i1y"), Err(Refused::LoginAlike));
    // One's own is no other's, and what was given up is free.
    let renamed = |login: &str| {
        let (member_id, person_id) = (dan(), person(dan()));
        vec![Was::MemberRenamed { member_id, person_id, login: login.to_owned() }]
    };
    check(&lily, rename(dan(), "LiIy"), Ok(renamed("LiIy")));
    let gone = with(lily.clone(), renamed("rose"));
    let taken =
        Was::MemberRenamed { member_id: cyd(), person_id: person(cyd()), login: "1i1y".to_owned() };
    check(&gone, rename(cyd(), "1i1y"), Ok(vec![taken]));
    // Those who are there from before the rule stay, and one's going does not free the other's.
    let eve: MemberId = id(5);
    let both = with(lily, [added(eve, "LiIy", Role::Reader), removed(eve)]);
    check(&both, rename(cyd(), "1i1y"), Err(Refused::LoginAlike));
    // Of full width, it is the same login.
    check(&both, rename(cyd(), "ｌｉｌｙ"), Err(Refused::Text(TextError::MixedLetters)));
}

#[test]
fn a_role_changes() {
    let billing = vec![changed(cyd(), Role::Member, Role::Billing)];
    check(&staffed(), change(cyd(), Role::Billing), Ok(billing));
    check(&staffed(), change(cyd(), Role::Member), Ok(vec![]));
    check(&staffed(), change(dan(), Role::Member), Err(Refused::MemberNotFound(dan())));
    check(&staffed(), change(ada(), Role::Admin), Err(Refused::LastOwner));
    let two = with(staffed(), [changed(ben(), Role::Admin, Role::Owner)]);
    let stepped_down = vec![changed(ada(), Role::Owner, Role::Admin)];
    check(&two, change(ada(), Role::Admin), Ok(stepped_down));
}

#[test]
fn a_suspended_owner_does_not_count_as_one() {
    let ben_out = [changed(ben(), Role::Admin, Role::Owner), suspended(ben())];
    let given = with(staffed(), ben_out);
    for takes_ada_away in [change(ada(), Role::Member), suspend(ada()), remove(ada())] {
        check(&given, takes_ada_away, Err(Refused::LastOwner));
    }
    check(&given, remove(ben()), Ok(vec![removed(ben())]));
}

#[test]
fn an_organization_that_never_had_an_owner_is_free_of_the_rule() {
    let ownerless = [created(None), added(ben(), "Ben", Role::Admin)];
    check(&ownerless, remove(ben()), Ok(vec![removed(ben())]));
}

#[test]
fn access_is_suspended_and_given_back() {
    check(&staffed(), suspend(cyd()), Ok(vec![suspended(cyd())]));
    check(&staffed(), suspend(dan()), Err(Refused::MemberNotFound(dan())));
    check(&staffed(), reinstate(cyd()), Ok(vec![]));
    check(&staffed(), reinstate(dan()), Err(Refused::MemberNotFound(dan())));
    let given = with(staffed(), [suspended(cyd())]);
    check(&given, suspend(cyd()), Ok(vec![]));
    check(&given, reinstate(cyd()), Ok(vec![Was::MemberReinstated { member_id: cyd() }]));
}

#[test]
fn a_member_is_removed_once() {
    check(&staffed(), remove(cyd()), Ok(vec![removed(cyd())]));
    check(&staffed(), remove(dan()), Err(Refused::MemberNotFound(dan())));
    check(&staffed(), remove(ada()), Err(Refused::LastOwner));
    check(&with(staffed(), [removed(cyd())]), remove(cyd()), Ok(vec![]));
    let long =
        Ask::RemoveMember { by: OPERATOR, member_id: cyd(), reason: Some("é".repeat(1001)) };
    let too_long = TextError::TooLong { what: "reason", max: 1000 };
    check(&staffed(), long, Err(Refused::Text(too_long)));
}

#[test]
fn a_seat_given_up_can_be_taken() {
    let given = [created(Some(1)), added(cyd(), "Cyd", Role::Member), removed(cyd())];
    check(&given, add(dan(), "Dan", Role::Member), Ok(vec![added(dan(), "Dan", Role::Member)]));
}

#[test]
fn nobody_is_added_with_anothers_address() {
    let twin = |by| Ask::AddMember {
        by,
        member_id: dan(),
        person_id: person(dan()),
        login: "Dan".to_owned(),
        email: Some("ADA@acme.example".to_owned()),
        role: Role::Member,
    };
    for who in [by(ben()), OPERATOR] {
        check(&staffed(), twin(who), Err(Refused::AlreadyMember));
    }
    let imported = crate::Decider::decide(&organization(&staffed()), twin(Authority::System));
    assert!(imported.is_ok(), "{imported:?}");
}
