//! What a record would cost by prices that somebody names, in place of those that priced it.

use event_schemas::{OrganizationId, PriceListId};

use super::applicable::Applicable;
use super::book::{ANY_PROVIDER, Found, UNKNOWN_PROVIDER, catalogue_names, folded};
use super::cost::cost_pico;
use super::explain::explained;
use super::list::{PublishedList, Version};
use super::matching::with_dashed_date;
use super::{Explanation, PriceBook, Priced, PricingError, UnpricedReason, Used};

/// The prices to go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenPrices {
    /// As the log knew them at this position.
    pub known: i64,
    /// One list alone, with no mark-up; none for whatever list a record is priced by.
    pub list: Option<ChosenList>,
}

/// One price list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenList {
    /// The list.
    pub price_list_id: PriceListId,
    /// This version of it, whenever it was in force; none for the one in force when the usage happened.
    pub version: Option<u32>,
}

impl PriceBook {
    /// What a record costs by these prices. A list prices what its provider served, by any name that it
    /// knows the provider by.
    pub fn price_by(&self, used: &Used<'_>, prices: &ChosenPrices) -> Result<Priced, PricingError> {
        let Some(chosen) = &prices.list else {
            return self.price_as_known(used, prices.known);
        };
        if used.nothing() {
            return Ok(Priced::NOT_BILLED);
        }
        let found = match self.find_in(used, chosen, prices.known) {
            Ok(found) => found,
            Err(reason) => return Ok(Priced::unpriced(reason)),
        };
        let applicable = Applicable::new(found.model, used);
        Ok(match cost_pico(&applicable, used, None)? {
            Ok(cost) => Priced::at(found.version.position, found.version.currency, cost),
            Err(measure) => Priced::unpriced(UnpricedReason::NoRate(measure)),
        })
    }

    /// How the cost of a record by these prices comes about.
    pub fn explain_by(
        &self,
        used: &Used<'_>,
        prices: &ChosenPrices,
    ) -> Result<Explanation, PricingError> {
        let Some(chosen) = &prices.list else { return self.explain(used, prices.known) };
        let priced = self.price_by(used, prices)?;
        if used.nothing() {
            return Ok(Explanation::without_price(priced));
        }
        match self.find_in(used, chosen, prices.known) {
            Ok(found) => explained(used, &found, priced),
            Err(_) => Ok(Explanation::without_price(priced)),
        }
    }

    /// Whether the organization has such prices: a list of all, or its own, and of it that version.
    pub fn has(&self, organization_id: OrganizationId, prices: &ChosenPrices) -> bool {
        let Some(chosen) = &prices.list else { return true };
        let Some(list) = self.chosen(organization_id, &chosen.price_list_id) else { return false };
        match chosen.version {
            Some(number) => list.numbered(number, prices.known).is_some(),
            None => list.first_position() <= prices.known,
        }
    }

    fn chosen(&self, organization_id: OrganizationId, id: &PriceListId) -> Option<&PublishedList> {
        let own = self.own.get(&organization_id).into_iter().flatten();
        let mut own = own.filter(|list| list.price_list_id == *id);
        own.next().or_else(|| Some(&self.lists[*self.places.get(id)?]))
    }

    fn find_in(
        &self,
        used: &Used<'_>,
        chosen: &ChosenList,
        known: i64,
    ) -> Result<Found<'_>, UnpricedReason> {
        let (provider, model) = (folded(used.provider), folded(used.model));
        let list = self.chosen(used.organization_id, &chosen.price_list_id);
        let list = list.ok_or(UnpricedReason::UnknownProvider)?;
        let version = match chosen.version {
            Some(number) => list.numbered(number, known),
            None => list.in_force(used.occurred_at, known),
        };
        let version = version.ok_or(UnpricedReason::NotYetInForce)?;
        if !serves(list, version, &provider, &model) {
            return Err(UnpricedReason::UnknownProvider);
        }
        let dashed = || with_dashed_date(&model);
        let price = version.models.find(&model);
        let price = price.or_else(|| version.models.find(&dashed()?));
        let model = price.ok_or(UnpricedReason::UnknownModel)?;
        Ok(Found { version, model, mark_up: None })
    }
}

/// Whether a record's provider is the list's.
fn serves(list: &PublishedList, version: &Version, provider: &str, model: &str) -> bool {
    if provider == UNKNOWN_PROVIDER {
        return version.model_matches.as_ref().is_some_and(|rule| rule.matches(model));
    }
    list.provider == provider
        || list.provider == ANY_PROVIDER
        || catalogue_names(provider).contains(&&*list.provider)
        || list.also_called(provider)
}
