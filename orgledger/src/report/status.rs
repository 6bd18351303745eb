//! `orgledger status`.

use event_log::database::{self, Role};
use serde::Serialize;

use super::text;
use crate::cli::{PlaceArgs, StatusArgs, TableOrJson};
use crate::installation::Installation;

/// Where everything stands.
#[derive(Serialize)]
struct Status {
    /// The head of the log.
    position: i64,
    projections: Vec<ProjectionStatus>,
}

#[derive(Serialize)]
struct ProjectionStatus {
    projection: String,
    version: i32,
    build: i64,
    position: i64,
    /// How many entries of the log it has not applied yet.
    behind: i64,
}

/// Prints where everything stands.
pub(crate) async fn run(place: &PlaceArgs, args: &StatusArgs) -> anyhow::Result<()> {
    let installation = Installation::open_existing(place).await?;
    let log = database::pool(&installation.log, Role::Projector, 1).await?;
    let read = database::pool(&installation.read, Role::Projector, 1).await?;
    let position = super::head(&log).await?;
    let projections = projectors::status(&read)
        .await?
        .into_iter()
        .map(|one| ProjectionStatus {
            projection: one.projection,
            version: one.version,
            build: one.build,
            position: one.position,
            behind: position - one.position,
        })
        .collect();
    let status = Status { position, projections };
    let text = match args.format {
        TableOrJson::Table => table(&status),
        TableOrJson::Json => serde_json::to_string_pretty(&status)?,
    };
    crate::print(&text)?;
    drop((log, read));
    installation.close().await
}

fn table(status: &Status) -> String {
    let rows = status.projections.iter().map(|one| {
        vec![
            one.projection.clone(),
            one.version.to_string(),
            one.build.to_string(),
            one.position.to_string(),
            one.behind.to_string(),
        ]
    });
    let headings = ["read model", "version", "build", "position", "behind"];
    format!(
        "log: position {}\n{}",
        status.position,
        text::table(&headings, &[1, 2, 3, 4], rows.collect())
    )
}
