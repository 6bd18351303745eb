//! `orgledger diff`.

use query_api::diff::{Area, Became, DiffLine, DiffQuery, OrganizationDiff, READS, diff};

use super::{failed, text, up_to_date};
use crate::cli::{DiffArgs, DiffFormat, PlaceArgs};
use crate::installation::Installation;

/// Places after the point that a table shows of an amount. JSON has all twelve.
const TABLE_PLACES: u32 = 6;

/// Prints what changed.
pub(crate) async fn run(place: &PlaceArgs, args: DiffArgs) -> anyhow::Result<()> {
    let installation = Installation::open_existing(place).await?;
    let mut snapshot = up_to_date(&installation, READS).await?;
    let query = DiffQuery {
        organization: args.organization.parse()?,
        from: args.from,
        to: args.to,
        at_position: args.at_position,
        net: args.net,
    };
    let found =
        diff(&mut snapshot, &query).await.map_err(|error| failed(error, &args.organization))?;
    drop(snapshot);
    let text = match args.format {
        DiffFormat::Table => table(&found),
        DiffFormat::Json => serde_json::to_string_pretty(&found)?,
        DiffFormat::Markdown => markdown(&found),
    };
    crate::print(&text)?;
    installation.close().await
}

fn headline(found: &OrganizationDiff) -> String {
    let from = found.from.map_or_else(|| "the beginning".to_owned(), |time| time.to_rfc3339());
    let to = found.to.map_or_else(|| "now".to_owned(), |time| time.to_rfc3339());
    format!("{}: from {from} to {to}, position {}", found.organization, found.position)
}

fn lines_of(found: &OrganizationDiff, area: Area) -> Vec<&DiffLine> {
    found.lines.iter().filter(|line| line.area == area).collect()
}

const AREAS: [(Area, &str); 4] = [
    (Area::Access, "Access"),
    (Area::Keys, "Keys"),
    (Area::Budgets, "Budgets"),
    (Area::Money, "Money"),
];

const HEADINGS: [&str; 8] =
    ["when", "what", "who or which", "change", "position", "event", "by", "why"];

fn row(line: &DiffLine) -> Vec<String> {
    let became = match line.became {
        Became::Began => "began",
        Became::Changed => "changed",
        Became::Ended => "ended",
    };
    vec![
        line.at.format("%Y-%m-%d %H:%M").to_string(),
        format!("{} {became}", line.kind.replace('_', " ")),
        line.name.clone(),
        text::change(line.before.as_ref(), line.after.as_ref()),
        line.position.to_string(),
        line.event_type.clone().unwrap_or_default(),
        line.actor.clone().unwrap_or_default(),
        line.reason.clone().unwrap_or_default(),
    ]
}

const MONEY: [&str; 5] = ["currency", "before", "moved", "used", "after"];

fn money(found: &OrganizationDiff) -> Vec<Vec<String>> {
    let shown = |amount: event_schemas::Amount| amount.rounded_for_display(TABLE_PLACES);
    let row = |one: &query_api::diff::MoneyDiff| {
        vec![
            one.currency.clone(),
            shown(one.before),
            shown(one.moved),
            shown(one.used),
            shown(one.after),
        ]
    };
    found.money.iter().map(row).collect()
}

fn table(found: &OrganizationDiff) -> String {
    let mut text = headline(found);
    for (area, title) in AREAS {
        let rows: Vec<Vec<String>> = lines_of(found, area).into_iter().map(row).collect();
        if !rows.is_empty() {
            text.push_str(&format!("\n\n{title}\n{}", text::table(&HEADINGS, &[4], rows)));
        }
    }
    if !found.money.is_empty() {
        let table = text::table(&MONEY, &[1, 2, 3, 4], money(found));
        text.push_str(&format!("\n\nBalances (rounded to {TABLE_PLACES} places)\n{table}"));
    }
    if found.lines.is_empty() && found.money.is_empty() {
        text.push_str("\n\nnothing changed");
    }
    text
}

fn markdown(found: &OrganizationDiff) -> String {
    let mut text = format!("# What changed\n\n{}\n", headline(found));
    for (area, title) in AREAS {
        let rows: Vec<Vec<String>> = lines_of(found, area).into_iter().map(row).collect();
        text.push_str(&format!("\n## {title}\n\n"));
        if rows.is_empty() {
            text.push_str("Nothing.\n");
        } else {
            text.push_str(&text::markdown(&HEADINGS, &rows));
        }
    }
    if !found.money.is_empty() {
        text.push_str(&format!("\n### Balances (rounded to {TABLE_PLACES} places)\n\n"));
        text.push_str(&text::markdown(&MONEY, &money(found)));
    }
    text
}
