//! Committing a batch: directly on the head that is known, or under the head's lock.

use std::collections::HashSet;

use sqlx::{Executor, PgConnection};

use super::failure::{Failure, is_used_key, leaves_doubt};
use super::statements::{
    Plan, Written, answer_replays, lock_head, moved_after, sequences, write, written,
};
use super::{Appender, Verdict, report_position};
use crate::append::{Append, Appended, StreamKey};
use crate::database::{self, DatabaseError, Role};

/// How many events of other processes are read to keep the record of sequences. Past that, it is
/// cheaper to forget all, and the head is not to stay locked for long.
const CATCH_UP_EVENTS_MAX: usize = 10_000;

impl Appender {
    /// Commits every append that has no verdict yet and gives each one.
    ///
    /// `in_doubt` is a plan that may have been written although nobody heard so. Once the head is
    /// locked that can be found out, and as long as it is locked nothing else can be written.
    pub(super) async fn try_commit<'a>(
        &mut self,
        appends: &'a [Append],
        verdicts: &mut [Option<Verdict>],
        in_doubt: &mut Option<Plan<'a>>,
    ) -> Result<(), Failure> {
        while verdicts.iter().any(Option::is_none) {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            match self.known_upto.filter(|_| self.alone && in_doubt.is_none()) {
                Some(last_event) => {
                    self.commit_on(&mut connection, last_event, appends, verdicts, in_doubt)
                        .await?;
                }
                None => self.commit_locked(&mut connection, appends, verdicts, in_doubt).await?,
            }
            self.connection = Some(connection);
        }
        Ok(())
    }

    async fn connect(&self) -> Result<PgConnection, DatabaseError> {
        let mut connection = database::connect(&self.options, Role::Writer).await?;
        // The same few statements with arrays of every length: planning them anew each time costs
        // more than any plan could save.
        connection.execute("set plan_cache_mode = force_generic_plan").await?;
        Ok(connection)
    }

    /// One statement and one commit, which come to nothing where there are events that are not known.
    async fn commit_on<'a>(
        &mut self,
        connection: &mut PgConnection,
        last_event: i64,
        appends: &'a [Append],
        verdicts: &mut [Option<Verdict>],
        in_doubt: &mut Option<Plan<'a>>,
    ) -> Result<(), Failure> {
        // What is read here holds if no event turns out to have come.
        self.look_up_unknown(connection, appends).await?;
        let plan = self.plan(appends, verdicts, last_event);
        if plan.accepted.is_empty() {
            // All of them conflict, if no event has come; nothing is written that proves it.
            self.alone = false;
            return Ok(());
        }
        match write(connection, &plan).await {
            Ok(Some(written)) => self.settle(plan, written, verdicts),
            Ok(None) => self.alone = false,
            Err(error) if is_used_key(&error) => {
                answer_replays(connection, &plan, verdicts).await?;
            }
            Err(error) => {
                *in_doubt = leaves_doubt(&error).then_some(plan);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// The same in a transaction that locks the head first.
    async fn commit_locked<'a>(
        &mut self,
        connection: &mut PgConnection,
        appends: &'a [Append],
        verdicts: &mut [Option<Verdict>],
        in_doubt: &mut Option<Plan<'a>>,
    ) -> Result<(), Failure> {
        let last_event = lock_head(connection).await?;
        if let Some(plan) = &in_doubt
            && let Some(written) = written(connection, plan).await?
        {
            connection.execute("rollback").await?;
            if let Some(plan) = in_doubt.take() {
                self.settle(plan, written, verdicts);
            }
            return Ok(());
        }
        self.catch_up(connection, last_event).await?;
        self.look_up_unknown(connection, appends).await?;
        let plan = self.plan(appends, verdicts, last_event);
        if plan.accepted.is_empty() {
            connection.execute("rollback").await?;
            plan.answer_conflicts(verdicts);
            return Ok(());
        }
        match write(connection, &plan).await {
            Ok(written) => {
                let written = written.ok_or(sqlx::Error::RowNotFound)?;
                if let Err(error) = connection.execute("commit").await {
                    if leaves_doubt(&error) {
                        *in_doubt = Some(plan);
                    }
                    return Err(error.into());
                }
                self.settle(plan, written, verdicts);
                Ok(())
            }
            Err(error) if is_used_key(&error) => {
                connection.execute("rollback").await?;
                Ok(answer_replays(connection, &plan, verdicts).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// After a plan was committed: everybody gets their answer, and the memory is brought up.
    fn settle(
        &mut self,
        plan: Plan<'_>,
        Written { after, recorded_at }: Written,
        verdicts: &mut [Option<Verdict>],
    ) {
        plan.answer_conflicts(verdicts);
        for (stream, sequence) in plan.moved {
            self.known.set(stream, sequence);
        }
        let last_position = after + plan.events_count;
        self.known_upto =
            Some(if plan.events_count > 0 { last_position } else { plan.after_event });
        for (index, append, first) in plan.accepted {
            let events = i64::try_from(append.events.len()).unwrap_or(i64::MAX);
            verdicts[index] = Some(Ok(Appended {
                first_position: after + first,
                last_position: after + first + events - 1,
                recorded_at,
            }));
        }
        self.moved.send_if_modified(|known| {
            let moved = last_position > *known;
            *known = last_position.max(*known);
            moved
        });
        report_position(last_position);
    }

    /// Brings the record of sequences to the last event; the head is locked.
    async fn catch_up(
        &mut self,
        connection: &mut PgConnection,
        last_event: i64,
    ) -> Result<(), sqlx::Error> {
        match self.known_upto {
            Some(known_upto) if known_upto == last_event => self.alone = true,
            Some(known_upto) => {
                self.alone = false;
                let moved = moved_after(connection, known_upto, CATCH_UP_EVENTS_MAX + 1).await?;
                if moved.len() > CATCH_UP_EVENTS_MAX {
                    self.known.clear();
                }
                for (aggregate_type, aggregate_id, sequence) in moved {
                    self.known.update(&aggregate_type, &aggregate_id, sequence);
                }
            }
            None => {
                self.alone = true;
                self.known.clear();
            }
        }
        self.known_upto = Some(last_event);
        Ok(())
    }

    /// Looks up every stream that the appends name and that is not remembered.
    async fn look_up_unknown(
        &mut self,
        connection: &mut PgConnection,
        appends: &[Append],
    ) -> Result<(), sqlx::Error> {
        if self.known.is_full() {
            self.known.clear();
        }
        let unknown: HashSet<&StreamKey> = appends
            .iter()
            .flat_map(|append| {
                let expected = append.expected.iter().map(|(stream, _)| stream);
                expected.chain(append.events.iter().map(|event| &event.stream))
            })
            .filter(|stream| self.known.sequence(stream).is_none())
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<&StreamKey> = unknown.into_iter().collect();
        let found = sequences(connection, &unknown).await?;
        for stream in unknown {
            let sequence = found.get(stream).copied().unwrap_or(0);
            self.known.set(stream.clone(), sequence);
        }
        Ok(())
    }

    /// Gives places and sequences to every append that has no verdict yet, but to those that conflict.
    fn plan<'a>(
        &self,
        appends: &'a [Append],
        verdicts: &[Option<Verdict>],
        last_event: i64,
    ) -> Plan<'a> {
        let mut plan = Plan { after_event: last_event, ..Plan::default() };
        let mut claimed: HashSet<(&str, &str)> = HashSet::new();
        for (index, append) in appends.iter().enumerate() {
            if verdicts[index].is_some() {
                continue;
            }
            let stands = |plan: &Plan<'_>, stream: &StreamKey| {
                let moved = plan.moved.get(stream).copied();
                moved.or_else(|| self.known.sequence(stream)).unwrap_or(0)
            };
            let stale = append
                .expected
                .iter()
                .find(|(stream, sequence)| stands(&plan, stream) != *sequence);
            // The same idempotency key twice in one batch: the second looks like a conflict, comes
            // back, and then finds the first one's answer. Twice in one append, it never gets in.
            let mut claims = append.claims.iter();
            let mut twice = || claims.any(|claim| !claimed.insert((&*claim.scope, &*claim.key)));
            if stale.is_some() || twice() {
                let stream = stale.map_or_else(
                    || StreamKey::new("idempotency_key", ""),
                    |(stream, _)| stream.clone(),
                );
                plan.conflicts.push((index, stream));
                continue;
            }
            plan.accepted.push((index, append, plan.events_count + 1));
            for event in &append.events {
                let sequence = stands(&plan, &event.stream) + 1;
                plan.moved.insert(event.stream.clone(), sequence);
                plan.sequences.push(sequence);
                plan.events_count += 1;
            }
        }
        plan
    }
}
