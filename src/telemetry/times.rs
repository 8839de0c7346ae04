//! How long things took, as counts of buckets: what a quantile is told by. Pure.

use std::time::Duration;

/// Buckets of times to an octave, from a millisecond on: one is 9 % wide.
const PER_OCTAVE: f64 = 8.0;

/// How often which bucket was met, by bucket.
#[derive(Debug, Clone, Default)]
pub(super) struct Times(Vec<(u8, u32)>);

impl Times {
    pub(super) fn add(&mut self, took: Duration) {
        let millis = (took.as_secs_f64() * 1000.0).max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is not below zero, and a cast of what is too large gives the last bucket"
        )]
        let bucket = (millis.log2() * PER_OCTAVE) as u8;
        self.count(bucket, 1);
    }

    fn count(&mut self, bucket: u8, count: u32) {
        match self.0.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(place) => self.0[place].1 += count,
            Err(place) => self.0.insert(place, (bucket, count)),
        }
    }

    /// Those of `other`, too.
    pub(super) fn join(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            self.count(*bucket, *count);
        }
    }

    /// In milliseconds, by nearest rank: the middle of its bucket.
    pub(super) fn quantile(&self, share: f64) -> Option<u64> {
        let all: u32 = self.0.iter().map(|(_, count)| count).sum();
        let mut left = f64::from(all) * share;
        let (bucket, _) = self.0.iter().find(|(_, count)| {
            left -= f64::from(*count);
            left <= 0.0
        })?;
        let middle = ((f64::from(*bucket) + 0.5) / PER_OCTAVE).exp2();
        let nearest = Duration::from_secs_f64((middle + 0.5) / 1000.0);
        u64::try_from(nearest.as_millis()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_bucket_of_what_was_told() {
        let mut times = Times::default();
        assert_eq!(times.quantile(0.5), None);
        for millis in 1..=1000 {
            times.add(Duration::from_millis(millis));
        }
        for (share, millis) in [(0.5, 500.0), (0.95, 950.0), (0.01, 10.0)] {
            let told = f64::from(u32::try_from(times.quantile(share).unwrap()).unwrap());
            assert!((told / millis - 1.0).abs() < 0.09, "{share}: {told}");
        }
        times.add(Duration::ZERO);
        times.add(Duration::MAX);
        assert_eq!(times.quantile(0.0), Some(1));
    }
}
