//! The routes, by noun.

mod api_keys;
mod credentials;
mod credits;
mod invites;
mod joining;
mod members;
mod organizations;
mod price_lists;
mod projects;
mod service_accounts;
mod usage;
