//! Who is who in these tests: Ada owns, Ben is an admin, Cyd is a member.

mod invariants;
mod invites;
mod members;
mod profile;
mod ranks;

use event_schemas::{
    InviteId, MemberId, OrganizationEvent as Was, OrganizationId, OrganizationRole as Role,
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
    Was::MemberAdded { member_id, login: login.to_owned(), email, role }
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
        email: email.to_owned(),
        role: Role::Member,
        projects: vec![],
        expires_at: at(expires),
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
