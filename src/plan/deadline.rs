//! How long one request may take, and how long the caller will wait at all.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use crate::health::Hurry;
use crate::snapshot::{Percent, Timeouts};

/// What is left to the caller's own clock when we answer 504.
const AHEAD: Duration = Duration::from_millis(250);
/// Nobody waits longer.
const LONGEST: Duration = Duration::from_hours(24);

/// The limits of one request, from its arrival.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// A plain answer's end; a stream's commit point.
    pub at: Instant,
    /// From the first attempt to `at`.
    whole: Duration,
    /// One attempt's own limit: until its first meaningful event, or its whole answer.
    attempt: Duration,
    /// Between two events of a stream.
    pub idle: Duration,
    reserve: Percent,
    /// How much longer than `at` the last attempt may take.
    beyond: Duration,
    /// Where it is the caller who gives an attempt less than the route would.
    pub hurry: Hurry,
}

impl Deadline {
    /// `patience` is how long the caller said it waits, if it did.
    pub fn new(
        arrived: Instant,
        timeouts: &Timeouts,
        reserve: Percent,
        streamed: bool,
        patience: Option<Duration>,
    ) -> Self {
        let within = |span: Duration| patience.map_or(span, |patience| span.min(patience));
        let whole = within(timeouts.whole);
        let attempt = if streamed {
            timeouts.first_token
        } else {
            timeouts.answer
        };
        let share = |whole: Duration| attempt.min(whole.saturating_sub(reserve.of(whole)));
        Self {
            at: arrived + whole,
            whole,
            attempt,
            idle: within(timeouts.idle),
            reserve,
            beyond: Duration::ZERO,
            hurry: Hurry {
                begin: share(whole) < share(timeouts.whole),
                go_on: within(timeouts.idle) < timeouts.idle,
            },
        }
    }

    /// The same limits, from `now` on: for what follows on an answer that has begun.
    #[must_use]
    pub fn again(&self, now: Instant) -> Self {
        Self {
            at: now + self.whole,
            ..*self
        }
    }

    /// The last attempt may go on when the caller's patience has ended, for so long at most and no
    /// longer than the route allows: a retry will take its answer.
    #[must_use]
    pub fn outlasting(mut self, timeouts: &Timeouts, most: Duration) -> Self {
        self.beyond = timeouts.whole.saturating_sub(self.whole).min(most);
        self
    }

    /// When an attempt that starts at `start` is over. With a `backup`, it leaves that its share.
    pub fn attempt_end(&self, start: Instant, backup: bool) -> Instant {
        let left = self.at.saturating_duration_since(start);
        let share = if backup {
            left.saturating_sub(self.reserve.of(left))
        } else {
            left + self.beyond
        };
        start + self.attempt.min(share)
    }

    /// Whether two attempts at one target fit in, with the backup's share untouched.
    pub(super) fn fits_two(&self, backup: bool) -> bool {
        let reserve = if backup {
            self.reserve.of(self.whole)
        } else {
            Duration::ZERO
        };
        self.attempt * 2 <= self.whole.saturating_sub(reserve)
    }
}

/// How long the caller waits, as the official SDKs announce it: between two reads, and in all. What is
/// longer than anybody waits says nothing.
pub fn announced(headers: &HeaderMap) -> [Option<Duration>; 2] {
    ["x-stainless-read-timeout", "x-stainless-timeout"].map(|name| {
        let seconds: f64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
        let span = Duration::try_from_secs_f64(seconds).ok()?;
        (!span.is_zero() && span <= LONGEST).then_some(span)
    })
}

