//! Checkpoints to a subject of NATS.

use anyhow::{Context as _, anyhow, bail};
use async_nats::jetstream::{self, context::PublishErrorKind};
use event_log::relay::connected_nats_client;

/// Publishes a checkpoint, to a stream that keeps the subject: without one, nobody would have it.
pub(super) async fn publish(url: &str, subject: &str, note: String) -> anyhow::Result<()> {
    let client = connected_nats_client(url, "orgledger-anchors").await;
    let client = client.map_err(|error| anyhow!("NATS cannot be reached: {error}"))?;
    // The connection ends with the last of it: it is held until the server has answered.
    let context = jetstream::new(client);
    let published = context.publish(subject.to_owned(), note.into()).await?;
    let answer = published.await;
    drop(context);
    match answer {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
            bail!("no stream of JetStream keeps that subject")
        }
        Err(error) => Err(error).context("JetStream did not say that it is kept"),
    }
}
