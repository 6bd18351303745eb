//! Anchors: places outside that keep checkpoints, so that who holds the database and the signing key
//! cannot write the log anew unnoticed.

mod file;
mod nats;
mod webhook;
mod witness;

use std::future::Future;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use projectors::seals::anchors::{Outgoing, arrived, outgoing};
use proofs::VerifyingKey;
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::services::Shutdown;

/// How long to wait after a place could not be reached.
const PAUSE: Duration = Duration::from_secs(10);

/// How soon a first checkpoint is looked for, and whether there is a newer one.
const LOOK: Duration = Duration::from_secs(1);

/// A place that keeps checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// A file that is only appended to.
    File(PathBuf),
    /// A URL that each checkpoint is sent to.
    Webhook(String),
    /// A subject of NATS that each is published to.
    Nats(String),
    /// A witness (c2sp.org/tlog-witness), with its key.
    Witness {
        /// Its submission prefix.
        url: String,
        /// What verifies its cosignatures.
        key: VerifyingKey,
    },
}

impl FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let forms = "file:PATH, https://…, nats:SUBJECT or witness:KEY=https://…";
        let is_url = |url: &str| url.starts_with("https://") || url.starts_with("http://");
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("http" | "https", _)) => Ok(Self::Webhook(text.to_owned())),
            Some(("nats", subject)) if !subject.is_empty() => Ok(Self::Nats(subject.to_owned())),
            Some(("witness", rest)) => {
                // A key ends in base64, which may have an equals sign itself.
                let at = rest.find("=http").ok_or_else(|| format!("an anchor is {forms}"))?;
                let (key, url) = (&rest[..at], &rest[at + 1..]);
                let key: VerifyingKey = key.parse().map_err(|error| format!("{key}: {error}"))?;
                if !is_url(url) || !key.is_witness() {
                    return Err(format!("a witness has a URL, and a key for cosignatures: {text}"));
                }
                Ok(Self::Witness { url: url.trim_end_matches('/').to_owned(), key })
            }
            Some(_) | None => Err(format!("an anchor is {forms}")),
        }
    }
}

impl std::fmt::Display for Anchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Webhook(url) => f.write_str(url),
            Self::Nats(subject) => write!(f, "nats:{subject}"),
            Self::Witness { url, key } => write!(f, "witness:{key}={url}"),
        }
    }
}

/// The places of a list with commas between.
pub(crate) fn parse(list: Option<&str>) -> anyhow::Result<Vec<Anchor>> {
    let entries = list.unwrap_or_default().split(',').map(str::trim);
    let places = entries.filter(|entry| !entry.is_empty()).map(str::parse);
    places.collect::<Result<_, _>>().map_err(anyhow::Error::msg).context("ORGLEDGER_ANCHORS")
}

/// What anchoring needs.
#[derive(Clone)]
pub(crate) struct Anchoring {
    /// The log's database, acting as the projector's role.
    pub(crate) log: PgPool,
    /// Where NATS is.
    pub(crate) nats_url: Option<String>,
    /// How often a place gets a checkpoint at most.
    pub(crate) every: Duration,
}

/// Takes the newest checkpoint to each place, again and again until the end. A place that cannot be
/// reached gets a newer one later; none holds up another, or the log.
pub(crate) async fn run(anchoring: Anchoring, anchors: Vec<Anchor>, shutdown: Shutdown) {
    let mut places = JoinSet::new();
    for anchor in anchors {
        places.spawn(keep(anchoring.clone(), anchor));
    }
    tokio::select! {
        () = shutdown.wait() => {}
        () = async { while places.join_next().await.is_some() {} } => {}
    }
}

async fn keep(anchoring: Anchoring, anchor: Anchor) {
    let place = anchor.to_string();
    let mut told = None;
    loop {
        let pause = match once(&anchoring, &anchor, &place).await {
            Ok(sent) => {
                if told.take().is_some() {
                    tracing::info!(anchor = place, "checkpoints are kept there again");
                }
                if sent { anchoring.every } else { LOOK }
            }
            Err(error) => {
                let message = format!("{error:#}");
                metrics::counter!("orgledger_anchor_errors_total").increment(1);
                // The same error again says nothing new.
                if told.as_ref() != Some(&message) {
                    tracing::error!(anchor = place, error = message, "a checkpoint was not kept");
                    told = Some(message);
                }
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Whether there was one to send.
async fn once(anchoring: &Anchoring, anchor: &Anchor, place: &str) -> anyhow::Result<bool> {
    let Some(checkpoint) = outgoing(&anchoring.log, place).await? else { return Ok(false) };
    let size = checkpoint.size;
    send(anchoring, anchor, place, checkpoint).await?;
    arrived(&anchoring.log, place, size).await?;
    #[allow(clippy::cast_precision_loss)] // Metrics are floats; exact up to 2⁵³.
    metrics::gauge!("orgledger_anchor_size", "anchor" => place.to_owned()).set(size as f64);
    Ok(true)
}

async fn send(
    anchoring: &Anchoring,
    anchor: &Anchor,
    place: &str,
    checkpoint: Outgoing,
) -> anyhow::Result<()> {
    match anchor {
        Anchor::File(path) => {
            let path = path.clone();
            tokio::task::spawn_blocking(move || file::append(&path, &checkpoint.note)).await?
        }
        Anchor::Webhook(url) => within(webhook::send(url, checkpoint.note)).await,
        Anchor::Nats(subject) => {
            let Some(url) = &anchoring.nats_url else { bail!("NATS_URL is not set") };
            within(nats::publish(url, subject, checkpoint.note)).await
        }
        Anchor::Witness { url, key } => {
            let line = within(witness::cosign(&anchoring.log, url, key, &checkpoint)).await?;
            let cosigned = projectors::seals::anchors::cosigned;
            cosigned(&anchoring.log, checkpoint.size, place, &line).await.map_err(Into::into)
        }
    }
}

/// How long a place may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);

async fn within<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(ANSWER_TIME_MAX, work).await.context("it does not answer in time")?
}

#[cfg(test)]
mod tests {
    use super::Anchor;

    #[test]
    fn anchors_are_read_as_they_are_written() {
        let key = proofs::SigningKey::of("witness.example/1", [1; 32]).unwrap();
        let witness = format!("witness:{}=https://witness.example", key.witness_key());
        for text in ["file:/var/lib/kept", "https://kept.example/in", "nats:kept", &witness] {
            assert_eq!(text.parse::<Anchor>().unwrap().to_string(), text);
        }
        // What signs notes of a log is no witness.
        let wrong = format!("witness:{}=https://witness.example", key.verifying_key());
        for text in ["", "file:", "kept", "nats:", "ftp://x", "witness:x", &wrong] {
            assert!(text.parse::<Anchor>().is_err(), "{text}");
        }
    }
}
