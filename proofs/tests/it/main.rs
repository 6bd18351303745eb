//! Trees, notes and bundles, against vectors, against other implementations, and against bad input.

#![allow(clippy::unwrap_used)] // A test that finds nothing there has failed.

mod bundles;
mod continued;
mod hostile;
mod leaves;
mod notes;
mod support;
mod trees;
