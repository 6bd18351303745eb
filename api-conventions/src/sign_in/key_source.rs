//! An issuer's keys, kept while they are fresh and fetched again by whoever finds them wanting.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Mutex, watch};

use super::config::IssuerConfigError;
use super::error::SignInError;
use super::fetch::Source;
use super::key_set::{KeySet, Verdict};
use super::token::Token;
use crate::problem::with_sources;

/// How long fetched keys are used without asking for newer ones; so long can a key that the issuer has
/// withdrawn still be used.
pub const KEYS_FRESH_MAX: TimeDelta = TimeDelta::hours(1);
/// How long fetched keys are used while newer ones cannot be had.
pub const KEYS_USABLE_MAX: TimeDelta = TimeDelta::hours(24);
/// The least time between two fetches. Tokens can name keys that never were; they must not make us
/// hammer the issuer.
pub const REFRESH_INTERVAL_MIN: TimeDelta = TimeDelta::seconds(10);
/// The least time between two fetches because of the keys' age: while the issuer is down, callers wait
/// for it only so often.
pub const RETRY_INTERVAL_MIN: TimeDelta = TimeDelta::seconds(60);

/// The keys of one issuer.
pub(super) struct KeySource {
    shared: Arc<Shared>,
    /// Held by the one fetch that is under way.
    turn: Arc<Mutex<()>>,
}

struct Shared {
    issuer: Arc<str>,
    source: Source,
    known: watch::Sender<Known>,
}

/// What is known at one time.
#[derive(Clone, Default)]
struct Known {
    keys: Option<Keys>,
    /// How many fetches have ended: tells who waited that somebody else has fetched.
    fetches: u64,
    /// When the last fetch began.
    tried_at: Option<DateTime<Utc>>,
}

#[derive(Clone)]
struct Keys {
    set: Arc<KeySet>,
    fetched_at: DateTime<Utc>,
}

impl KeySource {
    pub(super) fn new(issuer: Arc<str>, jwks_uri: Option<&str>) -> Result<Self, IssuerConfigError> {
        let source = Source::new(&issuer, jwks_uri)?;
        let known = watch::Sender::new(Known::default());
        let shared = Arc::new(Shared { issuer, source, known });
        Ok(Self { shared, turn: Arc::default() })
    }

    /// Whether the issuer has signed the token.
    pub(super) async fn verify(
        &self,
        token: &Token<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), SignInError> {
        let known = self.current(now).await;
        let verdict = known.usable(now)?.judge(token);
        let verdict = match verdict {
            Verdict::KeyMissing(_) => {
                let known = self.fetched_after(known, REFRESH_INTERVAL_MIN, now).await;
                known.usable(now)?.judge(token)
            }
            Verdict::Signed | Verdict::Refused(_) => verdict,
        };
        match verdict {
            Verdict::Signed => Ok(()),
            Verdict::Refused(error) | Verdict::KeyMissing(error) => Err(error),
        }
    }

    /// What is known, after a fetch where that is too old.
    async fn current(&self, now: DateTime<Utc>) -> Known {
        let known = self.shared.known();
        if known.age(now).is_some_and(|age| age < KEYS_FRESH_MAX) {
            return known;
        }
        let interval = match known.usable(now) {
            Ok(_) => RETRY_INTERVAL_MIN,
            Err(_) => REFRESH_INTERVAL_MIN,
        };
        self.fetched_after(known, interval, now).await
    }

    /// What is known after a fetch that has ended since `seen` was read: one that somebody else began,
    /// or our own. No fetch where the last one was less than `interval` ago.
    async fn fetched_after(&self, seen: Known, interval: TimeDelta, now: DateTime<Utc>) -> Known {
        if seen.tried_within(interval, now) {
            return seen;
        }
        let turn = self.turn.clone().lock_owned().await;
        let known = self.shared.known();
        if known.fetches != seen.fetches || known.tried_within(interval, now) {
            return known;
        }
        let shared = self.shared.clone();
        // In a task of its own: a caller who goes away must not take along the fetch, which others
        // wait for and which counts as the one of this interval.
        let fetch = tokio::spawn(async move {
            shared.fetch(now).await;
            drop(turn);
        });
        if let Err(error) = fetch.await {
            tracing::error!(%error, "fetching an issuer's keys did not end");
        }
        self.shared.known()
    }
}

impl Shared {
    fn known(&self) -> Known {
        self.known.borrow().clone()
    }

    async fn fetch(&self, now: DateTime<Utc>) {
        let issuer = &*self.issuer;
        let fetched = self.source.key_set().await;
        let keys = match fetched {
            Ok(set) => {
                if set.len() == 0 {
                    tracing::warn!(issuer, "the issuer publishes no key that can be used");
                }
                Some(Keys { set: Arc::new(set), fetched_at: now })
            }
            Err(error) => {
                let error = with_sources(&error);
                tracing::warn!(issuer, error, "the issuer's keys could not be fetched");
                None
            }
        };
        self.known.send_modify(|known| {
            known.fetches += 1;
            known.tried_at = Some(now);
            // Keys that are there already stay, to their own end.
            if keys.is_some() {
                known.keys = keys;
            }
        });
    }
}

impl Known {
    /// How old the keys are. Callers read the clock before they wait, so a time may lie a little before
    /// that of a fetch; and a clock that was wrong may be set back, which must not keep keys for ever.
    fn age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.keys.as_ref().map(|keys| (now - keys.fetched_at).abs())
    }

    /// The keys, unless they are too old to rely on.
    fn usable(&self, now: DateTime<Utc>) -> Result<&KeySet, SignInError> {
        let keys =
            self.keys.as_ref().filter(|keys| (now - keys.fetched_at).abs() < KEYS_USABLE_MAX);
        keys.map(|keys| &*keys.set).ok_or(SignInError::IssuerUnreachable)
    }

    fn tried_within(&self, interval: TimeDelta, now: DateTime<Utc>) -> bool {
        self.tried_at.is_some_and(|tried_at| (now - tried_at).abs() < interval)
    }
}
