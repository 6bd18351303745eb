//! Every price ever published, and which one was in force when.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use event_schemas::{Currency, PriceListEvent, PriceListId};

use super::matching::ModelTable;
use super::{Priced, PricingError, Tokens, UnpricedReason, cost_pico};
use crate::text::fold;

/// Every version of every price list. A clone is cheap: versions are shared.
#[derive(Debug, Clone, Default)]
pub struct PriceBook {
    position: i64,
    /// By folded provider.
    providers: HashMap<String, Vec<PublishedList>>,
}

#[derive(Debug, Clone)]
struct PublishedList {
    price_list_id: PriceListId,
    /// In order of effect, and of position where that is equal.
    versions: Vec<Arc<Version>>,
}

#[derive(Debug)]
struct Version {
    position: i64,
    effective_from: DateTime<Utc>,
    currency: Currency,
    models: ModelTable,
}

impl Version {
    fn order(&self) -> (DateTime<Utc>, i64) {
        (self.effective_from, self.position)
    }
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
                version: _,
                provider,
                currency,
                effective_from,
                source: _,
                models,
            } => {
                let version = Version {
                    position,
                    effective_from: *effective_from,
                    currency: *currency,
                    models: ModelTable::new(models),
                };
                self.list(provider, price_list_id).take(version);
            }
        }
    }

    fn list(&mut self, provider: &str, price_list_id: &PriceListId) -> &mut PublishedList {
        let lists = self.providers.entry(fold(provider)).or_default();
        let known = lists.iter().position(|list| list.price_list_id == *price_list_id);
        let place = known.unwrap_or_else(|| {
            lists
                .push(PublishedList { price_list_id: price_list_id.clone(), versions: Vec::new() });
            lists.len() - 1
        });
        &mut lists[place]
    }

    /// What tokens of a model cost at the prices in force at `occurred_at`. Where several lists
    /// price the model, the one whose version in force was published last does. Refused where the
    /// cost does not fit 64 bits of pico-units; what has no price is unpriced, not refused.
    pub fn price(
        &self,
        provider: &str,
        model: &str,
        occurred_at: DateTime<Utc>,
        tokens: &Tokens,
    ) -> Result<Priced, PricingError> {
        let Some(lists) = self.providers.get(&fold(provider)) else {
            return Ok(Priced::unpriced(UnpricedReason::UnknownProvider));
        };
        let mut in_force: Vec<&Version> =
            lists.iter().filter_map(|list| list.in_force(occurred_at)).collect();
        if in_force.is_empty() {
            return Ok(Priced::unpriced(UnpricedReason::NotYetInForce));
        }
        in_force.sort_unstable_by_key(|version| Reverse(version.position));
        let model = fold(model);
        let found = in_force
            .into_iter()
            .find_map(|version| version.models.find(&model).map(|rates| (version, rates)));
        let Some((version, rates)) = found else {
            return Ok(Priced::unpriced(UnpricedReason::UnknownModel));
        };
        Ok(match cost_pico(rates, tokens)? {
            Ok(cost) => Priced::at(version.position, version.currency, cost),
            Err(kind) => Priced::unpriced(UnpricedReason::NoRate(kind)),
        })
    }
}

impl PublishedList {
    fn take(&mut self, version: Version) {
        let known = self.versions.iter().any(|other| other.position == version.position);
        if !known {
            let place = self.versions.partition_point(|other| other.order() < version.order());
            self.versions.insert(place, Arc::new(version));
        }
    }

    fn in_force(&self, occurred_at: DateTime<Utc>) -> Option<&Version> {
        let begun = self.versions.partition_point(|version| version.effective_from <= occurred_at);
        self.versions[..begun].last().map(Arc::as_ref)
    }
}
