//! When Redis is asked at all: not while it does not answer in time.
//!
//! Pure: the instants are arguments.

use std::time::Duration;

use tokio::time::Instant;

/// So many in a row that were slow or failed, and nobody asks any more, ...
const FAILURES: u32 = 5;
/// ... but for one look, after so long.
const PAUSE: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
pub(super) struct Gate {
    /// In a row.
    failures: u32,
    /// While it is shut: when the next look is due.
    look: Option<Instant>,
}

impl Gate {
    /// Whether requests may ask. No request is the one that finds out if Redis is well again.
    pub(super) fn is_open(&self) -> bool {
        self.look.is_none()
    }

    /// Whether it is shut, and somebody should look now. If so, that is the one who asks.
    pub(super) fn is_look_due(&mut self, now: Instant) -> bool {
        let due = self.look.is_some_and(|look| now >= look);
        if due {
            self.look = Some(now + PAUSE);
        }
        due
    }

    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.shut(now);
        }
    }

    /// There is no hope, however few have failed.
    pub(super) fn shut(&mut self, now: Instant) {
        self.look.get_or_insert(now + PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_in_a_row_shut_it_and_one_look_opens_it() {
        let now = Instant::now();
        let mut gate = Gate::default();
        for _ in 0..4 {
            gate.failed(now);
        }
        gate.answered();
        for _ in 0..4 {
            gate.failed(now);
            assert!(gate.is_open(), "not in a row");
        }
        gate.failed(now);
        assert!(!gate.is_open());
        assert!(!gate.is_look_due(now + PAUSE / 2));
        let later = now + PAUSE;
        assert!(gate.is_look_due(later));
        assert!(!gate.is_look_due(later), "one looks");
        gate.failed(later);
        assert!(!gate.is_open());
        assert!(gate.is_look_due(later + PAUSE));
        gate.answered();
        assert!(gate.is_open() && !gate.is_look_due(later + 2 * PAUSE));
    }
}
