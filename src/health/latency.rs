//! How long a target takes: usually, and of late.
//!
//! What is usual is a decayed distribution: a sample counts half as much after ten minutes. What is
//! recent is the last few samples; they become part of the usual only when they are pushed out, and
//! not while the target is slow, so that a rise is measured against what was before it.

use std::time::Duration;

use tokio::time::Instant;

use super::report::Times;

/// After so long, a sample counts half.
const HALF_LIFE: Duration = Duration::from_mins(10);
/// A slowness that lasts so long is how the target is.
const SETTLED: Duration = HALF_LIFE;
/// How many samples are recent.
const RECENT: usize = 8;
/// From so many on, recent samples are more than chance.
const ENOUGH: usize = 3;
/// From so many on, what most take is known well enough to be impatient.
const MANY: usize = 10;
/// So many in a row that are quick end a slowness.
const QUICK: usize = 2;
/// Four to an octave, from a millisecond to 17 minutes.
const BUCKETS: usize = 80;
const PER_OCTAVE: f32 = 4.0;
/// Weights grow instead of all counts shrinking; now and then they are brought down.
const HEAVY: f32 = 1e6;

/// Times of one kind.
#[derive(Debug)]
pub(super) struct Track {
    usual: Distribution,
    /// In milliseconds, the newest last.
    recent: Vec<f32>,
    slow_since: Option<Instant>,
}

/// Which rise is a slowness.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slowness {
    pub(super) factor: f32,
    pub(super) floor: Duration,
}

impl Track {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            usual: Distribution::new(now),
            recent: Vec::with_capacity(RECENT),
            slow_since: None,
        }
    }

    pub(super) fn sample(&mut self, took: Duration, now: Instant, slowness: Slowness) {
        if self.recent.len() == RECENT {
            let oldest = self.recent.remove(0);
            if self.slow_since.is_none() {
                self.usual.add(oldest, now);
            }
        }
        self.recent.push(took.as_secs_f32() * 1000.0);
        let Some(since) = self.slow_since else {
            if self.has_risen(slowness) {
                self.slow_since = Some(now);
            }
            return;
        };
        let limit = self.limit(slowness).unwrap_or(f32::INFINITY);
        let last = &self.recent[self.recent.len().saturating_sub(QUICK)..];
        if last.iter().all(|sample| *sample <= limit) {
            let kept = self.recent.len() - last.len();
            self.recent.drain(..kept);
            self.slow_since = None;
        } else if now.saturating_duration_since(since) >= SETTLED {
            self.usual = Distribution::new(now);
            for sample in self.recent.clone() {
                self.usual.add(sample, now);
            }
            self.slow_since = None;
        }
    }

    /// Whether it has been taking much longer than it usually does.
    pub(super) fn is_slow(&self) -> bool {
        self.slow_since.is_some()
    }

    /// What the next one is expected to take; `None` without any history.
    pub(super) fn expected(&self) -> Option<Duration> {
        let usual = self.usual.quantile(0.5).filter(|_| !self.is_slow());
        usual.or_else(|| median(&self.recent)).map(millis)
    }

    /// What all but one in twenty take, from a history that is long enough to say so.
    pub(super) fn p95(&self) -> Option<Duration> {
        let samples = self.usual.samples as usize + self.recent.len();
        (samples >= MANY).then_some(())?;
        let mut all = self.usual.clone();
        for sample in &self.recent {
            all.count(*sample, all.newest);
        }
        all.quantile(0.95).map(millis)
    }

    /// What takes longer is slow; `None` while nothing is usual.
    pub(super) fn slow_from(&self, slowness: Slowness) -> Option<Duration> {
        self.limit(slowness).map(millis)
    }

    pub(super) fn times(&self) -> Times {
        Times {
            expected: self.expected(),
            p95: self.p95(),
            slow: self.is_slow(),
        }
    }

    fn has_risen(&self, slowness: Slowness) -> bool {
        self.recent.len() >= ENOUGH
            && median(&self.recent)
                .zip(self.limit(slowness))
                .is_some_and(|(recent, limit)| recent > limit)
    }

    fn limit(&self, slowness: Slowness) -> Option<f32> {
        let usual = self.usual.quantile(0.5)?;
        Some((usual * slowness.factor).max(slowness.floor.as_secs_f32() * 1000.0))
    }
}

fn millis(millis: f32) -> Duration {
    Duration::from_secs_f32(millis / 1000.0)
}

/// Of an even number the lower one: half of the samples do not make a rise.
fn median(samples: &[f32]) -> Option<f32> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f32::total_cmp);
    Some(sorted[sorted.len().checked_sub(1)? / 2])
}

/// A histogram over the logarithm, whose old counts weigh less.
#[derive(Debug, Clone)]
struct Distribution {
    counts: Box<[f32; BUCKETS]>,
    sum: f32,
    /// When a sample weighed 1.
    from: Instant,
    /// What the newest sample weighs.
    newest: f32,
    samples: u32,
}

