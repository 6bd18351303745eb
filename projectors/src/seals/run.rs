//! Sealing for as long as the process runs.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_log::HeadWatch;
use proofs::SigningKey;
use sqlx::PgPool;

use super::error::SealError;
use super::look_back::LookBack;
use super::page::{When, seal_page};

/// How often is sealed at most. What is recorded waits for no longer than this and the time that
/// sealing takes.
const EVERY: Duration = Duration::from_secs(1);

/// How often it looks back where nothing is recorded.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long to wait after what may pass, and after what somebody has to look at.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What to seal, and with what.
#[derive(Clone)]
pub struct SealConfig {
    /// The log's database, acting as the projector's role.
    pub log: PgPool,
    /// What says that the log has grown.
    pub head: HeadWatch,
    /// The keys that sign, all of one name.
    pub keys: Arc<[SigningKey]>,
}

/// Seals until `shutdown` is there. It may be ended at any moment, this way or another.
pub async fn run(config: SealConfig, shutdown: impl Future<Output = ()>) {
    let work = async {
        let mut told: Option<String> = None;
        loop {
            let Err(error) = follow(&config, &mut told).await;
            let message = error.to_string();
            let pause = if error.is_passing() { PAUSES.0 } else { PAUSES.1 };
            metrics::gauge!("orgledger_seal_stopped").set(1.0);
            // The same error again says nothing new.
            if told.as_ref() != Some(&message) {
                tracing::error!(error = message, "the log is not sealed any more");
                told = Some(message);
            }
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = shutdown => {}
    }
}

async fn follow(config: &SealConfig, told: &mut Option<String>) -> Result<Infallible, SealError> {
    let mut head = config.head.clone();
    let mut look_back = LookBack::begin(&config.log).await?;
    loop {
        let begun = Instant::now();
        let sealed = to_head(&config.log, &config.keys).await?;
        look_back.next(&config.log).await?;
        if told.take().is_some() {
            tracing::info!("the log is sealed again");
        }
        metrics::gauge!("orgledger_seal_stopped").set(0.0);
        #[allow(clippy::cast_precision_loss)] // Metrics are floats; exact up to 2⁵³.
        metrics::gauge!("orgledger_seal_position").set(sealed as f64);
        metrics::histogram!("orgledger_seal_round_seconds").record(begun.elapsed().as_secs_f64());
        tokio::time::sleep(EVERY.saturating_sub(begun.elapsed())).await;
        // Where nothing comes, it looks back all the same.
        let _ = tokio::time::timeout(LOOK_EVERY, head.beyond(sealed)).await;
    }
}

/// Seals what there is and signs it; where that takes long, what there is so far every while.
async fn to_head(log: &PgPool, keys: &[SigningKey]) -> Result<i64, SealError> {
    let mut signed_at = Instant::now();
    loop {
        let when = if signed_at.elapsed() >= EVERY { When::Now } else { When::AtHead };
        let sealed = seal_page(log, keys, when).await?;
        if sealed.is_signed {
            signed_at = Instant::now();
        }
        if sealed.at_head {
            return Ok(sealed.position);
        }
    }
}

/// Seals what the log has now, and signs it. The position up to which it is sealed.
pub async fn catch_up(log: &PgPool, keys: &[SigningKey]) -> Result<i64, SealError> {
    LookBack::begin(log).await?;
    to_head(log, keys).await
}
