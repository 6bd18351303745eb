//! `orgledger balance`.

use query_api::Temporal;
use query_api::balances::{self, OrganizationBalance, balance};

use super::{failed, text, up_to_date};
use crate::cli::{BalanceArgs, PlaceArgs, TableOrJson};
use crate::installation::Installation;

/// Places after the point that a table shows of an amount. JSON has all twelve.
const TABLE_PLACES: u32 = 2;

/// Prints the balance.
pub(crate) async fn run(place: &PlaceArgs, args: BalanceArgs) -> anyhow::Result<()> {
    let installation = Installation::open_existing(place).await?;
    let mut snapshot = up_to_date(&installation, balances::READS).await?;
    let temporal = Temporal { as_of: args.as_of, at_position: args.at_position };
    let found = balance(&mut snapshot, &args.organization.parse()?, temporal)
        .await
        .map_err(|error| failed(error, &args.organization))?;
    drop(snapshot);
    let text = match args.format {
        TableOrJson::Table => table(&found),
        TableOrJson::Json => serde_json::to_string_pretty(&found)?,
    };
    crate::print(&text)?;
    installation.close().await
}

/// The balance of one organization, as a table.
pub(crate) async fn table_of(
    installation: &Installation,
    organization: &str,
) -> anyhow::Result<String> {
    let mut snapshot = up_to_date(installation, balances::READS).await?;
    Ok(table(&balance(&mut snapshot, &organization.parse()?, Temporal::NOW).await?))
}

fn table(found: &OrganizationBalance) -> String {
    let rows = found.balances.iter().map(|one| {
        let moved = one.transferred_in - one.refunded - one.transferred_out - one.expired;
        let amounts = [one.purchased, one.granted, moved, one.consumed, one.balance];
        let mut row = vec![one.currency.clone()];
        row.extend(amounts.map(|amount| amount.rounded_for_display(TABLE_PLACES)));
        row
    });
    let headings = ["currency", "purchased", "granted", "moved", "consumed", "balance"];
    format!(
        "{}: credits, position {} (rounded to {TABLE_PLACES} places)\n{}",
        found.organization,
        found.position,
        text::table(&headings, &[1, 2, 3, 4, 5], rows.collect())
    )
}
