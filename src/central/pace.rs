//! When a source is asked again. Pure: chance is an argument.
//!
//! A fleet asks as one would: each pause is drawn, so that a thousand that saw the same moment (a
//! start, an outage's end) are spread over the next interval.

use std::time::Duration;

use fastrand::Rng;

/// The longest pause after the first failure, and after many.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_mins(1);
/// A pause is at most this share shorter or longer than `refresh`.
const SPREAD: f64 = 0.2;
/// What a source that watches is spared when it had nothing to tell and yet did not wait: others
/// write beside our document, or there is a proxy between.
const EARLY: Duration = Duration::from_millis(500);

/// Two changes that a source tells of lie this far apart.
const CHANGES: Duration = Duration::from_millis(250);

/// The pauses between questions to one source.
#[derive(Debug)]
pub(super) struct Pace {
    refresh: Duration,
    failures: u32,
}

impl Pace {
    pub(super) fn new(refresh: Duration) -> Self {
        Self {
            refresh,
            failures: 0,
        }
    }

    /// It has answered, and is asked at intervals.
    pub(super) fn answered(&mut self, rng: &mut Rng) -> Duration {
        self.failures = 0;
        self.interval(rng)
    }

    /// It watches, and has answered after `took`: whether with something `new`. A change that follows
    /// at once on another waits for a moment: a document that is another each time it is asked for
    /// would keep us from everything else.
    pub(super) fn watched(&mut self, new: bool, took: Duration, rng: &mut Rng) -> Duration {
        self.failures = 0;
        if took >= EARLY {
            Duration::ZERO
        } else if new {
            CHANGES.saturating_sub(took)
        } else {
            EARLY.mul_f64(0.5 + rng.f64())
        }
    }

    /// It has answered, and has no document that can be had: soon at first, which may be between two
    /// halves of a change, and then at intervals.
    pub(super) fn without(&mut self, rng: &mut Rng) -> Duration {
        let doubled = self.doubled();
        if doubled >= self.refresh {
            return self.interval(rng);
        }
        self.failures += 1;
        doubled.mul_f64(rng.f64())
    }

    /// It could not be asked, and perhaps said for how long: full jitter below a limit that doubles,
    /// and never before the time it named.
    pub(super) fn failed(&mut self, named: Option<Duration>, rng: &mut Rng) -> Duration {
        let doubled = self.doubled();
        self.failures = self.failures.saturating_add(1);
        let jitter = doubled.min(LONGEST).mul_f64(rng.f64());
        // A thousand are told the same time.
        named.unwrap_or_default().saturating_add(jitter)
    }

    fn interval(&self, rng: &mut Rng) -> Duration {
        self.refresh.mul_f64(1.0 + SPREAD * (2.0 * rng.f64() - 1.0))
    }

    fn doubled(&self) -> Duration {
        FIRST.saturating_mul(1 << self.failures.min(16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFRESH: Duration = Duration::from_secs(15);

    fn pauses(count: usize, mut draw: impl FnMut(&mut Rng) -> Duration) -> (Duration, Duration) {
        let mut rng = Rng::with_seed(5);
        let mut least = Duration::MAX;
        let mut most = Duration::ZERO;
        for _ in 0..count {
            let pause = draw(&mut rng);
            least = least.min(pause);
            most = most.max(pause);
        }
        (least, most)
    }

    #[test]
    fn an_interval_is_a_fifth_shorter_or_longer_and_no_more() {
        let mut pace = Pace::new(REFRESH);
        let (least, most) = pauses(10_000, |rng| pace.answered(rng));
        assert!(least >= REFRESH.mul_f64(0.8) && least < REFRESH.mul_f64(0.81));
        assert!(most <= REFRESH.mul_f64(1.2) && most > REFRESH.mul_f64(1.19));
    }

    #[test]
    fn failures_are_further_and_further_apart_up_to_a_minute() {
        for (failures, limit) in [
            (0, FIRST),
            (1, FIRST * 2),
            (3, FIRST * 8),
            (7, LONGEST),
            (100, LONGEST),
            (u32::MAX, LONGEST),
        ] {
            let mut pace = Pace::new(REFRESH);
            let (least, most) = pauses(10_000, |rng| {
                pace.failures = failures;
                pace.failed(None, rng)
            });
            assert!(most <= limit && most > limit.mul_f64(0.98), "{failures}");
            assert!(least < limit.mul_f64(0.02), "{failures}");
        }
        let mut pace = Pace::new(REFRESH);
        let mut rng = Rng::with_seed(1);
        for _ in 0..10 {
            pace.failed(None, &mut rng);
        }
        assert!(pace.answered(&mut rng) >= REFRESH.mul_f64(0.8));
        assert!(pace.failed(None, &mut rng) <= FIRST, "an answer ends it");
    }

    #[test]
    fn a_store_that_answers_is_asked_within_an_interval_whatever_it_has() {
        let mut pace = Pace::new(REFRESH);
        let mut rng = Rng::with_seed(5);
        assert!(pace.without(&mut rng) <= FIRST);
        for _ in 0..10 {
            pace.without(&mut rng);
        }
        let (least, most) = pauses(10_000, |rng| pace.without(rng));
        assert!(least >= REFRESH.mul_f64(0.8) && most <= REFRESH.mul_f64(1.2));
        // What is asked more often than that is asked so from the first.
        let mut pace = Pace::new(FIRST / 2);
        let (_, most) = pauses(1000, |rng| pace.without(rng));
        assert!(most <= FIRST.mul_f64(0.6));
    }

    #[test]
    fn a_time_that_it_names_is_waited_for_and_not_by_all_to_the_same_moment() {
        let named = Duration::from_mins(2);
        let (least, most) = pauses(1000, |rng| Pace::new(REFRESH).failed(Some(named), rng));
        assert!(least >= named);
        assert!(most > named + FIRST / 2 && most <= named + FIRST);
    }

    #[test]
    fn a_source_that_watches_is_asked_at_once_unless_it_does_not_wait() {
        let mut rng = Rng::with_seed(1);
        let mut pace = Pace::new(REFRESH);
        let zero = Duration::ZERO;
        assert_eq!(pace.watched(true, zero, &mut rng), CHANGES);
        assert_eq!(pace.watched(true, EARLY, &mut rng), zero);
        assert_eq!(pace.watched(false, Duration::from_secs(30), &mut rng), zero);
        let (least, most) = pauses(1000, |rng| pace.watched(false, zero, rng));
        assert!(least >= EARLY / 2 && most <= EARLY * 3 / 2);
    }
}
