//! Whatever is asked, in any order: what an organization promises holds after every step.

use std::collections::BTreeSet;

use proptest::prelude::*;

use event_schemas::{Grantee, KeyOwner, Permission, PermissionSet};

use super::*;
use crate::Decider;
use crate::organization::{GroupCommand, RoleCommand, Roster};
use crate::testing::{assert_replayable, step};

mod access;

use access::{assert_former_members_are_nowhere, assert_indexes, assert_nobody_gained, has};

fn authority() -> impl Strategy<Value = Authority> {
    prop_oneof![
        1 => Just(Authority::Operator),
        1 => Just(Authority::System),
        6 => (1..6_u128).prop_map(|number| by(id(number))),
        2 => (1..6_u128, prop::option::of(permissions())).prop_map(|(number, scopes)| {
            let owner = KeyOwner::Member { member_id: id(number) };
            Authority::ApiKey { owner, project_id: None, scopes, rank_max: None }
        }),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![
        3 => Just(Role::Owner),
        3 => Just(Role::Admin),
        1 => Just(Role::Billing),
        1 => Just(Role::Member),
        1 => Just(Role::Reader),
        1 => Just(Role::Auditor),
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
            person_id: invitee(number),
            email,
            role,
            projects: vec![],
            expires_at: at(expires),
            token_hash: Some("token".to_owned()),
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
        1 => (authority(), 0..6_u128, 1..40_i64, 0..30_i64, any::<u64>()).prop_map(
            |(by, number, expires, now, token)| Ask::ResendInvite {
                by,
                invite_id: invite(number),
                expires_at: at(expires),
                token_hash: token.to_string(),
                now: at(now),
            }
        ),
        1 => (authority(), 0..6_u128)
            .prop_map(|(by, number)| Ask::RevokeInvite { by, invite_id: invite(number) }),
        1 => (0..6_u128, 0..40_i64)
            .prop_map(|(number, now)| Ask::ExpireInvite { invite_id: invite(number), now: at(now) }),
    ]
}

fn member_command() -> impl Strategy<Value = Ask> {
    prop_oneof![
        6 => (authority(), member(), login(), prop::option::of(email()), role()).prop_map(
            |(by, member_id, login, email, role)| {
                let person_id = person(member_id);
                Ask::AddMember { by, member_id, person_id, login, email, role }
            }
        ),
        2 => (authority(), member(), login())
            .prop_map(|(by, member_id, login)| Ask::RenameMember { by, member_id, login }),
        4 => (authority(), member(), role())
            .prop_map(|(by, member_id, role)| Ask::ChangeMemberRole { by, member_id, role }),
        2 => (authority(), member())
            .prop_map(|(by, member_id)| Ask::TransferOwnership { by, member_id }),
        3 => (authority(), member())
            .prop_map(|(by, member_id)| Ask::SuspendMember { by, member_id, reason: None }),
        1 => (authority(), member())
            .prop_map(|(by, member_id)| Ask::ReinstateMember { by, member_id }),
        3 => (authority(), member())
            .prop_map(|(by, member_id)| Ask::RemoveMember { by, member_id, reason: None }),
    ]
}

fn permissions() -> impl Strategy<Value = PermissionSet> {
    prop::collection::vec(prop::sample::select(Permission::ALL), 1..8)
        .prop_map(|some| some.into_iter().collect())
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["one", "ONE", "two", "three"]).prop_map(str::to_owned)
}

fn group_command() -> impl Strategy<Value = Ask> {
    let group_id = || (1..4_u128).prop_map(group);
    let command = prop_oneof![
        3 => (group_id(), name(), prop::option::of(role()))
            .prop_map(|(group_id, name, role)| GroupCommand::Create { group_id, name, role }),
        1 => (group_id(), name())
            .prop_map(|(group_id, name)| GroupCommand::Rename { group_id, name }),
        3 => (group_id(), prop::option::of(role()))
            .prop_map(|(group_id, role)| GroupCommand::ChangeRole { group_id, role }),
        1 => group_id().prop_map(|group_id| GroupCommand::Remove { group_id }),
        6 => (group_id(), member())
            .prop_map(|(group_id, member_id)| GroupCommand::AddMember { group_id, member_id }),
        1 => (group_id(), member())
            .prop_map(|(group_id, member_id)| GroupCommand::RemoveMember { group_id, member_id }),
    ];
    (authority(), command).prop_map(|(by, command)| Ask::Group { by, command })
}

