//! Spans that wait to be sent: so many bytes of them, and nobody waits for room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Trace;
use crate::snapshot::Percent;
use crate::telemetry::metrics::SpanCounts;

/// What may wait, in bytes and in requests: that of some thousand requests.
const ROOM: usize = 4 << 20;
const REQUESTS: usize = 8192;
/// What is sent together, in bytes and in requests.
const BATCH: usize = 1 << 20;
const BATCH_REQUESTS: usize = 512;

/// The spans of one request, as JSON with a comma between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    pub spans: u64,
    pub json: Bytes,
}

/// Where requests leave their spans. Clones are one.
#[derive(Debug, Clone)]
pub struct Tracer {
    sample: Percent,
    queue: mpsc::Sender<Bundle>,
    /// What waits in the queue.
    bytes: Arc<AtomicUsize>,
    counted: SpanCounts,
}

/// The other end of it.
#[derive(Debug)]
pub struct Waiting {
    queue: mpsc::Receiver<Bundle>,
    bytes: Arc<AtomicUsize>,
}

/// Spans to be sent together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    bundles: Vec<Bundle>,
    bytes: usize,
}

impl Tracer {
    /// Of the traces that begin here `sample` are kept.
    pub fn new(sample: Percent, counted: SpanCounts) -> (Self, Waiting) {
        let (sender, queue) = mpsc::channel(REQUESTS);
        let bytes = Arc::new(AtomicUsize::new(0));
        let tracer = Self {
            sample,
            queue: sender,
            bytes: Arc::clone(&bytes),
            counted,
        };
        (tracer, Waiting { queue, bytes })
    }

    /// The place of a request in its caller's trace, or in a new one.
    pub fn begin(&self, caller: Option<Trace>) -> Trace {
        Trace::begin(caller, self.sample)
    }

    /// Leaves the spans of a request that is over; where there is no room they are lost, and counted.
    pub fn leave(&self, bundle: Bundle) {
        let (spans, length) = (bundle.spans, bundle.json.len());
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        let is_left = before + length <= ROOM && self.queue.try_send(bundle).is_ok();
        if !is_left {
            self.bytes.fetch_sub(length, Ordering::Relaxed);
            self.counted.dropped("full", spans);
        }
    }
}

impl Waiting {
    /// What is to be sent next, once there is something: all that comes `every` so long, or as much as goes
    /// together. After `end` only what is there; `None` when that is nothing.
    pub(crate) async fn batch(
        &mut self,
        every: Duration,
        end: &CancellationToken,
    ) -> Option<Batch> {
        let mut batch = Batch::default();
        batch.add(self.next(end).await?);
        let full = Instant::now() + every;
        while !batch.is_full() {
            tokio::select! {
                biased;
                next = self.next(end) => match next {
                    Some(next) => batch.add(next),
                    None => break,
                },
                () = sleep_until(full) => break,
            }
        }
        Some(batch)
    }

    /// How many spans wait; they are taken out. For who gives up.
    pub(crate) fn abandon(&mut self) -> u64 {
        let left = std::iter::from_fn(|| self.queue.try_recv().ok());
        left.map(|bundle| bundle.spans).sum()
    }

    /// Cancel-safe.
    async fn next(&mut self, end: &CancellationToken) -> Option<Bundle> {
        let bundle = tokio::select! {
            biased;
            bundle = self.queue.recv() => bundle?,
            () = end.cancelled() => self.queue.try_recv().ok()?,
        };
        (self.bytes).fetch_sub(bundle.json.len(), Ordering::Relaxed);
        Some(bundle)
    }
}

impl Batch {
    pub(crate) fn spans(&self) -> u64 {
        self.bundles.iter().map(|bundle| bundle.spans).sum()
    }

