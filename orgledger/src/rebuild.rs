//! `orgledger rebuild`: fills a read model anew beside the one in service, and switches.

use std::io::{IsTerminal, Write};

use anyhow::bail;
use event_log::database::{self, Role};
use projectors::{Feed, PostgresFeed, Progress};

use crate::cli::{PlaceArgs, RebuildArgs};
use crate::installation::Installation;
use crate::services::{self, PROJECTOR_CONNECTIONS_MAX};

/// Rebuilds one read model.
pub(crate) async fn run(place: &PlaceArgs, args: &RebuildArgs) -> anyhow::Result<()> {
    let projection = projectors::named(&args.name)?;
    let installation = Installation::open_existing(place).await?;
    let read =
        database::pool(&installation.read, Role::Projector, PROJECTOR_CONNECTIONS_MAX).await?;
    let vault = installation.open_vault().await?;
    let feed = match (installation.reads_elsewhere(), &place.nats_url) {
        (true, Some(url)) => services::jetstream_feed(url, place, vault),
        (true, None) => {
            bail!("read models in a database of their own are rebuilt from JetStream: set NATS_URL")
        }
        (false, _) => {
            let connections = PROJECTOR_CONNECTIONS_MAX;
            let log = database::pool(&installation.log, Role::Projector, connections).await?;
            Feed::Postgres(PostgresFeed::of(log, vault))
        }
    };
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
