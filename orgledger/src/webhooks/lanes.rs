//! Who waits for whom: nobody who takes events at once waits long behind one who does not.

use std::time::Duration;

use tokio::sync::Semaphore;

/// How many are sent to at once who took the last event soon, or were never sent to. Those of them who turn
/// out to be slow are no longer counted, so that they hold up the others once, and for no longer than it
/// takes to find out: what is sent at once in all is bounded by how long an endpoint may take.
const SWIFT_MAX: usize = 96;

/// How many are sent to at once of the others.
const AILING_MAX: usize = 32;

/// Who takes longer than this is slow.
const SOON: Duration = Duration::from_secs(2);

/// Two queues: an endpoint that failed the last time, or was slow, waits among its like.
pub(super) struct Lanes {
    swift: Semaphore,
    ailing: Semaphore,
    soon: Duration,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { swift: Semaphore::new(SWIFT_MAX), ailing: Semaphore::new(AILING_MAX), soon: SOON }
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
    /// Does it when it is its turn.
    pub(super) async fn in_turn<T>(
        &self,
        health: Health,
        work: impl Future<Output = T>,
    ) -> anyhow::Result<T> {
        match health {
            Health::Ailing => {
                let _turn = self.ailing.acquire().await?;
                Ok(work.await)
            }
            Health::Swift => {
                let turn = self.swift.acquire().await?;
                let mut work = std::pin::pin!(work);
                match tokio::time::timeout(self.soon, &mut work).await {
                    Ok(done) => Ok(done),
                    Err(_) => {
                        drop(turn);
                        Ok(work.await)
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures::future::join_all;

    use super::*;

    /// Of who counts as slow at once.
    fn lanes() -> Lanes {
        Lanes { soon: Duration::from_millis(1), ..Lanes::default() }
    }

    #[tokio::test]
    async fn however_many_ail_who_is_well_has_a_turn() {
        let lanes = lanes();
        let hanging =
            |health, count| join_all((0..count).map(|_| lanes.in_turn(health, pending::<()>())));
        tokio::select! {
            biased;
            _ = hanging(Health::Ailing, AILING_MAX) => unreachable!("they hang"),
            // Nobody knew of these.
            _ = hanging(Health::Swift, 2 * SWIFT_MAX) => unreachable!("they hang"),
            well = lanes.in_turn(Health::Swift, ready(())) => well.unwrap(),
        }
        assert_eq!(Health::of(true, SOON), Health::Swift);
        assert_eq!(Health::of(true, SOON * 2), Health::Ailing);
        assert_eq!(Health::of(false, Duration::ZERO), Health::Ailing);
    }

    #[tokio::test]
    async fn who_ails_waits_among_their_like() {
        let lanes = lanes();
        let hanging = (0..AILING_MAX).map(|_| lanes.in_turn(Health::Ailing, pending::<()>()));
        let one_more = lanes.in_turn(Health::Ailing, ready(()));
        tokio::select! {
            biased;
            _ = join_all(hanging) => unreachable!("they hang"),
            waited = tokio::time::timeout(Duration::from_millis(10), one_more) => {
                assert!(waited.is_err());
            }
        }
    }
}
