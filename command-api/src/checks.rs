//! Checks of what deciders take as it comes: times that the log's readers could not store, and
//! texts of price lists.

use chrono::{DateTime, Datelike as _, Utc};
use domain::price_list::PriceTerms;
use domain::text::{self, TextError};
use domain::usage::FIELD_CHARS_MAX;
use event_schemas::MatchRule;

use crate::refusal::Refusal;

/// Refuses a time outside the years 1 to 9999, which a read model could not store: it would stop at
/// the event for ever.
pub(crate) fn storable(field: &'static str, time: Option<DateTime<Utc>>) -> Result<(), Refusal> {
    match time {
        Some(time) if !(1..=9_999).contains(&time.year()) => {
            Err(Refusal::Invalid { field, why: "it is not within the years 1 to 9999" })
        }
        Some(_) | None => Ok(()),
    }
}

/// Names the field that a text stands in, where the decider's own word for it is another.
pub(crate) fn text_in<T>(field: &'static str, checked: Result<T, TextError>) -> Result<T, Refusal> {
    checked.map_err(|error| Refusal::TextIn { field, error })
}

/// A price list's catalogue or provider, without the white space around it.
pub(crate) fn list_name(field: &'static str, given: &str) -> Result<String, Refusal> {
    text_in(field, text::name(given))
}

/// Refuses models, providers and rules that no record could be matched with.
pub(crate) fn price_texts(terms: &PriceTerms) -> Result<(), Refusal> {
    let rules = [&terms.provider_matches, &terms.model_matches].into_iter().flatten();
    rules.into_iter().try_for_each(rule_texts)?;
    for provider in &terms.fallback_providers {
        list_name("fallback_providers", provider)?;
    }
    terms.models.iter().try_for_each(|price| {
        model_text(&price.model)?;
        rule_texts(&price.matches)
    })
}

fn rule_texts(rule: &MatchRule) -> Result<(), Refusal> {
    match rule {
        MatchRule::Equals(text)
        | MatchRule::StartsWith(text)
        | MatchRule::EndsWith(text)
        | MatchRule::Contains(text)
        | MatchRule::Regex(text) => model_text(text),
        MatchRule::Or(rules) | MatchRule::And(rules) => rules.iter().try_for_each(rule_texts),
    }
}

fn model_text(text: &str) -> Result<(), Refusal> {
    let why = if text.is_empty() {
        "the name of a model is empty"
    } else if text.chars().count() > FIELD_CHARS_MAX {
        "the name of a model is longer than 200 characters"
    } else if text.chars().any(char::is_control) {
        "the name of a model has a control character in it"
    } else {
        return Ok(());
    };
    Err(Refusal::Invalid { field: "models", why })
}
