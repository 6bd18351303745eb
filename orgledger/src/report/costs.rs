//! `orgledger costs`.

use event_schemas::{Amount, PriceStatus};
use query_api::Temporal;
use query_api::costs::{
    self, CostReport, CostRow, CostTotal, CostsQuery, Dimension, FOCUS_BY, ReadyMade, Sums, to_csv,
    to_focus_csv, to_focus_parquet, to_parquet,
};

use super::{failed, text, up_to_date};
use crate::cli::{CostsArgs, CostsFormat, PlaceArgs, ReadyMadeReport};
use crate::installation::Installation;

/// Places after the point that a table shows of an amount. JSON and CSV have all twelve.
const TABLE_PLACES: u32 = 6;

/// Prints the report.
pub(crate) async fn run(place: &PlaceArgs, args: CostsArgs) -> anyhow::Result<()> {
    let is_focus = matches!(args.format, CostsFormat::FocusCsv | CostsFormat::FocusParquet);
    let by = match args.report {
        _ if is_focus => FOCUS_BY.to_vec(),
        Some(ReadyMadeReport::WeeklyByProject) => ReadyMade::WeeklyByProject.by(),
        Some(ReadyMadeReport::MonthlyByOrganization) => ReadyMade::MonthlyByOrganization.by(),
        None => args.by.iter().map(|name| dimension(name)).collect::<anyhow::Result<Vec<_>>>()?,
    };
    let query = CostsQuery {
        from: args.from,
        to: args.to,
        // FOCUS is in UTC.
        time_zone: if is_focus { "UTC".to_owned() } else { args.time_zone },
        temporal: Temporal { as_of: args.as_of, at_position: args.at_position },
        ..CostsQuery::of(args.organization.parse()?, by)
    };
    let installation = Installation::open_existing(place).await?;
    let mut snapshot = up_to_date(&installation, costs::READS).await?;
    let report = costs::costs(&mut snapshot, &query)
        .await
        .map_err(|error| failed(error, &args.organization))?;
    drop(snapshot);
    match args.format {
        CostsFormat::Table => crate::print(&table(&report)),
        CostsFormat::Json => crate::print(&serde_json::to_string_pretty(&report)?),
        CostsFormat::Csv => crate::print(&to_csv(&report, &query.by)?),
        CostsFormat::Parquet => crate::print_bytes(&to_parquet(&report, &query.by)?),
        CostsFormat::FocusCsv => crate::print(&to_focus_csv(&report)?),
        CostsFormat::FocusParquet => crate::print_bytes(&to_focus_parquet(&report)?),
    }?;
    installation.close().await
}

/// The cost per feature of one organization, as a table.
pub(crate) async fn table_of(
    installation: &Installation,
    organization: &str,
) -> anyhow::Result<String> {
    let by = vec![dimension("feature")?, dimension("model")?];
    let query = CostsQuery::of(organization.parse()?, by);
    let mut snapshot = up_to_date(installation, costs::READS).await?;
    Ok(table(&costs::costs(&mut snapshot, &query).await?))
}

fn dimension(name: &str) -> anyhow::Result<Dimension> {
    name.trim().parse().map_err(anyhow::Error::msg)
}

fn table(report: &CostReport) -> String {
    // A group's id stands beside its name for programs; a person reads the name.
    let shown = |field: &str| !field.ends_with("_id");
    let fields: Vec<&str> = report
        .rows
        .first()
        .map(|row| row.group.0.iter().map(|(field, _)| &**field).filter(|f| shown(f)).collect())
        .unwrap_or_default();
    let mut headings = fields.clone();
    headings.extend(["requests", "failed", "input", "cached", "output", "cost", "currency"]);
    let right = [0, 1, 2, 3, 4, 5].map(|column| column + fields.len());
    let mut rows: Vec<Vec<String>> = report.rows.iter().map(|row| row_of(row, &shown)).collect();
    for total in &report.totals {
        rows.push(total_of(total, fields.len()));
    }
    format!(
        "{}: usage and cost, position {} (rounded to {TABLE_PLACES} places)\n{}",
        report.organization,
        report.position,
        text::table(&headings, &right, rows)
    )
}

fn row_of(row: &CostRow, shown: &dyn Fn(&str) -> bool) -> Vec<String> {
    let group = row.group.0.iter().filter(|(field, _)| shown(field));
    let mut cells: Vec<String> =
        group.map(|(_, value)| value.clone().unwrap_or_else(|| "—".to_owned())).collect();
    cells.extend(sums(&row.sums, row.price_status, row.currency.as_deref()));
    cells
}

fn total_of(total: &CostTotal, fields: usize) -> Vec<String> {
    let mut cells = vec![String::new(); fields];
    if let Some(first) = cells.first_mut() {
        "total".clone_into(first);
    }
    cells.extend(sums(&total.sums, total.price_status, total.currency.as_deref()));
    cells
}

fn sums(sums: &Sums, price_status: PriceStatus, currency: Option<&str>) -> [String; 7] {
    let cost = sums.cost.map(|cost: Amount| cost.rounded_for_display(TABLE_PLACES));
    let without = match price_status {
        PriceStatus::Priced | PriceStatus::Unpriced => "unpriced",
        PriceStatus::NotBilled => "not billed",
    };
    [
        sums.requests.to_string(),
        sums.failed_requests.to_string(),
        sums.input_tokens.to_string(),
        sums.cached_input_tokens.to_string(),
        sums.output_tokens.to_string(),
        cost.unwrap_or_else(|| without.to_owned()),
        currency.unwrap_or_default().to_owned(),
    ]
}
