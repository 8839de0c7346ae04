//! Times of many requests: their mean and quantiles, exact.

/// Milliseconds, one for each request that has such a time. Four bytes each; a time above 49 days is that.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    times: Vec<u32>,
    sum: u64,
}

/// What they come to; `None` where there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    pub mean: Option<u64>,
    pub p50: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
}

impl Samples {
    pub fn push(&mut self, ms: u64) {
        self.sum = self.sum.saturating_add(ms);
        self.times.push(u32::try_from(ms).unwrap_or(u32::MAX));
    }

    /// Takes those of `other`, too.
    pub fn extend(&mut self, other: &Self) {
        self.sum = self.sum.saturating_add(other.sum);
        self.times.extend_from_slice(&other.times);
    }

    /// The mean to the nearest millisecond, and quantiles by nearest rank: each is a time that was
    /// measured.
    pub fn times(&mut self) -> Times {
        self.times.sort_unstable();
        let count = self.times.len();
        let rank = |hundredths: usize| {
            let rank = (count * hundredths).div_ceil(100);
            let time = self.times.get(rank.saturating_sub(1))?;
            Some(u64::from(*time))
        };
        let many = count as u64;
        Times {
            mean: (self.sum + many / 2).checked_div(many),
            p50: rank(50),
            p95: rank(95),
            p99: rank(99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let mut samples = Samples::default();
        assert_eq!(samples.times(), Times::default());
        for ms in (1..=200).rev() {
            samples.push(ms);
        }
        let expected = |mean, p50, p95, p99| Times {
            mean: Some(mean),
            p50: Some(p50),
            p95: Some(p95),
            p99: Some(p99),
        };
        assert_eq!(samples.times(), expected(101, 100, 190, 198));
        let mut one = Samples::default();
        one.push(7);
        assert_eq!(one.times(), expected(7, 7, 7, 7));
        one.extend(&samples);
        assert_eq!(one.times().p50, Some(100));
    }
}
