//! What the tests share: a migrated database, streams of names, and waiting.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use embedded::testing::{TestDatabase, test_database};
use event_log::append::Appended;
use event_log::database::{self, Holds, Role, migrate};
use event_log::read::read_page;
use event_log::usage::{
    NewCorrection, NewUsage, Price, RecordsOf, UsageWrite, corrections_hash, price_of,
    read_as_priced, read_usage,
};
use event_log::{Append, AppendError, Claim, EventLog, MasterKeys, NewEvent, StreamKey};
use event_schemas::{
    Currency, NameEvent, OrganizationId, ProjectId, RecordedEvent, RecordedUsage, RepricingScope,
    UsageRepricingEvent,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Executor as _, PgConnection};
use uuid::Uuid;

/// Nothing in these tests takes nearly as long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(300);

/// A database with a log in it.
pub(crate) struct TestLog {
    database: TestDatabase,
}

impl TestLog {
    pub(crate) async fn new() -> Self {
        let database = test_database().await;
        migrate(&database.connect_options(), Holds::LogAndReadModels).await.expect("it migrates");
        Self { database }
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        self.database.connect_options()
    }

    /// A log handle of its own appender: as another process would have it.
    pub(crate) async fn open(&self) -> EventLog {
        EventLog::open(&self.options(), master_keys()).await.expect("the log opens")
    }

    pub(crate) async fn connect(&self, role: Role) -> PgConnection {
        database::connect(&self.options(), role).await.expect("it connects")
    }

    pub(crate) async fn owner(&self) -> PgConnection {
        self.connect(Role::Owner).await
    }

    /// Every entry of the log, in order.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
        entries(&mut self.connect(Role::Projector).await, 1_000).await
    }

    /// Keeps every append waiting until the connection that is returned rolls back.
    pub(crate) async fn hold_head(&self) -> PgConnection {
        let mut holder = self.owner().await;
        (&mut holder)
            .execute("begin; select position from log.head for update")
            .await
            .expect("the head is free");
        holder
    }

    /// Waits until that many sessions wait for a lock.
    pub(crate) async fn waiting_for_locks(&self, sessions: i64) {
        let mut owner = self.owner().await;
        eventually("sessions wait for a lock", async || {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&mut owner)
            .await
            .expect("the server tells");
            waiting >= sessions
        })
        .await;
    }
}

/// What keys of persons are wrapped with.
pub(crate) fn master_keys() -> MasterKeys {
    MasterKeys::parse(&"07".repeat(32)).expect("a key")
}

/// Gives the head free that [`TestLog::hold_head`] took.
pub(crate) async fn release(mut holder: PgConnection) {
    (&mut holder).execute("rollback").await.expect("it rolls back");
}

/// An entry of either lane.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    Event(RecordedEvent),
    Usage(i64, RecordedUsage),
}

impl Entry {
    pub(crate) fn position(&self) -> i64 {
        match self {
            Self::Event(event) => event.position,
            Self::Usage(position, _) => *position,
        }
    }
}

/// Reads the whole log in pages of that many events.
pub(crate) async fn entries(connection: &mut PgConnection, events_max: i64) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        let page = read_page(connection, after, events_max).await.expect("the log has no hole");
        if page.upto == after {
            return all;
        }
        let begin = all.len();
        all.extend(page.events.into_iter().map(Entry::Event));
        for run in &page.usage {
            let records = read_usage(connection, run, 0, run.count).await.expect("it reads");
            assert_eq!(i64::try_from(records.len()), Ok(run.count));
            let positions = run.first_position..;
            all.extend(positions.zip(records).map(|(position, r)| Entry::Usage(position, r)));
        }
        all[begin..].sort_by_key(Entry::position);
        after = page.upto;
    }
}

/// That the positions are 1, 2, 3 … and `recorded_at` never goes back.
pub(crate) fn assert_gapless(entries: &[Entry]) {
    let positions: Vec<i64> = entries.iter().map(Entry::position).collect();
    assert_eq!(positions, (1..=count(entries)).collect::<Vec<i64>>());
    let recorded = entries.iter().filter_map(|entry| match entry {
        Entry::Event(event) => Some(event.recorded_at),
        Entry::Usage(..) => None,
    });
    assert!(recorded.is_sorted(), "recorded_at went back");
}

/// How many, as positions count.
pub(crate) fn count<T>(of: &[T]) -> i64 {
    i64::try_from(of.len()).expect("few")
}

pub(crate) fn name_stream(id: &str) -> StreamKey {
    StreamKey::new("name", id)
}

/// An event of a name.
pub(crate) fn claimed(id: &str, holder_id: &str) -> NewEvent {
    let event = NameEvent::Claimed { holder_id: holder_id.to_owned() };
    named(id, &event)
}

/// Any event of a name.
pub(crate) fn named(id: &str, event: &NameEvent) -> NewEvent {
    let metadata = r#"{"actor_kind":"system","actor_id":"test","correlation_id":"c"}"#;
    let occurred_at = at("2026-03-01T12:00:00.123456Z");
    NewEvent::new(event, id.into(), None, metadata.into(), occurred_at).expect("it serialises")
}

