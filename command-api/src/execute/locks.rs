//! Locks on streams within this process. They save work, not correctness: commands on one stream
//! take turns instead of overtaking each other. Between processes the appender decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use event_log::StreamKey;
use tokio::sync::OwnedMutexGuard;

/// Past this many entries the map is cleared of those nobody holds.
const SWEEP_AT: usize = 4_096;

/// A held lock.
pub(super) type Guard = OwnedMutexGuard<()>;

#[derive(Default)]
pub(super) struct Locks {
    streams: Mutex<HashMap<StreamKey, Weak<tokio::sync::Mutex<()>>>>,
}

impl Locks {
    /// Holds one stream.
    pub(super) async fn hold_one(&self, stream: &StreamKey) -> Guard {
        self.lock(stream).lock_owned().await
    }

    /// Holds several, in one order for everybody, so that nobody waits in a circle.
    pub(super) async fn hold(&self, streams: &[StreamKey]) -> Vec<Guard> {
        let mut sorted = streams.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut guards = Vec::with_capacity(sorted.len());
        for stream in &sorted {
            guards.push(self.hold_one(stream).await);
        }
        guards
    }

    fn lock(&self, stream: &StreamKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = streams.get(stream).and_then(Weak::upgrade) {
            return lock;
        }
        if streams.len() >= SWEEP_AT {
            streams.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::default();
        streams.insert(stream.clone(), Arc::downgrade(&lock));
        lock
    }
}
