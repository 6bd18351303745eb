//! Walking through history event by event.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use projectors::feed::{FeedPage, UsagePage};
use projectors::replay::Replay;
use serde_json::{Value, json};

use super::target;
use crate::cli::{ReplayArgs, ReplayFormat};
use crate::report::text;

/// What stands in events to recognise secrets by: nobody reads it.
const HASHES: [&str; 2] = ["secret_hash", "token_hash"];

/// Folds what is before at once, and then shows each entry and what it changes.
pub(super) async fn walk(replay: &mut Replay, args: &ReplayArgs) -> anyhow::Result<()> {
    let head = replay.head().await?;
    let end = target(replay, args.to).await?.unwrap_or(head);
    let mut at = args.from.map_or(0, |from| (from - 1).clamp(0, end));
    replay.advance(at, &mut |_| {}).await?;
    let asks = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    while at < end {
        let mut entry = None;
        replay.advance(at + 1, &mut |page| entry = Some(told(page))).await?;
        let Some(entry) = entry else { break };
        at = entry.last_position;
        let changes = changes(replay, entry.position).await?;
        match args.format {
            ReplayFormat::Json => crate::print(&serde_json::to_string(&json!({
                "position": entry.position, "last_position": entry.last_position,
                "event": entry.event, "changes": changes,
            }))?)?,
            ReplayFormat::Table => crate::print(&table(&entry, &changes))?,
        }
        if asks && at < end && !goes_on()? {
            break;
        }
    }
    Ok(())
}

/// An entry of the log, as it was told to the read models.
struct Entry {
    position: i64,
    last_position: i64,
    what: String,
    event: Value,
}

fn told(page: &FeedPage) -> Entry {
    let last_position = page.upto;
    if let Some(event) = page.events.first() {
        let text = |name: &str| event.metadata.get(name).and_then(Value::as_str).unwrap_or("?");
        let actor = format!("{}:{}", text("actor_kind"), text("actor_id"));
        let what = format!(
            "{} {} {} by {actor}",
            event.occurred_at.format("%Y-%m-%d %H:%M:%S"),
            event.event_type,
            event.aggregate_id
        );
        let mut shown = json!(event);
        if let Some(payload) = shown["payload"].as_object_mut() {
            payload.retain(|name, _| !HASHES.contains(&name.as_str()));
        }
        return Entry { position: event.position, last_position, what, event: shown };
    }
    let (records, position) = match &page.usage {
        UsagePage::Runs(runs) => {
            let first = runs.first().map_or(page.after + 1, |run| run.first_position);
            (runs.iter().map(|run| run.count).sum::<i64>(), first)
        }
        UsagePage::Records(batches) => (
            batches
                .iter()
                .map(|batch| i64::try_from(batch.records.len()).unwrap_or(0))
                .sum::<i64>(),
            page.after + 1,
        ),
    };
    let what = format!("{records} usage records, up to position {last_position}");
    let event = json!({ "event_type": "usage.recorded", "records": records });
    Entry { position, last_position, what, event }
}

/// The rows that an entry added, and those that it overruled.
async fn changes(replay: &mut Replay, position: i64) -> anyhow::Result<Vec<Value>> {
    let mut changes = Vec::new();
    for scratch in replay.scratches() {
        for table in scratch.tables().await? {
            for (overruled, row) in scratch.changed_at(&table, position).await? {
                changes.push(json!({
                    "read_model": scratch.name(), "table": table,
                    "change": if overruled { "overruled" } else { "added" }, "row": row,
                }));
            }
        }
    }
    Ok(changes)
}

fn table(entry: &Entry, changes: &[Value]) -> String {
    let mut printed = format!("{:>8}  {}", entry.position, entry.what);
    for change in changes {
        let sign = if change["change"] == "added" { '+' } else { '-' };
        let row = text::change(None, Some(&change["row"]));
        let table = change["table"].as_str().unwrap_or_default();
        printed.push_str(&format!("\n          {sign} {table}: {row}"));
    }
    printed
}

/// Whether a person wants the next one: return goes on, `q` ends.
fn goes_on() -> anyhow::Result<bool> {
    eprint!("return goes on, q ends ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line)?;
    Ok(read > 0 && !line.trim().eq_ignore_ascii_case("q"))
}
