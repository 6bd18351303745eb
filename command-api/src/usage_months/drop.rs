//! Record that an archive is all that holds a month of usage.

use domain::usage_month::{UsageMonth, UsageMonthCommand};
use event_schemas::{Month, OrganizationId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Record that an archive is all that holds a month of usage.
#[derive(Debug, Clone, Serialize)]
pub struct DropUsageMonth {
    /// The month.
    pub month: Month,
    /// SHA-256 of the archive's manifest, in hexadecimal.
    pub manifest_sha256: String,
}

impl Command for DropUsageMonth {
    const NAME: &'static str = "usage_months.drop";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        None
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_operator()?;
        let manifest_sha256 = self.manifest_sha256.clone();
        let command = UsageMonthCommand::Drop { month: self.month, manifest_sha256 };
        session.execute::<UsageMonth>(self.month, command).await?;
        Ok(Done {})
    }
}
