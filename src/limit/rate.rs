//! So many in a minute: a bucket that fills up steadily, kept as one instant.
//!
//! The generic cell rate algorithm: <https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm> (read
//! 2026-11). What is kept is when the bucket will be full again. It holds a minute's worth: providers
//! and their SDKs count by the minute, so an application that may send 600 a minute may send them at
//! once, and then ten a second. Pure: `now` is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// What an idle bucket holds is what comes in so long.
pub(crate) const DEPTH: Duration = Duration::from_mins(1);

/// How fast a bucket fills up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    per_minute: u64,
    /// So many have an equal share of it each.
    shared_by: u32,
}

impl Rate {
    pub(crate) fn new(per_minute: u64, shared_by: u32) -> Self {
        Self {
            per_minute: per_minute.max(1),
            shared_by: shared_by.max(1),
        }
    }

    /// The most that can be taken at once: a minute's worth, and at least one.
    pub(crate) fn most(self) -> u64 {
        (self.per_minute / u64::from(self.shared_by)).max(1)
    }

    /// How long so many take to come.
    pub(crate) fn span(self, count: u64) -> Duration {
        let minutes = u128::from(count) * u128::from(self.shared_by);
        let nanos = (minutes * DEPTH.as_nanos()).div_ceil(u128::from(self.per_minute));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How long what may be taken at once takes to come.
    pub(crate) fn depth(self) -> Duration {
        DEPTH.max(self.span(1))
    }

    /// How many come in `span`.
    pub(crate) fn count(self, span: Duration) -> u64 {
        let count = span.as_nanos() * u128::from(self.per_minute)
            / (DEPTH.as_nanos() * u128::from(self.shared_by));
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

/// One bucket.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cell {
    /// When it is full again, if it is not.
    full: Option<Instant>,
}

impl Cell {
    /// How much of it is taken, as the time that it takes to come back.
    pub(super) fn taken(self, now: Instant) -> Duration {
        let full = self.full;
        full.map_or(Duration::ZERO, |full| full.saturating_duration_since(now))
    }

    /// `None` when there is so much; else how long that takes to come. What is more than a full bucket
    /// waits for a full one, as it would never be there otherwise.
    pub(super) fn lacks(self, rate: Rate, count: u64, now: Instant) -> Option<Duration> {
        let wanted = self.taken(now) + rate.span(count).min(rate.depth());
        let wait = wanted.saturating_sub(rate.depth());
        (!wait.is_zero()).then_some(wait)
    }

    /// Takes so much, whether or not it is there.
    pub(super) fn take(&mut self, rate: Rate, count: u64, now: Instant) {
        self.full = now.checked_add(self.taken(now) + rate.span(count));
    }

    /// Gives so much back.
    pub(super) fn give_back(&mut self, rate: Rate, count: u64) {
        let full = self.full;
        self.full = full.and_then(|full| full.checked_sub(rate.span(count)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_minutes_worth_at_once_and_then_as_they_come() {
        let rate = Rate::new(60, 1);
        let mut now = Instant::now();
        let mut cell = Cell::default();
        for _ in 0..60 {
            assert_eq!(cell.lacks(rate, 1, now), None);
            cell.take(rate, 1, now);
        }
        assert_eq!(cell.lacks(rate, 1, now), Some(secs(1)));
        assert_eq!(cell.lacks(rate, 5, now), Some(secs(5)));
        now += secs(3);
        assert_eq!(cell.lacks(rate, 3, now), None);
        assert_eq!(cell.lacks(rate, 4, now), Some(secs(1)));
        assert_eq!(rate.count(rate.depth().saturating_sub(cell.taken(now))), 3);
        now += secs(600);
        assert_eq!(cell.taken(now), Duration::ZERO);
        assert_eq!(
            cell.lacks(rate, 61, now),
            None,
            "no request is too large for an idle bucket"
        );
        cell.take(rate, 90, now);
        assert_eq!(
            cell.lacks(rate, 1, now),
            Some(secs(31)),
            "and it is paid for afterwards"
        );
    }

    #[test]
    fn what_was_not_used_comes_back() {
        let rate = Rate::new(600, 1);
        let now = Instant::now();
        let mut cell = Cell::default();
        cell.take(rate, 600, now);
        cell.give_back(rate, 200);
        assert_eq!(cell.lacks(rate, 200, now), None);
        assert!(cell.lacks(rate, 201, now).is_some());
        cell.give_back(rate, 1000);
        assert_eq!(cell.taken(now), Duration::ZERO, "never more than full");
        assert!(cell.lacks(rate, 600, now).is_none());
    }

    #[test]
    fn shares_together_are_no_more_than_the_whole() {
        for (per_minute, shared_by) in [(100, 3), (60, 20), (5, 20), (1, 7)] {
            let rate = Rate::new(per_minute, shared_by);
            let mut now = Instant::now();
            let mut cell = Cell::default();
            let mut taken = 0;
            // The first minute is what an idle bucket holds.
            for second in 0..6000 {
                while cell.lacks(rate, 1, now).is_none() {
                    cell.take(rate, 1, now);
                    taken += u64::from(second >= 60);
                }
                now += secs(1);
            }
            let whole = per_minute * 99 / u64::from(shared_by);
            assert!(taken <= whole + 1, "{taken} of {whole}");
            assert!(taken + 1 >= whole, "{taken} of {whole}");
        }
    }
}
