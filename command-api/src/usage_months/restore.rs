//! Record that the records of a month of usage are back.

use domain::usage_month::{UsageMonth, UsageMonthCommand};
use event_schemas::{Month, OrganizationId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Record that the records of a month of usage are back in the log's tables.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreUsageMonth {
    /// The month.
    pub month: Month,
}

impl Command for RestoreUsageMonth {
    const NAME: &'static str = "usage_months.restore";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        None
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_operator()?;
        let command = UsageMonthCommand::Restore { month: self.month };
        session.execute::<UsageMonth>(self.month, command).await?;
        Ok(Done {})
    }
}
