//! Every price ever published, and which one is a record's.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use event_schemas::{ModelPrice, OrganizationId, Percent, PriceListEvent, PriceListId};

use super::applicable::Applicable;
use super::cost::cost_pico;
use super::explain::{Explanation, explained};
use super::list::{PublishedList, Version};
use super::matching::{ModelTable, with_dashed_date};
use super::{Priced, PricingError, UnpricedReason, Used};
use crate::text::fold;

/// In an organization's own list: every provider.
pub const ANY_PROVIDER: &str = "*";

/// What a record calls a provider that its sender does not know: the models' names tell it then.
pub const UNKNOWN_PROVIDER: &str = "unknown";

/// What price catalogues call the providers that OpenTelemetry's conventions for generative AI name
/// otherwise. Source: the well-known values of `gen_ai.provider.name`.
const CATALOGUE_NAMES: [(&str, &[&str]); 9] = [
    ("aws.bedrock", &["aws", "bedrock", "bedrock_converse"]),
    ("azure.ai.inference", &["azure", "azure_ai"]),
    ("azure.ai.openai", &["azure"]),
    ("gcp.gemini", &["google", "gemini"]),
    ("gcp.gen_ai", &["google", "gemini"]),
    ("gcp.vertex_ai", &["google", "vertex_ai", "vertex_ai-language-models"]),
    ("ibm.watsonx.ai", &["watsonx"]),
    ("mistral_ai", &["mistral"]),
    ("x_ai", &["x-ai", "xai"]),
];

/// What catalogues may call a provider beside what a record calls it.
pub(super) fn catalogue_names(provider: &str) -> &'static [&'static str] {
    let named = CATALOGUE_NAMES.iter().find(|(name, _)| *name == provider);
    named.map_or(&[], |(_, names)| *names)
}

/// How many names of providers are remembered with their lists.
const REMEMBERED_MAX: usize = 1_024;

/// Every version of every price list.
#[derive(Debug, Default)]
pub struct PriceBook {
    position: i64,
    /// The lists for all.
    pub(super) lists: Vec<PublishedList>,
    /// Where those of a catalogue and a provider are, by id.
    pub(super) places: HashMap<PriceListId, usize>,
    /// What organizations have of their own: few, mostly none.
    pub(super) own: HashMap<OrganizationId, Vec<PublishedList>>,
    /// The lists of a provider by the name that a record gives it: found once, not with each record.
    remembered: RwLock<HashMap<Box<str>, Arc<[usize]>>>,
}

/// An organization's own price for a model, which began after a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLater {
    /// The list.
    pub price_list_id: PriceListId,
    /// Since when it has it.
    pub effective_from: DateTime<Utc>,
}

/// The price of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) version: &'a Version,
    pub(super) model: &'a ModelPrice,
    /// The version that puts a mark-up on it.
    pub(super) mark_up: Option<(&'a Version, Percent)>,
}

impl PriceBook {
    /// The greatest position folded, 0 where there was none.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Takes in an event of a price list at its position in the log. The order does not matter,
    /// nor does an event that is taken in again.
    pub fn published(&mut self, position: i64, event: &PriceListEvent) {
        self.position = self.position.max(position);
        match event {
            PriceListEvent::Published {
                price_list_id,
                version,
                organization_id,
                provider,
                provider_matches,
                model_matches,
                fallback_providers,
                mark_up_percent,
                currency,
                effective_from,
                source: _,
                models,
            } => {
                let version = Version {
                    price_list_id: price_list_id.clone(),
                    position,
                    number: *version,
                    effective_from: *effective_from,
                    currency: *currency,
                    is_own: organization_id.is_some(),
                    fallback_providers: fallback_providers.clone(),
                    mark_up: *mark_up_percent,
                    provider_matches: Version::rule(provider_matches.as_ref()),
                    model_matches: Version::rule(model_matches.as_ref()),
                    models: ModelTable::new(models),
                };
                self.list(*organization_id, provider, price_list_id).take(version);
                self.remembered.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
            }
        }
    }

    fn list(
        &mut self,
        organization_id: Option<OrganizationId>,
        provider: &str,
        id: &PriceListId,
    ) -> &mut PublishedList {
        let new = || PublishedList::new(id.clone(), fold(provider));
        if let Some(organization_id) = organization_id {
            let own = self.own.entry(organization_id).or_default();
            let known = own.iter().position(|list| list.price_list_id == *id);
            let place = known.unwrap_or_else(|| {
                own.push(new());
                own.len() - 1
            });
            return &mut own[place];
        }
        let next = self.lists.len();
        let place = *self.places.entry(id.clone()).or_insert(next);
        if place == next {
            self.lists.push(new());
        }
        &mut self.lists[place]
    }

