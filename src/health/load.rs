//! How much an account and a target have in hand, and how much more they will take.
//!
//! What an account takes in a minute is declared by the operator; what a target takes is announced by
//! its provider with every answer. Both only predict: a target that is full by either comes behind
//! those that are not, and is tried all the same where there is no other.

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

/// A share of each capacity that batch requests leave free, so that an interactive one finds room
/// the moment it comes.
const LEFT_FREE: u64 = 5;

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

    /// It is over, and was so many tokens longer than thought.
    pub(super) fn end(&mut self, more_tokens: u64, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(minute) = &mut self.minute {
            minute.add([0, more_tokens], now);
        }
    }

    /// It came to nothing, nobody knows how.
    pub(super) fn give_up(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Whether one more request of about so many tokens would be too much.
    pub(super) fn is_full(
        &mut self,
        capacity: Capacity,
        tokens: u64,
        priority: Priority,
        now: Instant,
    ) -> bool {
        let exceeds = |used: u64, declared: Option<u64>| {
            let room = declared.map(|most| match priority {
                Priority::Interactive => most,
                Priority::Batch => most - most / LEFT_FREE,
            });
            room.is_some_and(|room| used > room)
        };
        let minute = self.minute.as_mut().map(|minute| minute.sums(now));
        let [requests, used] = minute.unwrap_or_default();
        exceeds(self.in_flight + 1, capacity.concurrency)
            || exceeds(requests + 1, capacity.rpm)
            || exceeds(used.saturating_add(tokens), capacity.tpm)
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
        now < self.full && self.left + self.refill * passed < number(taken)
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
        let mut load = Load::default();
        assert!(!load.is_full(capacity, 1000, interactive, start));
        assert!(load.is_full(capacity, 1001, interactive, start));
        assert!(
            load.is_full(capacity, 900, batch, start),
            "a fifth is left free"
        );
        for _ in 0..4 {
            load.begin(capacity, 50, start);
        }
        assert!(load.is_full(capacity, 1, interactive, start), "4 at once");
        for _ in 0..4 {
            load.end(10, start);
        }
        assert!(load.is_full(capacity, 761, interactive, start), "240 used");
        assert!(!load.is_full(capacity, 760, interactive, start));
        for _ in 0..4 {
            load.begin(capacity, 0, start);
            load.end(0, start);
        }
        assert!(!load.is_full(capacity, 1, interactive, start), "8 of 10");
        assert!(load.is_full(capacity, 1, batch, start));
        assert!(!load.is_full(capacity, 1, batch, start + seconds(60)));
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
}
