//! `orgledger rebuild`: fills a read model anew beside the one in service, and switches.

use std::io::{IsTerminal, Write};

use event_log::database::{self, Role};
use projectors::{Feed, PostgresFeed, Progress};

use crate::cli::{PlaceArgs, RebuildArgs};
use crate::installation::Installation;
use crate::services::PROJECTOR_CONNECTIONS_MAX;

/// Rebuilds one read model.
pub(crate) async fn run(place: &PlaceArgs, args: &RebuildArgs) -> anyhow::Result<()> {
    let projection = projectors::named(&args.name)?;
    let installation = Installation::open(place).await?;
    let read = database::pool(&installation.read, Role::Projector, PROJECTOR_CONNECTIONS_MAX).await?;
    let log = database::pool(&installation.log, Role::Projector, PROJECTOR_CONNECTIONS_MAX).await?;
    let feed = Feed::Postgres(PostgresFeed::of(log));
    let shows = std::io::stderr().is_terminal();
    let mut progress = |progress: Progress| {
        if shows {
            let Progress { projection, position, target } = progress;
            eprint!("\r{projection}: position {position} of {target}");
            let _ = std::io::stderr().flush();
        }
    };
    let rebuilt = projectors::rebuild(&read, &feed, &projection, &mut progress).await?;
    if shows {
        eprintln!();
    }
    if args.json {
        let json = serde_json::json!({
            "projection": rebuilt.projection,
            "build": rebuilt.build,
            "entries": rebuilt.entries,
            "position": rebuilt.position,
            "seconds": rebuilt.seconds,
        });
        crate::print(&serde_json::to_string_pretty(&json)?)?;
    } else {
        crate::print(&format!(
            "{} is rebuilt: {} entries in {:.1} s; build {} serves from position {}",
            rebuilt.projection, rebuilt.entries, rebuilt.seconds, rebuilt.build, rebuilt.position
        ))?;
    }
    drop((read, feed));
    installation.close().await
}
