//! What a 403 means at a path: that the token is good no more, or that the path is not ours. Pure:
//! time is an argument.
//!
//! A Vault answers the same to both. Another token tells: what it does not open either is not ours, and
//! is not asked for with one token after another.

use std::collections::HashSet;
use std::time::Duration;

use super::session::Held;

/// A token as old as this may see less than another one would: its role may have other policies now.
/// What the policies themselves say, each token sees at once.
const ANEW: Duration = Duration::from_mins(15);

#[derive(Debug, Default)]
pub(super) struct Denials {
    /// The last token that something was read with.
    proved: u64,
    /// Those that another token did not open either.
    paths: HashSet<Box<str>>,
}

impl Denials {
    /// The store has told what lies at `path`, if only that there is nothing.
    pub(super) fn opened(&mut self, path: &str, held: &Held) {
        self.proved = self.proved.max(held.number);
        self.paths.remove(path);
    }

    /// Whether another token might open `path`, which `held` does not. One that nothing has been read
    /// with comes straight from its login.
    pub(super) fn call_for_another(&self, path: &str, held: &Held, age: Duration) -> bool {
        age >= ANEW || (held.number <= self.proved && !self.paths.contains(path))
    }

    /// It is not ours, until the store says something else of it.
    pub(super) fn stand(&mut self, path: &str) {
        if !self.paths.contains(path) {
            self.paths.insert(path.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const YOUNG: Duration = Duration::from_mins(14);

    fn held(number: u64) -> Held {
        Held {
            token: Secret::try_new(b"t").unwrap().into(),
            number,
            since: tokio::time::Instant::now(),
        }
    }

    #[test]
    fn a_path_calls_for_one_token_more_and_then_the_403_stands() {
        let mut denials = Denials::default();
        assert!(
            !denials.call_for_another("a", &held(1), YOUNG),
            "it is fresh"
        );
        denials.opened("b", &held(1));
        assert!(denials.call_for_another("a", &held(1), YOUNG));
        // Where that login failed, nothing is known of the path.
        assert!(denials.call_for_another("a", &held(1), YOUNG));
        denials.stand("a");
        denials.opened("b", &held(2));
        assert!(!denials.call_for_another("a", &held(2), YOUNG));
        // A second such path has a login of its own, which is none for the first.
        assert!(denials.call_for_another("c", &held(2), YOUNG));
        denials.stand("c");
        denials.opened("b", &held(3));
        for path in ["a", "c"] {
            assert!(!denials.call_for_another(path, &held(3), YOUNG), "{path}");
            assert!(denials.call_for_another(path, &held(3), ANEW), "{path}");
        }
        // Once it has been opened, its next 403 is a new one.
        denials.opened("a", &held(3));
        assert!(denials.call_for_another("a", &held(3), YOUNG));
    }
}
