//! What was sent for nothing, beside all that was sent: tokens, of which the old count less.

use std::time::Duration;

use tokio::time::Instant;

use crate::snapshot::Percent;

/// After so long, what was sent counts half.
const HALF_LIFE: Duration = Duration::from_mins(10);

#[derive(Debug)]
pub(super) struct Ledger {
    sent: f64,
    hedged: f64,
    at: Instant,
}

impl Ledger {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            sent: 0.0,
            hedged: 0.0,
            at: now,
        }
    }

    pub(super) fn send(&mut self, tokens: u64, now: Instant) {
        self.decay(now);
        self.sent += number(tokens);
    }

    /// Whether less than its share has been sent for nothing so far.
    pub(super) fn affords(&mut self, share: Percent, now: Instant) -> bool {
        self.decay(now);
        self.hedged < self.sent * f64::from(share.parts()) / f64::from(Percent::PARTS)
    }

    pub(super) fn spend(&mut self, tokens: u64, now: Instant) {
        self.decay(now);
        self.hedged += number(tokens);
    }

    fn decay(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let kept = (-passed / HALF_LIFE.as_secs_f64()).exp2();
        self.sent *= kept;
        self.hedged *= kept;
        self.at = now;
    }
}

/// At least one: a request of no length is a request.
#[expect(
    clippy::cast_precision_loss,
    reason = "tokens of an hour are far below 2^52"
)]
fn number(tokens: u64) -> f64 {
    tokens.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hedges_keep_to_their_share() {
        let mut now = Instant::now();
        let share = Percent::try_new(5).unwrap();
        let mut ledger = Ledger::new(now);
        assert!(!ledger.affords(share, now), "nothing was sent");
        let (mut sent, mut hedged) = (0, 0);
        for _ in 0..2000 {
            now += Duration::from_millis(500);
            ledger.send(100, now);
            sent += 1;
            if ledger.affords(share, now) {
                ledger.spend(100, now);
                hedged += 1;
            }
        }
        assert!((85..=110).contains(&hedged), "{hedged} of {sent}");
    }
}
