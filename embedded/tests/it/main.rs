//! Everything here runs real servers; each test has its own data directory.

mod crashes;
mod data_dir;
mod nats;
mod postgres;
mod programs;
mod support;
mod testing;
mod unprivileged;
