//! List prices of the models that Acme uses, in USD for a million tokens.
//! Source: the providers' public price pages, as collected in pydantic/genai-prices (MIT).

use command_api::price_lists::PublishPriceList;
use event_schemas::{Currency, MatchRule, Measure, ModelPrice, Rate};

use super::Story;

/// Model, input, cached input, output. Dated versions of a model have its name as their beginning.
type Price = (&'static str, &'static str, &'static str, &'static str);

const OPENAI: [Price; 2] =
    [("gpt-4o-mini", "0.15", "0.075", "0.6"), ("gpt-4o", "2.5", "1.25", "10")];
const ANTHROPIC: [Price; 2] =
    [("claude-sonnet-4", "3", "0.3", "15"), ("claude-3-5-haiku", "0.8", "0.08", "4")];

pub(super) async fn publish(story: &Story<'_>) -> anyhow::Result<()> {
    for (provider, prices) in [("openai", OPENAI), ("anthropic", ANTHROPIC)] {
        let models = prices.iter().map(model_price).collect::<anyhow::Result<_>>()?;
        let publish = PublishPriceList {
            catalogue: "list-prices".to_owned(),
            provider: provider.to_owned(),
            currency: Currency::USD,
            effective_from: None,
            source: Some(format!("{provider}'s public price page")),
            provider_matches: None,
            model_matches: None,
            fallback_providers: Vec::new(),
            models,
        };
        story.on("2025-09-01", &publish).await?;
    }
    Ok(())
}

fn model_price((model, input, cached, output): &Price) -> anyhow::Result<ModelPrice> {
    let rates =
        [(Measure::Input, input), (Measure::CachedInput, cached), (Measure::Output, output)];
    let rates = rates.into_iter().map(|(of, text)| Ok((of, text.parse::<Rate>()?)));
    Ok(ModelPrice::plain(
        (*model).to_owned(),
        MatchRule::StartsWith((*model).to_owned()),
        rates.collect::<anyhow::Result<_>>()?,
    ))
}
