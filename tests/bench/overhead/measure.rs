//! One measurement: some connections, one kind of request, for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::client::{Door, Lane};
use crate::{Error, machine};

/// A closed loop: each connection asks again as soon as it has its answer.
pub(crate) struct Load {
    pub(crate) lanes: usize,
    pub(crate) body: Bytes,
    pub(crate) until: Until,
}

/// When a connection stops asking.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Elapsed(Duration),
    Asked(usize),
}

/// What came of it.
pub(crate) struct Tally {
    pub(crate) requests: usize,
    pub(crate) events: u64,
    pub(crate) took: Duration,
    /// The proxy's own time on a core; nothing where there is no proxy.
    pub(crate) cpu: Option<Duration>,
    /// Until the first byte of each answer, in order of length.
    pub(crate) first: Vec<Duration>,
    /// Until the last, likewise.
    pub(crate) whole: Vec<Duration>,
}

impl Load {
    /// Runs it through `door`, behind which is the process `proxy`, if any.
    pub(crate) async fn run(&self, door: &Door, proxy: Option<u32>) -> Result<Tally, Error> {
        // Everyone waits twice: connected and warm; then for the process's time to be read.
        let barrier = Arc::new(Barrier::new(self.lanes + 1));
        let mut lanes = JoinSet::new();
        for _ in 0..self.lanes {
            lanes.spawn(lane(
                door.clone(),
                self.body.clone(),
                self.until,
                Arc::clone(&barrier),
            ));
        }
        tokio::select! {
            _ = barrier.wait() => {}
            // A lane that ends before it is warm has failed, and the others would wait for ever.
            Some(failed) = lanes.join_next() => {
                failed??;
            }
        }
        let cpu_before = proxy.map(machine::cpu).transpose()?;
        let start = Instant::now();
        barrier.wait().await;
        let mut answers = Vec::new();
        let mut open = Vec::new();
        while let Some(ended) = lanes.join_next().await {
            let (lane, mut own) = ended??;
            answers.append(&mut own);
            open.push(lane);
        }
        let took = start.elapsed();
        let cpu_after = proxy.map(machine::cpu).transpose()?;
        let mut first: Vec<_> = answers.iter().map(|answer| answer.first).collect();
        let mut whole: Vec<_> = answers.iter().map(|answer| answer.whole).collect();
        first.sort_unstable();
        whole.sort_unstable();
        Ok(Tally {
            requests: answers.len(),
            events: answers.iter().map(|answer| answer.events).sum(),
            took,
            cpu: cpu_after
                .zip(cpu_before)
                // A thread that ended in between takes its time with it.
                .map(|(after, before)| Duration::from_nanos(after.saturating_sub(before))),
            first,
            whole,
        })
    }
}

/// One connection's part. It is handed back open, so that its end is not measured.
async fn lane(
    door: Door,
    body: Bytes,
    until: Until,
    barrier: Arc<Barrier>,
) -> Result<(Lane, Vec<crate::client::Answered>), Error> {
    let mut lane = Lane::open(&door).await?;
    lane.ask(&body).await?;
    barrier.wait().await;
    barrier.wait().await;
    let start = Instant::now();
    let mut answers = Vec::new();
    loop {
        answers.push(lane.ask(&body).await?);
        let done = match until {
            Until::Elapsed(span) => start.elapsed() >= span,
            Until::Asked(times) => answers.len() >= times,
        };
        if done {
            return Ok((lane, answers));
        }
    }
}

/// Opens `count` streams, each as far as its first event, and keeps them.
pub(crate) async fn hold(
    door: &Door,
    body: &Bytes,
    count: usize,
) -> Result<Vec<(Lane, Incoming)>, Error> {
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let mut lane = Lane::open(door).await?;
        let mut answer = lane.post(body).await?;
        answer.frame().await.ok_or("a stream without an event")??;
        held.push((lane, answer));
    }
    Ok(held)
}
