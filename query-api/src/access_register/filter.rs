//! A part of the register.

use event_schemas::{MemberId, ProjectId};

use super::{AccessRegister, RegisterPerson, RegisterServiceAccount};
use crate::list::State;

/// Which part of the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RegisterFilter {
    /// Of this member only.
    pub member_id: Option<MemberId>,
    /// Of this project only: who has a role within it, and its service accounts.
    pub project_id: Option<ProjectId>,
    /// Only those who are in this state: active, or suspended (a service account: disabled).
    pub state: Option<State>,
}

impl AccessRegister {
    /// The part that is asked for. Who has a role everywhere in the organization, and none within
    /// the project, is no part of the project's.
    #[must_use]
    pub fn only(mut self, filter: RegisterFilter) -> Self {
        for organization in &mut self.organizations {
            if let Some(project_id) = filter.project_id {
                for person in &mut organization.people {
                    person.projects.retain(|project| project.project_id == project_id);
                }
            }
            organization.people.retain(|person| filter.has_person(person));
            organization.service_accounts.retain(|account| filter.has_account(account));
        }
        self
    }
}

impl RegisterFilter {
    fn has_person(self, person: &RegisterPerson) -> bool {
        self.member_id.is_none_or(|member_id| person.member_id == member_id)
            && (self.project_id.is_none() || !person.projects.is_empty())
            && self.state.is_none_or(|state| (state == State::Active) != person.suspended)
    }

    fn has_account(self, account: &RegisterServiceAccount) -> bool {
        self.member_id.is_none()
            && self.project_id.is_none_or(|project_id| account.project_id == project_id)
            && self.state.is_none_or(|state| (state == State::Active) != account.disabled)
    }
}
