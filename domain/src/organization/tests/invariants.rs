//! Whatever is asked, in any order: what an organization promises holds after every step.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::Decider;
use crate::organization::Roster;
use crate::testing::{assert_replayable, step};

fn authority() -> impl Strategy<Value = Authority> {
    prop_oneof![
        1 => Just(Authority::Operator),
        1 => Just(Authority::System),
        6 => (1..6_u128).prop_map(|number| by(id(number))),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![
        3 => Just(Role::Owner),
        2 => Just(Role::Admin),
        1 => Just(Role::Billing),
        1 => Just(Role::Member),
    ]
}

fn member() -> impl Strategy<Value = MemberId> {
    (1..6_u128).prop_map(id)
}

fn login() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["ada", "ADA", "ben", "Ben", "cyd", "Ümit", "ümit"])
        .prop_map(str::to_owned)
}

fn email() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a@x", "A@X", "b@x", "c@x"]).prop_map(str::to_owned)
}

fn send_invite() -> impl Strategy<Value = Ask> {
    (authority(), 0..6_u128, email(), role(), 1..40_i64, 0..30_i64).prop_map(
        |(by, number, email, role, expires, now)| Ask::SendInvite {
            by,
            invite_id: invite(number),
            email,
            role,
            projects: vec![],
            expires_at: at(expires),
            now: at(now),
        },
    )
}

fn invite_command() -> impl Strategy<Value = Ask> {
    prop_oneof![
        3 => send_invite(),
        3 => (0..6_u128, member(), login(), 0..30_i64).prop_map(|(number, member_id, login, now)| {
            Ask::AcceptInvite { invite_id: invite(number), member_id, login, now: at(now) }
        }),
        1 => (authority(), 0..6_u128)
            .prop_map(|(by, number)| Ask::RevokeInvite { by, invite_id: invite(number) }),
        1 => (0..6_u128, 0..40_i64)
            .prop_map(|(number, now)| Ask::ExpireInvite { invite_id: invite(number), now: at(now) }),
    ]
}

fn member_command() -> impl Strategy<Value = Ask> {
    prop_oneof![
        6 => (authority(), member(), login(), prop::option::of(email()), role()).prop_map(
            |(by, member_id, login, email, role)| Ask::AddMember { by, member_id, login, email, role }
        ),
        2 => (authority(), member(), login())
            .prop_map(|(by, member_id, login)| Ask::RenameMember { by, member_id, login }),
        4 => (authority(), member(), role())
            .prop_map(|(by, member_id, role)| Ask::ChangeMemberRole { by, member_id, role }),
        3 => (authority(), member())
            .prop_map(|(by, member_id)| Ask::SuspendMember { by, member_id, reason: None }),
        1 => (authority(), member())
            .prop_map(|(by, member_id)| Ask::ReinstateMember { by, member_id }),
        3 => (authority(), member())
            .prop_map(|(by, member_id)| Ask::RemoveMember { by, member_id, reason: None }),
    ]
}

fn command() -> impl Strategy<Value = Ask> {
    prop_oneof![
        40 => member_command(),
        30 => invite_command(),
        4 => (prop::option::of(login()), prop::option::of(0..6_u32))
            .prop_map(|(name, seat_limit)| Ask::Update { name, seat_limit }),
        1 => Just(Ask::Archive),
    ]
}

fn founding() -> impl Strategy<Value = Ask> {
    prop::option::of(1..6_u32).prop_map(|seat_limit| Ask::Create {
        organization_id: acme(),
        name: "Acme".to_owned(),
        seat_limit,
    })
}

fn acting_owners(organization: &Organization) -> usize {
    organization.roster().filter(|member| member.is_acting_owner()).count()
}

fn rank_of(organization: &Organization, member_id: MemberId) -> Option<u8> {
    let member = organization.roster().find(|member| member.member_id == member_id)?;
    (!member.suspended).then(|| member.role.rank())
}

fn asked_by(command: &Ask) -> Option<MemberId> {
    match command {
        Ask::SendInvite { by, .. }
        | Ask::RevokeInvite { by, .. }
        | Ask::AddMember { by, .. }
        | Ask::RenameMember { by, .. }
        | Ask::ChangeMemberRole { by, .. }
        | Ask::SuspendMember { by, .. }
        | Ask::ReinstateMember { by, .. }
        | Ask::RemoveMember { by, .. } => match by {
            Authority::Member(member_id) => Some(*member_id),
            Authority::Operator
            | Authority::System
            | Authority::ApiKey { .. }
            | Authority::Nobody => None,
        },
        Ask::Create { .. }
        | Ask::Update { .. }
        | Ask::Archive
        | Ask::AcceptInvite { .. }
        | Ask::ExpireInvite { .. } => None,
    }
}

