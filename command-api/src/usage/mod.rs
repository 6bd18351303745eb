//! Usage.

mod attribute;
mod gate;
pub(crate) mod litellm;
mod queued;
mod received;
mod record;
mod record_text;
pub(crate) mod route;
mod sent;

pub(crate) use gate::Gate;
pub use queued::{UsageQueue, UsageQueueConfig};
pub use record::{RecordFate, UsageAnswer, UsageRecorder};
pub use sent::RECORDS_MAX;
