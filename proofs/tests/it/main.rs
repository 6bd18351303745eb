//! Trees, notes and bundles, against vectors, against other implementations, and against bad input.

mod bundles;
mod hostile;
mod leaves;
mod notes;
mod support;
mod trees;
