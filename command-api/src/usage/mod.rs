//! Usage.

mod record;

pub use record::{RecordFate, UsageAnswer, UsageRecorder};
