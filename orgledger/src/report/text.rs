//! Tables for the terminal, and what makes text safe in Markdown and CSV.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent};

/// A table with a heading; columns named in `right` are numbers.
pub(crate) fn table(headings: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_style(TableComponent::HeaderLines, '─')
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings.to_vec());
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in rows {
        // A name cannot move the cursor or colour the terminal.
        table.add_row(row.into_iter().map(|cell| cell.replace(char::is_control, " ")));
    }
    table.to_string()
}

/// What changed, each field as it was and is: `role: reader → admin`.
pub(crate) fn change(
    before: Option<&serde_json::Value>,
    after: Option<&serde_json::Value>,
) -> String {
    let fields = |value: Option<&serde_json::Value>| {
        value.and_then(serde_json::Value::as_object).cloned().unwrap_or_default()
    };
    let (before, after) = (fields(before), fields(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let told = |name: &&String| {
        let shown = |value: Option<&serde_json::Value>| value.map(plain).unwrap_or_default();
        let (was, is) = (shown(before.get(*name)), shown(after.get(*name)));
        match (was.is_empty(), is.is_empty()) {
            (true, true) => None,
            (true, false) if before.is_empty() => Some(format!("{name}: {is}")),
            (false, true) if after.is_empty() => Some(format!("{name}: {was}")),
            _ => Some(format!("{name}: {was} → {is}")),
        }
    };
    names.iter().filter_map(told).collect::<Vec<_>>().join(", ")
}

/// A value without the quotes that JSON has.
pub(crate) fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other @ (serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_)) => other.to_string(),
    }
}

/// A Markdown table.
pub(super) fn markdown(headings: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(headings.iter().map(|heading| (*heading).to_owned()).collect());
    text.push_str(&line(headings.iter().map(|_| "---".to_owned()).collect()));
    for row in rows {
        text.push_str(&line(row.iter().map(|cell| escape_markdown(cell)).collect()));
    }
    text
}

fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '\\' | '`' | '*' | '_' | '<' | '[' | ']' => escaped.extend(['\\', letter]),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// CSV with a heading.
pub(super) fn csv(headings: &[&str], rows: &[Vec<String>]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(headings)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| defused(cell)))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// A spreadsheet takes a cell that begins like this for a formula; a quote before it makes it text.
fn defused(cell: &str) -> String {
    match cell.chars().next() {
        Some('=' | '+' | '@' | '\t' | '\r') => format!("'{cell}"),
        Some('-') if cell.parse::<event_schemas::Amount>().is_err() => format!("'{cell}"),
        Some(_) | None => cell.to_owned(),
    }
}