    /// What a record costs at the prices in force when it happened. Where several lists price the
    /// model, the one whose version in force was published last does; an organization's own list
    /// comes before all. Refused where the cost does not fit 64 bits of pico-units; what has no
    /// price is unpriced, not refused.
    pub fn price(&self, used: &Used<'_>) -> Result<Priced, PricingError> {
        self.price_as_known(used, i64::MAX)
    }

    /// What a record costs by the prices that the log knew at a position.
    pub fn price_as_known(&self, used: &Used<'_>, known: i64) -> Result<Priced, PricingError> {
        if used.nothing() {
            return Ok(Priced::NOT_BILLED);
        }
        let found = match self.find(used, known) {
            Ok(found) => found,
            Err(reason) => return Ok(Priced::unpriced(reason)),
        };
        let applicable = Applicable::new(found.model, used);
        let mark_up = found.mark_up.map(|(_, percent)| percent);
        Ok(match cost_pico(&applicable, used, mark_up)? {
            Ok(cost) => Priced::at(found.version.position, found.version.currency, cost),
            Err(measure) => Priced::unpriced(UnpricedReason::NoRate(measure)),
        })
    }

    /// How the cost of a record comes about, by the prices that the log knew at a position.
    pub fn explain(&self, used: &Used<'_>, known: i64) -> Result<Explanation, PricingError> {
        let priced = self.price_as_known(used, known)?;
        if used.nothing() {
            return Ok(Explanation::without_price(priced));
        }
        match self.find(used, known) {
            Ok(found) => explained(used, &found, priced),
            Err(_) => Ok(Explanation::without_price(priced)),
        }
    }

    /// Where the organization's own lists have the model, and only from a time after the request on: the
    /// list that begins first.
    pub fn own_later(&self, used: &Used<'_>) -> Option<OwnLater> {
        let (provider, model) = (folded(used.provider), folded(used.model));
        let dashed = with_dashed_date(&model);
        let own = self.own.get(&used.organization_id)?.iter();
        let lists = own.filter(|list| list.provider == provider || list.provider == ANY_PROVIDER);
        let begin = lists.flat_map(|list| list.begin_after(used.occurred_at));
        let has = |version: &&Version| {
            let names = [Some(&*model), dashed.as_deref()];
            names.into_iter().flatten().any(|name| version.models.find(name).is_some())
        };
        let first = begin.filter(has).min_by_key(|version| version.effective_from)?;
        let price_list_id = first.price_list_id.clone();
        Some(OwnLater { price_list_id, effective_from: first.effective_from })
    }

    /// The price of a record, or why there is none.
    pub(super) fn find(&self, used: &Used<'_>, known: i64) -> Result<Found<'_>, UnpricedReason> {
        let (provider, model) = (folded(used.provider), folded(used.model));
        let found = self.find_model(used, &provider, &model, known);
        if let Err(UnpricedReason::UnknownModel) = found {
            // Some gateways write a model's date without its dashes.
            if let Some(dashed) = with_dashed_date(&model) {
                return self.find_model(used, &provider, &dashed, known);
            }
        }
        found
    }

    fn find_model(
        &self,
        used: &Used<'_>,
        provider: &str,
        model: &str,
        known: i64,
    ) -> Result<Found<'_>, UnpricedReason> {
        let at = used.occurred_at;
        let own = self.own.get(&used.organization_id).map_or(&[][..], Vec::as_slice);
        for named in [provider, ANY_PROVIDER] {
            let lists = || own.iter().filter(move |list| list.provider == named);
            if let Some((version, model)) = latest_with(lists, at, known, model) {
                return Ok(Found { version, model, mark_up: None });
            }
        }
        let (version, model) = self.of_all(provider, model, at, known)?;
        let mark_up = [provider, ANY_PROVIDER].into_iter().find_map(|named| {
            let lists = own.iter().filter(|list| list.provider == named);
            let in_force = lists.filter_map(|list| list.in_force(at, known));
            let with = in_force.filter_map(|version| Some((version, version.mark_up?)));
            with.max_by_key(|(version, _)| version.position)
        });
        Ok(Found { version, model, mark_up })
    }