/// The rank that an event gives or takes away, seen from the state before it.
fn rank_at_stake(before: &Organization, event: &Was) -> u8 {
    let present = |member_id: &MemberId| {
        before
            .roster()
            .find(|member| member.member_id == *member_id)
            .map_or(0, |member| member.role.rank())
    };
    match event {
        Was::InviteSent { role, .. } | Was::MemberAdded { role, .. } => role.rank(),
        Was::MemberRoleChanged { role, previous_role, .. } => role.rank().max(previous_role.rank()),
        Was::MemberRenamed { member_id, .. }
        | Was::MemberSuspended { member_id, .. }
        | Was::MemberReinstated { member_id }
        | Was::MemberRemoved { member_id, .. } => present(member_id),
        Was::InviteRevoked { invite_id } => {
            before.invite(*invite_id).map_or(0, |invite| invite.role.rank())
        }
        Was::Created { .. }
        | Was::Updated { .. }
        | Was::Archived {}
        | Was::InviteAccepted { .. }
        | Was::InviteExpired { .. } => 0,
    }
}

fn assert_within_rank(before: &Organization, asker: MemberId, events: &[Was]) {
    for event in events {
        let leaves = matches!(event, Was::MemberRemoved { member_id, .. } if *member_id == asker);
        if leaves {
            continue;
        }
        let own = rank_of(before, asker).expect("who is no active member asks for nothing");
        assert!(own > 0, "a member without rank caused {event:?}");
        assert!(rank_at_stake(before, event) <= own, "rank {own} caused {event:?}");
    }
}

fn open(organization: &Organization) -> Option<&Roster> {
    organization.open_roster().ok()
}

fn assert_promises(organization: &Organization) {
    let Some(roster) = open(organization) else { return };
    let logins: BTreeSet<_> = roster.members().map(|member| member.login.to_lowercase()).collect();
    assert_eq!(logins.len(), roster.member_count(), "two members share a login");
    for member in roster.members() {
        let found = organization.member_by_login(&member.login.to_uppercase());
        assert_eq!(found, Some(member.member_id), "{} is not found", member.login);
    }
    let addresses: BTreeSet<_> =
        roster.open_invites().map(|invite| invite.email.to_lowercase()).collect();
    assert_eq!(addresses.len(), roster.open_invites().count(), "two open invites share an address");
    if let Some(limit) = roster.seat_limit() {
        assert!(roster.member_count() <= limit as usize, "more members than seats");
    }
}

fn assert_invites_fit(organization: &Organization) {
    let Some(roster) = open(organization) else { return };
    if let Some(limit) = roster.seat_limit() {
        let taken = roster.member_count() + roster.open_invites().count();
        assert!(taken <= limit as usize, "a seat was promised twice");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_organization_keeps_its_promises(
        first in founding(),
        commands in prop::collection::vec(command(), 1..60),
    ) {
        let mut state = Organization::default();
        let mut history = vec![];
        step(&mut state, &mut history, first).unwrap();
        for command in commands {
            let before = state.clone();
            let asker = asked_by(&command);
            let promises_seat = matches!(command, Ask::SendInvite { .. } | Ask::AddMember { .. });
            let known = history.len();
            let Ok(caused) = step(&mut state, &mut history, command.clone()) else { continue };
            let events = &history[known..];
            prop_assert_eq!(caused == 0, state == before, "an event says that something changed");
            if let Some(asker) = asker {
                assert_within_rank(&before, asker, events);
            }
            let archives = matches!(command, Ask::Archive);
            if acting_owners(&before) > 0 && !archives {
                prop_assert!(acting_owners(&state) > 0, "no owner is left");
            }
            if promises_seat && events.iter().any(|event| {
                matches!(event, Was::InviteSent { .. } | Was::MemberAdded { .. })
            }) {
                assert_invites_fit(&state);
            }
            assert_promises(&state);
        }
        assert_replayable(&state, &history);
    }

    #[test]
    fn asking_the_operators_way_twice_causes_nothing_the_second_time(
        commands in prop::collection::vec(member_command(), 1..30),
    ) {
        let mut state: Organization = testing::folded(&staffed());
        for command in commands {
            if asked_by(&command).is_some() {
                continue;
            }
            if step(&mut state, &mut vec![], command.clone()).is_ok() {
                prop_assert_eq!(state.decide(command), Ok(vec![]));
            }
        }
    }
}
