//! The routes, by noun.

mod access_reviews;
mod api_keys;
mod approvals;
mod break_glass;
mod budgets;
mod credentials;
mod credits;
mod departures;
mod explanations;
mod groups;
mod invites;
mod joining;
mod many_invites;
mod members;
mod needs;
mod organizations;
mod personal_data;
mod price_lists;
mod projects;
mod refusals;
mod roles;
mod service_accounts;
mod settings;
mod usage;
mod usage_forms;
mod usage_litellm;
