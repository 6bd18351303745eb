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

/// What is added to the rollups.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rows<'a> {
    /// A page's records, in this table.
    Recorded(&'a str),
    /// What a page corrects, in this query: the records with their old prices are taken away, and added
    /// with the new ones.
    Corrected(&'a str),
}

impl Rows<'_> {
    /// The rows, each with when it was recorded. Quarters and hours are counted from a midnight of UTC;
    /// which one does not matter.
    fn from(self, joined: &str) -> String {
        let times = "cross join lateral (select
             date_bin('15 minutes', occurred_at, '2000-01-01T00:00:00Z') as quarter_hour,
             date_bin('1 hour', recorded_at, '2000-01-01T00:00:00Z') as recorded_hour) as times";
        match self {
            Self::Recorded(table) => format!(
                "unnest($1::uuid[], $2::timestamptz[]) as batch (batch_id, recorded_at)
                 join {table} as record using (batch_id)
                 {times} {joined}
                 where occurred_day between $3 and $4"
            ),
            Self::Corrected(relation) => format!("{relation} as record {times} {joined}"),
        }
    }

    /// How many rows there are.
    fn all(self) -> &'static str {
        match self {
            Self::Recorded(_) => "count(*)",
            Self::Corrected(_) => "sum(sign)::bigint",
        }
    }

    /// How many rows there are of which something holds.
    fn count(self, condition: &str) -> String {
        match self {
            Self::Recorded(_) => format!("count(*) filter (where {condition})"),
            Self::Corrected(_) => {
                format!("coalesce(sum(sign) filter (where {condition}), 0)::bigint")
            }
        }
    }

    /// The sum of a number.
    fn sum(self, number: &str) -> String {
        match self {
            Self::Recorded(_) => format!("sum({number})"),
            Self::Corrected(_) => format!("sum(sign * {number})"),
        }
    }
}

/// Adds the records to every rollup; answers how many of them have units. The records are read and
/// grouped once, as finely as any rollup wants them; the coarser ones are made from those groups.
///
/// A sum of whole pico-units is exact, and so is its product with one of them: twelve places.
pub(super) fn rollups(rows: Rows<'_>) -> String {
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
    let tokens = ["input", "cached_input", "cache_write", "output", "reasoning"].map(|kind| {
        let column = format!("{kind}_tokens");
        format!("{} as {column}", rows.sum(&column))
    });
    format!(
        "with grouped as materialized (
             select {ATTRIBUTED}, {requests} as requests, {failed} as failed_requests,
                 {unpriced} as unpriced_requests, {unbilled} as unbilled_requests, {tokens},
                 {cost} * 0.000000000001 as cost, count(units) as with_units
             from {records}
             group by {ATTRIBUTED}
         ), fine as ({fine}), hourly as ({hourly}), daily as ({daily}),
         by_feature as ({by_feature}), by_feature_daily as ({by_feature_daily})
         select coalesce(sum(with_units), 0)::bigint from grouped",
        requests = rows.all(),
        failed = rows.count("error_type is not null"),
        unpriced = rows.count(UNPRICED),
        unbilled = rows.count(&format!("cost_pico is null and not {UNPRICED}")),
        tokens = tokens.join(", "),
        cost = rows.sum("cost_pico"),
        records = rows.from(""),
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
pub(super) fn units(rows: Rows<'_>) -> String {
    format!(
        "with added as (
             insert into usage_units as kept ({ATTRIBUTED}, unit, quantity)
             select {ATTRIBUTED}, used.key, {quantity}
             from {records}
             group by {ATTRIBUTED}, used.key
             on conflict ({ATTRIBUTED}, unit) do update
                 set quantity = kept.quantity + excluded.quantity
         ) select 1",
        quantity = rows.sum("used.value::bigint"),
        records = rows.from("cross join lateral json_each_text(units) as used"),
    )
}
