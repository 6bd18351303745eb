//! The command API against a real Postgres, in process: a database a test, no sockets, no sleeps.
//!
//! A test's client *is* the actor: `app.admin().post(…)`. Modules mirror the routes; `executor`
//! tests what all of them go through, `races` what holds when many are given at once, and `every_route`
//! what all of them owe.

mod every_route;
mod executor;
mod races;
mod routes;
mod support;