    /// The price for all.
    fn of_all(
        &self,
        provider: &str,
        model: &str,
        at: DateTime<Utc>,
        known: i64,
    ) -> Result<(&Version, &ModelPrice), UnpricedReason> {
        if provider == UNKNOWN_PROVIDER {
            return self.by_model(model, at, known).ok_or(UnpricedReason::UnknownModel);
        }
        let places = self.lists_of(provider, known);
        let lists = || places.iter().map(|place| &self.lists[*place]);
        if places.is_empty() {
            return Err(UnpricedReason::UnknownProvider);
        }
        if lists().all(|list| list.in_force(at, known).is_none()) {
            return Err(UnpricedReason::NotYetInForce);
        }
        if let Some(found) = latest_with(lists, at, known, model) {
            return Ok(found);
        }
        lists()
            .find_map(|list| self.fallback(list, model, at, known))
            .ok_or(UnpricedReason::UnknownModel)
    }

    /// The price of a model that a provider serves for another one: one step, within the catalogue.
    fn fallback(
        &self,
        list: &PublishedList,
        model: &str,
        at: DateTime<Utc>,
        known: i64,
    ) -> Option<(&Version, &ModelPrice)> {
        let providers = &list.in_force(at, known)?.fallback_providers;
        providers.iter().find_map(|provider| {
            let id = PriceListId::of(list.catalogue(), provider);
            let version = self.lists[*self.places.get(&id)?].in_force(at, known)?;
            Some((version, version.models.find(model)?))
        })
    }

    /// The price of a model by its name alone.
    fn by_model(
        &self,
        model: &str,
        at: DateTime<Utc>,
        known: i64,
    ) -> Option<(&Version, &ModelPrice)> {
        let recognised = self.lists.iter().filter(|list| {
            let rule = list.in_force(at, known).and_then(|version| version.model_matches.as_ref());
            rule.is_some_and(|rule| rule.matches(model))
        });
        let recognised: Vec<&PublishedList> = recognised.collect();
        latest_with(|| recognised.iter().copied(), at, known, model)
    }

    /// The lists of a provider: those that have its name, or one that catalogues have for it, and of every
    /// other catalogue the first that recognises it.
    fn lists_of(&self, provider: &str, known: i64) -> Arc<[usize]> {
        let is_now = known >= self.position;
        if is_now {
            let remembered = self.remembered.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(places) = remembered.get(provider) {
                return Arc::clone(places);
            }
        }
        let found = self.search(provider, known);
        if is_now {
            let mut remembered = self.remembered.write().unwrap_or_else(PoisonError::into_inner);
            if remembered.len() >= REMEMBERED_MAX {
                remembered.clear();
            }
            remembered.insert(provider.into(), Arc::clone(&found));
        }
        found
    }

    fn search(&self, provider: &str, known: i64) -> Arc<[usize]> {
        let mut places: Vec<usize> = (0..self.lists.len())
            .filter(|place| self.lists[*place].first_position() <= known)
            .collect();
        places.sort_by_key(|place| self.lists[*place].first_position());
        let names = catalogue_names(provider);
        let is_named =
            |list: &PublishedList| list.provider == provider || names.contains(&&*list.provider);
        let (mut found, others): (Vec<usize>, Vec<usize>) =
            places.into_iter().partition(|place| is_named(&self.lists[*place]));
        for place in others {
            let list = &self.lists[place];
            let there = |other: &usize| self.lists[*other].catalogue() == list.catalogue();
            if list.also_called(provider) && !found.iter().any(there) {
                found.push(place);
            }
        }
        found.into()
    }
}

/// Of the lists whose version in force has the model, the one whose version was published last.
fn latest_with<'a, I: Iterator<Item = &'a PublishedList>>(
    lists: impl Fn() -> I,
    at: DateTime<Utc>,
    known: i64,
    model: &str,
) -> Option<(&'a Version, &'a ModelPrice)> {
    let mut before = i64::MAX;
    loop {
        let in_force = lists().filter_map(|list| list.in_force(at, known));
        let earlier = in_force.filter(|version| version.position < before);
        let version = earlier.max_by_key(|version| version.position)?;
        if let Some(model) = version.models.find(model) {
            return Some((version, model));
        }
        before = version.position;
    }
}

/// A name as names are compared. Most are so already, and nothing is allocated.
pub(super) fn folded(name: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    if name.bytes().all(plain) { Cow::Borrowed(name) } else { Cow::Owned(fold(name)) }
}
