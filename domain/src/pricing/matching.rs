//! How a model's name finds its price.

use std::collections::HashMap;

use event_schemas::{MatchRule, ModelPrice, Rates};

use crate::text::fold;

/// Whether a rule recognises a model's name. Names are compared without case; no rule in an `or`
/// recognises nothing, no rule in an `and` everything.
pub fn matches(rule: &MatchRule, model: &str) -> bool {
    matches_folded(&folded(rule), &fold(model))
}

/// The models of one version, ready to be found by name: a record is priced in a hash lookup and
/// the few rules that are not plain names, not in a walk over all rules.
#[derive(Debug, Clone)]
pub(super) struct ModelTable {
    rates: Vec<Rates>,
    /// The first entry with a plain name, by folded name.
    names: HashMap<String, usize>,
    /// Every other rule, folded, in order of its entry.
    patterns: Vec<(usize, MatchRule)>,
}

impl ModelTable {
    pub(super) fn new(models: &[ModelPrice]) -> Self {
        let mut table = Self {
            rates: models.iter().map(|price| price.rates).collect(),
            names: HashMap::new(),
            patterns: Vec::new(),
        };
        for (entry, price) in models.iter().enumerate() {
            table.recognise(entry, &MatchRule::Equals(price.model.clone()));
            table.recognise(entry, &price.matches);
        }
        table
    }

    fn recognise(&mut self, entry: usize, rule: &MatchRule) {
        match rule {
            MatchRule::Equals(name) => {
                self.names.entry(fold(name)).or_insert(entry);
            }
            MatchRule::Or(rules) => rules.iter().for_each(|rule| self.recognise(entry, rule)),
            MatchRule::StartsWith(_)
            | MatchRule::EndsWith(_)
            | MatchRule::Contains(_)
            | MatchRule::And(_) => self.patterns.push((entry, folded(rule))),
        }
    }

    /// The rates of the first entry that a folded name matches.
    pub(super) fn find(&self, folded_model: &str) -> Option<&Rates> {
        let named = self.names.get(folded_model).copied();
        let before = named.unwrap_or(self.rates.len());
        let matched = self
            .patterns
            .iter()
            .take_while(|(entry, _)| *entry < before)
            .find(|(_, rule)| matches_folded(rule, folded_model))
            .map(|(entry, _)| *entry);
        self.rates.get(matched.or(named)?)
    }
}

fn folded(rule: &MatchRule) -> MatchRule {
    match rule {
        MatchRule::Equals(text) => MatchRule::Equals(fold(text)),
        // White space at the edge of a fragment is part of it.
        MatchRule::StartsWith(text) => MatchRule::StartsWith(text.to_lowercase()),
        MatchRule::EndsWith(text) => MatchRule::EndsWith(text.to_lowercase()),
        MatchRule::Contains(text) => MatchRule::Contains(text.to_lowercase()),
        MatchRule::Or(rules) => MatchRule::Or(rules.iter().map(folded).collect()),
        MatchRule::And(rules) => MatchRule::And(rules.iter().map(folded).collect()),
    }
}

fn matches_folded(rule: &MatchRule, model: &str) -> bool {
    match rule {
        MatchRule::Equals(text) => model == text,
        MatchRule::StartsWith(text) => model.starts_with(text),
        MatchRule::EndsWith(text) => model.ends_with(text),
        MatchRule::Contains(text) => model.contains(text),
        MatchRule::Or(rules) => rules.iter().any(|rule| matches_folded(rule, model)),
        MatchRule::And(rules) => rules.iter().all(|rule| matches_folded(rule, model)),
    }
}
