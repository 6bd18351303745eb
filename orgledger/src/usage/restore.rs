//! `orgledger usage restore`: a month's records are back among the others, or it takes records again.

use anyhow::{Context as _, bail};
use command_api::usage_months::RestoreUsageMonth;
use event_log::usage::archive::{self, restore_dropped, restore_kept};
use event_log::usage::months::{self, MonthState};
use serde_json::json;

use super::{Mover, directory, needs_archives, progress, same, told};
use crate::cli::RestoreArgs;
use crate::installation::Installation;

/// Restores a month.
pub(super) async fn run(installation: &Installation, args: &RestoreArgs) -> anyhow::Result<()> {
    let month = args.month;
    let mut mover = Mover::of(installation, month).await?;
    match mover.state().await? {
        MonthState::Open => bail!("usage of {month} is not archived"),
        MonthState::Closed => months::reopen(&mut mover.owner, month).await?,
        MonthState::Detached => {
            let rows_sha256 = mover.recorded().await?.and_then(|recorded| recorded.rows_sha256);
            match rows_sha256 {
                Some(rows) => {
                    restore_kept(&mut mover.owner, &mut mover.reader, month, &rows)
                        .await
                        .map_err(told)?;
                }
                // On record as dropped, by a command that was killed before it did so.
                None => {
                    months::drop_detached(&mut mover.owner, month).await?;
                    from_archive(&mut mover, args).await?;
                }
            }
        }
        MonthState::Dropped => from_archive(&mut mover, args).await?,
    }
    mover.record(&RestoreUsageMonth { month }).await?;
    mover.close().await?;
    if args.json {
        return crate::print(&json!({ "month": month, "state": "open" }).to_string());
    }
    crate::print(&format!("usage of {month} is back, and the month takes records again"))
}

async fn from_archive(mover: &mut Mover, args: &RestoreArgs) -> anyhow::Result<()> {
    let month = args.month;
    let from = directory(needs_archives(args.from.as_ref(), month)?, month);
    let archive = archive::open(&mut mover.reader, month, &from).await.map_err(told)?;
    let recorded = mover.recorded().await?.context("the month's archive is not on record")?;
    same(&archive.manifest_sha256, &recorded.manifest_sha256, &from)?;
    let mut progress = progress("restored");
    restore_dropped(&mut mover.owner, month, &from, &archive, &mut progress).await.map_err(told)
}