impl Distribution {
    fn new(now: Instant) -> Self {
        Self {
            counts: Box::new([0.0; BUCKETS]),
            sum: 0.0,
            from: now,
            newest: 1.0,
            samples: 0,
        }
    }

    fn add(&mut self, millis: f32, now: Instant) {
        let age = now.saturating_duration_since(self.from);
        let mut weight = (age.as_secs_f32() / HALF_LIFE.as_secs_f32()).exp2();
        if weight > HEAVY {
            for count in self.counts.iter_mut() {
                *count /= weight;
            }
            self.sum /= weight;
            self.from = now;
            weight = 1.0;
        }
        self.newest = weight;
        self.count(millis, weight);
    }

    fn count(&mut self, millis: f32, weight: f32) {
        self.counts[bucket(millis)] += weight;
        self.sum += weight;
        self.samples = self.samples.saturating_add(1);
    }

    /// `None` while there are too few samples to speak of.
    fn quantile(&self, share: f32) -> Option<f32> {
        if (self.samples as usize) < ENOUGH || self.sum <= 0.0 {
            return None;
        }
        let mut left = self.sum * share;
        let mut last = 0;
        for (at, count) in self
            .counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0.0)
        {
            last = at;
            if left <= *count {
                break;
            }
            left -= count;
        }
        let inside = (left / self.counts[last]).clamp(0.0, 1.0);
        #[expect(clippy::cast_precision_loss, reason = "fewer than a hundred buckets")]
        let octaves = (last as f32 + inside) / PER_OCTAVE;
        Some(octaves.exp2())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a logarithm that is not negative, and is cut to the number of buckets"
)]
fn bucket(millis: f32) -> usize {
    ((millis.max(1.0).log2() * PER_OCTAVE) as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOWNESS: Slowness = Slowness {
        factor: 3.0,
        floor: Duration::from_millis(500),
    };

    /// One sample a second, each of so many milliseconds.
    fn sample(track: &mut Track, now: &mut Instant, millis: &[u64]) {
        for took in millis {
            *now += Duration::from_secs(1);
            track.sample(Duration::from_millis(*took), *now, SLOWNESS);
        }
    }

    fn close(found: Option<Duration>, millis: f32) {
        let found = found.unwrap().as_secs_f32() * 1000.0;
        assert!((found / millis - 1.0).abs() < 0.15, "{found} for {millis}");
    }

    #[test]
    fn quantiles_are_those_of_the_samples() {
        let mut now = Instant::now();
        let mut track = Track::new(now);
        assert_eq!(track.expected(), None);
        let spread: Vec<u64> = (0..400).map(|i| 100 + (i * 37) % 400).collect();
        sample(&mut track, &mut now, &spread);
        close(track.expected(), 300.0);
        close(track.p95(), 480.0);
    }

    #[test]
    fn the_old_counts_less() {
        let mut now = Instant::now();
        let mut track = Track::new(now);
        sample(&mut track, &mut now, &[1000; 60]);
        now += HALF_LIFE * 3;
        sample(&mut track, &mut now, &[200; 30]);
        close(track.expected(), 200.0);
        // Also past the point where the weights are brought down.
        for _ in 0..30 {
            now += HALF_LIFE;
            sample(&mut track, &mut now, &[400; 4]);
        }
        close(track.expected(), 400.0);
    }

    #[test]
    fn a_rise_is_measured_against_what_was_before() {
        let mut now = Instant::now();
        let mut track = Track::new(now);
        sample(&mut track, &mut now, &[300; 20]);
        assert!(!track.is_slow());
        sample(&mut track, &mut now, &[2000; 4]);
        assert!(!track.is_slow(), "half of the recent ones are as ever");
        sample(&mut track, &mut now, &[2000; 1]);
        assert!(track.is_slow());
        close(track.expected(), 2000.0);
        sample(&mut track, &mut now, &[2000; 100]);
        assert!(track.is_slow(), "however long, up to ten minutes");
        sample(&mut track, &mut now, &[300]);
        assert!(track.is_slow(), "one may be luck");
        sample(&mut track, &mut now, &[300]);
        assert!(!track.is_slow());
        close(track.expected(), 300.0);
    }

    #[test]
    fn a_slowness_that_stays_is_how_it_is() {
        let mut now = Instant::now();
        let mut track = Track::new(now);
        sample(&mut track, &mut now, &[300; 20]);
        sample(&mut track, &mut now, &[2000; 620]);
        assert!(!track.is_slow());
        close(track.expected(), 2000.0);
    }

    #[test]
    fn what_is_short_is_not_slow() {
        let mut now = Instant::now();
        let mut track = Track::new(now);
        sample(&mut track, &mut now, &[50; 20]);
        sample(&mut track, &mut now, &[490; 20]);
        assert!(!track.is_slow());
    }
}
