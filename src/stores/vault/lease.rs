//! How long a token is good for, and what is to be done about it. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// A token's life, as the store granted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    since: Instant,
    /// `None` of a token that does not end.
    ttl: Option<Duration>,
    /// That of the first grant. A renewal gives less once the longest life is near.
    first: Option<Duration>,
    renewable: bool,
    /// When a renewal that came to nothing is tried again.
    put_off: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Never,
    Renew(Instant),
    LogIn(Instant),
}

/// Between two tries to renew, at least.
const AGAIN: Duration = Duration::from_secs(1);

impl Lease {
    /// `ttl` in seconds; 0 is without end.
    pub(super) fn new(ttl: u64, renewable: bool, now: Instant) -> Self {
        let ttl = (ttl > 0).then(|| Duration::from_secs(ttl));
        Self {
            since: now,
            ttl,
            first: ttl,
            renewable,
            put_off: None,
        }
    }

    /// The same token, granted anew.
    pub(super) fn renewed(self, ttl: u64, renewable: bool, now: Instant) -> Self {
        Self {
            first: self.first,
            ..Self::new(ttl, renewable, now)
        }
    }

    /// What was due came to nothing for now: it is tried again in a third of what is left.
    pub(super) fn put_off(self, now: Instant) -> Self {
        let left = self.end().map(|end| end.saturating_duration_since(now));
        let pause = (left.unwrap_or_default() / 3).max(AGAIN);
        Self {
            put_off: Some(now + pause),
            ..self
        }
    }

    pub(super) fn end(&self) -> Option<Instant> {
        Some(self.since + self.ttl?)
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.end().is_some_and(|end| end <= now)
    }

    /// `chance`, from 0 to 1, keeps those apart that logged in together: about two thirds of the life.
    pub(super) fn due(&self, chance: f64) -> Due {
        let Some(ttl) = self.ttl else {
            return Due::Never;
        };
        let at = self.since + ttl.mul_f64(0.6 + 0.1 * chance);
        let at = self.put_off.unwrap_or(at);
        let is_near_its_longest = self.first.is_some_and(|first| ttl < first / 2);
        if !self.renewable || is_near_its_longest || self.end().is_some_and(|end| end <= at) {
            Due::LogIn(at)
        } else {
            Due::Renew(at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANCE: f64 = 0.5;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_renewed_at_about_two_thirds_of_its_life() {
        let now = Instant::now();
        let lease = Lease::new(3600, true, now);
        assert_eq!(lease.due(CHANCE), Due::Renew(after(now, 2340)));
        assert_eq!(lease.due(0.0), Due::Renew(after(now, 2160)));
        assert_eq!(lease.due(1.0), Due::Renew(after(now, 2520)));
        assert!(!lease.is_over(after(now, 3599)) && lease.is_over(after(now, 3600)));
        let later = after(now, 2340);
        let lease = lease.renewed(3600, true, later);
        assert_eq!(lease.due(CHANCE), Due::Renew(after(later, 2340)));
    }

    #[test]
    fn near_its_longest_life_a_token_is_left_for_another() {
        let now = Instant::now();
        // Six hours at most: the last grants are what is left of them.
        let lease = Lease::new(3600, true, now).renewed(1801, true, after(now, 18_000));
        assert!(matches!(lease.due(CHANCE), Due::Renew(_)));
        let lease = lease.renewed(1000, true, after(now, 20_600));
        assert_eq!(lease.due(CHANCE), Due::LogIn(after(now, 20_600 + 650)));
    }

    #[test]
    fn what_cannot_be_renewed_is_asked_for_anew_and_what_never_ends_is_left() {
        let now = Instant::now();
        let lease = Lease::new(100, false, now);
        assert_eq!(lease.due(CHANCE), Due::LogIn(after(now, 65)));
        let root = Lease::new(0, false, now);
        assert_eq!(root.due(CHANCE), Due::Never);
        assert!(!root.is_over(after(now, 1 << 30)));
    }

    #[test]
    fn a_renewal_that_comes_to_nothing_is_tried_again_up_to_the_end() {
        let start = Instant::now();
        let mut lease = Lease::new(300, true, start);
        let (mut now, mut tries) = (after(start, 195), 0);
        loop {
            lease = lease.put_off(now);
            match lease.due(CHANCE) {
                Due::Renew(at) => now = at,
                Due::LogIn(at) => {
                    assert!(lease.is_over(at) && at <= after(start, 301), "{tries}");
                    break;
                }
                Due::Never => panic!("it ends"),
            }
            tries += 1;
        }
        assert!((5..=20).contains(&tries), "{tries}");
    }
}
