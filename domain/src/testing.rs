//! What every decider's tests are written with.

use std::fmt::Debug;

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use crate::Decider;
use crate::organization::{
    ActiveMember, Authority, ExistingGroup, GroupCommand, OpenOrganization, Organization,
    OrganizationCommand,
};
use crate::project::{OpenProject, Project, ProjectCommand};
use event_schemas::{GroupId, MemberId, OrganizationId, OrganizationRole, PersonId, ProjectId};

/// Given these events, the command causes those events or is refused for that reason. What it
/// causes can be folded, and the state stays the same when it is written and read.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "an outcome reads as a value")]
pub(crate) fn check<D>(given: &[D::Event], when: D::Command, then: Result<Vec<D::Event>, D::Error>)
where
    D: Decider + PartialEq + Debug,
    D::Event: PartialEq + Debug,
    D::Error: PartialEq,
{
    let mut state = folded::<D>(given);
    let decided = state.decide(when);
    assert_eq!(decided, then, "given {given:#?}");
    assert_same_when_written(&state);
    for event in decided.iter().flatten() {
        state.evolve(event);
    }
    assert_same_when_written(&state);
}

/// The state after these events.
pub(crate) fn folded<D: Decider>(events: &[D::Event]) -> D {
    let mut state = D::default();
    for event in events {
        state.evolve(event);
    }
    state
}

/// Decides and folds what was decided; the events are appended to the history.
pub(crate) fn step<D: Decider>(
    state: &mut D,
    history: &mut Vec<D::Event>,
    command: D::Command,
) -> Result<usize, D::Error> {
    let events = state.decide(command)?;
    for event in &events {
        state.evolve(event);
    }
    let count = events.len();
    history.extend(events);
    Ok(count)
}

/// Whether the state survives being written and read, and equals the history folded from nothing.
pub(crate) fn assert_replayable<D>(state: &D, history: &[D::Event])
where
    D: Decider + PartialEq + Debug,
{
    assert_eq!(&folded::<D>(history), state, "replaying gives another state than deciding");
    assert_same_when_written(state);
}

fn assert_same_when_written<D: Decider + PartialEq + Debug>(state: &D) {
    let written = serde_json::to_string(state).unwrap();
    let read: D = serde_json::from_str(&written).unwrap();
    assert_eq!(&read, state, "written as {written}");
}

/// The id with a number.
pub(crate) fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(number))
}

/// The time so many hours after the tests' beginning of time.
pub(crate) fn at(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap() + Duration::hours(hours)
}

/// The organization of most tests.
pub(crate) fn acme() -> OrganizationId {
    id(0xac)
}

/// The evidence that an organization is open.
pub(crate) fn open_organization(organization_id: OrganizationId) -> OpenOrganization {
    organization_with(organization_id, &[]).active().unwrap()
}

/// The evidence that somebody is a member.
pub(crate) fn active_member(organization_id: OrganizationId, member_id: MemberId) -> ActiveMember {
    organization_with(organization_id, &[member_id]).member(member_id).unwrap()
}

/// The evidence that a group is one of the organization's.
pub(crate) fn existing_group(organization_id: OrganizationId, group_id: GroupId) -> ExistingGroup {
    let mut organization = organization_with(organization_id, &[]);
    let command = GroupCommand::Create { group_id, name: "Everybody".to_owned(), role: None };
    let create = OrganizationCommand::Group { by: Authority::Operator, command };
    step(&mut organization, &mut vec![], create).unwrap();
    organization.existing_group(group_id).unwrap()
}

/// The evidence that a project is open.
pub(crate) fn open_project(organization_id: OrganizationId, project_id: ProjectId) -> OpenProject {
    let mut project = Project::default();
    let create = ProjectCommand::Create {
        organization: open_organization(organization_id),
        project_id,
        name: "Chat".to_owned(),
        environment: None,
    };
    step(&mut project, &mut vec![], create).unwrap();
    project.open(organization_id).unwrap()
}

fn organization_with(organization_id: OrganizationId, members: &[MemberId]) -> Organization {
    let mut organization = Organization::default();
    let create =
        OrganizationCommand::Create { organization_id, name: "Acme".to_owned(), seat_limit: None };
    step(&mut organization, &mut vec![], create).unwrap();
    for member_id in members {
        let add = OrganizationCommand::AddMember {
            by: Authority::Operator,
            member_id: *member_id,
            person_id: PersonId(member_id.0),
            login: member_id.to_string(),
            email: None,
            role: OrganizationRole::Member,
        };
        step(&mut organization, &mut vec![], add).unwrap();
    }
    organization
}
