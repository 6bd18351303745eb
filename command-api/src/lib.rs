//! HTTP writes: authenticate, authorise, execute, answer.
//!
//! A verb is a file: what is asked, how it is decided, and its route. Everything else that enters
//! orgledger (imports, the demonstration organization) executes the same commands.
//!
//! A request goes through [`routes`] to its verb's handler, which takes who asks from `asked`, makes
//! a [`Command`] of path and body and hands it to the [`Executor`]; `answers` turns the [`Answer`]
//! into a response, `problems` a refusal or failure into a problem.

pub mod edge;
pub mod execute;
pub mod problems;
pub mod refusal;
mod routes;

mod answers;
mod asked;
mod bodies;
mod checks;
pub mod credentials;
mod evidence;
mod names;
mod parameters;
mod permit;
mod refused;

pub mod access_reviews;
pub mod api_keys;
pub mod approvals;
pub mod break_glass;
pub mod budgets;
pub mod credits;
pub mod groups;
pub mod invites;
pub mod members;
pub mod organizations;
pub mod personal_data;
pub mod price_lists;
pub mod project_groups;
pub mod project_members;
pub mod projects;
pub mod roles;
pub mod service_accounts;
pub mod usage;
pub mod usage_months;
pub mod webhooks;

/// What is sent and answered, by operation: the examples in the API's description.
pub const EXAMPLES: &str = include_str!("examples.json");

pub use answers::REPLAYED_HEADER;
pub use execute::{
    Answer, Command, CommandContext, Done, Executor, ExpectedSequence, Secret, Session,
};
pub use problems::problem_types;
pub use refusal::{ExecuteError, Refusal};
pub use routes::{CommandApi, LITELLM_BODY_BYTES_MAX, USAGE_BODY_BYTES_MAX, document, routes};
