use std::collections::BTreeMap;

use event_schemas::ProjectEvent as Was;
use proptest::prelude::*;

use super::{Project, ProjectCommand as Ask, ProjectError as Refused};
use crate::Decider;
use crate::testing::{
    self, acme, active_member, assert_replayable, existing_group, folded, id, open_organization,
    step,
};
use crate::text::TextError;
use event_schemas::{Environment, GroupId, MemberId, OrganizationId, ProjectRole};

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<Project>(given, when, then);
}

fn elsewhere() -> OrganizationId {
    id(0xbe)
}

fn ada() -> MemberId {
    id(1)
}

fn created() -> Was {
    Was::Created {
        project_id: id(0x50),
        organization_id: acme(),
        name: "Chat".to_owned(),
        environment: Some(Environment::Staging),
    }
}

fn assigned(role: ProjectRole) -> Was {
    Was::MemberAssigned { member_id: ada(), role }
}

fn removed() -> Was {
    Was::MemberRemoved { member_id: ada() }
}

fn create(name: &str) -> Ask {
    Ask::Create {
        organization: open_organization(acme()),
        project_id: id(0x50),
        name: name.to_owned(),
        environment: Some(Environment::Staging),
    }
}

fn update(of: OrganizationId, name: Option<&str>, environment: Option<Environment>) -> Ask {
    let organization = open_organization(of);
    Ask::Update { organization, name: name.map(str::to_owned), environment }
}

fn archive(of: OrganizationId) -> Ask {
    Ask::Archive { organization: open_organization(of) }
}

fn assign(of: OrganizationId, role: ProjectRole) -> Ask {
    Ask::AssignMember { member: active_member(of, ada()), role }
}

fn remove(of: OrganizationId) -> Ask {
    Ask::RemoveMember { organization: open_organization(of), member_id: ada() }
}

#[test]
fn a_project_is_created_once() {
    check(&[], create(" Chat"), Ok(vec![created()]));
    check(&[created()], create("Chat"), Err(Refused::AlreadyExists));
    check(&[created(), Was::Archived {}], create("Chat"), Err(Refused::AlreadyExists));
    check(&[], create(""), Err(Refused::Text(TextError::Empty { what: "name" })));
}

#[test]
fn an_update_says_only_what_differs() {
    let updated = |name: Option<&str>, environment| {
        Ok(vec![Was::Updated { name: name.map(str::to_owned), environment }])
    };
    let (staging, production) = (Some(Environment::Staging), Some(Environment::Production));
    check(&[created()], update(acme(), Some("chat"), staging), updated(Some("chat"), None));
    check(&[created()], update(acme(), Some("Chat"), production), updated(None, production));
    check(&[created()], update(acme(), Some("Chat "), staging), Ok(vec![]));
    check(&[created()], update(acme(), None, None), Ok(vec![]));
    check(&[], update(acme(), None, None), Err(Refused::NotFound));
    check(&[created()], update(elsewhere(), None, production), Err(Refused::NotFound));
    let closed = [created(), Was::Archived {}];
    check(&closed, update(acme(), None, production), Err(Refused::Archived));
}

#[test]
fn a_project_is_archived_once() {
    check(&[created()], archive(acme()), Ok(vec![Was::Archived {}]));
    check(&[created(), Was::Archived {}], archive(acme()), Ok(vec![]));
    check(&[], archive(acme()), Err(Refused::NotFound));
    check(&[created()], archive(elsewhere()), Err(Refused::NotFound));
}

#[test]
fn a_member_is_assigned_with_one_role() {
    let given = [created(), assigned(ProjectRole::Member)];
    let member = || Ok(vec![assigned(ProjectRole::Member)]);
    check(&[created()], assign(acme(), ProjectRole::Member), member());
    check(&given, assign(acme(), ProjectRole::Member), Ok(vec![]));
    let promoted = Was::MemberRoleChanged {
        member_id: ada(),
        role: ProjectRole::Owner,
        previous_role: ProjectRole::Member,
    };
    check(&given, assign(acme(), ProjectRole::Owner), Ok(vec![promoted]));
    check(&[], assign(acme(), ProjectRole::Member), Err(Refused::NotFound));
    check(&given, assign(elsewhere(), ProjectRole::Member), Err(Refused::NotFound));
    let closed = [created(), Was::Archived {}];
    check(&closed, assign(acme(), ProjectRole::Member), Err(Refused::Archived));
}

#[test]
fn a_member_is_taken_out_even_of_an_archived_project() {
    let given = [created(), assigned(ProjectRole::Member), Was::Archived {}];
    check(&given[..2], remove(acme()), Ok(vec![removed()]));
    check(&given, remove(acme()), Ok(vec![removed()]));
    check(&given[..1], remove(acme()), Ok(vec![]));
    check(&[created(), Was::Archived {}], remove(acme()), Ok(vec![]));
    check(&given, remove(elsewhere()), Err(Refused::NotFound));
    check(&[], remove(acme()), Err(Refused::NotFound));
}

