//! How much an account and a target have in hand, and how much more they will take.
//!
//! What an account takes in a minute is declared by the operator; what a target takes is announced by
//! its provider with every answer. Both only predict: a target that is full by either comes behind
//! those that are not, and is tried all the same where there is no other.

use std::ops::{Div, Sub};

use tokio::time::Instant;

use super::window::Window;
use crate::outcome::{Limit, Limits};

/// What an account was declared to take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Requests in a minute.
    pub rpm: Option<u64>,
    /// Tokens in a minute, prompt and completion together.
    pub tpm: Option<u64>,
    /// Requests at once.
    pub concurrency: Option<u64>,
}

impl Capacity {
    fn is_declared(&self) -> bool {
        *self != Self::default()
    }
}

/// Whose requests come first where not all can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Priority {
    #[default]
    Interactive,
    /// Takes only what interactive requests leave.
    Batch,
}

/// One part in so many is what batch requests leave free of all that can be had, so that an interactive
/// one finds room the moment it comes, however long the batch requests take.
const LEFT_FREE: u8 = 5;

impl Priority {
    /// How much of `all` such requests may take.
    pub fn share<N: Copy + From<u8> + Sub<Output = N> + Div<Output = N>>(self, all: N) -> N {
        match self {
            Self::Interactive => all,
            Self::Batch => all - all / N::from(LEFT_FREE),
        }
    }
}

/// The tokens that a request was thought to take when it went out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reserved {
    pub(super) tokens: u64,
    pub(super) at: Instant,
}

/// An account's requests: those on their way, and those of the last minute with their tokens.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) in_flight: u64,
    minute: Option<Box<Window<60>>>,
}

impl Load {
    /// A request of about so many tokens goes out.
    pub(super) fn begin(&mut self, capacity: Capacity, tokens: u64, now: Instant) {
        self.in_flight += 1;
        if capacity.is_declared() {
            let minute = self
                .minute
                .get_or_insert_with(|| Box::new(Window::new(now)));
            minute.add([1, tokens], now);
        }
    }

    /// It is over, and took so many tokens. Where nobody knows, what was reserved stays for its minute.
    pub(super) fn end(&mut self, reserved: Reserved, used: Option<u64>, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let (Some(minute), Some(used)) = (&mut self.minute, used) {
            minute.add([0, used.saturating_sub(reserved.tokens)], now);
            let unused = reserved.tokens.saturating_sub(used);
            minute.take_back([0, unused], reserved.at, now);
        }
    }

    /// It came to nothing, nobody knows how.
    pub(super) fn give_up(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Whether one more request of about so many tokens would be too much. Where nothing else is on its
    /// way or was in the last minute, none is: waiting would not make it smaller.
    pub(super) fn is_full(
        &mut self,
        capacity: Capacity,
        tokens: u64,
        priority: Priority,
        now: Instant,
    ) -> bool {
        let exceeds = |used: u64, more: u64, declared: Option<u64>| {
            let room = declared.map(|most| priority.share(most));
            room.is_some_and(|room| used.saturating_add(more.min(room)) > room)
        };
        let minute = self.minute.as_mut().map(|minute| minute.sums(now));
        let [requests, used] = minute.unwrap_or_default();
        exceeds(self.in_flight, 1, capacity.concurrency)
            || exceeds(requests, 1, capacity.rpm)
            || exceeds(used, tokens, capacity.tpm)
    }
}

/// What a provider said is left, of requests and of tokens.
#[derive(Debug, Default)]
pub(super) struct Announced {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

/// A bucket that fills up steadily.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    /// What it holds when it is full, if that was said.
    most: Option<f64>,
    /// In a second.
    refill: f64,
    at: Instant,
    full: Instant,
}

impl Announced {
    /// Takes what the headers of an answer say.
    pub(super) fn hear(&mut self, limits: &Limits, now: Instant) {
        let bucket = |limit: Option<Limit>| limit.map(|limit| Bucket::of(limit, now));
        self.requests = bucket(limits.requests).or(self.requests);
        self.tokens = bucket(limits.tokens).or(self.tokens);
    }

    /// A request of about so many tokens goes out.
    pub(super) fn begin(&mut self, tokens: u64) {
        for (bucket, taken) in [(&mut self.requests, 1), (&mut self.tokens, tokens)] {
            if let Some(bucket) = bucket {
                bucket.left -= number(taken);
            }
        }
    }

    /// It took so many. What the provider has said since counts it already.
    pub(super) fn settle(&mut self, reserved: Reserved, used: u64) {
        if let Some(bucket) = self.tokens.as_mut().filter(|it| it.at <= reserved.at) {
            bucket.left += number(reserved.tokens) - number(used);
        }
    }

    pub(super) fn is_full(&self, tokens: u64, now: Instant) -> bool {
        [(self.requests, 1), (self.tokens, tokens.max(1))]
            .into_iter()
            .any(|(bucket, taken)| bucket.is_some_and(|bucket| bucket.lacks(taken, now)))
    }
}

impl Bucket {
    fn of(limit: Limit, now: Instant) -> Self {
        let missing = limit.limit.map(|all| all.saturating_sub(limit.remaining));
        let seconds = limit.reset.as_secs_f64();
        Self {
            left: number(limit.remaining),
            most: limit.limit.map(number),
            refill: missing.map_or(0.0, |missing| {
                if seconds > 0.0 {
                    number(missing) / seconds
                } else {
                    0.0
                }
            }),
            at: now,
            full: now + limit.reset,
        }
    }

