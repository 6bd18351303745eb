//! Price recorded usage again: what it costs from now on, where that is something else.
//!
//! A page of records is a command, with an idempotency key of its own that is made of the caller's: a
//! repricing that was cut off goes on where it was when the same is asked again, and counts once.

mod page;
mod priced;
pub(crate) mod route;

use chrono::{DateTime, Utc};
use domain::text;
use event_schemas::{
    Amount, Currency, OrganizationId, Permission, PriceListId, ProjectId, RepricingId,
    RepricingScope,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::other_prices::{self, AskedPrices};
use crate::checks::text_in;
use crate::execute::Session;
use crate::refusal::Refusal;

/// What the command is called.
const NAME: &str = "usage.reprice";

/// Which usage to price again, and by which prices.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepriceUsageRequest {
    /// Requests that were made from then on.
    pub from: DateTime<Utc>,
    /// Requests that were made before then.
    pub to: DateTime<Utc>,
    /// Of this project alone, archived or not.
    #[serde(default)]
    pub project_id: Option<ProjectId>,
    /// Of this provider alone, as the records call it.
    #[serde(default)]
    pub provider: Option<String>,
    /// Of this model alone, as the records call it.
    #[serde(default)]
    pub model: Option<String>,
    /// Only what has no price.
    #[serde(default)]
    #[schema(default = false)]
    pub only_unpriced: bool,
    /// By this list alone, without a mark-up: one of all, or the organization's own. Without one each
    /// record is priced as it would be if it were recorded now, by what was in force when it happened.
    #[serde(default)]
    pub price_list_id: Option<PriceListId>,
    /// This version of the list, whenever it was in force; without one the version in force when the
    /// usage happened.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub price_list_version: Option<u32>,
    /// Only by what had been published up to this position of the log.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub prices_at: Option<i64>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Tell what would change, and change nothing.
    #[serde(default)]
    #[schema(default = false)]
    pub dry_run: bool,
    /// Go on with the records after this position: the `continue_after` of the answer before.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub after_position: Option<i64>,
}

/// What records cost before and after, in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepricedCost {
    /// The currency; null of what had no price.
    pub currency: Option<Currency>,
    /// How many of the records that change had a price in this currency.
    pub records_before: u64,
    /// What they cost together.
    pub cost_before: Amount,
    /// How many of the records that change have one after it.
    pub records_after: u64,
    /// What they cost together.
    pub cost_after: Amount,
}

/// The same of one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepricedModel {
    /// Who served it.
    pub provider: String,
    /// The model.
    pub model: String,
    /// What it costs.
    #[serde(flatten)]
    pub cost: RepricedCost,
}

/// What a repricing changes, or would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageRepriced {
    /// The repricing, which its events name; null of a dry run.
    pub repricing_id: Option<RepricingId>,
    /// Prices published after this position were not known to it.
    pub prices_at: i64,
    /// How many records it was about.
    pub records: u64,
    /// How many of them cost something else from now on.
    pub changed: u64,
    /// How many cost what they did.
    pub unchanged: u64,
    /// How many have no price by these prices, or cost more than can be kept. They stay as they are: a
    /// price never goes away.
    pub without_price: u64,
    /// What the records that change cost before and after, by currency.
    pub totals: Vec<RepricedCost>,
    /// The same by provider, model and currency.
    pub models: Vec<RepricedModel>,
    /// Where to go on (`after_position`), as there are more records than one request looks at; null where
    /// it was all.
    pub continue_after: Option<i64>,
}

impl RepriceUsageRequest {
    fn scope(&self) -> RepricingScope {
        RepricingScope {
            from: self.from,
            to: self.to,
            project_id: self.project_id,
            provider: self.provider.clone(),
            model: self.model.clone(),
            only_unpriced: self.only_unpriced,
        }
    }

    fn prices(&self) -> AskedPrices {
        AskedPrices {
            price_list_id: self.price_list_id.clone(),
            price_list_version: self.price_list_version,
            prices_at: self.prices_at,
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        other_prices::check(&self.scope(), &self.prices(), self.after_position)?;
        text_in("reason", text::reason(self.reason.as_deref()))?;
        Ok(())
    }
}

impl Session<'_> {
    /// Refuses who may not price usage again, and a request that cannot be.
    async fn may_reprice(
        &mut self,
        organization_id: OrganizationId,
        request: &RepriceUsageRequest,
    ) -> Result<(), Refusal> {
        self.permit(organization_id, Permission::PricesUpdate).await?;
        request.check()?;
        if let Some(project_id) = request.project_id {
            self.own_project(organization_id, project_id).await?;
        }
        Ok(())
    }
}
