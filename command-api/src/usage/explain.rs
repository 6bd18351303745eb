//! Explain a record's cost: what was known when it was recorded prices it once more, line by line.

use std::sync::PoisonError;

use domain::pricing::{ChosenList, ChosenPrices, Tokens, Used};
use event_log::usage::{UsageOfRequest, corrections_of, usage_of_request};
use event_schemas::{OrganizationId, Permission, RecordedUsage};

use super::UsageRecorder;
use super::explanation::{ExplainedCorrection, UsageExplanation};
use crate::execute::CommandContext;
use crate::refusal::{ExecuteError, Refusal};

impl UsageRecorder {
    /// How the cost of a request came about: of the record at that position, where its id came more
    /// than once, else of the one that happened last. None where there is no such request in the
    /// organization, or none that the asker may see; refused where it may be in an archive.
    pub async fn explain(
        &self,
        context: &CommandContext,
        organization_id: OrganizationId,
        request_id: &str,
        position: Option<i64>,
    ) -> Result<Option<UsageExplanation>, ExecuteError> {
        let name = &context.metadata.actor.id;
        let mut session = self.executor.reading(context.authority, false).named(name);
        session.vouch(context.presented.as_ref()).await.map_err(Refusal::into_error)?;
        session.asking(organization_id).await.map_err(Refusal::into_error)?;
        let pool = self.executor.log().pool();
        let found = usage_of_request(pool, organization_id, request_id, position).await?;
        let (position, usage) = match found {
            UsageOfRequest::Found(position, usage) => (position, *usage),
            UsageOfRequest::Absent => return Ok(None),
            UsageOfRequest::Archived { months, earlier } => {
                return Err(Refusal::RecordsArchived { months, earlier }.into_error());
            }
        };
        match session.permit_in(organization_id, usage.project_id, Permission::UsageRead).await {
            Ok(()) => {}
            Err(Refusal::Failed(error)) => return Err(*error),
            // What somebody cannot see does not exist for them.
            Err(_) => return Ok(None),
        }
        let corrections = corrections_of(pool, usage.batch_id, usage.ordinal).await?;
        self.refresh_prices().await?;
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        let explained = book.explain(&used(&usage), position);
        let explained =
            explained.map_err(|error| Refusal::Import(error.to_string()).into_error())?;
        let own_later = book.own_later(&used(&usage));
        let mut told = Vec::with_capacity(corrections.len());
        for correction in corrections {
            let list = correction.price_list_id.clone().map(|price_list_id| ChosenList {
                price_list_id,
                version: correction.price_list_version,
            });
            let prices = ChosenPrices { known: correction.prices_at, list };
            let explained = book.explain_by(&used(&usage), &prices);
            let explained =
                explained.map_err(|error| Refusal::Import(error.to_string()).into_error())?;
            told.push(ExplainedCorrection::new(correction, explained));
        }
        Ok(Some(UsageExplanation::new(position, usage, explained, own_later, told)))
    }
}

/// What is priced of a record.
pub(super) fn used(usage: &RecordedUsage) -> Used<'_> {
    Used {
        organization_id: usage.organization_id,
        provider: &usage.provider,
        model: &usage.model,
        occurred_at: usage.occurred_at,
        tokens: Tokens {
            input: usage.input_tokens,
            cached_input: usage.cached_input_tokens,
            cache_write: usage.cache_write_tokens,
            output: usage.output_tokens,
            reasoning: usage.reasoning_tokens,
        },
        units: &usage.units,
        service_tier: usage.service_tier.as_deref(),
        failed: usage.error_type.is_some(),
    }
}
