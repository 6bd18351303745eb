//! The built binary, run as its user runs it: each test with a data directory or servers of its own.

#![allow(clippy::unwrap_used)] // A test that finds nothing there has failed.

mod anchors;
mod auditors;
mod command_line;
mod crashes;
mod demonstration;
mod deployment;
mod development;
mod erasure;
mod finance;
mod for_gateways;
mod imports;
mod real_data;
mod rebuilds;
mod refused_starts;
mod remote;
mod reports;
mod signing_keys;
mod support;
mod tampering;
mod tenants;
mod tree;
mod usage_archives;
mod usage_crashes;
mod webhooks;
