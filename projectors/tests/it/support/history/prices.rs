//! Price lists of a story.

use event_schemas::{MatchRule, ModelPrice, PriceListEvent, PriceListId, Rates};
use uuid::Uuid;

use super::{Event, Story, minute};

impl Story {
    /// A version of an organization's own prices, or of those of all.
    pub(super) fn prices(&mut self) -> Option<(Uuid, Event)> {
        let of = self.random.pick(&self.organizations)?;
        let own = !self.random.one_in(3);
        let catalogue = if own { format!("own:{of}") } else { "catalogue".to_owned() };
        let provider = self.random.pick(&["openai", "anthropic"])?;
        let model = format!("model-{}", self.minutes);
        let rule = MatchRule::Equals(model.clone());
        let late = i64::try_from(self.random.below(100)).ok()?;
        let event = PriceListEvent::Published {
            price_list_id: PriceListId::of(&catalogue, provider),
            version: u32::try_from(self.minutes).ok()?,
            organization_id: own.then(|| of.into()),
            provider: provider.to_owned(),
            provider_matches: None,
            model_matches: None,
            fallback_providers: vec![],
            mark_up_percent: None,
            currency: "USD".parse().ok()?,
            effective_from: minute(self.minutes - late),
            source: None,
            models: vec![ModelPrice::plain(model, rule, Rates::default())],
        };
        Some((of, Event::Prices(event)))
    }
}
