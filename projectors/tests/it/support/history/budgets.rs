//! Budgets in a story: of its organizations, and of those that usage is made up for.

use event_schemas::{
    Amount, BudgetAction, BudgetEvent, BudgetKeeper, BudgetPeriod, BudgetScope, Currency,
    OrganizationId,
};
use uuid::Uuid;

use super::super::usage::organizations;
use super::{Event, Story, minute};

/// The budgets that there are.
#[derive(Default)]
pub(super) struct Budgets {
    set: Vec<(Uuid, Uuid)>,
}

impl Story {
    pub(super) fn budget(&mut self) -> Option<(Uuid, Event)> {
        match self.random.pick(&self.budgets.set).filter(|_| self.random.one_in(2)) {
            Some((budget, of)) => Some(self.budget_changes(budget, of)),
            None => self.budget_is_set(),
        }
    }

    /// So much that some of it is reached soon: a record costs nine million.
    fn budget_amount(&mut self) -> Amount {
        Amount::from_pico(i128::from(self.random.next()) * 10)
    }

    fn budget_is_set(&mut self) -> Option<(Uuid, Event)> {
        let users = organizations();
        let (of, scope, project) = match self.random.below(6) {
            0 => {
                let (project, of) = self.random.pick(&self.projects)?;
                (of, BudgetScope::Project { project_id: project.into() }, Some(project))
            }
            1 => {
                let (key, of) = self.random.pick(&self.keys)?;
                (of, BudgetScope::ApiKey { api_key_id: key.into() }, None)
            }
            2 => {
                let (member, of) = self.random.pick(&self.members)?;
                (of, BudgetScope::Member { member_id: member.into() }, None)
            }
            3 => {
                let feature = "chat".to_owned();
                (self.random.pick(&users)?, BudgetScope::Feature { feature }, None)
            }
            _ => (self.random.pick(&users)?, BudgetScope::Organization {}, None),
        };
        let budget = self.random.uuid();
        self.budgets.set.push((budget, of));
        let event = BudgetEvent::Set {
            budget_id: budget.into(),
            organization_id: of.into(),
            scope,
            project_id: project.map(Into::into),
            keeper: self.random.pick(BudgetKeeper::ALL)?,
            name: format!("budget {}", self.minutes),
            currency: if self.random.one_in(3) { "EUR" } else { "USD" }.parse().ok()?,
            period: self.random.pick(BudgetPeriod::ALL)?,
            amount: self.budget_amount(),
            thresholds: vec![50, 80],
            action: self.random.pick(BudgetAction::ALL)?,
            time_zone: "Europe/Berlin".to_owned(),
        };
        Some((of, Event::Budget(budget, event)))
    }

    fn budget_changes(&mut self, budget: Uuid, of: Uuid) -> (Uuid, Event) {
        let (budget_id, organization_id): (_, OrganizationId) = (budget.into(), of.into());
        let name = format!("budget {}", self.minutes);
        let event = match self.random.below(5) {
            0 => {
                self.budgets.set.retain(|(other, _)| *other != budget);
                BudgetEvent::Removed { budget_id, organization_id }
            }
            1 => BudgetEvent::ThresholdReached {
                budget_id,
                organization_id,
                name,
                scope: BudgetScope::Organization {},
                period: Some(minute(self.minutes).date_naive()),
                period_start: Some(minute(self.minutes)),
                period_end: Some(minute(self.minutes + 1)),
                currency: Currency::USD,
                amount: self.budget_amount(),
                threshold: 80,
                spent: self.budget_amount(),
                crossed_at: self.minutes,
            },
            2 => BudgetEvent::Exhausted {
                budget_id,
                organization_id,
                name,
                scope: BudgetScope::Organization {},
                period: None,
                period_start: None,
                period_end: None,
                currency: Currency::USD,
                amount: self.budget_amount(),
                action: BudgetAction::Alert,
                spent: self.budget_amount(),
                crossed_at: self.minutes,
            },
            _ => BudgetEvent::Changed {
                budget_id,
                organization_id,
                name,
                amount: self.budget_amount(),
                thresholds: vec![80, 90],
                action: BudgetAction::Block,
                time_zone: if self.random.one_in(2) { "UTC" } else { "Asia/Kolkata" }.to_owned(),
            },
        };
        (of, Event::Budget(budget, event))
    }
}
