//! The commands that are executed together, and what each of them came to.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::command::{Answer, Command, CommandContext};
use super::session::{Decided, Session};
use crate::api_keys::secret::Pepper;
use crate::refusal::{ExecuteError, Refusal};
use event_log::{Append, Claim, EventLog, Replay};

/// Commands, and what is known of their idempotency keys.
pub(super) struct Batch<'a, C> {
    /// What fingerprints of requests are keyed with.
    pepper: &'a Pepper,
    commands: &'a [(&'a CommandContext, &'a C)],
    /// For each command the answer that it does not need to be decided for.
    settled: Vec<Option<Settled>>,
}

enum Settled {
    /// The key was answered before.
    Replay(Replay),
    /// A command before it in the batch has the same key.
    KeyTwice,
}

/// The answer to a command of a batch.
pub(super) type Answered<C> = Result<Answer<<C as Command>::Outcome>, ExecuteError>;

/// What each command came to; none where it was settled.
pub(super) struct Decisions<O>(Vec<Option<Result<Decided<O>, Refusal>>>);

impl<O> Decisions<O> {
    pub(super) fn has_refusal(&self) -> bool {
        !self.refused().is_empty()
    }

    pub(super) fn has_decided(&self) -> bool {
        !self.decided().is_empty()
    }

    /// The places of the commands that were refused.
    pub(super) fn refused(&self) -> Vec<usize> {
        self.places(|decision| matches!(decision, Some(Err(_))))
    }

    /// The places of the commands that may have been answered before, although they are refused now.
    /// Who presents a key that has ended learns nothing, not even what they were told.
    pub(super) fn refused_to_somebody(&self) -> Vec<usize> {
        self.places(|decision| {
            matches!(decision, Some(Err(refusal)) if !matches!(refusal, Refusal::CredentialEnded))
        })
    }

    /// The places of the commands that want to be recorded.
    pub(super) fn decided(&self) -> Vec<usize> {
        self.places(|decision| matches!(decision, Some(Ok(_))))
    }

    fn places(&self, is: impl Fn(&Option<Result<Decided<O>, Refusal>>) -> bool) -> Vec<usize> {
        (0..self.0.len()).filter(|place| is(&self.0[*place])).collect()
    }
}

impl<'a, C: Command> Batch<'a, C> {
    pub(super) fn new(commands: &'a [(&'a CommandContext, &'a C)], pepper: &'a Pepper) -> Self {
        let mut keys: HashSet<(Arc<str>, &str)> = HashSet::new();
        let settled = commands.iter().map(|(context, _)| {
            let key = context.idempotency_key.as_deref()?;
            (!keys.insert((context.scope(), key))).then_some(Settled::KeyTwice)
        });
        Self { pepper, commands, settled: settled.collect() }
    }

    /// Decides every command that is not settled, in order.
    pub(super) async fn decide<'s>(
        &self,
        session: &mut Session<'s>,
    ) -> Result<Decisions<C::Outcome>, ExecuteError>
    where
        'a: 's,
    {
        let mut decisions = Vec::with_capacity(self.commands.len());
        for ((context, command), settled) in self.commands.iter().zip(&self.settled) {
            decisions.push(match settled {
                Some(_) => None,
                None => Some(session.run(context, *command).await?),
            });
        }
        Ok(Decisions(decisions))
    }

    /// Settles those of these commands whose keys were answered before; answers how many.
    pub(super) async fn find_replays(
        &mut self,
        log: &EventLog,
        places: Vec<usize>,
    ) -> Result<usize, ExecuteError> {
        let mut asked: BTreeMap<Arc<str>, BTreeMap<&str, usize>> = BTreeMap::new();
        for place in places {
            let context = self.commands[place].0;
            if let Some(key) = &context.idempotency_key {
                asked.entry(context.scope()).or_default().insert(key, place);
            }
        }
        let mut found = 0;
        for (scope, places) in asked {
            let keys: Vec<String> = places.keys().map(|key| (*key).to_owned()).collect();
            for replay in log.replays(&scope, &keys).await? {
                if let Some(place) = places.get(replay.key.as_str()) {
                    self.settled[*place] = Some(Settled::Replay(replay));
                    found += 1;
                }
            }
        }
        Ok(found)
    }

    /// Everything that the session's commands want written.
    pub(super) fn append(
        &self,
        session: &mut Session<'_>,
        decisions: &Decisions<C::Outcome>,
    ) -> Result<Append, ExecuteError> {
        let mut claims = Vec::new();
        for ((context, command), decision) in self.commands.iter().zip(&decisions.0) {
            let (Some(key), Some(Ok(decided))) = (&context.idempotency_key, decision) else {
                continue;
            };
            claims.push(Claim {
                scope: context.scope(),
                key: key.clone(),
                fingerprint: fingerprint(self.pepper, *command)?,
                outcome: serde_json::to_string(&decided.outcome)?,
                events_upto: decided.events_upto,
            });
        }
        let (events, corrections) = session.take_events();
        Ok(Append { events, expected: session.expected(), claims, corrections })
    }

    /// One answer for each command, where the first event of all was written at that position.
    pub(super) fn answers(
        self,
        decisions: Decisions<C::Outcome>,
        first_position: Option<i64>,
    ) -> Vec<Answered<C>> {
        let first_position = first_position.unwrap_or(1);
        let places = self.commands.iter().zip(self.settled).zip(decisions.0);
        let answers = places.map(|(((_, command), settled), decision)| match (settled, decision) {
            (Some(Settled::Replay(replay)), _) => replayed(self.pepper, *command, &replay),
            (Some(Settled::KeyTwice), _) => Err(ExecuteError::IdempotencyKeyReused),
            (None, Some(Ok(decided))) => Ok(answer(decided, first_position)),
            (None, Some(Err(refusal))) => Err(ExecuteError::Refused(refusal)),
            // Every command is settled or decided.
            (None, None) => Err(ExecuteError::Contended),
        });
        answers.collect()
    }
}

fn answer<O>(decided: Decided<O>, first_position: i64) -> Answer<O> {
    let events_upto = i64::try_from(decided.events_upto).unwrap_or(i64::MAX);
    Answer {
        outcome: decided.outcome,
        position: first_position + events_upto - 1,
        sequence: decided.sequence,
        replayed: false,
        secrets: decided.secrets,
    }
}

fn replayed<C: Command>(pepper: &Pepper, command: &C, replay: &Replay) -> Answered<C> {
    if replay.fingerprint != fingerprint(pepper, command)? {
        return Err(ExecuteError::IdempotencyKeyReused);
    }
    Ok(Answer {
        outcome: serde_json::from_str(&replay.outcome)?,
        position: replay.position,
        sequence: None,
        replayed: true,
        secrets: Vec::new(),
    })
}

/// Hashes what is asked: the same idempotency key with another request is a mistake. An address may
/// stand in what is asked, and whoever has the log alone must not be able to try addresses.
fn fingerprint<C: Command>(pepper: &Pepper, command: &C) -> Result<[u8; 32], serde_json::Error> {
    let asked = serde_json::to_vec(command)?;
    Ok(pepper.mac(&[C::NAME.as_bytes(), &[0], &asked]))
}
