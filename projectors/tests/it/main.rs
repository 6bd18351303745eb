//! The projections and their runtime on a real Postgres, a database a test.

#![allow(clippy::unwrap_used)] // A test that finds nothing there has failed.

mod access_register;
mod analysts;
mod balances;
mod budgets;
mod cost_per_feature;
mod invited;
mod jetstream;
mod live;
mod rebuild;
mod replays;
mod row_security;
mod seals;
mod service_users;
mod support;
mod switching;
