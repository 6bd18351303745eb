//! Usage.

mod attribute;
mod explain;
pub(crate) mod explanation;
mod gate;
pub(crate) mod litellm;
mod other_prices;
mod provider_said;
mod queued;
mod received;
mod record;
mod record_text;
pub(crate) mod reprice;
pub(crate) mod route;
mod sent;
pub(crate) mod what_if;

pub use explanation::{
    ExplainedCorrection, ExplainedMarkUp, ExplainedPrice, ExplainedUsageLine, UsageExplanation,
};
pub(crate) use gate::Gate;
pub use queued::{UsageQueue, UsageQueueConfig};
pub use record::{RecordFate, UsageAnswer, UsageRecorder};
pub use reprice::{RepriceUsageRequest, RepricedCost, RepricedModel, UsageRepriced};
pub use sent::RECORDS_MAX;
pub use what_if::{UsageWhatIf, WhatIfCost, WhatIfGroup, WhatIfRow};
