//! Publishing with many messages in flight.

use std::collections::VecDeque;
use std::error::Error as _;

use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};

use super::message::Outgoing;
use super::stream::{Interrupted, Refused, Tail};

/// How many messages may wait for their acknowledgement: enough to hide the round trip and to let
/// the server sync many at once.
const IN_FLIGHT_MAX: usize = 512;

/// How many bytes of messages may wait, so that usage in large messages does not fill the memory.
const IN_FLIGHT_BYTES_MAX: usize = 16 << 20;

struct InFlight {
    ack: PublishAckFuture,
    sequence: u64,
    last_position: i64,
    bytes: usize,
}

/// The stream's end as this relay extends it.
pub(super) struct Pipeline<'a> {
    context: &'a jetstream::Context,
    stream: &'a str,
    message_bytes_max: usize,
    /// The sequence of the last message sent.
    sequence: u64,
    /// The last position that is known to be in the stream.
    stored: i64,
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(
        context: &'a jetstream::Context,
        stream: &'a str,
        message_bytes_max: usize,
        tail: Tail,
    ) -> Self {
        let pipeline = Self {
            context,
            stream,
            message_bytes_max,
            sequence: tail.sequence,
            stored: tail.position(),
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
        };
        pipeline.tell();
        pipeline
    }

    /// The stream's last sequence, when all in flight is stored.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The last position that is known to be in the stream.
    pub(super) fn stored(&self) -> i64 {
        self.stored
    }

    /// Sends a message. Waits for older ones when too many are in flight.
    pub(super) async fn publish(&mut self, message: Outgoing) -> Result<(), Interrupted> {
        while self.in_flight.len() >= IN_FLIGHT_MAX || self.in_flight_bytes >= IN_FLIGHT_BYTES_MAX {
            self.settle_one().await?;
        }
        let headers = message.headers(self.stream, self.sequence);
        let bytes = message.body.len();
        let outgoing = PublishMessage::build().headers(headers).payload(message.body.into());
        let ack = match self.context.send_publish(message.subject, outgoing).await {
            Ok(ack) => ack,
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                let bytes_max = self.message_bytes_max;
                let (what, position) = (message.what, message.first_position);
                return Err(Refused::TooLarge { what, position, bytes, bytes_max }.into());
            }
            Err(error) => return Err(Interrupted::nats("publishing", error)),
        };
        self.sequence += 1;
        self.in_flight_bytes += bytes;
        let (sequence, last_position) = (self.sequence, message.last_position);
        self.in_flight.push_back(InFlight { ack, sequence, last_position, bytes });
        Ok(())
    }

    /// Waits for all that is in flight.
    pub(super) async fn settle(&mut self) -> Result<(), Interrupted> {
        while !self.in_flight.is_empty() {
            self.settle_one().await?;
        }
        Ok(())
    }

    async fn settle_one(&mut self) -> Result<(), Interrupted> {
        let Some(InFlight { ack, sequence, last_position, bytes }) = self.in_flight.pop_front()
        else {
            return Ok(());
        };
        self.in_flight_bytes -= bytes;
        let ack = ack.await.map_err(|error| refusal(error, last_position))?;
        // A duplicate that stands elsewhere says that the stream is not what it was.
        if ack.sequence != sequence {
            return Err(Interrupted::Fenced(format!(
                "position {last_position} is message {} instead of {sequence}",
                ack.sequence
            )));
        }
        self.stored = last_position;
        metrics::counter!("orgledger_relay_messages_total").increment(1);
        self.tell();
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)] // Exact to 2^53 positions.
    fn tell(&self) {
        metrics::gauge!("orgledger_relay_position").set(self.stored as f64);
    }
}

fn refusal(error: PublishError, position: i64) -> Interrupted {
    // The same message is being stored at this moment, sent by another relay.
    let being_stored =
        error.source().and_then(|source| source.downcast_ref::<jetstream::Error>()).is_some_and(
            |refused| refused.error_code() == ErrorCode::STREAM_DUPLICATE_MESSAGE_CONFLICT,
        );
    match error.kind() {
        PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId => {
            Interrupted::Fenced(format!("position {position} was refused: {error}"))
        }
        PublishErrorKind::Other if being_stored => {
            Interrupted::Fenced(format!("position {position} is being stored by another"))
        }
        PublishErrorKind::StreamNotFound
        | PublishErrorKind::TimedOut
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending
        | PublishErrorKind::MaxPayloadExceeded
        | PublishErrorKind::Other => Interrupted::nats("waiting for an acknowledgement", error),
    }
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::stream::{Config, Stream};
    use embedded::testing::{test_nats, unique_name};

    use super::*;

    const EMPTY: Tail = Tail { sequence: 0, last: None };

    struct Server {
        context: jetstream::Context,
        name: String,
    }

    impl Server {
        async fn new() -> (Self, Stream) {
            let (context, name) = (jetstream::new(test_nats().await), unique_name());
            let subjects = vec![format!("{name}.>")];
            let settings = Config { name: name.clone(), subjects, ..Config::default() };
            let stream = context.create_stream(settings).await.expect("the server makes it");
            (Self { context, name }, stream)
        }

        fn relay(&self, tail: Tail) -> Pipeline<'_> {
            Pipeline::new(&self.context, &self.name, 1 << 20, tail)
        }

        fn run(&self, first_position: i64, last_position: i64) -> Outgoing {
            Outgoing {
                subject: format!("{}.usage", self.name),
                first_position,
                last_position,
                what: String::new(),
                body: format!("{first_position}-{last_position}").into_bytes(),
            }
        }
    }

    async fn stored(stream: &Stream) -> Vec<String> {
        let mut bodies = Vec::new();
        for sequence in 1..=stream.get_info().await.unwrap().state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            bodies.push(String::from_utf8(message.payload.to_vec()).unwrap());
        }
        bodies
    }

    #[tokio::test]
    async fn after_one_refusal_all_that_is_in_flight_is_refused() {
        let (server, stream) = Server::new().await;
        let (mut one, mut other) = (server.relay(EMPTY), server.relay(EMPTY));
        one.publish(server.run(1, 5)).await.unwrap();
        one.publish(server.run(6, 6)).await.unwrap();
        one.settle().await.unwrap();
        other.publish(server.run(1, 3)).await.unwrap();
        other.publish(server.run(4, 6)).await.unwrap();
        while !other.in_flight.is_empty() {
            assert!(matches!(other.settle_one().await, Err(Interrupted::Fenced(_))));
        }
        assert_eq!((one.stored(), other.stored()), (6, 0));
        one.publish(server.run(7, 9)).await.unwrap();
        one.settle().await.unwrap();
        assert_eq!(stored(&stream).await, ["1-5", "6-6", "7-9"]);
    }

    #[tokio::test]
    async fn what_two_relays_send_at_once_is_stored_once() {
        let (server, stream) = Server::new().await;
        let (mut one, mut other) = (server.relay(EMPTY), server.relay(EMPTY));
        for (first, last) in [(1, 1), (2, 4), (5, 5), (6, 9)] {
            one.publish(server.run(first, last)).await.unwrap();
            other.publish(server.run(first, last)).await.unwrap();
        }
        // Whichever is behind is refused, or told that it was stored already.
        for relay in [&mut one, &mut other] {
            let settled = relay.settle().await;
            assert!(matches!(settled, Ok(()) | Err(Interrupted::Fenced(_))), "{settled:?}");
        }
        assert_eq!(stored(&stream).await, ["1-1", "2-4", "5-5", "6-9"]);
    }
}
