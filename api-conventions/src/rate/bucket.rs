//! A token bucket in one number: the time at which it will be full again.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many requests are taken: `burst` at once, and `per_second` in the long run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatePolicy {
    /// How many tokens come back in a second.
    pub per_second: NonZeroU32,
    /// How many tokens there are at most.
    pub burst: NonZeroU32,
}

impl RatePolicy {
    /// The time in which one token comes back, in nanoseconds: at least one.
    fn token_ns(self) -> u64 {
        (1_000_000_000 / u64::from(self.per_second.get())).max(1)
    }

    fn full_ns(self) -> u64 {
        self.token_ns() * u64::from(self.burst.get())
    }

    /// In how many seconds an empty bucket is full.
    pub(super) fn window_seconds(self) -> u64 {
        u64::from(self.burst.get()).div_ceil(u64::from(self.per_second.get()))
    }

    /// The same, with a tenth of the tokens; at least one.
    pub(super) fn tenth(self) -> Self {
        let tenth = |tokens: NonZeroU32| {
            NonZeroU32::new(tokens.get().div_ceil(10)).unwrap_or(NonZeroU32::MIN)
        };
        Self { per_second: tenth(self.per_second), burst: tenth(self.burst) }
    }
}

/// A bucket; a new one is full.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// When it will be full, in nanoseconds of the limiter's clock.
    full_at: AtomicU64,
}

/// What is in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tokens {
    /// How many whole ones are left.
    pub(super) left: u64,
    /// In how many seconds it is full.
    pub(super) full_in_seconds: u64,
}

/// The bucket is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Empty {
    /// In how many seconds there is a token: at least one.
    pub(super) token_in_seconds: u32,
    pub(super) tokens: Tokens,
}

impl Bucket {
    /// Takes a token.
    pub(super) fn take(&self, policy: RatePolicy, now: Duration) -> Result<Tokens, Empty> {
        let now = nanoseconds(now);
        let taken = |full_at: u64| full_at.max(now) + policy.token_ns();
        let room =
            |full_at: u64| (taken(full_at) <= now + policy.full_ns()).then(|| taken(full_at));
        match self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room) {
            Ok(before) => Ok(tokens(policy, taken(before), now)),
            Err(full_at) => Err(Empty {
                token_in_seconds: seconds(taken(full_at) - policy.full_ns() - now)
                    .try_into()
                    .unwrap_or(u32::MAX),
                tokens: tokens(policy, full_at, now),
            }),
        }
    }

    /// Puts a token back.
    pub(super) fn give_back(&self, policy: RatePolicy) {
        let less = |full_at: u64| Some(full_at.saturating_sub(policy.token_ns()));
        let _ = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

fn tokens(policy: RatePolicy, full_at: u64, now: u64) -> Tokens {
    let missing = full_at.saturating_sub(now);
    Tokens {
        left: policy.full_ns().saturating_sub(missing) / policy.token_ns(),
        full_in_seconds: seconds(missing),
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2)
}

/// Rounded up, so that who waits that long has waited long enough.
fn seconds(nanoseconds: u64) -> u64 {
    nanoseconds.div_ceil(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(per_second: u32, burst: u32) -> RatePolicy {
        let number = |n| NonZeroU32::new(n).expect("not zero");
        RatePolicy { per_second: number(per_second), burst: number(burst) }
    }

    #[test]
    fn a_burst_is_taken_and_then_as_many_as_come_back() {
        let (bucket, policy) = (Bucket::default(), policy(2, 4));
        let take = |ms: u64| {
            let taken = bucket.take(policy, Duration::from_millis(ms));
            taken.map(|tokens| tokens.left).map_err(|empty| empty.token_in_seconds)
        };
        let at_once: Vec<_> = (0..6).map(|_| take(10_000)).collect();
        assert_eq!(at_once, [Ok(3), Ok(2), Ok(1), Ok(0), Err(1), Err(1)]);
        assert_eq!([take(10_400), take(10_500), take(10_500)], [Err(1), Ok(0), Err(1)]);
        // It never holds more than the burst, however long it is left alone.
        let later: Vec<_> = (0..5).map(|_| take(99_000)).collect();
        assert_eq!(later, [Ok(3), Ok(2), Ok(1), Ok(0), Err(1)]);
    }

    #[test]
    fn what_is_left_and_when_it_is_full_are_told() {
        let (bucket, policy) = (Bucket::default(), policy(1, 3));
        let take = || bucket.take(policy, Duration::from_secs(5));
        assert_eq!(take(), Ok(Tokens { left: 2, full_in_seconds: 1 }));
        assert_eq!(take(), Ok(Tokens { left: 1, full_in_seconds: 2 }));
        bucket.give_back(policy);
        assert_eq!(take(), Ok(Tokens { left: 1, full_in_seconds: 2 }));
        assert_eq!(take(), Ok(Tokens { left: 0, full_in_seconds: 3 }));
        let tokens = Tokens { left: 0, full_in_seconds: 3 };
        assert_eq!(take(), Err(Empty { token_in_seconds: 1, tokens }));
        assert_eq!(policy.window_seconds(), 3);
    }

    #[test]
    fn a_tenth_is_never_nothing() {
        assert_eq!(policy(500, 1_000).tenth(), policy(50, 100));
        assert_eq!(policy(1, 3).tenth(), policy(1, 1));
    }
}
