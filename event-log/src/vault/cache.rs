//! The keys that were used last: not many, and not for long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use event_schemas::PersonId;
use quick_cache::sync::Cache;

use super::keys::Key;

/// How many keys are kept: about 6 MB.
const KEPT_MAX: usize = 10_000;

/// For how long a key is kept. An erasure is heard of at once; this bounds how long a process that
/// does not hear of it can still read.
const KEPT_FOR: Duration = Duration::from_secs(60);

pub(super) struct KeyCache(Cache<PersonId, (Instant, Arc<Key>)>);

impl KeyCache {
    pub(super) fn new() -> Self {
        Self(Cache::new(KEPT_MAX))
    }

    pub(super) fn get(&self, person_id: PersonId) -> Option<Arc<Key>> {
        let (since, key) = self.0.get(&person_id)?;
        (since.elapsed() < KEPT_FOR).then_some(key)
    }

    pub(super) fn keep(&self, person_id: PersonId, key: &Arc<Key>) {
        self.0.insert(person_id, (Instant::now(), Arc::clone(key)));
    }

    pub(super) fn forget(&self, person_id: PersonId) {
        self.0.remove(&person_id);
    }

    pub(super) fn forget_all(&self) {
        self.0.clear();
    }

    /// Lets go of those that were kept long enough, asked for or not.
    pub(super) fn sweep(&self) {
        self.0.retain(|_, (since, _)| since.elapsed() < KEPT_FOR);
    }
}
