//! A budget: what may be spent on something within a period, which shares of it are worth an alert,
//! and what follows when all of it is spent.
//!
//! What was spent is not among it: usage is another lane of the log. That a threshold was crossed
//! comes in as [`BudgetCrossing`], from the read model of budgets, and is taken once for each period,
//! amount and threshold, however often and by however many it is found; see
//! `docs/adr/0022-a-budget-is-crossed-once.md`.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::{
    Amount, ApiKeyId, BudgetAction, BudgetEvent, BudgetId, BudgetKeeper, BudgetPeriod, BudgetScope,
    Currency, OrganizationId, PICO_PER_UNIT, ProjectId,
};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::organization::{ActiveMember, OpenOrganization};
use crate::project::OpenProject;
use crate::text::TextError;

mod decide;

/// The most thresholds of a budget.
pub const THRESHOLDS_MAX: usize = 100;

/// The highest threshold, in percent.
pub const THRESHOLD_MAX: u16 = 1_000;

/// The largest amount of a budget: a million million units. Every share of it can be computed.
pub const BUDGET_MAX: Amount = Amount::from_pico(1_000_000_000_000 * PICO_PER_UNIT);

/// A budget, from nothing to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Budget {
    /// It has not been set.
    #[default]
    Absent,
    /// It is in force.
    Active(BudgetDetails),
    /// It was removed.
    Removed(BudgetDetails),
}

/// What a budget is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetDetails {
    budget_id: BudgetId,
    organization_id: OrganizationId,
    scope: BudgetScope,
    project_id: Option<ProjectId>,
    keeper: BudgetKeeper,
    currency: Currency,
    terms: BudgetTerms,
    reached: BTreeSet<Reached>,
}

/// What of a budget can be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetTerms {
    /// Its name.
    pub name: String,
    /// How much may be spent in a period, in units of the budget's currency.
    pub amount: Amount,
    /// The shares of the amount that are worth an alert, in percent.
    pub thresholds: Vec<u16>,
    /// What follows when it is used up.
    pub action: BudgetAction,
    /// The time zone that its periods begin in: the organization's.
    pub time_zone: String,
}

/// What was reached, in which period, of which amount: an alert that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Reached {
    period: Option<NaiveDate>,
    amount: Amount,
    /// In percent; none for all of it.
    threshold: Option<u16>,
}

/// The proof that what a budget is to be on is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetSubject {
    /// The organization.
    Organization(OpenOrganization),
    /// A project of it.
    Project(OpenProject),
    /// A key of it.
    ApiKey {
        /// The organization.
        organization: OpenOrganization,
        /// The key, which is one of the organization's that works.
        api_key_id: ApiKeyId,
        /// Its project.
        project_id: Option<ProjectId>,
    },
    /// A member of it.
    Member(ActiveMember),
    /// A feature, which is what usage calls so.
    Feature {
        /// The organization.
        organization: OpenOrganization,
        /// Its name.
        feature: String,
    },
}

/// What was spent in a period came to a threshold, or to the amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetCrossing {
    /// The day that the period begins with, in the budget's time zone; none where it never begins
    /// anew.
    pub period: Option<NaiveDate>,
    /// When the period begins.
    pub period_start: Option<DateTime<Utc>>,
    /// When the period ends.
    pub period_end: Option<DateTime<Utc>>,
    /// The amount that the budget had for that period.
    pub amount: Amount,
    /// The threshold, in percent; none for all of the amount.
    pub threshold: Option<u16>,
    /// What had been spent with it, in units of the budget's currency. Where it is told, a correction may
    /// have taken some of it away already: what was reached once is told all the same.
    pub spent: Amount,
    /// The position of what crossed it: a usage record's, or that of the event that set or changed the
    /// budget or priced usage again.
    pub crossed_at: i64,
}

/// What can be asked of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetCommand {
    /// Set it.
    Set {
        /// Its id.
        budget_id: BudgetId,
        /// What it is on.
        subject: BudgetSubject,
        /// Who keeps it.
        keeper: BudgetKeeper,
        /// The currency.
        currency: Currency,
        /// How often it begins anew.
        period: BudgetPeriod,
        /// The rest.
        terms: BudgetTerms,
    },
    /// Change it, to these terms as a whole.
    Change {
        /// Its organization.
        organization: OpenOrganization,
        /// The terms from now on.
        terms: BudgetTerms,
    },
    /// Remove it.
    Remove {
        /// Its organization.
        organization: OpenOrganization,
    },
    /// Put on record that it was crossed.
    Cross(BudgetCrossing),
}

/// Why a budget refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// It has not been set, or belongs to another organization.
    #[error("there is no such budget")]
    NotFound,
    /// It has been set before.
    #[error("the budget exists already")]
    AlreadyExists,
    /// It was removed.
    #[error("the budget was removed")]
    Removed,
    /// The amount is nothing, or too much.
    #[error("the amount {amount} is not above zero and at most {BUDGET_MAX}")]
    Amount {
        /// The amount asked for.
        amount: Amount,
    },
    /// A threshold is not one.
    #[error("the threshold {threshold} is not a percentage from 1 to {THRESHOLD_MAX}")]
    Threshold {
        /// The threshold asked for.
        threshold: u16,
    },
    /// The code is none of a currency that people pay with.
    #[error("{0} is no currency that is in use today, by ISO 4217; such as USD or EUR")]
    CurrencyNotInUse(Currency),
    /// There are too many thresholds.
    #[error("a budget has at most {THRESHOLDS_MAX} thresholds")]
    TooManyThresholds,
    /// The organization has as many budgets as it may.
    #[error("the organization has {max} budgets, and that is the most that it may have")]
    TooMany {
        /// The most.
        max: usize,
    },
    /// The zone is none.
    #[error("'{0}' is not a time zone such as Europe/Berlin, or UTC")]
    TimeZone(String),
    /// No usage is called so.
    #[error("a feature's name has 1 to {max} characters, none of which is a control character")]
    Feature {
        /// The longest name, in characters.
        max: usize,
    },
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl Budget {
    /// The organization, once it has been set.
    pub fn organization_id(&self) -> Option<OrganizationId> {
        self.details().map(|budget| budget.organization_id)
    }

    /// What it takes to change it: who keeps it, and the project that it is within. Refused where it
    /// is absent or another organization's.
    pub fn kept_by(
        &self,
        organization_id: OrganizationId,
    ) -> Result<(BudgetKeeper, Option<ProjectId>), BudgetError> {
        let budget = self.of(organization_id)?;
        Ok((budget.keeper, budget.project_id))
    }

    /// What of it can be changed, as it is now. Refused where it is absent or another organization's.
    pub fn terms(&self, organization_id: OrganizationId) -> Result<&BudgetTerms, BudgetError> {
        Ok(&self.of(organization_id)?.terms)
    }

    fn details(&self) -> Option<&BudgetDetails> {
        match self {
            Self::Absent => None,
            Self::Active(budget) | Self::Removed(budget) => Some(budget),
        }
    }

    fn of(&self, organization_id: OrganizationId) -> Result<&BudgetDetails, BudgetError> {
        let budget = self.details().filter(|budget| budget.organization_id == organization_id);
        budget.ok_or(BudgetError::NotFound)
    }
}

#[cfg(test)]
mod tests;
