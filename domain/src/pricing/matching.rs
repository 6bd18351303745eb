//! How a model's name finds its price.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use chrono::NaiveDate;
use event_schemas::{MatchRule, ModelPrice};
use regex_lite::{Regex, RegexBuilder};

use crate::text::fold;

/// Whether a rule recognises a model's name. Names are compared without case; no rule in an `or`
/// recognises nothing, no rule in an `and` everything.
pub fn matches(rule: &MatchRule, model: &str) -> bool {
    Pattern::new(rule).matches(&fold(model))
}

/// The models of one version, ready to be found by name: a record is priced in a hash lookup and
/// the few rules that are not plain names, not in a walk over all rules; what a walk has found is
/// remembered.
#[derive(Debug)]
pub(super) struct ModelTable {
    models: Vec<ModelPrice>,
    /// The first entry with a plain name, by folded name.
    names: HashMap<String, usize>,
    /// Every other rule, in order of its entry.
    patterns: Vec<(usize, Pattern)>,
    /// The entry of a name that was asked for before, or that it has none.
    remembered: RwLock<HashMap<Box<str>, Option<usize>>>,
}

/// How many names are remembered. Models are fewer; names that senders make up must not fill the
/// memory.
const REMEMBERED_MAX: usize = 4_096;

impl ModelTable {
    pub(super) fn new(models: &[ModelPrice]) -> Self {
        let mut table = Self {
            models: models.to_vec(),
            names: HashMap::new(),
            patterns: Vec::new(),
            remembered: RwLock::default(),
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
            | MatchRule::Regex(_)
            | MatchRule::And(_) => self.patterns.push((entry, Pattern::new(rule))),
        }
    }

    /// The first entry that a folded name matches.
    pub(super) fn find(&self, folded_model: &str) -> Option<&ModelPrice> {
        if self.patterns.is_empty() {
            return self.models.get(*self.names.get(folded_model)?);
        }
        let remembered = {
            let known = self.remembered.read().unwrap_or_else(PoisonError::into_inner);
            known.get(folded_model).copied()
        };
        let entry = remembered.unwrap_or_else(|| {
            let entry = self.search(folded_model);
            let mut known = self.remembered.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= REMEMBERED_MAX {
                known.clear();
            }
            known.insert(folded_model.into(), entry);
            entry
        });
        self.models.get(entry?)
    }

    fn search(&self, folded_model: &str) -> Option<usize> {
        let named = self.names.get(folded_model).copied();
        let before = named.unwrap_or(self.models.len());
        let matched = self
            .patterns
            .iter()
            .take_while(|(entry, _)| *entry < before)
            .find(|(_, pattern)| pattern.matches(folded_model))
            .map(|(entry, _)| *entry);
        matched.or(named)
    }
}

/// A model's name with its date as `-2025-12-11`, where it has one as `-20251211`.
pub(super) fn with_dashed_date(model: &str) -> Option<String> {
    let (at, date) = model.match_indices("-20").find_map(|(at, _)| {
        let digits = model.get(at + 1..at + 9)?;
        let ends = model[at + 9..].chars().next().is_none_or(|next| next == '-' || next == ':');
        let date = NaiveDate::parse_from_str(digits, "%Y%m%d").ok();
        date.filter(|_| ends && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .map(|date| (at, date))
    })?;
    Some(format!("{}-{date}{}", &model[..at], &model[at + 9..]))
}

/// A rule, ready to be held against folded names.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(Box<Regex>),
    Or(Vec<Pattern>),
    And(Vec<Pattern>),
    /// A regular expression that is none. A price list with one is refused; see
    /// [`crate::price_list`].
    Nothing,
}

impl Pattern {
    pub(super) fn new(rule: &MatchRule) -> Self {
        let all = |rules: &[MatchRule]| rules.iter().map(Self::new).collect();
        match rule {
            MatchRule::Equals(text) => Self::Equals(fold(text)),
            // White space at the edge of a fragment is part of it.
            MatchRule::StartsWith(text) => Self::StartsWith(text.to_lowercase()),
            MatchRule::EndsWith(text) => Self::EndsWith(text.to_lowercase()),
            MatchRule::Contains(text) => Self::Contains(text.to_lowercase()),
            MatchRule::Regex(text) => {
                regex(text).map_or(Self::Nothing, |regex| Self::Regex(Box::new(regex)))
            }
            MatchRule::Or(rules) => Self::Or(all(rules)),
            MatchRule::And(rules) => Self::And(all(rules)),
        }
    }

    pub(super) fn matches(&self, model: &str) -> bool {
        match self {
            Self::Equals(text) => model == text,
            Self::StartsWith(text) => model.starts_with(text),
            Self::EndsWith(text) => model.ends_with(text),
            Self::Contains(text) => model.contains(text),
            Self::Regex(regex) => regex.is_match(model),
            Self::Or(patterns) => patterns.iter().any(|pattern| pattern.matches(model)),
            Self::And(patterns) => patterns.iter().all(|pattern| pattern.matches(model)),
            Self::Nothing => false,
        }
    }
}

/// A regular expression for names, which are compared without case; none where it is not one.
fn regex(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).case_insensitive(true).build().ok()
}

/// The first regular expression in a rule that is none.
pub(crate) fn invalid_regex(rule: &MatchRule) -> Option<&str> {
    match rule {
        MatchRule::Regex(text) => regex(text).is_none().then_some(text),
        MatchRule::Or(rules) | MatchRule::And(rules) => rules.iter().find_map(invalid_regex),
        MatchRule::Equals(_)
        | MatchRule::StartsWith(_)
        | MatchRule::EndsWith(_)
        | MatchRule::Contains(_) => None,
    }
}
