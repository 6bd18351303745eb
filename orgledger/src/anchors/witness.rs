//! Checkpoints to a witness, which says that it has seen none that contradicts them.
//! Source: <https://c2sp.org/tlog-witness>, add-checkpoint.

use anyhow::{Context as _, bail, ensure};
use projectors::seals::anchors::{Outgoing, consistency};
use proofs::{Note, Signature, VerifyingKey};
use reqwest::{Response, StatusCode};
use sqlx::PgPool;

/// Submits a checkpoint, and gives the cosignature.
pub(super) async fn cosign(
    log: &PgPool,
    url: &str,
    key: &VerifyingKey,
    checkpoint: &Outgoing,
) -> anyhow::Result<Signature> {
    let mut answer = submit(log, url, checkpoint, checkpoint.after).await?;
    if answer.status() == StatusCode::CONFLICT {
        // It has cosigned another size than is remembered here, and says which.
        let said = answer.text().await.unwrap_or_default();
        let size: u64 = said.trim().parse().context("the witness refuses the checkpoint")?;
        ensure!(
            size <= checkpoint.size,
            "the witness has seen this log with {size} leaves, and it has {}: the database was put back to \
             an older state, or the witness knows another log of this name",
            checkpoint.size
        );
        answer = submit(log, url, checkpoint, size).await?;
    }
    match answer.status() {
        status if status.is_success() => {}
        StatusCode::NOT_FOUND => bail!("the witness does not know this log"),
        StatusCode::FORBIDDEN => bail!("the witness knows this log by another key"),
        StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => bail!(
            "the witness has seen ANOTHER HISTORY of this log: it was written anew, or two sign with \
             one key"
        ),
        status => bail!("the witness answers {status}"),
    }
    let lines = answer.text().await.context("the witness's answer breaks off")?;
    let mut note = Note::parse(&checkpoint.note)?;
    note.signatures = lines.lines().filter_map(Signature::parse).collect();
    note.signatures.retain(|line| line.name == key.name() && line.id == key.id());
    note.verified_by(std::slice::from_ref(key)).context("the witness's cosignature")?;
    note.signatures.into_iter().next().context("the witness has not signed")
}

async fn submit(
    log: &PgPool,
    url: &str,
    checkpoint: &Outgoing,
    old: u64,
) -> anyhow::Result<Response> {
    let path = consistency(log, old, checkpoint.size).await?;
    let path = path.context("the witness has seen more of this log than there is")?;
    let mut body = format!("old {old}\n");
    for hash in path {
        body.push_str(&format!("{hash}\n"));
    }
    body.push_str(&format!("\n{}", checkpoint.note));
    let request = reqwest::Client::new().post(format!("{url}/add-checkpoint")).body(body);
    request.send().await.context("the witness cannot be reached")
}
