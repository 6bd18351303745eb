//! The relay to NATS `JetStream`, and the reader of what it publishes.
//!
//! NATS is never the record: everything that a stream carries can be sent again from Postgres. The
//! relay reads the log by position and publishes one CloudEvents message for each event, and one
//! for each run of usage records. The stream itself is the relay's checkpoint: its last message
//! tells what comes next.
//!
//! What keeps every position in the stream once and in order, whoever publishes:
//! - the header `Nats-Expected-Last-Sequence` is the fence: the stream stands where this relay
//!   believes it to stand, or the message is refused;
//! - what message stands at a sequence hangs on nothing but the log. So hundreds of messages can be
//!   in flight: one that passes the fence behind another relay's message fits there;
//! - the header `Nats-Msg-Id`: the position (of a run, the first and the last).
//!
//! `Nats-Expected-Last-Msg-Id` would say the second in a stricter way, and must not be used: in a
//! cluster, a mismatch is found only when the message is applied, and nats-server 2.15.1 takes it
//! for a "critical write error" and closes the stream for writing.

mod connection;
mod message;
mod pipeline;
mod publish;
mod source;
mod stream;
mod subscribe;

pub use connection::{JetStreamConfig, connected_nats_client, nats_client};
pub use publish::{Relay, RelayConfig};
pub use stream::Refused;
pub use subscribe::{JetStreamReader, ReaderError, StreamPage};
