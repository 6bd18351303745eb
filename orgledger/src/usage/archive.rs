//! `orgledger usage archive`: close, write, verify, record, detach; and drop, where that is asked for.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use command_api::usage_months::{ArchiveUsageMonth, DropUsageMonth};
use domain::usage_month::UsageArchive;
use event_log::database::{self, Role};
use event_log::usage::archive::{self, Archive, ArchiveError};
use event_log::usage::months::{self, MonthState};
use serde_json::json;
use sqlx::PgConnection;

use super::{Mover, directory, progress, same, told};
use crate::cli::ArchiveArgs;
use crate::installation::Installation;
use crate::report;
use crate::services::PROJECTOR_CONNECTIONS_MAX;

/// Archives a month.
pub(super) async fn run(installation: &Installation, args: &ArchiveArgs) -> anyhow::Result<()> {
    let mut mover = Mover::of(installation, args.month).await?;
    let archive = match mover.state().await? {
        MonthState::Open | MonthState::Closed => detached(installation, &mut mover, args).await?,
        MonthState::Detached if args.drop => on_record(&mut mover, args).await?,
        MonthState::Detached => {
            bail!(
                "usage of {} is archived already: `--drop` drops its records from the database, `usage \
                 restore` brings them back",
                args.month
            )
        }
        MonthState::Dropped => bail!(
            "usage of {} is archived already, and its records are in the archive alone: `usage restore` \
             brings them back",
            args.month
        ),
    };
    if args.drop {
        let manifest_sha256 = archive.manifest_sha256.clone();
        mover.record(&DropUsageMonth { month: args.month, manifest_sha256 }).await?;
        months::drop_detached(&mut mover.owner, args.month).await?;
    }
    mover.close().await?;
    tell(args, &archive)
}

/// Everything up to and with the detaching.
async fn detached(
    installation: &Installation,
    mover: &mut Mover,
    args: &ArchiveArgs,
) -> anyhow::Result<Archive> {
    is_over(mover).await?;
    if mover.state().await? == MonthState::Open {
        months::close(&mut mover.owner, args.month).await?;
    }
    match recorded(installation, mover, args).await {
        Ok(archive) => {
            months::detach(&mut mover.owner, args.month).await?;
            Ok(archive)
        }
        Err(error) => {
            // Where nothing is on record yet, the month goes on as if nothing had been tried.
            if mover.recorded().await?.is_none() {
                months::reopen(&mut mover.owner, args.month).await?;
            }
            Err(error)
        }
    }
}

/// Writes and verifies the archive of a month that is closed, and puts it on record.
async fn recorded(
    installation: &Installation,
    mover: &mut Mover,
    args: &ArchiveArgs,
) -> anyhow::Result<Archive> {
    let month = args.month;
    let into = directory(&args.to, month);
    let mut progress = progress("written");
    let archive = archive::write(&mut mover.reader, month, &into, &mut progress);
    let archive = archive.await.map_err(|error| {
        let is_of_before = matches!(error, ArchiveError::Differs { other: "the database", .. });
        let error = told(error);
        if is_of_before {
            error.context("what is there is of the month as it was before: name another directory")
        } else {
            error
        }
    })?;
    if let Some(recorded) = mover.recorded().await? {
        same(&archive.manifest_sha256, &recorded.manifest_sha256, &into)?;
    }
    let totals = &archive.manifest.totals;
    read_models_are_beyond(installation, totals.last_position).await?;
    is_sealed(&mut mover.reader, totals.last_position).await?;
    let archive_on_record = UsageArchive {
        records: totals.records,
        first_position: totals.first_position,
        last_position: totals.last_position,
        rows_sha256: totals.rows_sha256.clone(),
        manifest_sha256: archive.manifest_sha256.clone(),
    };
    mover.record(&ArchiveUsageMonth { month, archive: archive_on_record }).await?;
    Ok(archive)
}

/// The archive of a month that is detached, read once more: it is what is on record.
async fn on_record(mover: &mut Mover, args: &ArchiveArgs) -> anyhow::Result<Archive> {
    let from = directory(&args.to, args.month);
    let archive = archive::open(&mut mover.reader, args.month, &from).await.map_err(told)?;
    let recorded = mover.recorded().await?.context("the month's archive is not on record")?;
    same(&archive.manifest_sha256, &recorded.manifest_sha256, &from)?;
    Ok(archive)
}

/// That the month has ended, by the database's clock.
async fn is_over(mover: &mut Mover) -> anyhow::Result<()> {
    let now: DateTime<Utc> =
        sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut mover.reader).await?;
    ensure!(
        mover.month.end() <= now.date_naive(),
        "{} is not over: its usage is still coming in",
        mover.month
    );
    Ok(())
}

/// That no read model has yet to read the month's records.
async fn read_models_are_beyond(installation: &Installation, position: i64) -> anyhow::Result<()> {
    if !installation.reads_elsewhere() {
        report::catch_up_all(installation).await?;
        return Ok(());
    }
    let read =
        database::pool(&installation.read, Role::Projector, PROJECTOR_CONNECTIONS_MAX).await?;
    let status = projectors::status(&read).await?;
    for projection in projectors::all() {
        let there = status.iter().find(|one| one.projection == projection.name);
        ensure!(
            there.is_some_and(|one| one.position >= position),
            "the read model {} has not come to position {position} yet: let the projectors catch up, and \
             run it again",
            projection.name
        );
    }
    Ok(())
}

/// How long what seals the log is waited for, and how long between two looks.
const SEALED_WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(200);

/// That the month's records are sealed, where the log is: what is in an archive can be sealed no more.
async fn is_sealed(reader: &mut PgConnection, position: i64) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let sealed: Option<i64> =
            sqlx::query_scalar("select position from seal.state where origin is not null")
                .fetch_optional(&mut *reader)
                .await?;
        let Some(sealed) = sealed.filter(|sealed| *sealed < position) else { return Ok(()) };
        ensure!(
            begun.elapsed() < SEALED_WITHIN,
            "the log is sealed up to position {sealed}, and the month's records go up to {position}: let \
             `orgledger serve projectors` seal them, and run it again"
        );
        tokio::time::sleep(LOOK).await;
    }
}

fn tell(args: &ArchiveArgs, archive: &Archive) -> anyhow::Result<()> {
    let into = directory(&args.to, args.month);
    let totals = &archive.manifest.totals;
    if args.json {
        let told = json!({
            "month": args.month,
            "directory": into,
            "state": if args.drop { "dropped" } else { "detached" },
            "manifest_sha256": archive.manifest_sha256,
            "totals": totals,
            "files": archive.manifest.files,
        });
        return crate::print(&serde_json::to_string_pretty(&told)?);
    }
    let costs: Vec<String> =
        totals.costs.iter().map(|(currency, cost)| format!("{cost} {currency}")).collect();
    let costs = if costs.is_empty() { "0".to_owned() } else { costs.join(", ") };
    let kept = if args.drop {
        "They are in the archive alone: keep it, with a copy."
    } else {
        "The database still has them, in a table that nothing reads; `--drop` drops it."
    };
    crate::print(&format!(
        "usage of {} is archived in {}: {} records, positions {} to {}.\n\
         They cost {costs}; {} of them have no price.\n\
         SHA-256 of its manifest, which is on record: {}\n{kept}",
        args.month,
        into.display(),
        totals.records,
        totals.first_position,
        totals.last_position,
        totals.without_price,
        archive.manifest_sha256,
    ))
}
