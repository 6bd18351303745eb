//! Usage.

mod attribute;
mod record;
pub(crate) mod route;
mod sent;

pub use record::{RecordFate, UsageAnswer, UsageRecorder};
pub use sent::RECORDS_MAX;
