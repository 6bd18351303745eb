//! Reports as files: Parquet, and FOCUS 1.2.

use event_log::usage::NewUsage;
use event_schemas::{ProjectId, Unit};
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::costs::{priced, record};
use crate::support::{World, id, path};

const ACME: u128 = 1;
const PROD: u128 = 10;

async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.project(ACME, PROD, "2026-01-01T00:00:00Z", "Prod").await;
    let at = "2026-01-31T23:30:00Z";
    let failed = NewUsage {
        error_type: Some("timeout".to_owned()),
        input_tokens: 0,
        cached_input_tokens: 0,
        cache_write_tokens: 0,
        output_tokens: 0,
        reasoning_tokens: 0,
        ..record(3, at, None)
    };
    let searched = NewUsage {
        project_id: ProjectId(id(PROD)),
        feature: String::new(),
        units: [(Unit::WebSearches, 2)].into_iter().collect(),
        ..record(4, at, None)
    };
    let usage = vec![record(1, at, Some(priced(7, "EUR"))), failed, searched];
    world.usage(ACME, usage).await;
    world.project_all().await;
    world
}

/// A Parquet file's rows, as text.
fn rows(file: Vec<u8>) -> Vec<String> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(file)).expect("a Parquet file");
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| row.expect("a row").to_string()).collect()
}

#[tokio::test]
async fn parquet_has_the_same_rows_with_types() {
    let world = acme().await;
    let of = "by=project,feature,day,hour&time_zone=Europe/Berlin&format=parquet";
    let answer = world.found(&path(ACME, &format!("/costs?{of}"))).await;
    assert_eq!(answer.headers["content-type"], "application/vnd.apache.parquet");
    let row = |feature: &str, rest: &str| {
        format!(
            "{{project: \"Prod\", project_id: \"{}\", feature: \"{feature}\", day: 2026-02-01, \
             hour: 2026-01-31 23:00:00.000000 +00:00, requests: 1, {rest}}}",
            id(PROD)
        )
    };
    let tokens = "input_tokens: 10, cached_input_tokens: 4, cache_write_tokens: 3, \
                  output_tokens: 2, reasoning_tokens: 1";
    let nothing = "input_tokens: 0, cached_input_tokens: 0, cache_write_tokens: 0, \
                   output_tokens: 0, reasoning_tokens: 0";
    let expected = [
        row(
            "",
            &format!(
                "{tokens}, cost: null, currency: null, unpriced_requests: 1, failed_requests: 0, \
                 price_status: \"unpriced\", unattributed: true, units: \"{{\"web_searches\":2}}\""
            ),
        ),
        row(
            "chat",
            &format!(
                "{tokens}, cost: 0.000000000007, currency: \"EUR\", unpriced_requests: 0, \
                 failed_requests: 0, price_status: \"priced\", unattributed: false, units: null"
            ),
        ),
        row(
            "chat",
            &format!(
                "{nothing}, cost: null, currency: null, unpriced_requests: 0, failed_requests: 1, \
                 price_status: \"not_billed\", unattributed: false, units: null"
            ),
        ),
    ];
    assert_eq!(rows(answer.bytes), expected);
}

#[tokio::test]
async fn focus_has_every_request_and_no_cost_that_is_not_known() {
    let world = acme().await;
    let csv = world.found(&path(ACME, "/costs?format=focus_csv")).await.text;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let records: Vec<_> = reader.records().map(|record| record.expect("a record")).collect();
    let column = |name: &str| -> Vec<&str> {
        let index = header.iter().position(|column| column == name).expect(name);
        records.iter().map(|record| &record[index]).collect()
    };
    assert_eq!(column("x_FeatureId"), ["", "chat", "chat"]);
    assert_eq!(column("x_PriceStatus"), ["unpriced", "priced", "not_billed"]);
    assert_eq!(column("BilledCost"), ["0.000000000000", "0.000000000007", "0.000000000000"]);
    assert_eq!(column("BillingCurrency"), ["EUR"; 3]);
    assert_eq!(column("ConsumedQuantity"), ["12.0", "12.0", "0.0"]);
    assert_eq!(column("x_FailedRequests"), ["0", "0", "1"]);
    assert_eq!(column("SubAccountId"), [&*id(PROD).to_string(); 3]);
    assert_eq!(column("BillingAccountId"), [&*id(ACME).to_string(); 3]);
    assert_eq!(column("BillingPeriodEnd"), ["2026-02-01T00:00:00Z"; 3]);
    assert_eq!(column("ChargePeriodStart"), ["2026-01-31T00:00:00Z"; 3]);
    let parquet = world.found(&path(ACME, "/costs?format=focus_parquet")).await;
    let rows = rows(parquet.bytes);
    assert_eq!(rows.len(), 3);
    assert!(rows[1].contains("EffectiveCost: 0.000000000007"), "{}", rows[1]);
    assert!(rows[1].contains("PricingQuantity: 12.000000000000"), "{}", rows[1]);
    let nothing = world.found(&path(ACME, "/costs?format=focus_parquet&to=2025-01-01")).await;
    assert_eq!(self::rows(nothing.bytes), Vec::<String>::new());
}
