//! Says the same thing at most once a second.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Throttle {
    spoke: Option<Instant>,
}

impl Throttle {
    pub(super) fn may_speak(&mut self, now: Instant) -> bool {
        let may = self
            .spoke
            .is_none_or(|spoke| now.duration_since(spoke) >= PAUSE);
        if may {
            self.spoke = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_speaks_once_a_second() {
        let mut throttle = Throttle::default();
        let start = Instant::now();
        for (after_ms, speaks) in [
            (0, true),
            (1, false),
            (999, false),
            (1000, true),
            (1999, false),
        ] {
            let now = start + Duration::from_millis(after_ms);
            assert_eq!(throttle.may_speak(now), speaks, "{after_ms}");
        }
    }
}
