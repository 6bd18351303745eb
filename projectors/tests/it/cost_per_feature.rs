//! Usage, rolled up: sums are exact, and every rollup has the same.

use std::collections::BTreeMap;

use chrono::{DurationRound, TimeDelta};
use event_log::usage::{NewUsage, Price};
use event_schemas::{Amount, OrganizationId, Unit};

use crate::support::House;
use crate::support::usage::Usage;

/// What usage comes to, summed up in whole numbers of unlimited size.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    requests: i128,
    tokens: [i128; 5],
    cost: Option<Amount>,
    unpriced: i128,
    unbilled: i128,
}

fn key(organization_id: OrganizationId, record: &NewUsage) -> String {
    let id = |id: Option<String>| id.unwrap_or_else(|| "-".to_owned());
    format!(
        "{organization_id} {} {} {} {} {} {} {} {} {}",
        record.project_id,
        id(record.api_key_id.map(|i| i.to_string())),
        id(record.member_id.map(|i| i.to_string())),
        id(record.service_account_id.map(|i| i.to_string())),
        record.feature,
        record.provider,
        record.model,
        id(record.price.map(|price| price.currency.to_string())),
        record.occurred_at.duration_trunc(TimeDelta::minutes(15)).unwrap().timestamp(),
    )
}

fn add(sums: &mut BTreeMap<String, Sums>, organization_id: OrganizationId, record: &NewUsage) {
    let sum = sums.entry(key(organization_id, record)).or_default();
    sum.requests += 1;
    let tokens = [
        record.input_tokens,
        record.cached_input_tokens,
        record.cache_write_tokens,
        record.output_tokens,
        record.reasoning_tokens,
    ];
    for (sum, tokens) in sum.tokens.iter_mut().zip(tokens) {
        *sum += i128::from(tokens);
    }
    match record.price {
        Some(price) => {
            let cost = Amount::from_pico(price.cost_pico.into());
            sum.cost = Some(sum.cost.unwrap_or_default() + cost);
        }
        None if record.error_type.is_some() => sum.unbilled += 1,
        None => sum.unpriced += 1,
    }
}

async fn stored(house: &House) -> BTreeMap<String, Sums> {
    type Row = (String, Vec<i64>, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "select concat_ws(' ', organization_id, project_id, coalesce(api_key_id::text, '-'),
                 coalesce(member_id::text, '-'), coalesce(service_account_id::text, '-'), feature,
                 provider, model, coalesce(currency, '-'), extract(epoch from quarter_hour)::bigint),
             array[sum(requests), sum(input_tokens), sum(cached_input_tokens),
                 sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens),
                 sum(unpriced_requests), sum(unbilled_requests)]::bigint[], sum(cost)::text
         from read.usage_quarter_hourly group by 1",
    )
    .fetch_all(&house.reader)
    .await
    .unwrap();
    // What was taken away as often as it was added is nothing.
    let there = rows.into_iter().filter(|(_, n, _)| n[0] != 0);
    let sums = there.map(|(key, n, cost)| {
        let n: Vec<i128> = n.into_iter().map(i128::from).collect();
        if let Some(cost) = &cost {
            assert_eq!(cost.split_once('.').unwrap().1.len(), 12, "all twelve places: {cost}");
        }
        let cost = cost.map(|cost| cost.parse().unwrap());
        let tokens = [n[1], n[2], n[3], n[4], n[5]];
        (key, Sums { requests: n[0], tokens, cost, unpriced: n[6], unbilled: n[7] })
    });
    sums.collect()
}

#[tokio::test]
async fn sums_are_exact_over_batches_pages_and_months() {
    let house = House::new().await;
    let mut usage = Usage::new(4);
    let (mut sums, mut searches) = (BTreeMap::new(), 0);
    for size in [1, 700, 300, 40, 900] {
        let (organization_id, records) = usage.batch(size);
        house.use_up(organization_id, &records).await;
        // The same again counts once.
        house.use_up(organization_id, &records).await;
        for record in &records {
            add(&mut sums, organization_id, record);
            searches += record.units.get(Unit::WebSearches);
        }
        if size > 500 {
            house.catch_up().await;
        }
    }
    house.catch_up().await;
    assert_eq!(stored(&house).await, sums);
    assert!(sums.values().any(|sum| sum.unbilled > 0) && sums.values().any(|sum| sum.unpriced > 0));
    let searched: i64 = sqlx::query_scalar(
        "select sum(quantity)::bigint from read.usage_units where unit = 'web_searches'",
    )
    .fetch_one(&house.reader)
    .await
    .unwrap();
    assert_eq!(searched, searches);

    let consumed: Vec<(String, String)> = sqlx::query_as(
        "select organization_id || ' ' || currency, (purchased + granted + consumed)::text
         from read.balances",
    )
    .fetch_all(&house.reader)
    .await
    .unwrap();
    let by_key: Vec<(String, String)> = sqlx::query_as(
        "select organization_id || ' ' || currency, sum(cost)::text
         from read.usage_hourly where currency is not null group by 1",
    )
    .fetch_all(&house.reader)
    .await
    .unwrap();
    let sorted = |rows: Vec<_>| BTreeMap::from_iter(rows);
    assert_eq!(sorted(consumed), sorted(by_key), "the account is charged what the features cost");
    assert_rollups_agree(&house).await;
}

