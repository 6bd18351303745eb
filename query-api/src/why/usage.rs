//! Where a line of a report of costs comes from: the batches of its records, and what priced them again.

use std::collections::BTreeMap;
use std::str::FromStr;

use event_schemas::{OrganizationId, PriceStatus};
use uuid::Uuid;

use super::{Asked, EVENTS_MAX, WhyLine, WhyRecords, first};
use crate::costs::behind::{Entries, behind};
use crate::costs::{Bound, CostTotal, CostsQuery, Dimension, OfLine, costs, names};
use crate::error::QueryError;
use crate::organizations::OrganizationRef;
use crate::snapshot::Snapshot;
use crate::viewer::Visible;

/// Lines of a report of costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyUsage {
    /// Usage of these values; an id is the value of what has one.
    pub only: Vec<(Dimension, String)>,
    /// Usage without any of these.
    pub without: Vec<Dimension>,
    /// Of a group, these lines.
    pub line: OfLine,
    /// From when on.
    pub from: Option<Bound>,
    /// Until before when.
    pub to: Option<Bound>,
    /// The zone that days are of.
    pub time_zone: String,
    /// Of what usage.
    pub visible: Visible,
}

/// What the customer's own labels say: a JSON object such as `{"team":"red"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags(pub Vec<(Dimension, String)>);

impl FromStr for Tags {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let tags: BTreeMap<String, String> = serde_json::from_str(text).map_err(|_| {
            format!("'{text}' is not a JSON object of texts such as {{\"team\":\"red\"}}")
        })?;
        let tag = |(tag, value): (String, String)| {
            let dimension: Dimension = format!("tag:{tag}").parse()?;
            Ok((dimension, value))
        };
        tags.into_iter().map(tag).collect::<Result<_, String>>().map(Self)
    }
}

/// The line of the usage, and where some of it was priced again, the line of that.
pub(super) async fn lines(
    snapshot: &mut Snapshot,
    asked: &Asked,
    usage: &WhyUsage,
) -> Result<Vec<WhyLine>, QueryError> {
    usage.check()?;
    let organization_id = OrganizationId(asked.organization_id);
    let query = CostsQuery {
        only: usage.only.clone(),
        without: usage.without.clone(),
        from: usage.from,
        to: usage.to,
        time_zone: usage.time_zone.clone(),
        temporal: asked.temporal,
        visible: usage.visible.clone(),
        ..CostsQuery::of(OrganizationRef::Id(organization_id), Vec::new())
    };
    let found = behind(snapshot, organization_id, &query, usage.line, EVENTS_MAX).await?;
    let mut totals = costs(snapshot, &query).await?.totals;
    totals.retain(|total| usage.line.has(total));
    let whose = usage.words(snapshot, organization_id).await?;
    let what = format!("{} usage records{whose}", found.batches.records);
    let mut lines =
        vec![WhyLine { totals, ..line(snapshot, asked, "usage", what, found.batches).await? }];
    if !found.repricings.positions.is_empty() {
        let what =
            format!("{} times a price of such a record was corrected", found.repricings.records);
        lines.push(line(snapshot, asked, "repricing", what, found.repricings).await?);
    }
    Ok(lines)
}

async fn line(
    snapshot: &mut Snapshot,
    asked: &Asked,
    kind: &str,
    what: String,
    entries: Entries,
) -> Result<WhyLine, QueryError> {
    let positions: Vec<i64> = entries.positions.iter().map(|(position, _)| *position).collect();
    // Positions say what was known already.
    let mut query = Asked { temporal: crate::Temporal::NOW, ..*asked }.events();
    query.push(" and t.position = any(").push_bind(positions).push(")");
    let (events, _) = first(snapshot, query).await?;
    let records = entries.positions.into_iter();
    let records = records.map(|(position, records)| WhyRecords { position, records });
    Ok(WhyLine {
        kind: kind.to_owned(),
        what,
        since: entries.since,
        events,
        more: entries.more,
        records: records.collect(),
        ..WhyLine::default()
    })
}

impl OfLine {
    fn has(self, total: &CostTotal) -> bool {
        let currency = self.currency.map(|currency| currency.to_string());
        self.price_status.is_none_or(|status| status == total.price_status)
            && (currency.is_none() || currency == total.currency)
    }
}

impl WhyUsage {
    fn check(&self) -> Result<(), QueryError> {
        self.line.check()?;
        for dimension in &self.without {
            if !dimension.may_be_absent() {
                let why = format!("no usage is without {dimension}");
                return Err(QueryError::invalid("without", why));
            }
            if self.only.iter().any(|(only, _)| only == dimension) {
                let why = format!("usage cannot be of one {dimension} and without any");
                return Err(QueryError::invalid("without", why));
            }
        }
        Ok(())
    }

    /// What usage it is, in words that follow "usage records".
    async fn words(
        &self,
        snapshot: &mut Snapshot,
        organization_id: OrganizationId,
    ) -> Result<String, QueryError> {
        let mut words = Vec::new();
        for (dimension, value) in &self.only {
            let name = match (dimension.named_by(), value.parse::<Uuid>()) {
                (Some(named_by), Ok(id)) => {
                    names::latest(snapshot, organization_id, named_by, vec![id]).await?.remove(&id)
                }
                (Some(_), Err(_)) | (None, _) => None,
            };
            words.push(format!("{dimension} '{}'", name.as_ref().unwrap_or(value)));
        }
        words.extend(self.without.iter().map(|dimension| format!("no {dimension}")));
        let priced = match self.line.price_status {
            None | Some(PriceStatus::Priced) => {
                self.line.currency.map(|currency| currency.to_string())
            }
            Some(PriceStatus::Unpriced) => Some("no known price".to_owned()),
            Some(PriceStatus::NotBilled) => Some("nothing to bill".to_owned()),
        };
        words.extend(priced);
        Ok(if words.is_empty() { String::new() } else { format!(" of {}", words.join(", ")) })
    }
}
