//! The benchmark: orgledger beside stock cqrs-es and postgres-es, on one machine and one database,
//! in one run. Durability settings are real; the run refuses a server without them.

mod callers;
mod commands;
mod evidence;
mod figure;
mod http;
mod ingest;
mod price;
mod rebuild;
mod replay;
mod verify;
mod visible;
mod world;

use clap::Parser;
use figure::Figures;

/// As in `orgledger`; both sides have it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What to measure and how to say it.
#[derive(Parser)]
struct Args {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Only figures whose name begins with this
    #[arg(long, default_value = "")]
    only: String,
    /// How long each side of a comparison runs, in seconds
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often both sides take their turn; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many records the month has that reports are made of
    #[arg(long, default_value_t = 10_000_000)]
    report_records: i64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let database = embedded::testing::test_database().await;
    event_log::database::check_server(&database.connect_options()).await?;
    let mut figures = Figures::new(args.json, &args.only);
    if figures.wants("command") {
        commands::measure(&database, &mut figures, args.seconds, args.rounds).await?;
    }
    if figures.wants("http_command") {
        http::measure(&mut figures, args.seconds, args.rounds).await?;
    }
    if figures.wants("price_record") {
        price::measure(&mut figures, args.seconds)?;
    }
    if figures.wants("verify_key") {
        verify::measure(&mut figures, args.seconds).await?;
    }
    if figures.wants("rebuild_access_register") {
        rebuild::measure(&mut figures).await?;
    }
    if figures.wants("replay") {
        replay::measure(&mut figures).await?;
    }
    if figures.wants("register_as_of") {
        replay::as_of(&mut figures).await?;
    }
    if figures.wants("verify_bundle") {
        evidence::measure(&mut figures).await?;
    }
    if figures.wants("commit_to_visible") {
        visible::measure(&mut figures, args.seconds).await?;
    }
    let of_ingest =
        ["usage_ingest", "usage_rollup_lag", "command_p50_under_ingest", "usage_rebuild"];
    if of_ingest.iter().any(|name| figures.wants(name)) {
        ingest::measure(&mut figures, args.seconds, args.rounds).await?;
    }
    if figures.wants("usage_small_tenants") {
        ingest::skew::measure(&mut figures, args.seconds).await?;
    }
    if figures.wants("seal_") {
        ingest::seals::measure(&mut figures, args.seconds, args.rounds).await?;
    }
    if figures.wants("cost_report") {
        ingest::reports::measure(&mut figures, args.seconds, args.report_records).await?;
    }
    Ok(())
}
