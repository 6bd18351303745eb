//! The statements that add a page's records to the rollups.

use event_schemas::usage::UNPRICED;

/// What rows of the finest rollup are grouped by.
const ATTRIBUTED: &str = "organization_id, project_id, api_key_id, member_id, service_account_id, \
    feature, provider, model, currency, quarter_hour, recorded_hour";

/// What is counted, but for the cost.
const COUNTS: [&str; 9] = [
    "requests",
    "failed_requests",
    "unpriced_requests",
    "unbilled_requests",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
];

/// A page's records, each with when it was recorded. Quarters and hours are counted from a midnight
/// of UTC; which one does not matter.
fn records(table: &str, joined: &str) -> String {
    format!(
        "unnest($1::uuid[], $2::timestamptz[]) as batch (batch_id, recorded_at)
         join {table} as record using (batch_id)
         cross join lateral (select
             date_bin('15 minutes', occurred_at, '2000-01-01T00:00:00Z') as quarter_hour,
             date_bin('1 hour', recorded_at, '2000-01-01T00:00:00Z') as recorded_hour) as times
         {joined}
         where occurred_day between $3 and $4"
    )
}

/// Adds the records to every rollup; answers how many of them have units. The records are read and
/// grouped once, as finely as any rollup wants them; the coarser ones are made from those groups.
///
/// A sum of whole pico-units is exact, and so is its product with one of them: twelve places.
pub(super) fn rollups(table: &str) -> String {
    let fine = upsert("usage_quarter_hourly", ATTRIBUTED, ATTRIBUTED, false);
    let hour = "date_bin('1 hour', quarter_hour, '2000-01-01T00:00:00Z')";
    let day = "(recorded_hour at time zone 'UTC')::date";
    let hourly = upsert(
        "usage_hourly",
        "organization_id, project_id, feature, provider, model, currency, hour, recorded_day",
        &format!("organization_id, project_id, feature, provider, model, currency, {hour}, {day}"),
        true,
    );
    let of_day = "date_bin('1 day', quarter_hour, '2000-01-01T00:00:00Z')";
    let daily = upsert(
        "usage_daily",
        "organization_id, project_id, feature, provider, model, currency, day, recorded_day",
        &format!(
            "organization_id, project_id, feature, provider, model, currency, {of_day}, {day}"
        ),
        true,
    );
    let by_feature = upsert(
        "usage_by_feature",
        "organization_id, project_id, feature, currency, hour, recorded_day",
        &format!("organization_id, project_id, feature, currency, {hour}, {day}"),
        true,
    );
    let by_feature_daily = upsert(
        "usage_by_feature_daily",
        "organization_id, project_id, feature, currency, day, recorded_day",
        &format!("organization_id, project_id, feature, currency, {of_day}, {day}"),
        true,
    );
    format!(
        "with grouped as materialized (
             select {ATTRIBUTED}, count(*) as requests, count(error_type) as failed_requests,
                 count(*) filter (where {UNPRICED}) as unpriced_requests,
                 count(*) filter (where cost_pico is null and not {UNPRICED}) as unbilled_requests,
                 sum(input_tokens) as input_tokens,
                 sum(cached_input_tokens) as cached_input_tokens,
                 sum(cache_write_tokens) as cache_write_tokens,
                 sum(output_tokens) as output_tokens, sum(reasoning_tokens) as reasoning_tokens,
                 sum(cost_pico) * 0.000000000001 as cost, count(units) as with_units
             from {records}
             group by {ATTRIBUTED}
         ), fine as ({fine}), hourly as ({hourly}), daily as ({daily}),
         by_feature as ({by_feature}), by_feature_daily as ({by_feature_daily})
         select coalesce(sum(with_units), 0)::bigint from grouped",
        records = records(table, ""),
    )
}

/// Adds groups to the rows of a rollup that have the same key.
fn upsert(rollup: &str, key: &str, selected: &str, sum_up: bool) -> String {
    let sums = |write: &dyn Fn(&str) -> String| -> String {
        COUNTS.iter().chain(&["cost"]).map(|name| write(name)).collect::<Vec<_>>().join(", ")
    };
    let names = sums(&|name| name.to_owned());
    let values = if sum_up { sums(&|name| format!("sum({name})")) } else { names.clone() };
    let added = sums(&|name| format!("{name} = kept.{name} + excluded.{name}"));
    let columns = key.split(", ").count();
    let grouped = if sum_up {
        let numbers: Vec<String> = (1..=columns).map(|number| number.to_string()).collect();
        format!(" group by {}", numbers.join(", "))
    } else {
        String::new()
    };
    format!(
        "insert into {rollup} as kept ({key}, {names})
         select {selected}, {values} from grouped{grouped}
         on conflict ({key}) do update set {added}"
    )
}

/// Adds what was used beside tokens.
pub(super) fn units(table: &str) -> String {
    format!(
        "insert into usage_units as kept ({ATTRIBUTED}, unit, quantity)
         select {ATTRIBUTED}, used.key, sum(used.value::bigint)
         from {records}
         group by {ATTRIBUTED}, used.key
         on conflict ({ATTRIBUTED}, unit) do update set quantity = kept.quantity + excluded.quantity",
        records = records(table, "cross join lateral json_each_text(units) as used"),
    )
}