fn role_command() -> impl Strategy<Value = Ask> {
    let role_id = || (1..4_u128).prop_map(custom);
    let grantee = || {
        prop_oneof![
            member().prop_map(|member_id| Grantee::Member { member_id }),
            (1..4_u128).prop_map(|number| Grantee::Group { group_id: group(number) }),
        ]
    };
    let project = || prop::option::weighted(0.3, (0x70..0x73_u128).prop_map(id));
    let command = prop_oneof![
        3 => (role_id(), name(), permissions()).prop_map(|(role_id, name, permissions)| {
            RoleCommand::Define { role_id, name, permissions }
        }),
        3 => (role_id(), prop::option::of(name()), prop::option::of(permissions())).prop_map(
            |(role_id, name, permissions)| RoleCommand::Update { role_id, name, permissions }
        ),
        1 => role_id().prop_map(|role_id| RoleCommand::Remove { role_id }),
        6 => (role_id(), grantee(), project()).prop_map(|(role_id, grantee, project_id)| {
            RoleCommand::Grant { role_id, grantee, project_id }
        }),
        1 => (role_id(), grantee(), project()).prop_map(|(role_id, grantee, project_id)| {
            RoleCommand::Withdraw { role_id, grantee, project_id }
        }),
    ];
    (authority(), command).prop_map(|(by, command)| Ask::Role { by, command })
}

fn command() -> impl Strategy<Value = Ask> {
    prop_oneof![
        40 => member_command(),
        30 => invite_command(),
        30 => group_command(),
        30 => role_command(),
        4 => (prop::option::of(login()), prop::option::of(0..6_u32))
            .prop_map(|(name, seat_limit)| Ask::Update { name, seat_limit }),
        1 => Just(Ask::Archive),
    ]
}

