//! A page of a repricing: some records in one transaction.

use domain::usage_repricing::{UsageRepricing, UsageRepricingCommand};
use event_log::usage::{correction_cuts, corrections_hash};
use event_schemas::{OrganizationId, RepricingId};
use serde::{Deserialize, Serialize};

use super::priced::{Changed, Page};
use super::{NAME, RepriceUsageRequest, UsageRepriced};
use crate::execute::{Command, Session};
use crate::refusal::{ExecuteError, Refusal};
use crate::usage::UsageRecorder;
use crate::usage::other_prices::Span;

/// What the first page of a repricing has settled for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) repricing_id: RepricingId,
    pub(super) prices_at: i64,
    /// Records that stand after this position are not looked at.
    pub(super) until: i64,
}

/// Price the next records of a repricing again.
#[derive(Clone, Serialize)]
pub(super) struct RepricePage {
    pub(super) organization_id: OrganizationId,
    pub(super) request: RepriceUsageRequest,
    /// None for the first page.
    pub(super) begun: Option<Begun>,
    /// Records up to this position were looked at.
    pub(super) after: i64,
    #[serde(skip)]
    pub(super) recorder: UsageRecorder,
}

/// What a page came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PageRepriced {
    pub(super) begun: Begun,
    /// Records up to this position were looked at.
    pub(super) upto: i64,
    pub(super) repriced: UsageRepriced,
}

impl Command for RepricePage {
    const NAME: &'static str = NAME;
    type Outcome = PageRepriced;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.may_reprice(self.organization_id, &self.request).await?;
        session.open_organization(self.organization_id).await?;
        // Before the records: whoever corrects some of them meanwhile moves this stream on.
        session.read::<UsageRepricing>(self.organization_id).await?;
        let begun = self.begun(session).await?;
        let span = Span { after: self.after, upto: begun.until };
        let (of, prices_at) = (self.organization_id, begun.prices_at);
        let page = self.recorder.price_again(of, &self.request, span, prices_at).await?;
        let Page { changed, upto, summary } = page;
        let mut rest = changed.as_slice();
        for count in correction_cuts(changed.iter().map(|changed| &changed.usage)) {
            let (now, later) = rest.split_at(count);
            self.correct(session, begun, now).await?;
            rest = later;
        }
        let mut repriced = summary.told(begun.prices_at, (upto < begun.until).then_some(upto));
        repriced.repricing_id = Some(begun.repricing_id);
        Ok(PageRepriced { begun, upto, repriced })
    }
}

impl RepricePage {
    async fn begun(&self, session: &mut Session<'_>) -> Result<Begun, Refusal> {
        if let Some(begun) = self.begun {
            // What another process has begun may rest on prices that this one has not read.
            self.recorder.refresh_prices().await?;
            return Ok(begun);
        }
        let until = session.log().head().await.map_err(ExecuteError::Database)?;
        let asked = self.request.prices();
        let prices_at = self.recorder.prices_for(self.organization_id, &asked, until).await?;
        Ok(Begun { repricing_id: session.new_id(), prices_at, until })
    }

    /// Decides one event, and what stands beside it.
    async fn correct(
        &self,
        session: &mut Session<'_>,
        begun: Begun,
        changed: &[Changed],
    ) -> Result<(), Refusal> {
        let organization = session.open_organization(self.organization_id).await?;
        let corrections: Vec<_> = changed.iter().map(Changed::new_correction).collect();
        let command = UsageRepricingCommand::Correct {
            organization,
            repricing_id: begun.repricing_id,
            scope: self.request.scope(),
            prices_at: begun.prices_at,
            price_list_id: self.request.price_list_id.clone(),
            price_list_version: self.request.price_list_version,
            reason: self.request.reason.clone(),
            corrections: changed.iter().map(Changed::correction).collect(),
            corrections_hash: corrections_hash(&corrections),
        };
        session.execute::<UsageRepricing>(self.organization_id, command).await?;
        session.correct(corrections);
        Ok(())
    }
}
