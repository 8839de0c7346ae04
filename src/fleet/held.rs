//! The claims of the calls that run here, and how they are renewed: many in one command, and one
//! command at a time, however many there are.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::claim::CLAIMED;
use super::lock;
use super::redis::Redis;
use super::words::Words;

/// A claim is renewed so long after it was taken. A renewal that fails is tried again with the next
/// tick, a second later, so that there are some before the claim lapses.
const RENEWED: Duration = Duration::from_secs(5);
/// So many in one command: Redis is held up by it for a tenth of a millisecond.
const TOGETHER: usize = 64;

/// By the number that each was given.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<HashMap<u64, Renewable>>);

#[derive(Debug)]
pub(super) struct Renewable {
    pub(super) name: String,
    pub(super) claim: Bytes,
    /// Whether it is that of an `Idempotency-Key`.
    pub(super) keyed: bool,
    /// When it was claimed last; absent where it is not known that it was.
    pub(super) claimed: Option<Instant>,
}

impl Held {
    /// Renews this from now on.
    pub(super) fn hold(&self, number: u64, renewable: Renewable) {
        lock(&self.0).insert(number, renewable);
    }

    /// The claim is to be given back: no renewal is on its way behind this.
    pub(super) fn release(&self, number: u64) {
        lock(&self.0).remove(&number);
    }

    /// Renews what is due; once Redis is `back`, all of it, as it may have been lost there.
    pub(super) async fn renew(&self, redis: &Redis, back: bool) {
        let span = if back { Duration::ZERO } else { RENEWED };
        for numbers in self.due(Instant::now(), span).chunks(TOGETHER) {
            let renewing = {
                // Under the lock: none is renewed behind its end.
                let held = lock(&self.0);
                let mut claims = numbers
                    .iter()
                    .filter_map(|number| held.get(number))
                    .map(|held| (&*held.name, &held.claim))
                    .peekable();
                if claims.peek().is_none() {
                    continue;
                }
                redis.ask(&Words::renew(claims, CLAIMED).each())
            };
            if renewing.await.is_err() {
                // They stay due.
                return;
            }
            let now = Instant::now();
            let mut held = lock(&self.0);
            for number in numbers {
                if let Some(renewed) = held.get_mut(number) {
                    renewed.claimed = Some(now);
                }
            }
        }
    }

    /// Those that were claimed so long ago: first what an `Idempotency-Key` promises, and then
    /// those that will lapse first.
    fn due(&self, now: Instant, span: Duration) -> Vec<u64> {
        let held = lock(&self.0);
        let due = held.iter().filter(|(_, held)| {
            let claimed = held.claimed;
            claimed.is_none_or(|at| now.saturating_duration_since(at) >= span)
        });
        let mut due: Vec<_> = due
            .map(|(number, held)| (Reverse(held.keyed), held.claimed, *number))
            .collect();
        drop(held);
        due.sort_unstable();
        due.into_iter().map(|(_, _, number)| number).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_renewed_by_what_it_promises_and_by_its_age() {
        let held = Held::default();
        let start = Instant::now();
        let secs = Duration::from_secs;
        let all = [
            (1, false, Some(0)),
            (2, true, Some(2)),
            (3, true, Some(1)),
            (4, true, Some(6)),
            (5, false, None),
        ];
        for (number, keyed, at) in all {
            let renewable = Renewable {
                name: number.to_string(),
                claim: Bytes::new(),
                keyed,
                claimed: at.map(|at| start + secs(at)),
            };
            held.hold(number, renewable);
        }
        let due = |at, span| held.due(start + secs(at), span);
        assert_eq!(due(4, RENEWED), [5]);
        assert_eq!(due(6, RENEWED), [3, 5, 1]);
        assert_eq!(due(7, RENEWED), [3, 2, 5, 1]);
        assert_eq!(due(7, Duration::ZERO), [3, 2, 4, 5, 1]);
        held.release(3);
        assert_eq!(due(7, RENEWED), [2, 5, 1]);
    }
}