/// An owner, an admin and a member, so that few commands are refused for want of anybody.
fn staff() -> Vec<Ask> {
    [(ada(), "ada", Role::Owner), (ben(), "ben", Role::Admin), (cyd(), "cyd", Role::Member)]
        .map(|(member_id, login, role)| Ask::AddMember {
            by: OPERATOR,
            member_id,
            person_id: person(member_id),
            login: login.to_owned(),
            email: None,
            role,
        })
        .into()
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

fn asked_by(command: &Ask) -> Option<Authority> {
    match command {
        Ask::SendInvite { by, .. }
        | Ask::ResendInvite { by, .. }
        | Ask::RevokeInvite { by, .. }
        | Ask::AddMember { by, .. }
        | Ask::RenameMember { by, .. }
        | Ask::ChangeMemberRole { by, .. }
        | Ask::TransferOwnership { by, .. }
        | Ask::SuspendMember { by, .. }
        | Ask::ReinstateMember { by, .. }
        | Ask::RemoveMember { by, .. }
        | Ask::ChangeSettings { by, .. }
        | Ask::ChangeSecurity { by, .. }
        | Ask::Role { by, .. }
        | Ask::Group { by, .. } => Some(*by).filter(|by| by.member_id().is_some()),
        Ask::Create { .. }
        | Ask::BreakGlass(_)
        | Ask::Update { .. }
        | Ask::Archive
        | Ask::AcceptInvite { .. }
        | Ask::ShareInviteToken { .. }
        | Ask::ExpireInvite { .. } => None,
    }
}

/// The rank that an event gives or takes away, seen from the state before it.
fn rank_at_stake(before: &Organization, event: &Was) -> u8 {
    let present = |member_id: &MemberId| {
        before
            .roster()
            .find(|member| member.member_id == *member_id)
            .map_or(0, |member| has(open(before).expect("it is open"), member).rank)
    };
    match event {
        Was::InviteSent { role, .. } | Was::MemberAdded { role, .. } => role.rank(),
        Was::MemberRoleChanged { role, previous_role, .. } => role.rank().max(previous_role.rank()),
        Was::GroupCreated { role, .. } => role.map_or(0, Role::rank),
        Was::GroupRoleChanged { role, previous_role, .. } => {
            role.map_or(0, Role::rank).max(previous_role.map_or(0, Role::rank))
        }
        Was::GroupRemoved { group_id }
        | Was::GroupMemberAdded { group_id, .. }
        | Was::GroupMemberRemoved { group_id, .. } => {
            let roster = open(before).expect("it is open");
            roster.groups[group_id].role.map_or(0, Role::rank)
        }
        Was::MemberRenamed { member_id, .. }
        | Was::MemberSuspended { member_id, .. }
        | Was::MemberReinstated { member_id }
        | Was::MemberRemoved { member_id, .. } => present(member_id),
        Was::InviteRevoked { invite_id } | Was::InviteResent { invite_id, .. } => {
            before.invite(*invite_id).map_or(0, |invite| invite.role.rank())
        }
        Was::Created { .. }
        | Was::Updated { .. }
        | Was::SettingsChanged { .. }
        | Was::SecurityChanged { .. }
        | Was::Archived {}
        | Was::RoleDefined { .. }
        | Was::RoleUpdated { .. }
        | Was::RoleRemoved { .. }
        | Was::RoleGranted { .. }
        | Was::RoleWithdrawn { .. }
        | Was::GroupRenamed { .. }
        | Was::InviteAccepted { .. }
        | Was::InviteExpired { .. }
        | Was::BreakGlassRequested { .. }
        | Was::BreakGlassApproved { .. }
        | Was::BreakGlassDeclined { .. }
        | Was::BreakGlassEnded { .. }
        | Was::BreakGlassTookIn { .. }
        | Was::BreakGlassInvited { .. }
        | Was::InviteTokenShared { .. }
        | Was::BreakGlassReviewed { .. } => 0,
    }
}

fn assert_within_rank(before: &Organization, asker: MemberId, events: &[Was]) {
    for event in events {
        // What a member has offered ends with them; and anybody may leave.
        let removed = events.iter().find_map(|event| match event {
            Was::MemberRemoved { member_id, .. } => Some(*member_id),
            _ => None,
        });
        if removed == Some(asker)
            || (removed.is_some() && matches!(event, Was::InviteRevoked { .. }))
        {
            continue;
        }
        let own = before.access_of(asker).expect("who is no active member asks for nothing");
        let stake = rank_at_stake(before, event);
        assert!(stake <= own.rank, "rank {} caused {event:?}", own.rank);
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
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn an_organization_keeps_its_promises(
        first in founding(),
        is_staffed in any::<bool>(),
        commands in prop::collection::vec(command(), 1..80),
    ) {
        let mut state = Organization::default();
        let mut history = vec![];
        step(&mut state, &mut history, first).unwrap();
        let staff = if is_staffed { staff() } else { vec![] };
        for command in staff.into_iter().chain(commands) {
            let before = state.clone();
            let asker = asked_by(&command);
            let promises_seat = matches!(command, Ask::SendInvite { .. } | Ask::AddMember { .. });
            let known = history.len();
            let Ok(caused) = step(&mut state, &mut history, command.clone()) else { continue };
            let events = &history[known..];
            prop_assert_eq!(caused == 0, state == before, "an event says that something changed");
            if let Some(by) = asker.filter(|_| caused > 0) {
                assert_within_rank(&before, by.member_id().unwrap(), events);
                assert_nobody_gained(&before, &state, by, events);
            }
            assert_indexes(&state);
            assert_former_members_are_nowhere(&state, &history);
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
            // A login that is taken is refused, whoever has it.
            if asked_by(&command).is_some() || matches!(command, Ask::AddMember { .. }) {
                continue;
            }
            if step(&mut state, &mut vec![], command.clone()).is_ok() {
                prop_assert_eq!(state.decide(command), Ok(vec![]));
            }
        }
    }
}
