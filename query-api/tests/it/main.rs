//! The query API against read models that the projectors made.

mod access_register;
mod access_reviews;
mod audit_log;
mod balances;
mod budget_history;
mod budgets;
mod cost_exports;
mod cost_history;
mod costs;
mod every_route;
mod explained;
mod inherited;
mod lists;
mod lots;
mod price_lists;
mod rows;
mod seals;
mod suggestions;
mod support;
mod versions;
mod waiting;
mod why_usage;
mod within_batch;