/// How long the caller waits, as it announced it, less the time to tell it.
pub fn patience(headers: &HeaderMap) -> Option<Duration> {
    let announced = announced(headers).into_iter().flatten().min()?;
    Some(announced.saturating_sub(AHEAD).max(announced / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        whole: Duration::from_secs(30),
        first_token: Duration::from_millis(2500),
        answer: Duration::from_secs(18),
        idle: Duration::from_secs(15),
        stream: Duration::from_mins(10),
    };

    fn deadline(streamed: bool, patience: Option<u64>) -> (Instant, Deadline) {
        let now = Instant::now();
        let reserve = Percent::try_new(40).unwrap();
        (
            now,
            Deadline::new(
                now,
                &TIMEOUTS,
                reserve,
                streamed,
                patience.map(Duration::from_secs),
            ),
        )
    }

    #[test]
    fn a_caller_is_in_a_hurry_when_it_costs_an_attempt_its_time() {
        for (streamed, patience, hurried) in [
            (true, None, false),
            (true, Some(60), false),
            // 60 % of it is more than the 2.5 s of the route.
            (true, Some(10), false),
            (true, Some(4), true),
            (false, Some(31), false),
            (false, Some(29), true),
        ] {
            let (_, deadline) = deadline(streamed, patience);
            assert_eq!(deadline.hurry.begin, hurried, "{streamed} {patience:?}");
            let impatient = patience.is_some_and(|patience| patience < 15);
            assert_eq!(deadline.hurry.go_on, impatient);
        }
    }

    #[test]
    fn an_attempt_leaves_the_backup_its_share() {
        let (now, plain) = deadline(false, None);
        let secs = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(plain.attempt_end(now, true), secs(18), "60 % of 30 s");
        assert_eq!(
            plain.attempt_end(secs(10), true),
            secs(22),
            "60 % of the 20 s that are left"
        );
        assert_eq!(
            plain.attempt_end(secs(20), false),
            secs(30),
            "never past the deadline"
        );
        let (now, streamed) = deadline(true, None);
        assert_eq!(
            streamed.attempt_end(now, true),
            now + Duration::from_millis(2500)
        );
    }

    #[test]
    fn the_callers_patience_shortens_it() {
        let (now, plain) = deadline(false, Some(5));
        assert_eq!(plain.at, now + Duration::from_secs(5));
        assert_eq!(plain.attempt_end(now, true), now + Duration::from_secs(3));
        assert_eq!(plain.idle, Duration::from_secs(5));
    }

    #[test]
    fn the_last_attempt_may_outlast_the_callers_patience() {
        let most = Duration::from_secs(9);
        let (now, deadline) = deadline(false, Some(5));
        let lasting = deadline.outlasting(&TIMEOUTS, most);
        let secs = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(lasting.at, secs(5), "nothing is begun later");
        assert_eq!(lasting.attempt_end(now, true), secs(3), "a backup follows");
        assert_eq!(lasting.attempt_end(secs(3), false), secs(14));
        let most = Duration::from_mins(1);
        let lasting = deadline.outlasting(&TIMEOUTS, most);
        assert_eq!(
            lasting.attempt_end(now, false),
            secs(18),
            "an answer's limit"
        );
        assert_eq!(lasting.attempt_end(secs(13), false), secs(13 + 18));
    }

    #[test]
    fn a_second_try_after_a_timeout_must_fit() {
        assert!(deadline(true, None).1.fits_two(true), "2 × 2.5 s in 18 s");
        assert!(!deadline(false, None).1.fits_two(true), "2 × 18 s in 18 s");
        assert!(!deadline(false, None).1.fits_two(false), "2 × 18 s in 30 s");
    }

    #[test]
    fn patience_is_read_as_the_sdks_announce_it() {
        for (name, value, expected) in [
            ("x-stainless-read-timeout", "600", Some(599_750)),
            ("x-stainless-timeout", "2.5", Some(2_250)),
            ("x-stainless-timeout", "0.2", Some(100)),
            ("x-stainless-timeout", "0", None),
            ("x-stainless-timeout", "-1", None),
            ("x-stainless-timeout", "soon", None),
            ("x-stainless-timeout", "86400", Some(86_399_750)),
            ("x-stainless-timeout", "86401", None),
            ("x-stainless-timeout", "1e19", None),
            ("x-stainless-read-timeout", "inf", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(
                patience(&headers),
                expected.map(Duration::from_millis),
                "{name}: {value}"
            );
        }
        let mut both = HeaderMap::new();
        both.insert("x-stainless-read-timeout", "9".parse().unwrap());
        both.insert("x-stainless-timeout", "1".parse().unwrap());
        assert_eq!(
            patience(&both),
            Some(Duration::from_millis(750)),
            "the shorter"
        );
    }
}
