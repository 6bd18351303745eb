//! `orgledger probe`: a health check for images that have no HTTP client.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long the answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);

/// Asks, and fails where the answer is not a success.
pub(crate) async fn run(url: &str) -> anyhow::Result<()> {
    let answer = tokio::time::timeout(ANSWER_TIME_MAX, ask(url));
    let status = answer.await.with_context(|| format!("{url} does not answer in time"))??;
    match status {
        200..=299 => Ok(()),
        other => bail!("{url} answers {other}"),
    }
}

/// The status of the answer. One request of one line needs no HTTP library.
async fn ask(url: &str) -> anyhow::Result<u16> {
    let rest = url.strip_prefix("http://").context("a probe's URL begins with http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream =
        TcpStream::connect(host).await.with_context(|| format!("cannot reach {host}"))?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.with_context(|| format!("{url} closed the connection"))?;
    let status = std::str::from_utf8(&head).ok().and_then(|head| head.strip_prefix("HTTP/1.1 "));
    status.and_then(|status| status.parse().ok()).with_context(|| format!("{url} is not HTTP"))
}
