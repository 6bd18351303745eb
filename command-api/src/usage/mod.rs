//! Usage.

mod explain;
pub(crate) mod explanation;
mod record;
pub(crate) mod route;
mod sent;

pub use explanation::{ExplainedMarkUp, ExplainedPrice, ExplainedUsageLine, UsageExplanation};
pub use record::{RecordFate, UsageAnswer, UsageRecorder};
pub use sent::RECORDS_MAX;
