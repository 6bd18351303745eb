//! Rows with two time axes: when something was true, and what the log knew.
//!
//! [`Fold`] is the rule, in memory and pure; `load` and `write` move its rows from and to a
//! table. A page of the log is folded over the rows that it touches, so that applying it takes a
//! handful of statements, whatever its size.

mod fold;
mod table;

pub use fold::{Fold, Moment, Row, Version};
pub(crate) use table::{Columns, Loaded, PgQuery, Touched, load, temporal_table, write};

#[cfg(test)]
mod tests;
