//! What the relay publishes: the log by position, as messages.

use std::collections::VecDeque;

use event_schemas::usage_repricing::USAGE_REPRICED;
use event_schemas::{OrganizationId, RecordedEvent, RepricedUsage};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::message::{self, Outgoing};
use super::stream::Interrupted;
use crate::read::{ReadError, UsageRun, read_page};
use crate::usage::months::first_missing;
use crate::usage::{are_those_of, read_corrections, read_usage, record_cuts};

/// How many events are read at once.
const EVENTS_MAX: i64 = 500;

/// How many usage records are read at once. A message ends there, too.
///
/// This must never change, as with [`record_cuts`].
const RECORDS_MAX: i64 = 2_000;

enum Entry {
    Event(Box<RecordedEvent>),
    /// The records of a batch from an ordinal on, where [`RECORDS_MAX`] of them begin.
    Usage(UsageRun, i64),
}

/// The log from one position on.
pub(super) struct Source<'a> {
    connection: &'a mut PgConnection,
    prefix: &'a str,
    log_id: Uuid,
    /// Nothing up to here is published.
    begin: i64,
    /// All up to here was read.
    upto: i64,
    entries: VecDeque<Entry>,
    ready: VecDeque<Outgoing>,
}

impl<'a> Source<'a> {
    /// The log after a position, which may lie within a batch of usage records.
    pub(super) async fn after(
        position: i64,
        connection: &'a mut PgConnection,
        prefix: &'a str,
        log_id: Uuid,
    ) -> Result<Self, Interrupted> {
        let mut source = Self {
            connection,
            prefix,
            log_id,
            begin: position,
            upto: position,
            entries: VecDeque::new(),
            ready: VecDeque::new(),
        };
        if let Some(run) = run_around(source.connection, position).await? {
            source.upto = run.last_position();
            let known = position + 1 - run.first_position;
            source.entries.push_back(Entry::Usage(run, known / RECORDS_MAX * RECORDS_MAX));
        }
        Ok(source)
    }

    /// The position up to which the log was read.
    pub(super) fn upto(&self) -> i64 {
        self.upto
    }

    /// The next message; none at the log's head.
    pub(super) async fn next(&mut self) -> Result<Option<Outgoing>, Interrupted> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            match self.entries.pop_front() {
                Some(Entry::Event(event)) => {
                    let corrections = self.corrections(&event).await?;
                    let corrections = corrections.as_deref();
                    let message = message::event(self.prefix, self.log_id, &event, corrections)?;
                    return Ok(Some(message));
                }
                Some(Entry::Usage(run, from)) => self.read_run(run, from).await?,
                None => {
                    if !self.read_on().await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Reads the next page. False at the head.
    async fn read_on(&mut self) -> Result<bool, Interrupted> {
        let page = read_page(self.connection, self.upto, EVENTS_MAX).await?;
        let mut usage = page.usage.into_iter().peekable();
        for event in page.events {
            while let Some(run) = usage.next_if(|run| run.first_position < event.position) {
                self.entries.push_back(Entry::Usage(run, 0));
            }
            self.entries.push_back(Entry::Event(Box::new(event)));
        }
        self.entries.extend(usage.map(|run| Entry::Usage(run, 0)));
        let moved = page.upto > self.upto;
        self.upto = page.upto;
        Ok(moved)
    }

    /// What an event corrects; none where it is not one of those.
    async fn corrections(
        &mut self,
        event: &RecordedEvent,
    ) -> Result<Option<Vec<RepricedUsage>>, Interrupted> {
        let Some(organization_id) =
            event.organization_id.filter(|_| event.event_type == USAGE_REPRICED)
        else {
            return Ok(None);
        };
        let read = read_corrections(self.connection, event.position, organization_id).await?;
        let count = event.payload["corrections"].as_u64().unwrap_or(0);
        let hash = event.payload["corrections_hash"].as_str().unwrap_or_default();
        if are_those_of(&read, count, hash) {
            return Ok(Some(read));
        }
        Err(ReadError::Corrections { position: event.position }.into())
    }

    /// Makes messages of a batch's next records, and puts the rest of it back.
    async fn read_run(&mut self, run: UsageRun, from: i64) -> Result<(), Interrupted> {
        let records = read_usage(self.connection, &run, from, RECORDS_MAX).await?;
        let found = i64::try_from(records.len()).unwrap_or(i64::MAX);
        let wanted = RECORDS_MAX.min(run.count - from);
        let last = records.last().map_or(0, |record| i64::from(record.ordinal) + 1);
        if found != wanted || last != from + wanted {
            if let Some(month) = first_missing(self.connection, run.first_day, run.last_day).await?
            {
                return Err(ReadError::Archived { month }.into());
            }
            let after = run.first_position + from - 1;
            return Err(ReadError::Hole { after, upto: after + wanted, found }.into());
        }
        let (mut rest, mut first) = (records.as_slice(), run.first_position + from);
        for count in record_cuts(&records) {
            let (now, later) = rest.split_at(count);
            let known = usize::try_from(self.begin + 1 - first).unwrap_or(0).min(count);
            if known < count {
                let first = first.max(self.begin + 1);
                let now = &now[known..];
                self.ready.push_back(message::usage(self.prefix, self.log_id, &run, first, now)?);
            }
            first += i64::try_from(count).unwrap_or(i64::MAX);
            rest = later;
        }
        if from + wanted < run.count {
            self.entries.push_front(Entry::Usage(run, from + wanted));
        }
        Ok(())
    }
}

/// The batch of usage records that goes on after a position, where it stands within one.
async fn run_around(
    connection: &mut PgConnection,
    position: i64,
) -> Result<Option<UsageRun>, sqlx::Error> {
    let row = sqlx::query(
        "select first_position, batch_id, organization_id, count::bigint, first_day, last_day,
                recorded_at, metadata
         from log.usage_batches where first_position <= $1 order by first_position desc limit 1",
    )
    .bind(position)
    .fetch_optional(connection)
    .await?;
    let run = row.map(|row| UsageRun {
        first_position: row.get(0),
        batch_id: row.get(1),
        organization_id: OrganizationId(row.get(2)),
        count: row.get(3),
        first_day: row.get(4),
        last_day: row.get(5),
        recorded_at: row.get(6),
        metadata: row.get(7),
    });
    Ok(run.filter(|run| run.last_position() > position))
}
