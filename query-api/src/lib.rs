//! HTTP reads over read models, and the queries behind them.
//!
//! Every query is a function of a [`Snapshot`] (one consistent picture of the read models, and the
//! position that it reflects) and a plain struct of parameters; the command line uses them as the
//! routes do. [`routes`] is the one list of what can be asked over HTTP.

pub mod access_register;
pub mod access_reviews;
pub mod api_keys;
pub mod approvals;
pub mod audit_log;
pub mod balances;
pub mod break_glass;
pub mod budgets;
pub mod costs;
pub mod diff;
mod error;
pub mod groups;
pub mod invites;
mod keyset;
pub mod list;
pub mod members;
pub mod organizations;
mod parameters;
pub mod permissions;
mod positions;
pub mod price_lists;
pub mod project_groups;
pub mod project_members;
pub mod projects;
pub mod refusals;
pub mod roles;
mod routes;
mod seals;
pub mod service_accounts;
pub mod settings;
mod snapshot;
mod state;
pub mod status;
pub mod suggestions;
mod temporal;
mod viewer;
pub mod webhooks;
pub mod why;
mod within_batch;

/// What is answered, by operation: the examples in the API's description.
pub const EXAMPLES: &str = include_str!("examples.json");

pub use error::{NOT_READY, NOT_YET_VISIBLE, QueryError, TOO_MANY_ROWS, problem_types};
pub use organizations::OrganizationRef;
pub use routes::{document, routes};
pub use snapshot::{Projection, Rows, Snapshot};
pub use state::{QueryState, WAIT_MAX_DEFAULT};
pub use temporal::Temporal;
pub use viewer::Visible;
