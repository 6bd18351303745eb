//! Executing commands: load, decide, append, answer.
//!
//! The executor decides on cached states and lets the appender find out whether they were stale. A
//! conflict sends it back to decide again on the newer state, three tries in all. A refusal never
//! passes the appender, so before one is given the states are brought up to the log once.

mod command;
mod locks;
mod session;

use std::sync::Arc;

use event_log::{Aggregates, Append, AppendError, Claim, EventLog, Replay};
use sha2::{Digest, Sha256};

pub use command::{Answer, Command, CommandContext, Done, Secret};
pub use session::Session;

use crate::api_keys::secret::Pepper;
use crate::refusal::{ExecuteError, Refusal};
use locks::Locks;

/// How often a command is decided before the caller is told that others keep changing the same
/// things.
const TRIES_MAX: usize = 3;

/// Executes commands. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    aggregates: Aggregates,
    locks: Arc<Locks>,
    pepper: Pepper,
}

impl Executor {
    /// An executor on a log; secrets are hashed with the pepper.
    pub fn new(log: EventLog, pepper: Pepper) -> Self {
        Self { aggregates: Aggregates::new(log), locks: Arc::default(), pepper }
    }

    /// A session that only reads, bringing states up to the log where `up_to_date` says so.
    pub fn reading(&self, up_to_date: bool) -> Session<'_> {
        Session::new(&self.aggregates, &self.locks, &self.pepper, up_to_date, Vec::new())
    }

    /// The log's streams.
    pub fn aggregates(&self) -> &Aggregates {
        &self.aggregates
    }

    /// The log.
    pub fn log(&self) -> &EventLog {
        self.aggregates.log()
    }

    /// Executes one command and answers after its events have committed.
    pub async fn execute<C: Command>(
        &self,
        context: &CommandContext,
        command: &C,
    ) -> Result<Answer<C::Outcome>, ExecuteError> {
        let mut answers = self.execute_all(std::slice::from_ref(&(context, command))).await?;
        answers.pop().unwrap_or(Err(ExecuteError::Contended))
    }

    /// Executes commands in order, each on what those before it have left, in one append: all that
    /// are not refused commit together. One answer for each.
    pub async fn execute_all<C: Command>(
        &self,
        commands: &[(&CommandContext, &C)],
    ) -> Result<Vec<Result<Answer<C::Outcome>, ExecuteError>>, ExecuteError> {
        let mut touched = Vec::new();
        let mut up_to_date = false;
        let mut tries = 0;
        while tries < TRIES_MAX {
            // From the second try on, everything that the first one looked at is held, so that in
            // this process nobody can get in between again.
            let guards = self.locks.hold(&touched).await;
            let mut session = Session::new(&self.aggregates, &self.locks, &self.pepper, up_to_date, guards);
            let mut answers = Vec::with_capacity(commands.len());
            let mut refused = false;
            for (context, command) in commands {
                let answer = session.run(context, *command).await?;
                refused |= answer.is_err();
                answers.push(answer);
            }
            if refused && !up_to_date {
                // A command refused may be one that succeeded before: its first answer counts.
                if let Some(replayed) = self.replay_of_refused(commands, &answers).await? {
                    return Ok(vec![replayed]);
                }
                if session.has_read() {
                    touched = session.touched();
                    up_to_date = true;
                    continue;
                }
            }
            touched = session.touched();
            if commands.len() == 1 && refused {
                return Ok(to_answers(commands, answers, None));
            }
            let append = session.append(commands, &answers)?;
            match self.log().append(append).await {
                Ok(appended) => {
                    session.committed();
                    return Ok(to_answers(commands, answers, Some(appended.first_position)));
                }
                Err(AppendError::Conflict(stream)) => {
                    tracing::debug!(?stream, tries, "a decision was overtaken");
                    metrics::counter!("orgledger_command_conflicts_total").increment(1);
                    up_to_date = true;
                    tries += 1;
                }
                Err(AppendError::Replayed(replay)) if commands.len() == 1 => {
                    return Ok(vec![replayed(&commands[0], *replay)]);
                }
                // In a batch, somebody else executes the same commands right now.
                Err(AppendError::Replayed(_)) => return Err(ExecuteError::Contended),
                Err(AppendError::Overloaded) => return Err(ExecuteError::Overloaded),
                Err(
                    error @ (AppendError::Database(_)
                    | AppendError::Unknown(_)
                    | AppendError::Closed),
                ) => return Err(ExecuteError::Log(error)),
            }
        }
        Err(ExecuteError::Contended)
    }

    async fn replay_of_refused<C: Command>(
        &self,
        commands: &[(&CommandContext, &C)],
        answers: &[Result<session::Decided<C::Outcome>, Refusal>],
    ) -> Result<Option<Result<Answer<C::Outcome>, ExecuteError>>, ExecuteError> {
        let ([command], [Err(_)]) = (commands, answers) else { return Ok(None) };
        let Some(key) = &command.0.idempotency_key else { return Ok(None) };
        let replays =
            self.log().replays(&command.0.scope(), std::slice::from_ref(key)).await?;
        Ok(replays.into_iter().next().map(|replay| replayed(command, replay)))
    }
}

/// Hashes what is asked: the same idempotency key with another request is a mistake.
fn fingerprint<C: Command>(command: &C) -> Result<[u8; 32], serde_json::Error> {
    let mut hash = Sha256::new();
    hash.update(C::NAME);
    hash.update([0]);
    hash.update(serde_json::to_vec(command)?);
    Ok(hash.finalize().into())
}

fn replayed<C: Command>(
    (_, command): &(&CommandContext, &C),
    replay: Replay,
) -> Result<Answer<C::Outcome>, ExecuteError> {
    if replay.fingerprint != fingerprint(*command)? {
        return Err(ExecuteError::IdempotencyKeyReused);
    }
    Ok(Answer {
        outcome: serde_json::from_str(&replay.outcome)?,
        position: replay.position,
        sequence: None,
        replayed: true,
        secret: None,
    })
}

fn to_answers<C: Command>(
    _commands: &[(&CommandContext, &C)],
    answers: Vec<Result<session::Decided<C::Outcome>, Refusal>>,
    first_position: Option<i64>,
) -> Vec<Result<Answer<C::Outcome>, ExecuteError>> {
    let first_position = first_position.unwrap_or(1);
    answers
        .into_iter()
        .map(|answer| {
            let decided = answer.map_err(ExecuteError::Refused)?;
            let events_upto = i64::try_from(decided.events_upto).unwrap_or(i64::MAX);
            Ok(Answer {
                outcome: decided.outcome,
                position: first_position + events_upto - 1,
                sequence: decided.sequence,
                replayed: false,
                secret: decided.secret,
            })
        })
        .collect()
}

impl Session<'_> {
    /// Everything that the session's commands want written.
    fn append<C: Command>(
        &mut self,
        commands: &[(&CommandContext, &C)],
        answers: &[Result<session::Decided<C::Outcome>, Refusal>],
    ) -> Result<Append, ExecuteError> {
        let mut claims = Vec::new();
        for ((context, command), answer) in commands.iter().zip(answers) {
            let (Some(key), Ok(decided)) = (&context.idempotency_key, answer) else { continue };
            claims.push(Claim {
                scope: context.scope(),
                key: key.clone(),
                fingerprint: fingerprint(*command)?,
                outcome: serde_json::to_string(&decided.outcome)?,
                events_upto: decided.events_upto,
            });
        }
        Ok(Append { events: self.take_events(), expected: self.expected(), claims })
    }
}
