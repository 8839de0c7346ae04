//! The retry budget: how much of what a target receives may be second tries.
//!
//! A brown-out must not become a storm. Only tries of the same target count; a fallback is another
//! target's first try.

use tokio::time::Instant;

use super::window::Window;

/// Second tries may add one to so many first ones, ...
const ONE_IN: u64 = 5;
/// ... or be so many in ten seconds: an application with few requests may try again too.
const FLOOR: u64 = 10;

/// First tries of the last ten seconds, and what second ones have cost: the second that has begun
/// beside ten whole ones.
#[derive(Debug)]
pub(super) struct RetryBudget(Window<11>);

impl RetryBudget {
    pub(super) fn new(now: Instant) -> Self {
        Self(Window::new(now))
    }

    /// A request goes to the target, for the first time.
    pub(super) fn receive(&mut self, now: Instant) {
        self.0.add([1, 0], now);
    }

    /// Whether a second try that costs so much is within the budget. If so, it is spent.
    pub(super) fn spend(&mut self, cost: u64, now: Instant) -> bool {
        let [received, spent] = self.0.sums(now);
        let within = spent + cost <= (received / ONE_IN).max(FLOOR);
        if within {
            self.0.add([0, cost], now);
        }
        within
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn second_tries_are_a_fifth_of_the_first() {
        let start = Instant::now();
        let mut budget = RetryBudget::new(start);
        let (mut received, mut retried) = (0_u32, 0_u32);
        for tenth in 0..6000 {
            let now = start + Duration::from_millis(100) * tenth;
            for _ in 0..10 {
                budget.receive(now);
                received += 1;
                retried += u32::from(budget.spend(1, now));
            }
        }
        assert!(retried * 5 <= received, "{retried} of {received}");
        assert!(retried * 11 > received * 2, "{retried} of {received}");
    }

    #[test]
    fn few_requests_may_be_tried_again_too() {
        let start = Instant::now();
        let mut budget = RetryBudget::new(start);
        budget.receive(start);
        assert!((0..10).all(|_| budget.spend(1, start)));
        assert!(!budget.spend(1, start));
        let later = start + Duration::from_secs(11);
        assert!(
            (0..5).all(|_| budget.spend(2, later)),
            "a timeout costs two"
        );
        assert!(!budget.spend(1, later));
    }
}
