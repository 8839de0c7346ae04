//! What a route asks of the health of its targets.

use std::time::Duration;

/// When a target is left, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    pub breaker: BreakerPolicy,
    /// A target is slow when its recent latency is this many times its usual one, ...
    pub slow_factor: f32,
    /// ... and longer than this.
    pub slow_floor: Duration,
}

/// When a circuit breaker opens and how long it stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// It opens after so many failures in a row, ...
    pub failures: u32,
    /// ... none of which came later than this after the one before.
    pub window: Duration,
    /// How long it stays open the first time; twice as long each time that a probe fails, ...
    pub cooldown: Duration,
    /// ... up to this.
    pub longest: Duration,
}

impl Policy {
    /// That of the built-in profiles.
    pub const DEFAULT: Self = Self {
        breaker: BreakerPolicy {
            failures: 2,
            window: Duration::from_mins(1),
            cooldown: Duration::from_secs(5),
            longest: Duration::from_mins(1),
        },
        slow_factor: 3.0,
        slow_floor: Duration::from_millis(500),
    };
}

impl BreakerPolicy {
    /// It never opens: every request finds out for itself.
    pub const NEVER: Self = Self {
        failures: u32::MAX,
        ..Policy::DEFAULT.breaker
    };
}
