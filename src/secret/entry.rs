//! What is held of one secret: its newest value, the one before, and which of the two is in use.
//!
//! The newest is in use, but for one case: it has been refused by its provider, and the one before was
//! replaced a short while ago, as when a store has a key before the provider knows it. Pure: time is
//! an argument.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Reference, Secret, SecretError};
use crate::stamp::Stamp;

/// For so long after it was replaced, a value may be used again where the one behind it is refused.
const OVERLAP: Duration = Duration::from_mins(15);
/// A newest value that was refused is used again when it is still there after so long.
const SECOND_CHANCE: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct Entry {
    newest: Option<Value>,
    before: Option<Before>,
    /// When the newest was refused and the one before was taken in its place.
    stepped_back: Option<Instant>,
    /// What was wrong with the last reading.
    problem: Option<SecretError>,
    /// Since when no reading has succeeded.
    failing: Option<Instant>,
    /// The file as it was when the last reading succeeded.
    pub(super) stamp: Option<Stamp>,
    /// When a refused request last had a file read.
    pub(super) asked_at: Option<Instant>,
    /// Whether another value has taken the place of one, and nobody has taken note.
    changed: bool,
}

struct Value {
    secret: Arc<Secret>,
    since: Instant,
}

/// The value before the newest, until it is refused itself.
struct Before {
    value: Value,
    replaced_at: Instant,
}

impl Entry {
    /// One that a store has not been asked for.
    pub(super) fn unasked() -> Self {
        Self {
            problem: Some(SecretError::Unasked),
            ..Self::default()
        }
    }

    fn in_use(&self) -> Option<&Value> {
        match (&self.stepped_back, &self.before) {
            (Some(_), Some(before)) => Some(&before.value),
            (_, _) => self.newest.as_ref(),
        }
    }

    /// The value for the next attempt.
    pub(super) fn current(&self) -> Option<&Arc<Secret>> {
        self.in_use().map(|value| &value.secret)
    }

