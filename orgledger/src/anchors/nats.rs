//! Checkpoints to a subject of NATS.

use anyhow::Context as _;
use async_nats::jetstream;

/// Publishes a checkpoint, to a stream that keeps the subject: without one, nobody would have it.
pub(super) async fn publish(url: &str, subject: &str, note: String) -> anyhow::Result<()> {
    let client = async_nats::connect(url).await.context("NATS cannot be reached")?;
    let published = jetstream::new(client).publish(subject.to_owned(), note.into()).await?;
    published.await.context("no stream of JetStream keeps that subject")?;
    Ok(())
}
