//! The answer that explains a record's cost, and its route.

use api_conventions::{Caller, Json, Path, Position, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::pricing::{ExplainedLine, Explanation, MarkUp, OwnLater, PricedBy, UnpricedReason};
use event_log::usage::RecordCorrection;
use event_schemas::{
    Amount, Currency, Measure, Percent, PriceListId, PriceStatus, Rate, RecordedUsage, RepricingId,
    When,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::asked;
use crate::parameters::{Refusals, UsageOfRequestPath};
use crate::routes::CommandApi;

/// How the cost of a request came about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsageExplanation {
    /// The request.
    pub request_id: String,
    /// The record's position in the log.
    pub position: i64,
    /// When the request was made: the prices in force then are its prices.
    pub occurred_at: DateTime<Utc>,
    /// Who served the model.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Whether it has a cost.
    pub price_status: PriceStatus,
    /// Why it has no cost, where it has none.
    pub unpriced: Option<String>,
    /// The price.
    pub price: Option<ExplainedPrice>,
    /// What was used and what it costs, each once: a total stands here without its parts.
    pub lines: Vec<ExplainedUsageLine>,
    /// The sum of the lines, exactly.
    pub subtotal: String,
    /// What comes on top of it.
    pub mark_up: Option<ExplainedMarkUp>,
    /// The cost as it was recorded: the subtotal and what comes on top, rounded once, half to even,
    /// to 12 places.
    pub cost: Option<Amount>,
    /// The currency.
    pub currency: Option<Currency>,
    /// Whether these lines come to the cost that was recorded. They do, unless the record was priced
    /// by an older version of this program that priced otherwise.
    pub agrees: bool,
    /// What it has cost since it was priced again, the first time first. The last one counts.
    pub corrections: Vec<ExplainedCorrection>,
}

/// How the cost that a repricing gave a record came about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExplainedCorrection {
    /// The position of the event: it counts from there on.
    pub position: i64,
    /// When that was.
    pub recorded_at: DateTime<Utc>,
    /// The repricing.
    #[schema(value_type = uuid::Uuid)]
    pub repricing_id: RepricingId,
    /// Who did it.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// The price.
    pub price: Option<ExplainedPrice>,
    /// What was used and what it costs, as above.
    pub lines: Vec<ExplainedUsageLine>,
    /// The sum of the lines, exactly.
    pub subtotal: String,
    /// What comes on top of it.
    pub mark_up: Option<ExplainedMarkUp>,
    /// What it costs from then on, rounded as above.
    pub cost: Amount,
    /// The currency.
    pub currency: Currency,
    /// Whether these lines come to that cost.
    pub agrees: bool,
}

/// The price of a record.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExplainedPrice {
    /// The list.
    pub price_list_id: PriceListId,
    /// The list's version, from 1.
    pub version: u32,
    /// The position of the event that published it.
    pub price_version: i64,
    /// Whether it is the organization's own list.
    pub own: bool,
    /// The entry of the list that recognises the model.
    pub model: String,
    /// The service tier by whose price it was priced; none for the plain one.
    pub service_tier: Option<String>,
    /// The size of context above which these rates are for, in input tokens.
    pub above_input_tokens: Option<i64>,
    /// When these prices hold; none where they hold always.
    pub when: Option<When>,
}

/// One line: units × unit price = amount.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExplainedUsageLine {
    /// What is counted.
    pub unit: Measure,
    /// How many.
    pub units: i64,
    /// The price of as many as `per` says; none where there is none.
    pub unit_price: Option<Rate>,
    /// For how many the unit price is.
    pub per: i64,
    /// What the unit price is of, where it is not of the unit itself.
    pub price_of: Option<Measure>,
    /// How much of the unit price is asked in the service tier.
    pub percent: Option<Percent>,
    /// The amount, exactly.
    pub amount: Option<String>,
}

/// What comes on top of the prices of all.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExplainedMarkUp {
    /// How much.
    pub percent: Percent,
    /// The list that says so.
    pub price_list_id: PriceListId,
    /// The position of the event that published it.
    pub price_version: i64,
}

impl UsageExplanation {
    pub(super) fn new(
        position: i64,
        usage: RecordedUsage,
        explained: Explanation,
        own_later: Option<OwnLater>,
        corrections: Vec<ExplainedCorrection>,
    ) -> Self {
        let Explanation { priced, by, lines, subtotal, mark_up } = explained;
        let agrees =
            priced.cost_pico == usage.cost_pico && priced.price_version == usage.price_version;
        Self {
            request_id: usage.request_id,
            position,
            occurred_at: usage.occurred_at,
            provider: usage.provider,
            model: usage.model,
            price_status: usage.price_status,
            unpriced: priced.unpriced.map(|reason| unpriced(reason, own_later)),
            price: by.map(ExplainedPrice::from),
            lines: lines.into_iter().map(ExplainedUsageLine::from).collect(),
            subtotal: subtotal.to_string(),
            mark_up: mark_up.map(ExplainedMarkUp::from),
            cost: usage.cost_pico.map(|pico| Amount::from_pico(i128::from(pico))),
            currency: usage.currency,
            agrees,
            corrections,
        }
    }
}

