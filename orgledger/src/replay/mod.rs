//! `orgledger replay`: folds history again from the first event, in temporary tables of sessions of its
//! own, shows what it came to and compares it with the live read models. It writes nowhere else.

mod step;

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use anyhow::{Context as _, bail};
use event_log::database::{self, Role};
use projectors::Registered;
use projectors::replay::{Comparison, Live, Replay, TableComparison};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::{Moment, PlaceArgs, ReplayArgs, ReplayFormat};
use crate::installation::Installation;
use crate::report::text;

/// The most rows of a table that are shown.
const ROWS_MAX: i64 = 1_000;

/// Connections that look at the live read models: one.
const LIVE_CONNECTIONS: u32 = 1;

/// Replays history.
pub(crate) async fn run(place: &PlaceArgs, args: ReplayArgs) -> anyhow::Result<()> {
    let projections = chosen(&args.only)?;
    let installation = Installation::open_existing(place).await?;
    let read = database::pool(&installation.read, Role::Projector, LIVE_CONNECTIONS).await?;
    let vault = installation.open_vault().await?;
    let mut replay = Replay::begin(&installation.log, vault, &projections).await?;
    let organization = match &args.organization {
        Some(name) => Some(organization_id(&installation, name).await?),
        None => None,
    };
    if args.step {
        step::walk(&mut replay, &args).await?;
    } else {
        whole(&mut replay, &read, &args, organization).await?;
    }
    drop((replay, read));
    installation.close().await
}

/// The read models that are named; all where none is.
fn chosen(only: &[String]) -> anyhow::Result<Vec<Registered>> {
    if only.is_empty() {
        return Ok(projectors::all());
    }
    Ok(only.iter().map(|name| projectors::named(name)).collect::<Result<Vec<_>, _>>()?)
}

async fn organization_id(installation: &Installation, name: &str) -> anyhow::Result<Uuid> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let pool = database::pool(&installation.read, Role::Operator, 1).await?;
    let found: Option<Uuid> = sqlx::query_scalar(
        "select organization_id from read.organizations where lower(name) = lower($1)
         order by known_from desc limit 1",
    )
    .bind(name)
    .fetch_optional(&pool)
    .await?;
    found.with_context(|| format!("there is no organization '{name}'"))
}

/// The position that is asked for; none where each goes as far as the live one.
async fn target(replay: &Replay, to: Option<Moment>) -> anyhow::Result<Option<i64>> {
    let head = replay.head().await?;
    match to {
        None => Ok(None),
        Some(Moment::Position(position)) if position > head => {
            bail!("the log ends at position {head}: there is no position {position} yet")
        }
        Some(Moment::Position(position)) => Ok(Some(position)),
        Some(Moment::Time(time)) => Ok(Some(replay.position_at(time).await?)),
    }
}

/// Folds, shows and compares.
async fn whole(
    replay: &mut Replay,
    read: &sqlx::PgPool,
    args: &ReplayArgs,
    organization: Option<Uuid>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let asked = target(replay, args.to).await?;
    // The picture is taken first: whatever happens meanwhile, it stands where it stands.
    let mut live = Live::open(read).await?;
    let head = replay.head().await?;
    let mut targets = Vec::new();
    for scratch in replay.scratches() {
        let stands = live.position(scratch.name(), scratch.version()).await?;
        targets.push((scratch.name(), asked.or(stands).unwrap_or(head)));
    }
    let end = targets.iter().map(|(_, position)| *position).max().unwrap_or(0);
    let mut progress = Progress::new(end);
    replay.advance_each(&targets, &mut |page| progress.at(page.upto)).await?;
    progress.end();
    let seconds = started.elapsed().as_secs_f64();
    let mut models = Vec::new();
    for scratch in replay.scratches() {
        let compared = live.compare(scratch).await?;
        let tables = scratch.tables().await?;
        let mut shown = Vec::new();
        for table in tables {
            let live = compared.iter().find(|one| one.replayed.table == table).cloned();
            let rows = scratch.count(&table).await?;
            let state = match organization {
                Some(id) => scratch.state(&table, Some(id), ROWS_MAX).await?,
                None => Vec::new(),
            };
            shown.push(Shown { table, rows, live, state });
        }
        models.push((scratch.name(), scratch.position(), shown));
    }
    let differs = models.iter().flat_map(|(_, _, shown)| shown).any(Shown::differs);
    match args.format {
        ReplayFormat::Json => crate::print(&serde_json::to_string_pretty(&document(
            &models,
            seconds,
            organization.is_some(),
        ))?)?,
        ReplayFormat::Table => crate::print(&table(&models, seconds))?,
    }
    // Its connection is needed.
    drop(live);
    for (name, _, _) in &models {
        let changed = projectors::changed_view(read, &projectors::named(name)?).await?;
        if let Some(projectors::Difference { table, row }) = changed {
            bail!("in {table}, {row}: `orgledger rebuild {name}` makes it anew");
        }
    }
    if differs {
        bail!(
            "a live read model is not what history says: `orgledger rebuild NAME` fills it anew, and \
             what differs here should be reported"
        );
    }
    Ok(())
}

