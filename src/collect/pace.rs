//! When a collector is tried again that did not take what it was sent. Pure.

use std::time::Duration;

use fastrand::Rng;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_mins(1);
/// Whatever it says, it is asked again after so long: one wrong word must not end it.
const LONGEST_ASKED: Duration = Duration::from_mins(5);
/// The longest while the process waits to end.
const AT_THE_END: Duration = Duration::from_secs(1);

/// Full jitter below a limit that doubles.
#[derive(Debug)]
pub(super) struct Pace {
    limit: Duration,
    asked: bool,
    fails: bool,
    rng: Rng,
}

impl Pace {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            limit: FIRST,
            asked: false,
            fails: false,
            rng,
        }
    }

    /// It has failed, and asks for a wait or does not. Returns how long to wait, and whether it has not
    /// failed before.
    pub(super) fn fails(&mut self, asked: Option<Duration>) -> (Duration, bool) {
        let jitter = self.limit.mul_f64(0.1 + 0.9 * self.rng.f64());
        self.limit = (self.limit * 2).min(LONGEST);
        self.asked = asked.is_some();
        let wait = asked.map_or(jitter, |asked| {
            asked.min(LONGEST_ASKED).max(jitter.min(FIRST))
        });
        (wait, !std::mem::replace(&mut self.fails, true))
    }

    /// How much of a wait there is time for at the end of the process: all that was asked for, as less is
    /// in vain.
    pub(super) fn last_time(&self, wait: Duration) -> Duration {
        if self.asked {
            wait
        } else {
            wait.min(AT_THE_END)
        }
    }

    /// It has taken something. Returns whether it had failed before.
    pub(super) fn works(&mut self) -> bool {
        self.limit = FIRST;
        self.asked = false;
        std::mem::take(&mut self.fails)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_what_was_asked_for_is_kept_to() {
        let mut pace = Pace::new(Rng::with_seed(1));
        assert!(!pace.works());
        let mut limit = FIRST;
        for round in 0..12 {
            let (wait, is_first) = pace.fails(None);
            assert!(wait <= limit && wait >= limit / 10, "{round}: {wait:?}");
            assert_eq!(is_first, round == 0);
            limit = (limit * 2).min(LONGEST);
        }
        assert_eq!(pace.last_time(LONGEST), AT_THE_END);
        let asked = Duration::from_secs(7);
        assert_eq!(pace.fails(Some(asked)).0, asked);
        assert_eq!(pace.last_time(asked), asked);
        assert_eq!(pace.fails(Some(Duration::from_hours(9))).0, LONGEST_ASKED);
        assert!(pace.works());
        assert!(pace.fails(None).0 <= FIRST);
    }
}
