//! Publish a version of a price list.

use api_conventions::{Json, Problem};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::price_list::{PriceList, PriceListCommand, PriceTerms};
use domain::text;
use event_schemas::{Currency, MatchRule, ModelPrice, OrganizationId, PriceListId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::checks::{list_name, price_texts, storable, text_in};
use crate::execute::{Command, Session};
use crate::parameters::{PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// How the ids of organizations' own lists begin.
pub(super) const OWN: &str = "organization:";

/// Prices to publish. The same prices again are no new version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishPriceList {
    /// The catalogue that they come from.
    pub catalogue: String,
    /// The provider whose models they price.
    pub provider: String,
    /// The currency of every price.
    pub currency: Currency,
    /// From when they are in force. By default the first version of a list is in force for all that
    /// happened before too, and a later one from now on.
    #[serde(default)]
    pub effective_from: Option<DateTime<Utc>>,
    /// Where the prices were taken from.
    #[serde(default)]
    pub source: Option<String>,
    /// The other names that mean the provider.
    #[serde(default)]
    pub provider_matches: Option<MatchRule>,
    /// The models that are this provider's where a record calls the provider `unknown`.
    #[serde(default)]
    pub model_matches: Option<MatchRule>,
    /// Providers of the same catalogue whose models this one serves, in order: for models that are
    /// not in this list.
    #[serde(default)]
    pub fallback_providers: Vec<String>,
    /// The prices. The first entry that matches a model's name is its price.
    pub models: Vec<ModelPrice>,
}

/// A price list that was published.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PriceListPublished {
    /// The list.
    pub price_list_id: PriceListId,
    /// Its version in force.
    pub version: u32,
    /// Whether that version is new.
    pub published: bool,
}

impl Command for PublishPriceList {
    const NAME: &'static str = "price_lists.publish";
    type Outcome = PriceListPublished;

    fn organization_id(&self) -> Option<OrganizationId> {
        None
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.permit_operator()?;
        let provider = list_name("provider", &self.provider)?;
        text_in("source", text::reason(self.source.as_deref()))?;
        storable("effective_from", self.effective_from)?;
        let terms = PriceTerms {
            provider_matches: self.provider_matches.clone(),
            model_matches: self.model_matches.clone(),
            fallback_providers: self.fallback_providers.clone(),
            mark_up_percent: None,
            models: self.models.clone(),
        };
        price_texts(&terms)?;
        let price_list_id = PriceListId::of(&self.catalogue()?, &provider);
        let first = session.read::<PriceList>(&price_list_id).await?.version() == 0;
        let by_default = if first { DateTime::UNIX_EPOCH } else { session.now() };
        let publish = PriceListCommand::Publish {
            price_list_id: price_list_id.clone(),
            organization_id: None,
            provider,
            currency: self.currency,
            effective_from: self.effective_from.unwrap_or(by_default),
            source: self.source.clone(),
            terms,
        };
        let published = session.execute::<PriceList>(&price_list_id, publish).await? > 0;
        let version = session.read::<PriceList>(&price_list_id).await?.version();
        Ok(PriceListPublished { price_list_id, version, published })
    }
}

impl PublishPriceList {
    fn catalogue(&self) -> Result<String, Refusal> {
        let catalogue = list_name("catalogue", &self.catalogue)?;
        if catalogue.contains('/') {
            let why = "a slash stands between catalogue and provider, not in the catalogue's name";
            return Err(Refusal::Invalid { field: "catalogue", why });
        }
        if catalogue.starts_with(OWN) {
            let why = "an organization's own prices are published in the organization";
            return Err(Refusal::Invalid { field: "catalogue", why });
        }
        Ok(catalogue)
    }
}

/// Publishes a version of a price list. The same prices again are no new version.
#[utoipa::path(
    post,
    path = "/v1/price-lists",
    tag = "price lists",
    params(PostHeaders),
    request_body = PublishPriceList,
    responses((status = 200, description = "It is in force.", body = Answered<PriceListPublished>), Refusals)
)]
pub(crate) async fn publish_price_list(
    State(api): State<CommandApi>,
    asked: Asked,
    Json(request): Json<PublishPriceList>,
) -> Result<Response, Problem> {
    carry_out(&api, asked, request).await
}
