//! The log on a real Postgres and a real nats-server. Each test has a database of its own, and
//! waits for positions, never for time.

mod aggregates;
mod append;
mod append_only;
mod conflicts;
mod corrections;
mod crashes;
mod database;
mod following;
mod head;
mod idempotency;
mod lost_answers;
mod reading;
mod relay;
mod relay_faults;
mod relay_reader;
mod relay_refusals;
mod relaying;
mod support;
mod usage;
mod usage_archives;
mod usage_concurrency;
mod usage_fairness;
mod vault;