#[tokio::test]
async fn corrections_take_away_what_stood_and_add_what_stands() {
    type Row = (uuid::Uuid, String, i64, i64, String);
    let house = House::new().await;
    let mut usage = Usage::new(5);
    let mut all: Vec<(OrganizationId, NewUsage)> = vec![];
    let mut corrected = 0;
    for round in 0..8 {
        let (organization_id, records) = usage.batch(30 + round * 40);
        house.use_up(organization_id, &records).await;
        all.extend(records.into_iter().map(|record| (organization_id, record)));
        usage.reprice(&house).await;
        if round % 3 == 0 {
            house.catch_up().await;
        }
    }
    house.catch_up().await;
    let last: Vec<Row> = sqlx::query_as(
        "select distinct on (c.batch_id, c.record_ordinal) u.organization_id, u.request_id,
             c.price_version, c.cost_pico, c.currency
         from log.usage_corrections c
         join log.usage_records u on u.batch_id = c.batch_id and u.ordinal = c.record_ordinal
         order by c.batch_id, c.record_ordinal, c.position desc",
    )
    .fetch_all(&house.owner)
    .await
    .unwrap();
    for (organization_id, request_id, version, cost_pico, currency) in last {
        let of = |(of, record): &&mut (OrganizationId, NewUsage)| {
            of.0 == organization_id && record.request_id == request_id
        };
        let (_, record) = all.iter_mut().find(of).unwrap();
        corrected += usize::from(record.price.is_none());
        record.price = Some(Price { version, cost_pico, currency: currency.parse().unwrap() });
    }
    assert!(corrected > 10, "{corrected} had no price at first");
    let mut sums = BTreeMap::new();
    for (organization_id, record) in &all {
        add(&mut sums, *organization_id, record);
    }
    assert_eq!(stored(&house).await, sums);
    assert_rollups_agree(&house).await;
    let searched: i64 = sqlx::query_scalar(
        "select sum(quantity)::bigint from read.usage_units where unit = 'web_searches'",
    )
    .fetch_one(&house.reader)
    .await
    .unwrap();
    let searches: i64 = all.iter().map(|(_, record)| record.units.get(Unit::WebSearches)).sum();
    assert_eq!(searched, searches);
}

/// That the coarser rollups have the sums of the finest.
async fn assert_rollups_agree(house: &House) {
    let coarser = |table: &str, key: &str| {
        format!(
            "select count(*) from (
                 select {key}, sum(requests), sum(failed_requests), sum(input_tokens),
                     sum(reasoning_tokens), sum(cost) from read.{table} group by {key}
                 except all
                 select {key}, sum(requests), sum(failed_requests), sum(input_tokens),
                     sum(reasoning_tokens), sum(cost)
                 from (select *, date_trunc('hour', quarter_hour, 'UTC') as hour,
                           date_trunc('day', quarter_hour, 'UTC') as day,
                           (recorded_hour at time zone 'UTC')::date as recorded_day
                       from read.usage_quarter_hourly) fine group by {key}) as different"
        )
    };
    for (table, key) in [
        (
            "usage_hourly",
            "organization_id, project_id, feature, provider, model, currency, hour, recorded_day",
        ),
        (
            "usage_daily",
            "organization_id, project_id, feature, provider, model, currency, day, recorded_day",
        ),
        (
            "usage_by_feature_daily",
            "organization_id, project_id, feature, currency, day, recorded_day",
        ),
        ("usage_by_feature", "organization_id, project_id, feature, currency, hour, recorded_day"),
    ] {
        let different: i64 =
            sqlx::query_scalar(&coarser(table, key)).fetch_one(&house.reader).await.unwrap();
        assert_eq!(different, 0, "{table} has other sums");
    }
}
