//! Aggregates: cqrs-es's own framework on our store, and a cache that is never believed blindly.

use std::collections::HashMap;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, AggregateError, CqrsFramework, EventStore};
use event_log::aggregates::ORGANIZATION_ID;
use event_log::{Aggregates, Loaded};
use event_schemas::NameEvent;
use serde::{Deserialize, Serialize};

use crate::support::{Entry, TestLog, append, claims, count, id, name_stream, named, organization};

/// Who holds a name, and how often it has changed hands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Name {
    holder_id: Option<String>,
    changes: u32,
}

enum Command {
    Claim(&'static str),
    ClaimTwice(&'static str, &'static str),
    Release,
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum NameError {
    #[error("the name is taken")]
    Taken,
    #[error("nobody holds the name")]
    Free,
}

impl Aggregate for Name {
    const TYPE: &'static str = "name";
    type Command = Command;
    type Event = NameEvent;
    type Error = NameError;
    type Services = ();

    async fn handle(
        &mut self,
        command: Command,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), NameError> {
        let claimed = |holder: &str| NameEvent::Claimed { holder_id: holder.to_owned() };
        match (command, &self.holder_id) {
            (Command::Claim(_) | Command::ClaimTwice(..), Some(_)) => return Err(NameError::Taken),
            (Command::Release, None) => return Err(NameError::Free),
            (Command::Claim(holder), None) => sink.write(claimed(holder), self).await,
            (Command::ClaimTwice(first, second), None) => {
                sink.write(claimed(first), self).await;
                sink.write(NameEvent::Released {}, self).await;
                sink.write(claimed(second), self).await;
            }
            (Command::Release, Some(_)) => sink.write(NameEvent::Released {}, self).await,
        }
        Ok(())
    }

    fn apply(&mut self, event: NameEvent) {
        self.changes += 1;
        self.holder_id = match event {
            NameEvent::Claimed { holder_id } => Some(holder_id),
            NameEvent::Released {} => None,
        };
    }
}

async fn loaded(aggregates: &Aggregates) -> Loaded<Name> {
    aggregates.load::<Name>(&name_stream("n")).await.expect("it loads")
}

fn held_by(holder_id: &str, changes: u32) -> Name {
    Name { holder_id: Some(holder_id.to_owned()), changes }
}

#[tokio::test]
async fn the_framework_of_cqrs_es_runs_on_the_log() {
    let log = TestLog::new().await;
    let aggregates = Aggregates::new(log.open().await);
    let framework = CqrsFramework::<Name, _>::new(aggregates.clone(), Vec::new(), ());
    framework.execute("n", Command::Claim("one")).await.unwrap();
    let refused = framework.execute("n", Command::Claim("two")).await.unwrap_err();
    assert!(matches!(refused, AggregateError::UserError(NameError::Taken)), "{refused}");
    framework.execute("n", Command::Release).await.unwrap();
    let metadata = HashMap::from([
        (ORGANIZATION_ID.to_owned(), id(9).to_string()),
        ("actor_id".to_owned(), "someone".to_owned()),
    ]);
    let twice = Command::ClaimTwice("two", "three");
    framework.execute_with_metadata("n", twice, metadata).await.unwrap();
    // Five events, each applied once: from the cache, folded anew, and as cqrs-es reads them.
    assert_eq!(*loaded(&aggregates).await.state, held_by("three", 5));
    let elsewhere = Aggregates::new(log.open().await);
    assert_eq!(*loaded(&elsewhere).await.state, held_by("three", 5));
    let read = EventStore::<Name>::load_events(&aggregates, "n").await.unwrap();
    assert_eq!(read.iter().map(|e| e.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(read[4].metadata["actor_id"], "someone");
    let entries = log.entries().await;
    let Entry::Event(last) = &entries[4] else { panic!("{entries:?}") };
    assert_eq!(last.organization_id, Some(organization(9)));
    assert!(last.metadata.get(ORGANIZATION_ID).is_none());
}

#[tokio::test]
async fn a_stale_cache_is_found_out_and_refreshed() {
    let log = TestLog::new().await;
    let [here, there] = [Aggregates::new(log.open().await), Aggregates::new(log.open().await)];
    append(here.log(), claims("n", 0, 1)).await;
    assert_eq!(loaded(&here).await.sequence, 1);
    append(there.log(), claims("n", 1, 2)).await;
    // The cache has not heard of it, and a decision on it is refused.
    let stale = loaded(&here).await;
    assert_eq!(stale.sequence, 1);
    let decided = here.commit(vec![NameEvent::Released {}], stale, HashMap::new()).await;
    assert!(matches!(decided, Err(AggregateError::AggregateConflict)), "{decided:?}");
    let fresh = here.refresh::<Name>(&name_stream("n")).await.unwrap();
    assert_eq!((fresh.sequence, fresh.state.changes), (3, 3));
    assert_eq!(loaded(&here).await.sequence, 3, "kept");
    let decided = here.commit(vec![NameEvent::Released {}], fresh, HashMap::new()).await;
    assert_eq!(decided.unwrap()[0].sequence, 4);
    assert_eq!(loaded(&here).await.sequence, 4);
    assert_eq!(count(&log.entries().await), 4);
}

#[tokio::test]
async fn an_older_state_never_replaces_a_newer_one() {
    let log = TestLog::new().await;
    let aggregates = Aggregates::new(log.open().await);
    append(aggregates.log(), claims("n", 0, 1)).await;
    let old = loaded(&aggregates).await;
    append(aggregates.log(), claims("n", 1, 1)).await;
    let new = aggregates.refresh::<Name>(&name_stream("n")).await.unwrap();
    aggregates.keep(crate::support::name_stream("n"), old.state, old.sequence);
    assert_eq!(loaded(&aggregates).await.sequence, new.sequence);
}

#[tokio::test]
async fn a_state_that_is_changed_by_its_holder_does_not_change_the_cache() {
    use cqrs_es::AggregateContext as _;
    let log = TestLog::new().await;
    let aggregates = Aggregates::new(log.open().await);
    append(aggregates.log(), claims("n", 0, 1)).await;
    let mut mine = loaded(&aggregates).await;
    mine.aggregate().apply(NameEvent::Released {});
    assert_eq!(*loaded(&aggregates).await.state, held_by("0", 1));
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_is_named() {
    let log = TestLog::new().await;
    let aggregates = Aggregates::new(log.open().await);
    let mut event = named("n", &NameEvent::Released {});
    event.payload = r#"{"type":"name.forgotten"}"#.to_owned();
    let strange = event_log::Append { events: vec![event], ..event_log::Append::default() };
    append(aggregates.log(), strange).await;
    let error = aggregates.load::<Name>(&name_stream("n")).await.unwrap_err().to_string();
    assert!(error.starts_with("event 1 of stream name n cannot be read"), "{error}");
}
