//! Record that a month of usage is in an archive.

use domain::usage_month::{UsageArchive, UsageMonth, UsageMonthCommand};
use event_schemas::{Month, OrganizationId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Record that a month of usage is in an archive, which was verified.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveUsageMonth {
    /// The month.
    pub month: Month,
    /// The archive.
    pub archive: UsageArchive,
}

impl Command for ArchiveUsageMonth {
    const NAME: &'static str = "usage_months.archive";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        None
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_operator()?;
        let archive = self.archive.clone();
        let command = UsageMonthCommand::Archive { month: self.month, archive };
        session.execute::<UsageMonth>(self.month, command).await?;
        Ok(Done {})
    }
}