    /// How long the current value has been in use.
    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        let value = self.in_use()?;
        Some(now.saturating_duration_since(value.since))
    }

    pub(super) fn problem(&self) -> Option<&SecretError> {
        self.problem.as_ref()
    }

    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Notes that a reading failed; true when the last one had not failed like this.
    pub(super) fn fail(&mut self, problem: SecretError, now: Instant) -> bool {
        self.stamp = None;
        self.failing.get_or_insert(now);
        let is_new = self.problem.as_ref() != Some(&problem);
        self.problem = Some(problem);
        is_new
    }

    /// How long no reading has succeeded.
    pub(super) fn failing(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.failing?))
    }

    /// Nothing has confirmed the value for too long. What was wrong stays known.
    pub(super) fn forget(&mut self) -> bool {
        self.before = None;
        self.stepped_back = None;
        self.newest.take().is_some()
    }

    /// Takes over what was read; true when there is another value in use.
    pub(super) fn take(
        &mut self,
        reference: &Reference,
        secret: Arc<Secret>,
        now: Instant,
    ) -> bool {
        self.failing = None;
        if let Some(problem) = self.problem.take()
            && problem != SecretError::Unasked
        {
            tracing::info!(%reference, "a secret can be read again");
        }
        match &self.newest {
            Some(newest) if *newest.secret == *secret => return self.second_chance(now),
            Some(_) => {
                tracing::info!(%reference, "a secret has a new value");
                self.changed = true;
            }
            None => {}
        }
        self.stepped_back = None;
        let value = Value { secret, since: now };
        self.before = self.newest.replace(value).map(|value| Before {
            value,
            replaced_at: now,
        });
        true
    }

    fn second_chance(&mut self, now: Instant) -> bool {
        let is_due = |at: Instant| now.saturating_duration_since(at) >= SECOND_CHANCE;
        if !self.stepped_back.is_some_and(is_due) {
            return false;
        }
        self.stepped_back = None;
        self.changed = true;
        true
    }

    /// `used` was refused, and its place has nothing newer. True when another one is in use from now on.
    pub(super) fn refused(&mut self, used: &Secret, now: Instant) -> bool {
        let Some(current) = self.current() else {
            return false;
        };
        if **current != *used {
            return true;
        }
        if self.stepped_back.take().is_some() {
            // It is good for nothing any more, so the newest is all there is.
            self.before = None;
            self.changed = true;
            return true;
        }
        let overlaps =
            |before: &Before| now.saturating_duration_since(before.replaced_at) < OVERLAP;
        if !self.before.as_ref().is_some_and(overlaps) {
            return false;
        }
        self.stepped_back = Some(now);
        self.changed = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Arc<Secret> {
        Arc::new(Secret::try_new(text.as_bytes()).unwrap())
    }

    fn current(entry: &Entry) -> Option<&str> {
        entry.current().map(|secret| secret.expose())
    }

    /// An entry that has read these, one a minute, and the minute behind them.
    fn having_read(values: &[&str]) -> (Entry, Instant) {
        let (mut entry, mut now) = (Entry::unasked(), Instant::now());
        for value in values {
            assert!(entry.take(&Reference::Aws, secret(value), now));
            now += Duration::from_mins(1);
        }
        (entry, now)
    }

    #[test]
    fn a_refused_value_without_another_stays() {
        let (mut entry, now) = having_read(&["one"]);
        assert!(!entry.refused(&secret("one"), now));
        assert!(!entry.take_changed(), "the first is no change");
        assert_eq!(current(&entry), Some("one"));
        assert!(!Entry::unasked().refused(&secret("one"), now));
    }

    #[test]
    fn who_was_refused_with_an_older_value_finds_the_newer() {
        let (mut entry, now) = having_read(&["one", "two"]);
        assert!(entry.refused(&secret("one"), now));
        assert_eq!(current(&entry), Some("two"));
    }

    #[test]
    fn the_one_before_serves_while_the_newest_is_not_known_yet() {
        let (mut entry, now) = having_read(&["one", "two"]);
        entry.take_changed();
        assert!(entry.refused(&secret("two"), now));
        assert_eq!(current(&entry), Some("one"));
        assert!(entry.take_changed());
        // Another one that was refused meanwhile changes nothing.
        assert!(entry.refused(&secret("two"), now));
        assert_eq!(current(&entry), Some("one"));
        // Read again, the newest is used again, but not at once.
        assert!(!entry.take(&Reference::Aws, secret("two"), now));
        assert_eq!(current(&entry), Some("one"));
        let later = now + SECOND_CHANCE;
        assert!(entry.take(&Reference::Aws, secret("two"), later));
        assert_eq!(current(&entry), Some("two"));
        assert!(entry.take_changed());
    }

    #[test]
    fn each_of_the_two_is_refused_once() {
        let (mut entry, now) = having_read(&["one", "two"]);
        assert!(entry.refused(&secret("two"), now));
        assert!(entry.refused(&secret("one"), now));
        assert_eq!(current(&entry), Some("two"));
        assert!(!entry.refused(&secret("two"), now), "there is no third");
    }

    #[test]
    fn a_value_that_was_replaced_long_ago_is_not_used_again() {
        let (mut entry, now) = having_read(&["one", "two"]);
        assert!(!entry.refused(&secret("two"), now + OVERLAP));
        assert_eq!(current(&entry), Some("two"));
    }

    #[test]
    fn how_long_it_fails_is_counted_from_the_first_failure_on() {
        let (mut entry, now) = having_read(&["one"]);
        let minute = Duration::from_mins(1);
        assert_eq!(entry.failing(now), None);
        for passed in 0..3 {
            entry.fail(SecretError::Missing, now + minute * passed);
            assert_eq!(entry.failing(now + minute * passed), Some(minute * passed));
        }
        entry.take(&Reference::Aws, secret("one"), now + minute);
        assert_eq!(entry.failing(now + minute), None);
    }

    #[test]
    fn a_third_value_ends_it_all() {
        let (mut entry, now) = having_read(&["one", "two"]);
        entry.refused(&secret("two"), now);
        assert!(entry.take(&Reference::Aws, secret("three"), now));
        assert_eq!(current(&entry), Some("three"));
        assert!(entry.forget() && !entry.forget());
        assert_eq!((current(&entry), entry.age(now)), (None, None));
    }
}
