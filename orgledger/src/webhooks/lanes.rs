//! Who waits for whom: nobody who takes events at once waits behind one who does not.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many are sent to at once who took the last event soon.
const SWIFT_MAX: usize = 96;

/// How many are sent to at once of the others.
const AILING_MAX: usize = 32;

/// Who takes longer than this is slow.
const SOON: Duration = Duration::from_secs(2);

/// Two queues: an endpoint that failed the last time, or was slow, waits among its like.
pub(super) struct Lanes {
    swift: Semaphore,
    ailing: Semaphore,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { swift: Semaphore::new(SWIFT_MAX), ailing: Semaphore::new(AILING_MAX) }
    }
}

/// What an endpoint was like the last time that it was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It took it soon, or was never sent to.
    Swift,
    /// It did not, or took its time.
    Ailing,
}

impl Health {
    /// Of an endpoint that took so long to take it, or not to.
    pub(super) fn of(was_taken: bool, took: Duration) -> Self {
        if was_taken && took <= SOON { Self::Swift } else { Self::Ailing }
    }
}

impl Lanes {
    /// Waits for its turn. It is over when what this gives is dropped.
    pub(super) async fn turn(&self, health: Health) -> anyhow::Result<SemaphorePermit<'_>> {
        let lane = match health {
            Health::Swift => &self.swift,
            Health::Ailing => &self.ailing,
        };
        Ok(lane.acquire().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn however_many_ail_who_is_well_has_a_turn() {
        let lanes = Lanes::default();
        let mut ailing = Vec::new();
        for _ in 0..AILING_MAX {
            ailing.push(lanes.turn(Health::Ailing).await.unwrap());
        }
        let one_more = tokio::time::timeout(Duration::from_millis(1), lanes.turn(Health::Ailing));
        assert!(one_more.await.is_err());
        drop(lanes.turn(Health::Swift).await.unwrap());
        assert_eq!(Health::of(true, SOON), Health::Swift);
        assert_eq!(Health::of(true, SOON * 2), Health::Ailing);
        assert_eq!(Health::of(false, Duration::ZERO), Health::Ailing);
    }
}
