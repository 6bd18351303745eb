//! Usage and its cost, grouped as asked.

mod dimension;
mod export;
mod fold;
mod names;
mod report;
mod route;

pub use dimension::Dimension;
pub use export::to_csv;
pub use fold::Sums;
pub use report::{CostReport, CostRow, CostTotal, CostsQuery, Group, READS, ROWS_MAX, costs};
pub use route::HourBound;
pub(crate) use route::{__path_get_costs, get_costs};
