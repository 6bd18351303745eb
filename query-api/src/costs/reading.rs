//! What a report is read from: the coarsest of what is kept that can answer it.

use event_schemas::usage::UNPRICED;

/// What usage is kept in, from what is the least to read to what has everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reading {
    /// By the day of UTC, project and feature.
    DailyByFeature,
    /// By the day of UTC, project, feature, provider and model.
    Daily,
    /// By the hour, project and feature.
    ByFeature,
    /// By the hour, project, feature, provider and model.
    Hourly,
    /// By the quarter of an hour and all that usage is attributed to.
    QuarterHourly,
    /// The records themselves, in the log.
    Records,
    /// What was corrected of them.
    Corrections,
}

impl Reading {
    /// The table.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::DailyByFeature => "read.usage_by_feature_daily",
            Self::Daily => "read.usage_daily",
            Self::ByFeature => "read.usage_by_feature",
            Self::Hourly => "read.usage_hourly",
            Self::QuarterHourly => "read.usage_quarter_hourly",
            Self::Records => "log.usage_records",
            Self::Corrections => CORRECTED,
        }
    }

    /// The column of when it happened.
    pub(super) const fn time(self) -> &'static str {
        match self {
            Self::DailyByFeature | Self::Daily => "day",
            Self::ByFeature | Self::Hourly => "hour",
            Self::QuarterHourly => "quarter_hour",
            Self::Records | Self::Corrections => "occurred_at",
        }
    }

    /// The SQL of the sums.
    pub(super) fn sums(self) -> String {
        match self {
            Self::DailyByFeature
            | Self::Daily
            | Self::ByFeature
            | Self::Hourly
            | Self::QuarterHourly => SUMS.to_owned(),
            Self::Records => format!(
                "count(*) as requests, count(error_type) as failed_requests,
                 count(*) filter (where {UNPRICED}) as unpriced_requests,
                 count(*) filter (where cost_pico is null and not {UNPRICED}) as unbilled_requests,
                 sum(input_tokens)::bigint as input_tokens,
                 sum(cached_input_tokens)::bigint as cached_input_tokens,
                 sum(cache_write_tokens)::bigint as cache_write_tokens,
                 sum(output_tokens)::bigint as output_tokens,
                 sum(reasoning_tokens)::bigint as reasoning_tokens,
                 sum(cost_pico) * 0.000000000001 as cost"
            ),
            Self::Corrections => format!(
                "sum(sign)::bigint as requests,
                 coalesce(sum(sign) filter (where error_type is not null), 0)::bigint
                     as failed_requests,
                 coalesce(sum(sign) filter (where {UNPRICED}), 0)::bigint as unpriced_requests,
                 coalesce(sum(sign) filter (where cost_pico is null and not {UNPRICED}), 0)::bigint
                     as unbilled_requests,
                 sum(sign * input_tokens)::bigint as input_tokens,
                 sum(sign * cached_input_tokens)::bigint as cached_input_tokens,
                 sum(sign * cache_write_tokens)::bigint as cache_write_tokens,
                 sum(sign * output_tokens)::bigint as output_tokens,
                 sum(sign * reasoning_tokens)::bigint as reasoning_tokens,
                 sum(sign * cost_pico) * 0.000000000001 as cost"
            ),
        }
    }
}

/// Each correction twice, with the columns of its record: with the price before, to be taken away, and with
/// the price since, to be added.
const CORRECTED: &str = "(select correction.organization_id, correction.batch_id,
        correction.ordinal as correction_ordinal, correction.occurred_at,
        correction.position, correction.recorded_at, used.project_id, used.api_key_id, used.member_id,
        used.service_account_id, used.end_user, used.feature, used.provider, used.model, used.tags,
        used.units, used.service_tier, used.error_type, used.input_tokens, used.cached_input_tokens,
        used.cache_write_tokens, used.output_tokens, used.reasoning_tokens, stands.sign,
        stands.cost_pico, stands.currency
    from log.usage_corrections correction
    join log.usage_records used on used.batch_id = correction.batch_id
        and used.ordinal = correction.record_ordinal and used.occurred_day = correction.occurred_day
    cross join lateral (values
        (-1::bigint, correction.cost_pico_before, correction.currency_before),
        (1::bigint, correction.cost_pico, correction.currency)
    ) as stands (sign, cost_pico, currency)) corrected";

/// Sums over rows of a rollup, and over such sums.
pub(super) const SUMS: &str = "sum(requests)::bigint as requests,
    sum(failed_requests)::bigint as failed_requests,
    sum(unpriced_requests)::bigint as unpriced_requests,
    sum(unbilled_requests)::bigint as unbilled_requests,
    sum(input_tokens)::bigint as input_tokens,
    sum(cached_input_tokens)::bigint as cached_input_tokens,
    sum(cache_write_tokens)::bigint as cache_write_tokens,
    sum(output_tokens)::bigint as output_tokens,
    sum(reasoning_tokens)::bigint as reasoning_tokens, sum(cost) as cost";