impl ExplainedCorrection {
    pub(super) fn new(correction: RecordCorrection, explained: Explanation) -> Self {
        let Explanation { priced, by, lines, subtotal, mark_up } = explained;
        let RecordCorrection { position, recorded_at, repricing_id, reason, actor, after, .. } =
            correction;
        let agrees = (priced.cost_pico, priced.price_version)
            == (Some(after.cost_pico), Some(after.version));
        Self {
            position,
            recorded_at,
            repricing_id,
            actor,
            reason,
            price: by.map(ExplainedPrice::from),
            lines: lines.into_iter().map(ExplainedUsageLine::from).collect(),
            subtotal: subtotal.to_string(),
            mark_up: mark_up.map(ExplainedMarkUp::from),
            cost: Amount::from_pico(i128::from(after.cost_pico)),
            currency: after.currency,
            agrees,
        }
    }
}

impl From<PricedBy> for ExplainedPrice {
    fn from(by: PricedBy) -> Self {
        Self {
            price_list_id: by.price_list_id,
            version: by.version,
            price_version: by.position,
            own: by.is_own,
            model: by.model,
            service_tier: by.service_tier,
            above_input_tokens: by.above_input_tokens,
            when: by.when,
        }
    }
}

impl From<ExplainedLine> for ExplainedUsageLine {
    fn from(line: ExplainedLine) -> Self {
        Self {
            unit: line.measure,
            units: line.count,
            unit_price: line.rate,
            per: line.per,
            price_of: line.rate_of,
            percent: line.share,
            amount: line.amount.map(|amount| amount.to_string()),
        }
    }
}

impl From<MarkUp> for ExplainedMarkUp {
    fn from(mark_up: MarkUp) -> Self {
        let MarkUp { percent, price_list_id, position } = mark_up;
        Self { percent, price_list_id, price_version: position }
    }
}

fn unpriced(reason: UnpricedReason, own_later: Option<OwnLater>) -> String {
    let of_all = match reason {
        UnpricedReason::UnknownProvider if own_later.is_some() => {
            "no list for all prices the provider".to_owned()
        }
        UnpricedReason::UnknownProvider => "no list for all prices the provider, and none of the \
                                            organization's own has the model"
            .to_owned(),
        UnpricedReason::NotYetInForce => {
            "the provider's lists were not in force when it happened".to_owned()
        }
        UnpricedReason::UnknownModel => "the lists in force do not have the model".to_owned(),
        UnpricedReason::NoRate(measure) => return format!("the model has no price for {measure}"),
    };
    match own_later {
        None => of_all,
        Some(OwnLater { price_list_id, effective_from }) => {
            let from = effective_from.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            format!(
                "{of_all}; the organization's own list {price_list_id} has it from {from} on, which \
                 is after it happened"
            )
        }
    }
}

/// Which of the records with a request's id.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplanationParameters {
    /// The record's position, where its request id came more than once.
    #[param(value_type = Option<i64>, minimum = 0, example = 7)]
    position: Option<Position>,
}

/// Explains the cost of a request.
///
/// The prices that were known when it was recorded price it once more: units × unit price = amount
/// for each line. Where it was priced again since, `corrections` says the same of each time.
/// Where a request id came again after a day or more, it is the record that happened last, or the one
/// at `position`.
#[utoipa::path(
    get,
    path = "/v1/organizations/{organization_id}/usage/{request_id}/explanation",
    tag = "usage",
    params(UsageOfRequestPath, ExplanationParameters),
    responses((status = 200, description = "The explanation.", body = UsageExplanation), Refusals)
)]
pub(crate) async fn explain_usage(
    State(api): State<CommandApi>,
    caller: Caller,
    Path(path): Path<UsageOfRequestPath>,
    Query(parameters): Query<ExplanationParameters>,
) -> Result<Json<UsageExplanation>, Problem> {
    let context = asked::context(&caller)?;
    let position = parameters.position.map(|Position(position)| position);
    let explained =
        api.recorder.explain(&context, path.organization_id, &path.request_id, position).await?;
    explained.map(Json).ok_or_else(|| Problem::not_found("record"))
}