    /// Its spans, with a comma between two.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let commas = std::iter::once(&b""[..]).chain(std::iter::repeat(&b","[..]));
        let bundles = self.bundles.iter().map(|bundle| &*bundle.json);
        commas.zip(bundles).flat_map(|(comma, json)| [comma, json])
    }

    /// In two, where it can be: this is the first then, and what is returned the other.
    pub(crate) fn halve(&mut self) -> Option<Self> {
        let half = self.bundles.len() / 2;
        if half == 0 {
            return None;
        }
        let mut other = Self::default();
        for bundle in self.bundles.split_off(half) {
            self.bytes -= bundle.json.len();
            other.add(bundle);
        }
        Some(other)
    }

    fn add(&mut self, bundle: Bundle) {
        self.bytes += bundle.json.len();
        self.bundles.push(bundle);
    }

    fn is_full(&self) -> bool {
        self.bundles.len() >= BATCH_REQUESTS || self.bytes >= BATCH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    fn queue() -> (Tracer, Waiting, Metrics) {
        let metrics = Metrics::new();
        let (tracer, waiting) = Tracer::new(Percent::ZERO, metrics.spans());
        (tracer, waiting, metrics)
    }

    fn bundle(length: usize) -> Bundle {
        Bundle {
            spans: 2,
            json: vec![b'x'; length].into(),
        }
    }

    fn ended() -> CancellationToken {
        let end = CancellationToken::new();
        end.cancel();
        end
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_for_so_long_goes_together_and_what_is_enough_at_once() {
        const EVERY: Duration = Duration::from_secs(5);
        let (tracer, mut waiting, _) = queue();
        let end = CancellationToken::new();
        let start = Instant::now();
        tracer.leave(bundle(1));
        tracer.leave(bundle(2));
        let batch = waiting.batch(EVERY, &end).await.unwrap();
        assert_eq!((batch.spans(), start.elapsed()), (4, EVERY));
        assert_eq!(batch.pieces().collect::<Vec<_>>().concat(), b"x,xx");
        for _ in 0..=BATCH_REQUESTS {
            tracer.leave(bundle(1));
        }
        let start = Instant::now();
        let batch = waiting.batch(EVERY, &end).await.unwrap();
        assert_eq!(batch.bundles.len(), BATCH_REQUESTS);
        assert_eq!(start.elapsed(), Duration::ZERO);
        tracer.leave(bundle(BATCH));
        let batch = waiting.batch(EVERY, &end).await.unwrap();
        assert_eq!(batch.bundles.len(), 2);
        assert_eq!(start.elapsed(), Duration::ZERO);
        // An end is waited for by nobody who has nothing, and by nobody who has something.
        tracer.leave(bundle(1));
        let gathering = waiting.batch(EVERY, &end);
        let (batch, ()) = tokio::join!(gathering, async { end.cancel() });
        assert_eq!(batch.unwrap().bundles.len(), 1);
        assert_eq!(waiting.batch(EVERY, &end).await, None);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn what_there_is_no_room_for_is_lost_and_counted() {
        let (tracer, mut waiting, metrics) = queue();
        let full = "pillion_spans_dropped_total{reason=\"full\"}";
        for _ in 0..ROOM / BATCH {
            tracer.leave(bundle(BATCH));
        }
        assert!(!metrics.render().contains(full));
        tracer.leave(bundle(1));
        assert!(metrics.render().contains(&format!("{full} 2\n")));
        // What is taken makes room.
        assert!(waiting.batch(Duration::ZERO, &ended()).await.is_some());
        tracer.leave(bundle(BATCH));
        assert!(metrics.render().contains(&format!("{full} 2\n")));
        assert_eq!(waiting.abandon(), 2 * (ROOM / BATCH) as u64);
        let (tracer, _waiting, metrics) = queue();
        for _ in 0..REQUESTS + 3 {
            tracer.leave(bundle(1));
        }
        assert!(metrics.render().contains(&format!("{full} 6\n")));
        assert_eq!(tracer.bytes.load(Ordering::Relaxed), REQUESTS);
    }

    #[tokio::test]
    async fn a_batch_is_halved_until_it_is_one() {
        let (tracer, mut waiting, _) = queue();
        for length in 1..=3 {
            tracer.leave(bundle(length));
        }
        let mut first = waiting.batch(Duration::ZERO, &ended()).await.unwrap();
        let mut second = first.halve().unwrap();
        assert_eq!((first.bytes, second.bytes), (1, 5));
        assert_eq!(second.halve().unwrap().bytes, 3);
        assert_eq!(first.halve(), None);
        assert_eq!(second.halve(), None);
    }
}
