//! Publish an organization's own prices, and what comes on top of those of all.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::price_list::{PriceList, PriceListCommand, PriceTerms};
use domain::text;
use event_schemas::{Currency, ModelPrice, OrganizationId, Percent, Permission, PriceListId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PriceListPublished;
use super::publish::OWN;
use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::checks::{list_name, price_texts, storable, text_in};
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// An organization's own prices. The same again are no new version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishOwnPricesRequest {
    /// The provider whose models they price; `*` for every provider. A list for the provider itself
    /// comes before one for all.
    pub provider: String,
    /// The currency of every price.
    pub currency: Currency,
    /// From when they are in force; by default from now on.
    #[serde(default)]
    pub effective_from: Option<DateTime<Utc>>,
    /// Where the prices were taken from.
    #[serde(default)]
    pub source: Option<String>,
    /// What comes on top of the prices of all, for models that are not in this list; below zero it
    /// is a discount.
    #[serde(default)]
    pub mark_up_percent: Option<Percent>,
    /// The prices. The first entry that matches a model's name is its price, and nothing comes on
    /// top of it.
    #[serde(default)]
    pub models: Vec<ModelPrice>,
}

/// Publish an organization's own prices.
#[derive(Debug, Clone, Serialize)]
pub struct PublishOwnPrices {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The prices.
    pub request: PublishOwnPricesRequest,
}

impl Command for PublishOwnPrices {
    const NAME: &'static str = "price_lists.publish_own";
    type Outcome = PriceListPublished;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.permit(self.organization_id, Permission::PricesUpdate).await?;
        let request = &self.request;
        let provider = list_name("provider", &request.provider)?;
        text_in("source", text::reason(request.source.as_deref()))?;
        storable("effective_from", request.effective_from)?;
        let terms = PriceTerms {
            mark_up_percent: request.mark_up_percent,
            models: request.models.clone(),
            ..PriceTerms::default()
        };
        price_texts(&terms)?;
        session.open_organization(self.organization_id).await?;
        let catalogue = format!("{OWN}{}", self.organization_id);
        let price_list_id = PriceListId::of(&catalogue, &text::fold(&provider));
        let publish = PriceListCommand::Publish {
            price_list_id: price_list_id.clone(),
            organization_id: Some(self.organization_id),
            provider,
            currency: request.currency,
            effective_from: request.effective_from.unwrap_or(session.now()),
            source: request.source.clone(),
            terms,
        };
        let published = session.execute::<PriceList>(&price_list_id, publish).await? > 0;
        let version = session.read::<PriceList>(&price_list_id).await?.version();
        Ok(PriceListPublished { price_list_id, version, published })
    }
}

/// Publishes the organization's own prices.
///
/// They come before the prices of all, and price this organization's usage alone. A mark-up comes on
/// top of the prices of all, exactly; a cost is rounded once, with it.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/price-lists",
    tag = "price lists",
    params(OrganizationPath, PostHeaders),
    request_body = PublishOwnPricesRequest,
    responses((status = 200, description = "It is in force.", body = Answered<PriceListPublished>), Refusals)
)]
pub(crate) async fn publish_own_prices(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<PublishOwnPricesRequest>,
) -> Result<Response, Problem> {
    let command = PublishOwnPrices { organization_id: path.organization_id, request };
    carry_out(&api, asked, command).await
}
