//! The relay to NATS `JetStream`, and the reader of what it publishes.
//!
//! NATS is never the record: everything that a stream carries can be sent again from Postgres. The
//! relay reads the log by position and publishes one CloudEvents message for each event, and one
//! for each run of usage records. The stream itself is the relay's checkpoint: its last message
//! tells what comes next.
//!
//! Three headers keep every position in the stream once and in order, whoever publishes:
//! - `Nats-Expected-Last-Sequence`: the stream stands where this relay believes it to stand;
//! - `Nats-Expected-Last-Msg-Id`, while messages are in flight: what stands there is the message
//!   before this one. A second relay may have cut a batch of usage records elsewhere, so that the
//!   number alone would fit a message that does not;
//! - `Nats-Msg-Id`: the position (of a run, the first and the last): the same message sent twice is
//!   stored once.

mod connection;
mod message;
mod pipeline;
mod publish;
mod source;
mod stream;
mod subscribe;

pub use connection::JetStreamConfig;
pub use publish::{Relay, RelayConfig};
pub use stream::Refused;
pub use subscribe::{JetStreamReader, ReaderError, StreamPage};
