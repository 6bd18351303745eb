//! `orgledger usage archives`.

use event_log::database::{self, Role};
use event_log::usage::months::archives;
use serde_json::json;
use sqlx::Connection as _;

use crate::cli::{ArchivesArgs, TableOrJson};
use crate::installation::Installation;
use crate::report::text;

/// Prints the months that are archived.
pub(super) async fn run(installation: &Installation, args: &ArchivesArgs) -> anyhow::Result<()> {
    let mut reader = database::connect(&installation.log, Role::Projector).await?;
    let archives = archives(&mut reader).await?;
    reader.close().await?;
    let told = match args.format {
        TableOrJson::Table => {
            let rows = archives.iter().map(|one| {
                let number = |number: Option<i64>| number.map_or(String::new(), |n| n.to_string());
                vec![
                    one.month.to_string(),
                    one.state.as_str().to_owned(),
                    number(one.records),
                    one.manifest_sha256.clone().unwrap_or_default(),
                ]
            });
            let headings = ["month", "state", "records", "manifest's SHA-256"];
            text::table(&headings, &[2], rows.collect())
        }
        TableOrJson::Json => {
            let all = archives.iter().map(|one| {
                json!({ "month": one.month, "state": one.state.as_str(), "records": one.records,
                        "manifest_sha256": one.manifest_sha256 })
            });
            serde_json::to_string_pretty(&json!({ "archives": all.collect::<Vec<_>>() }))?
        }
    };
    crate::print(&told)
}
