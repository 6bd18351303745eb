//! Budgets.

pub(crate) mod change;
pub(crate) mod cross;
mod permit;
pub(crate) mod remove;
pub(crate) mod set;

pub use change::{ChangeBudget, ChangeBudgetRequest};
pub use cross::RecordBudgetCrossing;
pub use remove::RemoveBudget;
pub use set::{BudgetSet, SetBudget, SetBudgetRequest};
