//! Usage and its cost, grouped as asked.

pub(crate) mod behind;
mod dimension;
pub(crate) mod export;
mod focus;
pub(crate) mod known;
mod lines;
pub(crate) mod names;
mod parameters;
mod read;
mod reading;
mod report;
mod route;
mod span;
mod statement;

pub use behind::OfLine;
pub use dimension::Dimension;
pub use export::{to_csv, to_parquet};
pub use focus::{FOCUS_BY, to_focus_csv, to_focus_parquet};
pub use lines::Sums;
pub use parameters::ReadyMade;
pub(crate) use parameters::{By, TimeZone};
pub use read::RECORDS_MAX;
pub use report::{CostReport, CostRow, CostTotal, CostsQuery, Group, READS, ROWS_MAX, costs};
pub(crate) use route::{__path_get_costs, get_costs};
pub use span::Bound;
pub(crate) use span::start_of_day;
