//! Where streams stand, as one appender remembers it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::append::StreamKey;

/// How many streams are remembered. Past that, all are forgotten and read again as they are needed.
const STREAMS_MAX: usize = 1_000_000;

/// The sequences of streams. By type and then by id, so that a stream can be looked up by texts
/// that came out of the database.
#[derive(Default)]
pub(super) struct KnownStreams {
    by_type: HashMap<&'static str, HashMap<Arc<str>, i64>>,
    count: usize,
}

impl KnownStreams {
    pub(super) fn sequence(&self, stream: &StreamKey) -> Option<i64> {
        self.by_type.get(stream.aggregate_type)?.get(&stream.aggregate_id).copied()
    }

    pub(super) fn set(&mut self, stream: StreamKey, sequence: i64) {
        let streams = self.by_type.entry(stream.aggregate_type).or_default();
        if streams.insert(stream.aggregate_id, sequence).is_none() {
            self.count += 1;
        }
    }

    /// Takes note of where a stream stands now, if it is remembered at all.
    pub(super) fn update(&mut self, aggregate_type: &str, aggregate_id: &str, sequence: i64) {
        let streams = self.by_type.get_mut(aggregate_type);
        if let Some(known) = streams.and_then(|streams| streams.get_mut(aggregate_id)) {
            *known = sequence;
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.count > STREAMS_MAX
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
