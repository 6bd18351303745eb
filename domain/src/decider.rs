//! What every decider is, and how cqrs-es sees it.

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use event_schemas::StreamEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A stream's rules: what may happen next (`decide`), and what has happened (`evolve`). The state
/// is `Self`; its default is a stream without events.
pub trait Decider: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stream's type, as in `events.aggregate_type`.
    const STREAM: &'static str;
    /// What can be asked of it, imperative.
    type Command: Send;
    /// What can have happened to it, in the past tense.
    type Event: StreamEvent + 'static;
    /// Why it refuses, in business words.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The events that the command causes in this state: none where there is nothing to do, an
    /// error where it is refused.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Error>;

    /// The state after the event. It never fails: what has happened has happened.
    fn evolve(&mut self, event: &Self::Event);
}

/// A decider as cqrs-es's aggregate, for every decider at once.
#[derive(Debug, Clone, Default, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Root<D>(pub D);

impl<D: Decider> Aggregate for Root<D> {
    const TYPE: &'static str = D::STREAM;
    type Command = D::Command;
    type Event = D::Event;
    type Error = D::Error;
    type Services = ();

    async fn handle(
        &mut self,
        command: Self::Command,
        (): &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        for event in self.0.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.0.evolve(&event);
    }
}