/// A table that was folded again.
struct Shown {
    table: String,
    rows: i64,
    live: Option<TableComparison>,
    state: Vec<Value>,
}

impl Shown {
    fn differs(&self) -> bool {
        self.live.as_ref().is_some_and(|one| matches!(one.live, Comparison::Differs(_)))
    }

    /// What the live one is, in a word.
    fn verdict(&self) -> &'static str {
        match self.live.as_ref().map(|one| &one.live) {
            Some(Comparison::Same) => "same",
            Some(Comparison::Differs(_)) => "DIFFERS",
            Some(Comparison::GoneOn) => "gone on",
            None => "none as far",
        }
    }
}

type Models = [(&'static str, i64, Vec<Shown>)];

fn document(models: &Models, seconds: f64, has_state: bool) -> Value {
    let table = |shown: &Shown| {
        let mut table =
            json!({ "table": shown.table, "rows": shown.rows, "live": shown.verdict() });
        if let Some(TableComparison { live: Comparison::Differs(live), replayed, .. }) = &shown.live
        {
            table["live_rows"] = json!(live.rows);
            table["compared_rows"] = json!(replayed.rows);
        }
        if has_state {
            table["state"] = json!(shown.state);
        }
        table
    };
    let models = models.iter().map(|(name, position, shown)| {
        json!({ "read_model": name, "position": position,
                "tables": shown.iter().map(table).collect::<Vec<_>>() })
    });
    json!({ "seconds": seconds, "read_models": models.collect::<Vec<_>>() })
}

fn table(models: &Models, seconds: f64) -> String {
    let rows = models.iter().flat_map(|(name, position, shown)| {
        shown.iter().map(move |shown| {
            vec![
                (*name).to_owned(),
                position.to_string(),
                shown.table.clone(),
                shown.rows.to_string(),
                shown.verdict().to_owned(),
            ]
        })
    });
    let headings = ["read model", "position", "table", "rows", "live"];
    let mut printed = text::table(&headings, &[1, 3], rows.collect());
    printed.push_str(&format!("\n\nfolded in {seconds:.1} s"));
    let gone_on = models.iter().flat_map(|(_, _, shown)| shown).any(|s| s.verdict() == "gone on");
    if gone_on {
        printed.push_str(
            "\ngone on: the live table is further and does not remember what it was; without --to it is \
             compared where it stands",
        );
    }
    for (name, _, shown) in models {
        for shown in shown.iter().filter(|shown| !shown.state.is_empty()) {
            printed.push_str(&format!("\n\n{name}: {}\n{}", shown.table, rows_of(&shown.state)));
        }
    }
    printed
}

/// Columns that say when something was known, and to whom it belongs: they are long, and in JSON.
const UNSHOWN: [&str; 7] =
    ["organization_id", "known_from", "known_to", "valid_to", "opened_by", "closed_by", "concerns"];

fn rows_of(state: &[Value]) -> String {
    let fields = |row: &Value| row.as_object().cloned().unwrap_or_default();
    let first = state.first().map(fields).unwrap_or_default();
    let headings: Vec<&str> =
        first.keys().map(String::as_str).filter(|name| !UNSHOWN.contains(name)).collect();
    let rows = state.iter().map(|row| {
        let row = fields(row);
        headings.iter().map(|name| row.get(*name).map(text::plain).unwrap_or_default()).collect()
    });
    text::table(&headings, &[], rows.collect())
}

/// Tells a person how far it is; a program hears nothing.
struct Progress {
    shows: bool,
    end: i64,
    started: Instant,
}

impl Progress {
    fn new(end: i64) -> Self {
        Self { shows: std::io::stderr().is_terminal(), end, started: Instant::now() }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for a person to read")]
    fn at(&mut self, position: i64) {
        if self.shows {
            let rate = position as f64 / self.started.elapsed().as_secs_f64().max(0.001);
            eprint!("\rposition {position} of {} ({rate:.0} entries/s)   ", self.end);
            let _ = std::io::stderr().flush();
        }
    }

    fn end(&self) {
        if self.shows {
            eprintln!();
        }
    }
}
