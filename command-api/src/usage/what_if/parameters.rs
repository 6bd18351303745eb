//! What can be asked of what-if.

use std::str::FromStr;

use api_conventions::{Position, TimeBound};
use domain::usage::FIELD_CHARS_MAX;
use event_schemas::{PriceListId, ProjectId, RecordedUsage, RepricingScope};
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use super::{AnotherModel, WhatIfGroup};
use crate::refusal::Refusal;
use crate::usage::other_prices::{self, AskedPrices};

/// What rows can be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Day,
    Project,
    ApiKey,
    Feature,
    Provider,
    Model,
}

impl Dimension {
    const ALL: [(&'static str, Self); 6] = [
        ("project", Self::Project),
        ("api_key", Self::ApiKey),
        ("feature", Self::Feature),
        ("provider", Self::Provider),
        ("model", Self::Model),
        ("day", Self::Day),
    ];
}

/// `feature,model`.
#[derive(Debug, Clone, Default)]
pub(super) struct By(Vec<Dimension>);

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut by = Vec::new();
        for word in text.split(',') {
            let found = Dimension::ALL.iter().find(|(known, _)| *known == word);
            let Some((_, dimension)) = found else {
                let known = Dimension::ALL.map(|(known, _)| known).join(", ");
                return Err(format!("'{word}' is not something to group by: it is one of {known}"));
            };
            if by.contains(dimension) {
                return Err(format!("'{word}' stands there twice"));
            }
            by.push(*dimension);
        }
        Ok(Self(by))
    }
}

impl<'de> Deserialize<'de> for By {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl By {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The group that a record is in.
    pub(super) fn group(&self, usage: &RecordedUsage) -> WhatIfGroup {
        let mut group = WhatIfGroup::default();
        for dimension in &self.0 {
            match dimension {
                Dimension::Day => group.day = Some(usage.occurred_at.date_naive()),
                Dimension::Project => group.project_id = Some(usage.project_id),
                Dimension::ApiKey => group.api_key_id = Some(usage.api_key_id),
                Dimension::Feature => group.feature = Some(usage.feature.clone()),
                Dimension::Provider => group.provider = Some(usage.provider.clone()),
                Dimension::Model => group.model = Some(usage.model.clone()),
            }
        }
        group
    }
}

/// Which usage, and what if.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhatIfParameters {
    /// Requests that were made from then on (RFC 3339), or from the start of this day (UTC).
    #[param(inline, example = "2026-03-01")]
    from: TimeBound,
    /// Requests that were made before then, or before this day.
    #[param(inline, example = "2026-04-01")]
    to: TimeBound,
    /// Of this project alone, archived or not.
    #[param(value_type = Option<uuid::Uuid>)]
    pub(super) project_id: Option<ProjectId>,
    /// Of this provider alone, as the records call it.
    provider: Option<String>,
    /// Of this model alone, as the records call it.
    model: Option<String>,
    /// Of this feature alone; empty for what said none.
    pub(super) feature: Option<String>,
    /// Under this price list alone, without a mark-up: one of all, or the organization's own.
    #[param(value_type = Option<String>, example = "list prices/openai")]
    price_list_id: Option<PriceListId>,
    /// Under this version of the list, whenever it was in force; without one under the version in force
    /// when the usage happened.
    #[param(minimum = 1, example = 3)]
    price_list_version: Option<u32>,
    /// Under what had been published up to this position of the log; without one under all.
    #[param(value_type = Option<i64>, minimum = 0, example = 8)]
    prices_at: Option<Position>,
    /// As if this provider had served it: with `as_model`.
    #[param(example = "openai")]
    as_provider: Option<String>,
    /// As if this model had done it with the very same quantities: with `as_provider`.
    #[param(example = "gpt-4o-mini")]
    as_model: Option<String>,
    /// What rows are of, with commas between: project, `api_key`, feature, provider, model, day (UTC);
    /// without it there are totals alone.
    #[param(value_type = Option<String>, example = "feature,model",
        pattern = "^(project|api_key|feature|provider|model|day)\
            (,(project|api_key|feature|provider|model|day))*$")]
    #[serde(default)]
    pub(super) by: By,
    /// Go on with the records after this position: the `continue_after` of the answer before.
    #[param(value_type = Option<i64>, minimum = 0, example = 8)]
    pub(super) after_position: Option<Position>,
}

impl WhatIfParameters {
    /// The records, of a project where it is of one alone.
    pub(super) fn scope(&self, project_id: Option<ProjectId>) -> RepricingScope {
        RepricingScope {
            from: self.from.0,
            to: self.to.0,
            project_id,
            provider: self.provider.clone(),
            model: self.model.clone(),
            only_unpriced: false,
        }
    }

    pub(super) fn prices(&self) -> AskedPrices {
        AskedPrices {
            price_list_id: self.price_list_id.clone(),
            price_list_version: self.price_list_version,
            prices_at: self.prices_at.map(|Position(position)| position),
        }
    }

    /// The model in place of each record's own; none for the record's own.
    pub(super) fn another_model(&self) -> Result<Option<AnotherModel>, Refusal> {
        let invalid = |field, why| Err(Refusal::Invalid { field, why });
        let (provider, model) = match (&self.as_provider, &self.as_model) {
            (None, None) => return Ok(None),
            (Some(provider), Some(model)) => (provider.clone(), model.clone()),
            (Some(_), None) => return invalid("as_model", "as_provider takes the model, too"),
            (None, Some(_)) => return invalid("as_provider", "as_model takes its provider, too"),
        };
        for (field, text) in [("as_provider", &provider), ("as_model", &model)] {
            if text.trim().is_empty() || text.chars().count() > FIELD_CHARS_MAX {
                return invalid(field, "it is empty, or longer than a name in a record can be");
            }
        }
        Ok(Some(AnotherModel { provider, model }))
    }

    pub(super) fn check(&self) -> Result<(), Refusal> {
        let after = self.after_position.map(|Position(position)| position);
        other_prices::check(&self.scope(None), &self.prices(), after)
    }
}
