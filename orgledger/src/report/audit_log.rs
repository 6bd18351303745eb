//! `orgledger audit-log`.

use api_conventions::{Cursor, Limit};
use event_schemas::OrganizationId;
use query_api::audit_log::ocsf::to_ocsf;
use query_api::audit_log::{
    self, AuditEntry, AuditFilter, Order, READS, audit_log, to_csv, to_ndjson,
};
use query_api::{OrganizationRef, Snapshot};

use super::{failed, text, up_to_date};
use crate::cli::{AuditFormat, AuditLogArgs, PlaceArgs};
use crate::installation::Installation;

/// Prints the lines that are asked for, page by page of one picture: however many there are, only those
/// of a page are in memory, but for JSON, which is one document.
pub(crate) async fn run(place: &PlaceArgs, args: AuditLogArgs) -> anyhow::Result<()> {
    let installation = Installation::open_existing(place).await?;
    let mut snapshot = up_to_date(&installation, READS).await?;
    let organization: OrganizationRef = args.organization.parse()?;
    let (organization_id, name) = query_api::organizations::find(&mut snapshot, &organization)
        .await
        .map_err(|error| failed(error, &args.organization))?;
    let filter = filter(&args, organization_id);
    let mut printer = Printer { format: args.format, printed: 0, all: Vec::new() };
    if args.format == AuditFormat::Table {
        crate::print(&format!("{name}: audit log, position {}", snapshot.position()))?;
    }
    print_all(&mut snapshot, &filter, args.limit, &mut printer).await?;
    drop(snapshot);
    printer.end()?;
    installation.close().await
}

fn filter(args: &AuditLogArgs, organization_id: OrganizationId) -> AuditFilter {
    let order = if args.newest_first { Order::NewestFirst } else { Order::OldestFirst };
    AuditFilter {
        actions: args.actions.clone(),
        actor: args.actor.as_ref().map(|actor| actor.0.clone()),
        targets: args.target.clone(),
        project_id: args.project,
        outcome: args.outcome,
        request_id: args.request_id.clone(),
        from: args.from,
        to: args.to,
        recorded_from: args.recorded_from,
        recorded_to: args.recorded_to,
        from_position: args.from_position,
        at_position: args.at_position,
        order,
        ..AuditFilter::of(organization_id)
    }
}

async fn print_all(
    snapshot: &mut Snapshot,
    filter: &AuditFilter,
    limit: Option<usize>,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let page_limit: Limit = "500".parse().map_err(anyhow::Error::msg)?;
    let mut left = limit.unwrap_or(usize::MAX);
    let mut cursor: Option<Cursor> = None;
    while left > 0 {
        let mut page = audit_log(snapshot, filter, page_limit, cursor.as_ref()).await?;
        page.items.truncate(left);
        left -= page.items.len();
        printer.print(page.items)?;
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(())
}

struct Printer {
    format: AuditFormat,
    printed: usize,
    all: Vec<AuditEntry>,
}

impl Printer {
    fn print(&mut self, entries: Vec<AuditEntry>) -> anyhow::Result<()> {
        let is_first = self.printed == 0;
        self.printed += entries.len();
        let text = match self.format {
            AuditFormat::Json => {
                self.all.extend(entries);
                return Ok(());
            }
            AuditFormat::Table => table(&entries, is_first),
            AuditFormat::Ndjson => to_ndjson(&entries)?,
            AuditFormat::Csv => {
                let text = to_csv(&entries)?;
                // Of all pages but the first, the lines alone.
                let rest = text.split_once("\r\n").map(|(_, rest)| rest.to_owned());
                if is_first { text } else { rest.unwrap_or_default() }
            }
            AuditFormat::Ocsf => to_ndjson(&entries.iter().map(to_ocsf).collect::<Vec<_>>())?,
        };
        if text.is_empty() { Ok(()) } else { crate::print(&text) }
    }

    fn end(self) -> anyhow::Result<()> {
        match self.format {
            AuditFormat::Json => crate::print(&serde_json::to_string_pretty(&self.all)?),
            AuditFormat::Table if self.printed == 0 => crate::print("no such lines"),
            AuditFormat::Table | AuditFormat::Ndjson | AuditFormat::Csv | AuditFormat::Ocsf => {
                Ok(())
            }
        }
    }
}

/// A table of lines; further pages go on below it.
fn table(entries: &[AuditEntry], has_headings: bool) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let rows = entries.iter().map(row).collect();
    let headings = ["position", "when", "who", "what", "to", "change", "why"];
    let table = text::table(&headings, &[0], rows);
    if has_headings {
        return table;
    }
    table.lines().skip(2).collect::<Vec<_>>().join("\n")
}

/// A line as a row: what it is in a few words.
pub(super) fn row(entry: &AuditEntry) -> Vec<String> {
    let mut what = entry.action.clone();
    if entry.outcome == audit_log::Outcome::Refused {
        what.push_str(" (refused)");
    }
    vec![
        entry.position.to_string(),
        entry.occurred_at.format("%Y-%m-%d %H:%M:%S").to_string(),
        entry.actor.clone().unwrap_or_default(),
        what,
        format!("{} {}", entry.target.kind, entry.target.id),
        change(entry),
        entry.reason.clone().or(entry.problem.clone()).unwrap_or_default(),
    ]
}

/// What changed: each field as it was and is.
pub(super) fn change(entry: &AuditEntry) -> String {
    if let Some(records) = entry.records {
        return format!("{records} records");
    }
    text::change(entry.before.as_ref(), entry.after.as_ref())
}
