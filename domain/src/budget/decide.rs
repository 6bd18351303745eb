//! What becomes of what is asked, and of what has happened.

use super::{BUDGET_MAX, BudgetId, THRESHOLD_MAX, THRESHOLDS_MAX};
use super::{
    Budget, BudgetCommand, BudgetCrossing, BudgetDetails, BudgetError, BudgetEvent, BudgetKeeper,
    BudgetPeriod, BudgetScope, BudgetSubject, BudgetTerms, Currency, Decider, OrganizationId,
    ProjectId, Reached,
};
use crate::text;
use crate::usage::FIELD_CHARS_MAX;

type Decided = Result<Vec<BudgetEvent>, BudgetError>;

impl Decider for Budget {
    const STREAM: &'static str = "budget";
    type Command = BudgetCommand;
    type Event = BudgetEvent;
    type Error = BudgetError;

    fn decide(&self, command: BudgetCommand) -> Decided {
        match command {
            BudgetCommand::Set { budget_id, subject, keeper, currency, period, terms } => {
                self.set(budget_id, subject, keeper, currency, period, terms)
            }
            BudgetCommand::Change { organization, terms } => {
                self.change(organization.organization_id(), terms)
            }
            BudgetCommand::Remove { organization } => self.remove(organization.organization_id()),
            BudgetCommand::Cross(crossing) => self.cross(&crossing),
        }
    }

    fn evolve(&mut self, event: &BudgetEvent) {
        match event {
            BudgetEvent::Set { .. } => {
                *self = BudgetDetails::of(event).map_or(Self::Absent, Self::Active);
            }
            BudgetEvent::Changed { name, amount, thresholds, action, time_zone, .. } => {
                self.with(|budget| {
                    budget.terms = BudgetTerms {
                        name: name.clone(),
                        amount: *amount,
                        thresholds: thresholds.clone(),
                        action: *action,
                        time_zone: time_zone.clone(),
                    };
                });
            }
            BudgetEvent::Removed { .. } => match std::mem::take(self) {
                Self::Absent => {}
                Self::Active(budget) | Self::Removed(budget) => *self = Self::Removed(budget),
            },
            BudgetEvent::ThresholdReached { period, amount, threshold, .. } => {
                let (period, amount, threshold) = (*period, *amount, Some(*threshold));
                self.with(|budget| {
                    budget.reached.insert(Reached { period, amount, threshold });
                });
            }
            BudgetEvent::Exhausted { period, amount, .. } => {
                let (period, amount, threshold) = (*period, *amount, None);
                self.with(|budget| {
                    budget.reached.insert(Reached { period, amount, threshold });
                });
            }
        }
    }
}

impl Budget {
    fn set(
        &self,
        budget_id: BudgetId,
        subject: BudgetSubject,
        keeper: BudgetKeeper,
        currency: Currency,
        period: BudgetPeriod,
        terms: BudgetTerms,
    ) -> Decided {
        match self {
            Self::Absent => {}
            Self::Active(_) | Self::Removed(_) => return Err(BudgetError::AlreadyExists),
        }
        if !currency.is_in_use() {
            return Err(BudgetError::CurrencyNotInUse(currency));
        }
        let (organization_id, project_id, scope) = named(subject)?;
        let BudgetTerms { name, amount, thresholds, action, time_zone } = checked(terms)?;
        Ok(vec![BudgetEvent::Set {
            budget_id,
            organization_id,
            scope,
            project_id,
            keeper,
            name,
            currency,
            period,
            amount,
            thresholds,
            action,
            time_zone,
        }])
    }

    fn change(&self, organization_id: OrganizationId, terms: BudgetTerms) -> Decided {
        let budget = self.active_in(organization_id)?;
        let terms = checked(terms)?;
        if terms == budget.terms {
            return Ok(vec![]);
        }
        let BudgetTerms { name, amount, thresholds, action, time_zone } = terms;
        Ok(vec![BudgetEvent::Changed {
            budget_id: budget.budget_id,
            organization_id,
            name,
            amount,
            thresholds,
            action,
            time_zone,
        }])
    }

    fn remove(&self, organization_id: OrganizationId) -> Decided {
        let budget = self.of(organization_id)?;
        match self {
            Self::Active(_) => {
                Ok(vec![BudgetEvent::Removed { budget_id: budget.budget_id, organization_id }])
            }
            Self::Absent | Self::Removed(_) => Ok(vec![]),
        }
    }

