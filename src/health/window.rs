//! Counts of the last seconds.

use tokio::time::Instant;

/// Two counts, each of the last `N` seconds.
#[derive(Debug)]
pub(super) struct Window<const N: usize> {
    seconds: [[u64; 2]; N],
    sums: [u64; 2],
    /// The newest second that is counted, since `from`.
    newest: u64,
    from: Instant,
}

impl<const N: usize> Window<N> {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            seconds: [[0; 2]; N],
            sums: [0; 2],
            newest: 0,
            from: now,
        }
    }

    pub(super) fn add(&mut self, counts: [u64; 2], now: Instant) {
        self.advance(now);
        let index = Self::index(self.newest);
        for (which, count) in counts.into_iter().enumerate() {
            self.seconds[index][which] += count;
            self.sums[which] += count;
        }
    }

    /// Takes back some of what was counted at `at`, unless that is forgotten already.
    pub(super) fn take_back(&mut self, counts: [u64; 2], at: Instant, now: Instant) {
        self.advance(now);
        let second = at.saturating_duration_since(self.from).as_secs();
        if at < self.from || second + N as u64 <= self.newest {
            return;
        }
        let index = Self::index(second);
        for (which, count) in counts.into_iter().enumerate() {
            let taken = count.min(self.seconds[index][which]);
            self.seconds[index][which] -= taken;
            self.sums[which] -= taken;
        }
    }

    pub(super) fn sums(&mut self, now: Instant) -> [u64; 2] {
        self.advance(now);
        self.sums
    }

    /// Forgets what is too old.
    fn advance(&mut self, now: Instant) {
        let second = now.saturating_duration_since(self.from).as_secs();
        let first = self.newest + 1;
        for passed in (first..=second).take(N) {
            let index = Self::index(passed);
            let [a, b] = std::mem::take(&mut self.seconds[index]);
            self.sums[0] -= a;
            self.sums[1] -= b;
        }
        self.newest = self.newest.max(second);
    }

    fn index(second: u64) -> usize {
        usize::try_from(second % N as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_old_is_forgotten_second_by_second() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut window = Window::<10>::new(start);
        for second in 0..30 {
            window.add([1, second], at(second));
        }
        assert_eq!(window.sums(at(29)), [10, (20..30).sum()]);
        assert_eq!(window.sums(at(34)), [5, (25..30).sum()]);
        assert_eq!(window.sums(at(38)), [1, 29]);
        assert_eq!(window.sums(at(39)), [0, 0]);
        window.add([1, 1], at(1_000_000));
        assert_eq!(window.sums(at(1_000_009)), [1, 1]);
    }

    #[test]
    fn what_is_taken_back_is_missing_from_its_own_second_alone() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut window = Window::<10>::new(at(5));
        window.add([1, 100], at(5));
        window.add([1, 100], at(8));
        window.take_back([0, 70], at(8), at(12));
        assert_eq!(window.sums(at(12)), [2, 130]);
        window.take_back([0, 1000], at(8), at(12));
        window.take_back([0, 50], at(1), at(12));
        assert_eq!(window.sums(at(14)), [2, 100], "no more than there was");
        assert_eq!(window.sums(at(15)), [1, 0]);
        window.take_back([0, 100], at(5), at(15));
        window.add([1, 30], at(15));
        assert_eq!(window.sums(at(15)), [2, 30], "what is forgotten is gone");
        assert_eq!(window.sums(at(25)), [0, 0]);
    }
}
