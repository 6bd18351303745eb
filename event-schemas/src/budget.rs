//! Events of a budget: what may be spent on something within a period, when a share of it was
//! reached, and when all of it was.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::stream_events;
use crate::roles::words;
use crate::{Amount, ApiKeyId, BudgetId, Currency, MemberId, OrganizationId, ProjectId};

words! {
    /// How often a budget begins anew.
    BudgetPeriod, "a budget's period" {
        /// At each midnight.
        Daily = "daily",
        /// At the midnight that begins each Monday.
        Weekly = "weekly",
        /// At the midnight that begins each month.
        Monthly = "monthly",
        /// Never: all that was ever used counts.
        Total = "total",
    }
}

words! {
    /// What follows when a budget is used up.
    BudgetAction, "what a budget does" {
        /// It is said, and no more.
        Alert = "alert",
        /// A gateway that asks is told to stop, until the next period or a larger amount.
        Block = "block",
    }
}

words! {
    /// Who keeps a budget: it takes their permission to change or remove it.
    BudgetKeeper, "who keeps a budget" {
        /// Whoever may set budgets everywhere in the organization.
        Organization = "organization",
        /// Whoever may set budgets in its project.
        Project = "project",
    }
}

/// What a budget is on: whose usage counts.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    utoipa::ToSchema,
)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum BudgetScope {
    /// All of the organization's.
    Organization {},
    /// A project's.
    Project {
        /// The project.
        #[schema(value_type = String, format = Uuid)]
        project_id: ProjectId,
    },
    /// An API key's.
    ApiKey {
        /// The key.
        #[schema(value_type = String, format = Uuid)]
        api_key_id: ApiKeyId,
    },
    /// That of all of a member's keys.
    Member {
        /// The member.
        #[schema(value_type = String, format = Uuid)]
        member_id: MemberId,
    },
    /// A feature's, in whichever project.
    Feature {
        /// The feature, as usage names it.
        #[schema(min_length = 1, max_length = 200)]
        feature: String,
    },
}

stream_events! {
    /// What happens to a budget.
    BudgetEvent on "budget" {
        /// A budget was set.
        Set = "budget.set" "1" {
            /// The budget.
            budget_id: BudgetId,
            /// The organization.
            organization_id: OrganizationId,
            /// What it is on.
            scope: BudgetScope,
            /// The project that it is within: the one that it is on, or its key's.
            project_id: Option<ProjectId>,
            /// Who keeps it.
            keeper: BudgetKeeper,
            /// Its name.
            name: String,
            /// The currency; usage in others does not count.
            currency: Currency,
            /// How often it begins anew.
            period: BudgetPeriod,
            /// How much may be spent in a period; above zero.
            amount: Amount,
            /// The shares of the amount that are worth an alert, in percent, each once, ascending.
            thresholds: Vec<u16>,
            /// What follows when it is used up.
            action: BudgetAction,
            /// The time zone that its periods begin in, as IANA names it: the organization's.
            time_zone: String,
        }
        /// A budget was changed; all of what can be is here. It counts from the period in which it
        /// was changed.
        Changed = "budget.changed" "1" {
            /// The budget.
            budget_id: BudgetId,
            /// The organization.
            organization_id: OrganizationId,
            /// Its name.
            name: String,
            /// How much may be spent in a period; above zero.
            amount: Amount,
            /// The shares of the amount that are worth an alert, in percent, each once, ascending.
            thresholds: Vec<u16>,
            /// What follows when it is used up.
            action: BudgetAction,
            /// The time zone that its periods begin in, as IANA names it: the organization's.
            time_zone: String,
        }
        /// A budget was removed: nothing counts for it any more.
        Removed = "budget.removed" "1" {
            /// The budget.
            budget_id: BudgetId,
            /// The organization.
            organization_id: OrganizationId,
        }
        /// What was spent in a period came to a threshold, or above it.
        ThresholdReached = "budget.threshold_reached" "1" {
            /// The budget.
            budget_id: BudgetId,
            /// The organization.
            organization_id: OrganizationId,
            /// Its name.
            name: String,
            /// What it is on.
            scope: BudgetScope,
            /// The day in the budget's time zone that the period begins with; null where it never
            /// begins anew.
            period: Option<NaiveDate>,
            /// When the period begins.
            period_start: Option<DateTime<Utc>>,
            /// When the period ends; the end is not part of it.
            period_end: Option<DateTime<Utc>>,
            /// The currency.
            currency: Currency,
            /// How much may be spent in the period.
            amount: Amount,
            /// The threshold, in percent of the amount.
            threshold: u16,
            /// What had been spent in the period with what crossed it.
            spent: Amount,
            /// The position of what crossed it: of the usage record, or of the event that set or changed
            /// the budget or priced usage again.
            crossed_at: i64,
        }
        /// What was spent in a period came to the budget's amount, or above it.
        Exhausted = "budget.exhausted" "1" {
            /// The budget.
            budget_id: BudgetId,
            /// The organization.
            organization_id: OrganizationId,
            /// Its name.
            name: String,
            /// What it is on.
            scope: BudgetScope,
            /// The day in the budget's time zone that the period begins with; null where it never
            /// begins anew.
            period: Option<NaiveDate>,
            /// When the period begins.
            period_start: Option<DateTime<Utc>>,
            /// When the period ends; the end is not part of it.
            period_end: Option<DateTime<Utc>>,
            /// The currency.
            currency: Currency,
            /// How much may be spent in the period.
            amount: Amount,
            /// What follows.
            action: BudgetAction,
            /// What had been spent in the period with what crossed it.
            spent: Amount,
            /// The position of what crossed it: of the usage record, or of the event that set or changed
            /// the budget or priced usage again.
            crossed_at: i64,
        }
    }
}
