//! Callers: each does one thing after another, for a while, and every turn is timed.

use std::future::Future;
use std::time::{Duration, Instant};

use futures::future::try_join_all;

/// What callers came to.
pub(crate) struct Measured {
    /// How much was done, each second.
    pub(crate) rate: f64,
    /// How long each took, in milliseconds.
    pub(crate) latencies_ms: Vec<f64>,
}

/// Lets `callers` callers work for `seconds`. `turn` gets the caller's number and how often it has
/// been their turn; it answers whether there was still something to do.
pub(crate) async fn work<F, T>(callers: usize, seconds: f64, turn: F) -> anyhow::Result<Measured>
where
    F: Fn(usize, usize) -> T + Clone + Send + 'static,
    T: Future<Output = anyhow::Result<bool>> + Send,
{
    let started = Instant::now();
    let until = started + Duration::from_secs_f64(seconds);
    let tasks = (0..callers).map(|caller| {
        let turn = turn.clone();
        tokio::spawn(async move {
            let mut latencies_ms = Vec::new();
            while Instant::now() < until {
                let begun = Instant::now();
                if !turn(caller, latencies_ms.len()).await? {
                    anyhow::bail!("the prepared streams do not last for the time; raise them");
                }
                latencies_ms.push(begun.elapsed().as_secs_f64() * 1_000.0);
            }
            anyhow::Ok(latencies_ms)
        })
    });
    let mut latencies_ms = Vec::new();
    for caller in try_join_all(tasks).await? {
        latencies_ms.extend(caller?);
    }
    #[allow(clippy::cast_precision_loss)] // Far below 2^53.
    let rate = latencies_ms.len() as f64 / started.elapsed().as_secs_f64();
    Ok(Measured { rate, latencies_ms })
}