    fn lacks(&self, taken: u64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        // A full bucket is all that can be waited for.
        let taken = number(taken).min(self.most.unwrap_or(f64::MAX));
        now < self.full && self.left + self.refill * passed < taken
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "requests and tokens of a minute are far below 2^52"
)]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_account_is_full_at_what_was_declared() {
        let start = Instant::now();
        let capacity = Capacity {
            rpm: Some(10),
            tpm: Some(1000),
            concurrency: Some(4),
        };
        let (interactive, batch) = (Priority::Interactive, Priority::Batch);
        let reserved = |tokens| Reserved { tokens, at: start };
        let mut load = Load::default();
        for priority in [interactive, batch] {
            let alone = load.is_full(capacity, 1_000_000, priority, start);
            assert!(!alone, "there is nothing to wait for");
        }
        for _ in 0..4 {
            load.begin(capacity, 50, start);
        }
        assert!(load.is_full(capacity, 1, interactive, start), "4 at once");
        for _ in 0..4 {
            load.end(reserved(50), Some(60), start);
        }
        assert!(load.is_full(capacity, 761, interactive, start), "240 used");
        assert!(!load.is_full(capacity, 760, interactive, start));
        assert!(
            load.is_full(capacity, 561, batch, start),
            "a fifth is left free"
        );
        assert!(!load.is_full(capacity, 560, batch, start));
        for _ in 0..4 {
            load.begin(capacity, 0, start);
            load.end(reserved(0), Some(0), start);
        }
        assert!(!load.is_full(capacity, 1, interactive, start), "8 of 10");
        assert!(load.is_full(capacity, 1, batch, start));
        assert!(!load.is_full(capacity, 1, batch, start + seconds(60)));
    }

    #[test]
    fn what_was_reserved_is_settled_both_ways() {
        let start = Instant::now();
        let capacity = Capacity {
            tpm: Some(1000),
            ..Capacity::default()
        };
        let left = |load: &mut Load, now| {
            let fits = |tokens: &u64| !load.is_full(capacity, *tokens, Priority::Interactive, now);
            (0..1000).rev().find(fits)
        };
        for (used, after, later) in [
            // Less than was thought, and that in its own second.
            (Some(100), 900, 999),
            (Some(0), 999, 999),
            (Some(500), 500, 999),
            // More, which counts from when it is known.
            (Some(700), 300, 800),
            // Nobody knows.
            (None, 500, 999),
        ] {
            let mut load = Load::default();
            load.begin(capacity, 500, start);
            assert_eq!(left(&mut load, start), Some(500));
            let reserved = Reserved {
                tokens: 500,
                at: start,
            };
            load.end(reserved, used, start + seconds(30));
            assert_eq!(
                left(&mut load, start + seconds(30)),
                Some(after),
                "{used:?}"
            );
            assert_eq!(
                left(&mut load, start + seconds(60)),
                Some(later),
                "{used:?}"
            );
            assert_eq!(left(&mut load, start + seconds(90)), Some(999), "{used:?}");
        }
    }

    #[test]
    fn what_nobody_declared_is_never_full() {
        let mut load = Load::default();
        for _ in 0..1000 {
            load.begin(Capacity::default(), 10_000, Instant::now());
        }
        assert!(!load.is_full(
            Capacity::default(),
            u64::MAX,
            Priority::Batch,
            Instant::now()
        ));
    }

    #[test]
    fn an_announced_bucket_empties_with_requests_and_fills_with_time() {
        let start = Instant::now();
        let mut announced = Announced::default();
        assert!(!announced.is_full(u64::MAX, start));
        let limits = Limits {
            requests: Some(Limit {
                limit: Some(100),
                remaining: 2,
                reset: seconds(98),
            }),
            tokens: Some(Limit {
                limit: None,
                remaining: 500,
                reset: seconds(30),
            }),
        };
        announced.hear(&limits, start);
        assert!(announced.is_full(501, start), "tokens");
        assert!(!announced.is_full(501, start + seconds(30)), "whole again");
        announced.begin(10);
        announced.begin(10);
        assert!(announced.is_full(1, start), "both requests are gone");
        assert!(!announced.is_full(1, start + seconds(1)), "one a second");
        announced.hear(&Limits::default(), start);
        assert!(announced.is_full(1, start), "silence says nothing");
    }

    #[test]
    fn an_announced_bucket_is_settled_until_it_is_announced_again() {
        let start = Instant::now();
        let tokens = |remaining| Limits {
            requests: None,
            tokens: Some(Limit {
                limit: Some(1000),
                remaining,
                reset: seconds(60),
            }),
        };
        let reserved = Reserved {
            tokens: 700,
            at: start + seconds(1),
        };
        let mut announced = Announced::default();
        announced.hear(&tokens(1000), start);
        assert!(
            !announced.is_full(5000, start),
            "all that there ever is, is there"
        );
        announced.begin(700);
        assert!(announced.is_full(301, start));
        announced.settle(reserved, 200);
        assert!(!announced.is_full(800, start) && announced.is_full(801, start));
        announced.hear(&tokens(400), start + seconds(2));
        announced.settle(reserved, 0);
        assert!(announced.is_full(401, start + seconds(2)), "no second time");
    }
}
