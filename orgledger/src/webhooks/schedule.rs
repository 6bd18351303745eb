//! When what a webhook has not taken is tried again.

use std::str::FromStr;
use std::time::Duration;

/// The most tries after the first.
const RETRIES_MAX: usize = 50;

/// The longest time between two tries, in seconds: 7 days.
const SECONDS_MAX: u64 = 7 * 86_400;

/// The longest pause that an endpoint can ask for.
const ASKED_FOR_MAX: Duration = Duration::from_secs(86_400);

/// How long to wait after each try, in turn. After the last one nothing more is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule(Vec<Duration>);

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("a list of seconds with commas between, each at most {SECONDS_MAX}: 5,300,1800")
        };
        let seconds = text.split(',').map(|one| one.trim().parse::<u64>());
        let seconds = seconds.collect::<Result<Vec<_>, _>>().map_err(|_| wrong())?;
        if seconds.len() > RETRIES_MAX || seconds.iter().any(|one| *one > SECONDS_MAX) {
            return Err(wrong());
        }
        Ok(Self(seconds.into_iter().map(Duration::from_secs).collect()))
    }
}

impl Schedule {
    /// How long to wait after so many tries in vain; none where they were enough. `chance` spreads those
    /// who failed at once over a fifth more or less; who asks for a longer pause has it, up to a day.
    pub(super) fn pause(
        &self,
        tries: usize,
        chance: u8,
        asked_for: Option<Duration>,
    ) -> Option<Duration> {
        let pause = self.0.get(tries.checked_sub(1)?)?;
        let pause = *pause * (80 + u32::from(chance) % 41) / 100;
        Some(asked_for.map_or(pause, |asked_for| pause.max(asked_for.min(ASKED_FOR_MAX))))
    }

    /// Whether so many tries in vain were enough.
    pub(super) fn is_over(&self, tries: usize) -> bool {
        tries > self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_follow_each_other_as_listed_and_end() {
        let schedule: Schedule = "5, 300".parse().unwrap();
        let seconds =
            |tries, chance| schedule.pause(tries, chance, None).map(|pause| pause.as_millis());
        assert_eq!(seconds(1, 20), Some(5_000));
        assert_eq!((seconds(1, 0), seconds(1, 40)), (Some(4_000), Some(6_000)));
        assert_eq!(seconds(2, 20), Some(300_000));
        assert_eq!((seconds(3, 20), seconds(0, 20)), (None, None));
        assert!(!schedule.is_over(2) && schedule.is_over(3));
        let asked = |seconds| schedule.pause(1, 20, Some(Duration::from_secs(seconds)));
        let pauses = [1, 60, 1_000_000].map(asked).map(|pause| pause.map(|it| it.as_secs()));
        assert_eq!(pauses, [Some(5), Some(60), Some(86_400)]);
        assert_eq!(schedule.pause(3, 20, Some(Duration::from_secs(60))), None);
        for wrong in ["", "x", "5,,6", "-1", "1.5", "604801"] {
            assert!(wrong.parse::<Schedule>().is_err(), "{wrong}");
        }
    }
}
