//! HTTP writes: authenticate, authorise, execute, answer.
//!
//! A verb is a file: what is asked, how it is decided, and its route. Everything else that enters
//! orgledger (imports, the demonstration organization) executes the same commands.

pub mod edge;
pub mod execute;
pub mod refusal;

pub mod api_keys;
pub mod credits;
mod evidence;
pub mod invites;
pub mod members;
mod names;
pub mod organizations;
pub mod price_lists;
pub mod project_members;
pub mod projects;
pub mod service_accounts;
pub mod usage;

pub use execute::{Answer, Command, CommandContext, Done, Executor, Secret, Session};
pub use refusal::{ExecuteError, Refusal};