    /// Each crossing once, however often and by however many it is found. What is said of a budget that
    /// was removed meanwhile is of no use to anybody.
    fn cross(&self, crossing: &BudgetCrossing) -> Decided {
        let budget = match self {
            Self::Absent => return Err(BudgetError::NotFound),
            Self::Removed(_) => return Ok(vec![]),
            Self::Active(budget) => budget,
        };
        let BudgetCrossing {
            period,
            period_start,
            period_end,
            amount,
            threshold,
            spent,
            crossed_at,
        } = *crossing;
        if budget.reached.contains(&Reached { period, amount, threshold }) {
            return Ok(vec![]);
        }
        let (budget_id, organization_id) = (budget.budget_id, budget.organization_id);
        let (name, scope) = (budget.terms.name.clone(), budget.scope.clone());
        let currency = budget.currency;
        Ok(vec![match threshold {
            Some(threshold) => BudgetEvent::ThresholdReached {
                budget_id,
                organization_id,
                name,
                scope,
                period,
                period_start,
                period_end,
                currency,
                amount,
                threshold,
                spent,
                crossed_at,
            },
            None => BudgetEvent::Exhausted {
                budget_id,
                organization_id,
                name,
                scope,
                period,
                period_start,
                period_end,
                currency,
                amount,
                action: budget.terms.action,
                spent,
                crossed_at,
            },
        }])
    }

    fn active_in(&self, organization_id: OrganizationId) -> Result<&BudgetDetails, BudgetError> {
        let budget = self.of(organization_id)?;
        match self {
            Self::Active(_) => Ok(budget),
            Self::Absent | Self::Removed(_) => Err(BudgetError::Removed),
        }
    }

    fn with(&mut self, change: impl FnOnce(&mut BudgetDetails)) {
        match self {
            Self::Absent => {}
            Self::Active(budget) | Self::Removed(budget) => change(budget),
        }
    }
}

impl BudgetDetails {
    /// What a budget is that was set; nothing of any other event.
    fn of(event: &BudgetEvent) -> Option<Self> {
        let BudgetEvent::Set {
            budget_id,
            organization_id,
            scope,
            project_id,
            keeper,
            name,
            currency,
            period: _,
            amount,
            thresholds,
            action,
            time_zone,
        } = event
        else {
            return None;
        };
        let terms = BudgetTerms {
            name: name.clone(),
            amount: *amount,
            thresholds: thresholds.clone(),
            action: *action,
            time_zone: time_zone.clone(),
        };
        Some(Self {
            budget_id: *budget_id,
            organization_id: *organization_id,
            scope: scope.clone(),
            project_id: *project_id,
            keeper: *keeper,
            currency: *currency,
            terms,
            reached: std::collections::BTreeSet::new(),
        })
    }
}

/// Whose a budget is, the project that it is within, and what it is on.
fn named(
    subject: BudgetSubject,
) -> Result<(OrganizationId, Option<ProjectId>, BudgetScope), BudgetError> {
    Ok(match subject {
        BudgetSubject::Organization(organization) => {
            (organization.organization_id(), None, BudgetScope::Organization {})
        }
        BudgetSubject::Project(project) => {
            let project_id = project.project_id();
            (project.organization_id(), Some(project_id), BudgetScope::Project { project_id })
        }
        BudgetSubject::ApiKey { organization, api_key_id, project_id } => {
            (organization.organization_id(), project_id, BudgetScope::ApiKey { api_key_id })
        }
        BudgetSubject::Member(member) => {
            let member_id = member.member_id();
            (member.organization_id(), None, BudgetScope::Member { member_id })
        }
        BudgetSubject::Feature { organization, feature } => {
            let is_long = text::longer_than(&feature, FIELD_CHARS_MAX);
            if feature.is_empty() || is_long || feature.chars().any(char::is_control) {
                return Err(BudgetError::Feature { max: FIELD_CHARS_MAX });
            }
            (organization.organization_id(), None, BudgetScope::Feature { feature })
        }
    })
}

/// The terms as they are kept.
fn checked(mut terms: BudgetTerms) -> Result<BudgetTerms, BudgetError> {
    terms.name = text::name(&terms.name)?;
    if !terms.amount.is_positive() || terms.amount > BUDGET_MAX {
        return Err(BudgetError::Amount { amount: terms.amount });
    }
    terms.thresholds.sort_unstable();
    terms.thresholds.dedup();
    if terms.thresholds.len() > THRESHOLDS_MAX {
        return Err(BudgetError::TooManyThresholds);
    }
    let allowed = 1..=THRESHOLD_MAX;
    if let Some(threshold) = terms.thresholds.iter().find(|percent| !allowed.contains(percent)) {
        return Err(BudgetError::Threshold { threshold: *threshold });
    }
    if !event_schemas::is_time_zone_name(&terms.time_zone) {
        return Err(BudgetError::TimeZone(terms.time_zone));
    }
    Ok(terms)
}