/// A claim of one who asks on an idempotency key.
pub(crate) fn claim(key: &str, events_upto: usize) -> Claim {
    Claim {
        scope: "member:1".into(),
        key: key.to_owned(),
        fingerprint: [7; 32],
        outcome: format!(r#"{{"key":"{key}"}}"#),
        events_upto,
    }
}

/// An append of that many events to a name that stands at `sequence`.
pub(crate) fn claims(id: &str, sequence: i64, events: usize) -> Append {
    Append {
        events: (0..events).map(|n| claimed(id, &n.to_string())).collect(),
        expected: vec![(name_stream(id), sequence)],
        claims: Vec::new(),
        ..Append::default()
    }
}

pub(crate) async fn append(log: &EventLog, append: Append) -> Appended {
    log.append(append).await.expect("nothing is in its way")
}

/// The stream that a conflict names.
pub(crate) fn conflict(result: Result<Appended, AppendError>) -> StreamKey {
    match result {
        Err(AppendError::Conflict(stream)) => stream,
        other => panic!("a conflict was expected: {other:?}"),
    }
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// An id that says which.
pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn organization(number: u128) -> OrganizationId {
    OrganizationId(id(number))
}

/// A record of usage, unpriced.
pub(crate) fn usage(request_id: &str, occurred_at: &str) -> NewUsage {
    NewUsage {
        project_id: ProjectId(id(77)),
        api_key_id: None,
        member_id: None,
        service_account_id: None,
        end_user: Some("someone".to_owned()),
        feature: "summaries".to_owned(),
        provider: "openai".to_owned(),
        model: "gpt-5".to_owned(),
        request_id: request_id.to_owned(),
        occurred_at: at(occurred_at),
        input_tokens: 100,
        cached_input_tokens: 20,
        cache_write_tokens: 0,
        output_tokens: 30,
        reasoning_tokens: 5,
        units: event_schemas::Units::NONE,
        service_tier: None,
        error_type: None,
        duration_ms: None,
        price: None,
        tags: [("team".to_owned(), "a".to_owned())].into(),
    }
}

/// That usage with other content.
pub(crate) fn differing(record: NewUsage) -> NewUsage {
    NewUsage { output_tokens: record.output_tokens + 1, ..record }
}

/// Records of one organization, checked against nothing.
pub(crate) fn usage_write(organization_id: OrganizationId, records: Vec<NewUsage>) -> UsageWrite {
    UsageWrite {
        organization_id,
        records,
        expected: Vec::new(),
        prices_upto: i64::MAX,
        metadata: Arc::from("{}"),
        actor: "system:test".to_owned(),
    }
}

/// Waits until `is_so`, looking again and again.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    in_time(what, looking).await;
}

/// What it gives, or a panic that says what never came.
pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    let in_time = tokio::time::timeout(PATIENCE, work).await;
    in_time.unwrap_or_else(|_| panic!("never came: {what}"))
}

/// An append that gives every record of an organization that price, in one event.
pub(crate) async fn correcting(
    log: &EventLog,
    organization_id: OrganizationId,
    cost_pico: i64,
) -> Append {
    let mut connection = log.pool().acquire().await.expect("a connection");
    let day = |text: &str| text.parse().expect("a day");
    let of = RecordsOf {
        organization_id,
        after: 0,
        upto: i64::MAX,
        first_day: day("2000-01-01"),
        last_day: day("2100-01-01"),
    };
    let found = read_as_priced(&mut connection, of, 1_000).await.expect("records");
    let after = Price { version: 1, cost_pico, currency: Currency::USD };
    let correction = |(_, usage): &(i64, RecordedUsage)| NewCorrection {
        event: 0,
        organization_id,
        batch_id: usage.batch_id,
        record_ordinal: usage.ordinal,
        occurred_at: usage.occurred_at,
        before: price_of(usage),
        after,
    };
    let corrections: Vec<NewCorrection> = found.records.iter().map(correction).collect();
    let event = UsageRepricingEvent::Repriced {
        repricing_id: organization_id.0.into(),
        scope: RepricingScope {
            from: found.records[0].1.occurred_at,
            to: found.records[0].1.occurred_at,
            project_id: None,
            provider: None,
            model: None,
            only_unpriced: false,
        },
        prices_at: 0,
        price_list_id: None,
        price_list_version: None,
        reason: None,
        corrections: u32::try_from(corrections.len()).expect("few"),
        corrections_hash: corrections_hash(&corrections),
        totals: Vec::new(),
    };
    let id = organization_id.to_string().into();
    let of = Some(organization_id);
    let event = NewEvent::new(&event, id, of, "{}".into(), found.records[0].1.occurred_at);
    let events = vec![event.expect("it serialises")];
    Append { events, corrections, ..Append::default() }
}
