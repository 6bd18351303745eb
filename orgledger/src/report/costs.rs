//! `orgledger costs`.

use anyhow::Context;
use event_schemas::Amount;
use query_api::costs::{self, CostReport, CostRow, CostTotal, CostsQuery, Dimension, Sums, to_csv};

use super::{failed, text, up_to_date};
use crate::cli::{CostsArgs, CostsFormat, PlaceArgs};
use crate::installation::Installation;

/// Places after the point that a table shows of an amount. JSON and CSV have all twelve.
const TABLE_PLACES: u32 = 6;

/// Prints the report.
pub(crate) async fn run(place: &PlaceArgs, args: CostsArgs) -> anyhow::Result<()> {
    let by = args.by.iter().map(|name| dimension(name)).collect::<anyhow::Result<Vec<_>>>()?;
    let installation = Installation::open_existing(place).await?;
    let query = CostsQuery {
        visible: query_api::Visible::All,
        organization: args.organization.parse()?,
        by: by.clone(),
        from: args.from,
        to: args.to,
    };
    let mut snapshot = up_to_date(&installation, costs::READS).await?;
    let report = costs::costs(&mut snapshot, &query)
        .await
        .map_err(|error| failed(error, &args.organization))?;
    drop(snapshot);
    let text = match args.format {
        CostsFormat::Table => table(&report),
        CostsFormat::Json => serde_json::to_string_pretty(&report)?,
        CostsFormat::Csv => to_csv(&report, &by)?,
    };
    crate::print(&text)?;
    installation.close().await
}

/// The cost per feature of one organization, as a table.
pub(crate) async fn table_of(
    installation: &Installation,
    organization: &str,
) -> anyhow::Result<String> {
    let query = CostsQuery {
        visible: query_api::Visible::All,
        organization: organization.parse()?,
        by: vec![dimension("feature")?, dimension("model")?],
        from: None,
        to: None,
    };
    let mut snapshot = up_to_date(installation, costs::READS).await?;
    Ok(table(&costs::costs(&mut snapshot, &query).await?))
}

fn dimension(name: &str) -> anyhow::Result<Dimension> {
    let found = Dimension::ALL.iter().copied().find(|dimension| dimension.as_str() == name.trim());
    found.with_context(|| {
        let names: Vec<_> = Dimension::ALL.iter().map(|dimension| dimension.as_str()).collect();
        format!("cannot group by '{name}': it is one of {}", names.join(", "))
    })
}

fn table(report: &CostReport) -> String {
    // A group's id stands beside its name for programs; a person reads the name.
    let shown = |field: &str| !field.ends_with("_id");
    let fields: Vec<&str> = report
        .rows
        .first()
        .map(|row| row.group.0.iter().map(|(field, _)| *field).filter(|f| shown(f)).collect())
        .unwrap_or_default();
    let mut headings = fields.clone();
    headings.extend(["requests", "input", "cached", "output", "cost", "currency", "unpriced"]);
    let right = [0, 1, 2, 3, 4, 6].map(|column| column + fields.len());
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
    cells.extend(sums(&row.sums, row.currency.as_deref()));
    cells
}

fn total_of(total: &CostTotal, fields: usize) -> Vec<String> {
    let mut cells = vec![String::new(); fields];
    if let Some(first) = cells.first_mut() {
        "total".clone_into(first);
    }
    cells.extend(sums(&total.sums, total.currency.as_deref()));
    cells
}

fn sums(sums: &Sums, currency: Option<&str>) -> [String; 7] {
    let cost = sums.cost.map(|cost: Amount| cost.rounded_for_display(TABLE_PLACES));
    [
        sums.requests.to_string(),
        sums.input_tokens.to_string(),
        sums.cached_input_tokens.to_string(),
        sums.output_tokens.to_string(),
        cost.unwrap_or_else(|| "unpriced".to_owned()),
        currency.unwrap_or_default().to_owned(),
        sums.unpriced_requests.to_string(),
    ]
}
