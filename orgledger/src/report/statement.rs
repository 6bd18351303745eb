//! `orgledger statement`.

use query_api::Temporal;
use query_api::balances;
use query_api::balances::statement::{
    OrganizationStatement, Statement, StatementQuery, statement, to_csv,
};

use super::{failed, text, up_to_date};
use crate::cli::{PlaceArgs, StatementArgs, StatementFormat};
use crate::installation::Installation;

/// Places after the point that a table shows of an amount. JSON and CSV have all twelve.
const TABLE_PLACES: u32 = 6;

/// Prints the statement.
pub(crate) async fn run(place: &PlaceArgs, args: StatementArgs) -> anyhow::Result<()> {
    let installation = Installation::open_existing(place).await?;
    let mut snapshot = up_to_date(&installation, balances::READS).await?;
    let query = StatementQuery {
        organization: args.organization.parse()?,
        currency: args.currency,
        from: args.from,
        to: args.to,
        temporal: Temporal { as_of: args.as_of, at_position: args.at_position },
    };
    let found = statement(&mut snapshot, &query)
        .await
        .map_err(|error| failed(error, &args.organization))?;
    drop(snapshot);
    let text = match args.format {
        StatementFormat::Table => table(&found),
        StatementFormat::Json => serde_json::to_string_pretty(&found)?,
        StatementFormat::Csv => to_csv(&found)?,
    };
    crate::print(&text)?;
    installation.close().await
}

fn table(found: &OrganizationStatement) -> String {
    let mut text = format!(
        "{}: statement, position {} (rounded to {TABLE_PLACES} places)",
        found.organization, found.position
    );
    for statement in &found.statements {
        text.push_str("\n\n");
        text.push_str(&one(statement));
    }
    text
}

fn one(statement: &Statement) -> String {
    let shown = |amount: event_schemas::Amount| amount.rounded_for_display(TABLE_PLACES);
    let end = |what: &str, amount| {
        [String::new(), what.to_owned(), String::new(), shown(amount), String::new(), String::new()]
            .to_vec()
    };
    let mut rows = vec![end("opening", statement.opening)];
    rows.extend(statement.lines.iter().map(|line| {
        let movement = line.movement.as_ref();
        vec![
            line.day.to_string(),
            line.kind.clone(),
            shown(line.amount),
            shown(line.balance),
            movement.map(|movement| movement.position.to_string()).unwrap_or_default(),
            movement.and_then(|movement| movement.note.clone()).unwrap_or_default(),
        ]
    }));
    rows.push(end("closing", statement.closing));
    let headings = ["day", &statement.currency, "amount", "balance", "position", "note"];
    text::table(&headings, &[2, 3, 4], rows)
}
