//! One price list with all its versions.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use event_schemas::{Currency, MatchRule, Percent, PriceListId};

use super::matching::{ModelTable, Pattern};

/// A version of a price list, ready to price by.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) price_list_id: PriceListId,
    pub(super) position: i64,
    pub(super) number: u32,
    pub(super) effective_from: DateTime<Utc>,
    pub(super) currency: Currency,
    pub(super) is_own: bool,
    pub(super) fallback_providers: Vec<String>,
    pub(super) mark_up: Option<Percent>,
    pub(super) provider_matches: Option<Pattern>,
    pub(super) model_matches: Option<Pattern>,
    pub(super) models: ModelTable,
}

impl Version {
    fn order(&self) -> (DateTime<Utc>, i64) {
        (self.effective_from, self.position)
    }

    pub(super) fn rule(rule: Option<&MatchRule>) -> Option<Pattern> {
        rule.map(Pattern::new)
    }
}

/// Every version of a list.
#[derive(Debug, Clone)]
pub(super) struct PublishedList {
    pub(super) price_list_id: PriceListId,
    /// The provider, folded.
    pub(super) provider: String,
    /// In order of effect, and of position where that is equal.
    versions: Vec<Arc<Version>>,
}

impl PublishedList {
    pub(super) fn new(price_list_id: PriceListId, provider: String) -> Self {
        Self { price_list_id, provider, versions: Vec::new() }
    }

    /// The catalogue that it is of.
    pub(super) fn catalogue(&self) -> &str {
        self.price_list_id.0.split('/').next().unwrap_or_default()
    }

    pub(super) fn take(&mut self, version: Version) {
        let known = self.versions.iter().any(|other| other.position == version.position);
        if !known {
            let place = self.versions.partition_point(|other| other.order() < version.order());
            self.versions.insert(place, Arc::new(version));
        }
    }

    /// The version in force at a time, of those that the log knew at a position.
    pub(super) fn in_force(&self, at: DateTime<Utc>, known: i64) -> Option<&Version> {
        let begun = self.versions.partition_point(|version| version.effective_from <= at);
        self.versions[..begun]
            .iter()
            .rev()
            .find(|version| version.position <= known)
            .map(Arc::as_ref)
    }

    /// The versions that begin after a time, the first of them first.
    pub(super) fn begin_after(&self, at: DateTime<Utc>) -> impl Iterator<Item = &Version> {
        let begun = self.versions.partition_point(|version| version.effective_from <= at);
        self.versions[begun..].iter().map(Arc::as_ref)
    }

    /// A version by its number, where the log knew it at a position.
    pub(super) fn numbered(&self, number: u32, known: i64) -> Option<&Version> {
        let mut versions = self.versions.iter().map(Arc::as_ref);
        versions.find(|version| version.number == number && version.position <= known)
    }

    /// Where the log first knew of it.
    pub(super) fn first_position(&self) -> i64 {
        self.versions.iter().map(|version| version.position).min().unwrap_or(i64::MAX)
    }

    /// Whether any version calls the provider by another name that is this.
    pub(super) fn also_called(&self, provider: &str) -> bool {
        let mut rules =
            self.versions.iter().filter_map(|version| version.provider_matches.as_ref());
        rules.any(|rule| rule.matches(provider))
    }
}