#[test]
fn groups_have_roles_in_it_like_members() {
    let assign = |of, role| Ask::AssignGroup { group: existing_group(of, id(0x60)), role };
    let take_out =
        |of| Ask::RemoveGroup { organization: open_organization(of), group_id: id(0x60) };
    let group_id = id(0x60);
    let (reader, owner) = (ProjectRole::Reader, ProjectRole::Owner);
    let assigned = Was::GroupAssigned { group_id, role: reader };
    let given = [created(), assigned.clone()];
    check(&given[..1], assign(acme(), reader), Ok(vec![assigned.clone()]));
    check(&given, assign(acme(), reader), Ok(vec![]));
    let changed = Was::GroupRoleChanged { group_id, role: owner, previous_role: reader };
    check(&given, assign(acme(), owner), Ok(vec![changed]));
    check(&given, assign(elsewhere(), reader), Err(Refused::NotFound));
    check(&[created(), Was::Archived {}], assign(acme(), reader), Err(Refused::Archived));
    check(&given, take_out(acme()), Ok(vec![Was::GroupRemoved { group_id }]));
    check(&given[..1], take_out(acme()), Ok(vec![]));
    check(&given, take_out(elsewhere()), Err(Refused::NotFound));
    let closed = [created(), assigned, Was::Archived {}];
    check(&closed, take_out(acme()), Ok(vec![Was::GroupRemoved { group_id }]));
    assert_eq!(folded::<Project>(&given).role_of_group(group_id), Some(reader));
    assert_eq!(folded::<Project>(&given).role_of(id(0x60)), None);
}

#[test]
fn evidence_of_a_project_needs_an_open_one_of_the_same_organization() {
    let open: Project = folded(&[created()]);
    let evidence = open.open(acme()).unwrap();
    assert_eq!((evidence.project_id(), evidence.organization_id()), (id(0x50), acme()));
    assert_eq!(open.open(elsewhere()), Err(Refused::NotFound));
    assert_eq!(Project::default().open(acme()), Err(Refused::NotFound));
    let closed: Project = folded(&[created(), Was::Archived {}]);
    assert_eq!(closed.open(acme()), Err(Refused::Archived));
    assert_eq!((closed.name(), closed.organization_id()), (Some("Chat"), Some(acme())));
}

fn member_of() -> impl Strategy<Value = (OrganizationId, MemberId)> {
    let organization = prop_oneof![4 => Just(acme()), 1 => Just(elsewhere())];
    (organization, (1..5_u128).prop_map(id))
}

fn command() -> impl Strategy<Value = Ask> {
    let role = prop::sample::select(ProjectRole::ALL);
    prop_oneof![
        8 => (member_of(), role).prop_map(|((of, member_id), role)| Ask::AssignMember {
            member: active_member(of, member_id),
            role,
        }),
        5 => member_of().prop_map(|(of, member_id)| Ask::RemoveMember {
            organization: open_organization(of),
            member_id,
        }),
        4 => (member_of(), prop::sample::select(ProjectRole::ALL)).prop_map(|((of, group), role)| {
            Ask::AssignGroup { group: existing_group(of, GroupId(group.0)), role }
        }),
        2 => member_of().prop_map(|(of, group)| Ask::RemoveGroup {
            organization: open_organization(of),
            group_id: GroupId(group.0),
        }),
        2 => prop::sample::select(vec!["Chat", "chat", "Mail"])
            .prop_map(|name| update(acme(), Some(name), None)),
        1 => Just(archive(acme())),
        1 => Just(archive(elsewhere())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The members are those whom evidence of their own organization was shown for, as a map that
    /// follows the rules by itself says.
    #[test]
    fn a_project_has_the_members_it_was_shown_evidence_for(
        commands in prop::collection::vec(command(), 1..40),
    ) {
        let mut state = Project::default();
        let mut history = vec![];
        step(&mut state, &mut history, create("Chat")).unwrap();
        let (mut expected, mut groups) = (BTreeMap::new(), BTreeMap::new());
        let mut closed = false;
        for command in commands {
            let before = state.clone();
            match &command {
                Ask::AssignMember { member, role } => {
                    if member.organization_id() == acme() && !closed {
                        expected.insert(member.member_id(), *role);
                    }
                }
                Ask::RemoveMember { organization, member_id } => {
                    if organization.organization_id() == acme() {
                        expected.remove(member_id);
                    }
                }
                Ask::AssignGroup { group, role } => {
                    if group.organization_id() == acme() && !closed {
                        groups.insert(group.group_id(), *role);
                    }
                }
                Ask::RemoveGroup { organization, group_id } => {
                    if organization.organization_id() == acme() {
                        groups.remove(group_id);
                    }
                }
                Ask::Archive { organization } => {
                    closed |= organization.organization_id() == acme();
                }
                Ask::Create { .. } | Ask::Update { .. } => {}
            }
            let only_removes =
                matches!(command, Ask::RemoveMember { .. } | Ask::RemoveGroup { .. });
            let caused = step(&mut state, &mut history, command).unwrap_or(0);
            prop_assert_eq!(caused == 0, state == before);
            prop_assert_eq!(state.members().collect::<BTreeMap<_, _>>(), expected.clone());
            prop_assert_eq!(state.groups().collect::<BTreeMap<_, _>>(), groups.clone());
            if matches!(before, Project::Archived(_)) {
                prop_assert!(caused == 0 || only_removes, "an archived project took something");
                prop_assert!(matches!(state, Project::Archived(_)), "it came back");
            }
        }
        assert_replayable(&state, &history);
        prop_assert_eq!(state.decide(create("Chat")), Err(Refused::AlreadyExists));
    }
}
