//! Who is who in these tests: Ada owns, Ben is an admin, Cyd is a member.

mod break_glass;
mod custom_roles;
mod groups;
mod invariants;
mod invites;
mod members;
mod offers;
mod ownership;
mod profile;
mod ranks;
mod settings;

use event_schemas::{
    GroupId, InviteId, MemberId, OrganizationEvent as Was, OrganizationId,
    OrganizationRole as Role, PersonId, RoleId,
};

use super::{Authority, Organization, OrganizationCommand as Ask, OrganizationError as Refused};
use crate::testing::{self, acme, at, id};

const OPERATOR: Authority = Authority::Operator;

fn ada() -> MemberId {
    id(1)
}

fn ben() -> MemberId {
    id(2)
}

fn cyd() -> MemberId {
    id(3)
}

fn dan() -> MemberId {
    id(4)
}

fn by(member_id: MemberId) -> Authority {
    Authority::Member(member_id)
}

/// Who a member is: here each person has one membership.
fn person(member_id: MemberId) -> PersonId {
    PersonId(member_id.0)
}

/// Whose address an invite is to.
fn invitee(number: u128) -> PersonId {
    id(0x900 + number)
}

fn group(number: u128) -> GroupId {
    id(0x200 + number)
}

fn custom(number: u128) -> RoleId {
    id(0x300 + number)
}

fn invite(number: u128) -> InviteId {
    id(0x100 + number)
}

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<Organization>(given, when, then);
}

fn created(seat_limit: Option<u32>) -> Was {
    Was::Created { organization_id: acme(), name: "Acme".to_owned(), seat_limit }
}

fn added(member_id: MemberId, login: &str, role: Role) -> Was {
    let email = Some(format!("{}@acme.example", login.to_lowercase()));
    Was::MemberAdded {
        member_id,
        person_id: person(member_id),
        login: login.to_owned(),
        email,
        role,
    }
}

fn staffed() -> Vec<Was> {
    vec![
        created(None),
        added(ada(), "Ada", Role::Owner),
        added(ben(), "Ben", Role::Admin),
        added(cyd(), "Cyd", Role::Member),
    ]
}

fn with(mut given: Vec<Was>, more: impl IntoIterator<Item = Was>) -> Vec<Was> {
    given.extend(more);
    given
}

fn archived() -> Vec<Was> {
    with(staffed(), [Was::Archived {}])
}

fn sent(number: u128, email: &str, expires: i64) -> Was {
    Was::InviteSent {
        invite_id: invite(number),
        person_id: invitee(number),
        email: email.to_owned(),
        role: Role::Member,
        projects: vec![],
        expires_at: at(expires),
        token_hash: Some("token".to_owned()),
        invited_by: None,
    }
}

fn suspended(member_id: MemberId) -> Was {
    Was::MemberSuspended { member_id, reason: None }
}

fn removed(member_id: MemberId) -> Was {
    Was::MemberRemoved { member_id, reason: None }
}

fn organization(events: &[Was]) -> Organization {
    testing::folded(events)
}

fn other() -> OrganizationId {
    id(0xbe)
}
