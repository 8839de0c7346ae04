//! The order of a drill: one request at a time, so that what is measured is the outage's doing.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::report::Report;
use super::sample::{Phase, Sample};
use super::tally;
use crate::check::caller::{Answer, Caller};
use crate::check::probe;
use crate::simulate::Gone;
use crate::snapshot::{Route, Target};

/// In which form answers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forms {
    Plain,
    Stream,
    /// In turn.
    Both,
}

/// What is asked, and what becomes of the primary.
#[derive(Debug)]
pub struct Drill<'a> {
    pub route: &'a Route,
    pub requests: usize,
    pub forms: Forms,
    pub fault: Gone,
}

impl Drill<'_> {
    /// Whether the route goes on without the provider of its first target.
    pub fn has_backup(&self) -> bool {
        let provider = &first(self.route).provider.name;
        let mut targets = self.route.targets();
        targets.any(|target| target.provider.name != *provider)
    }

    /// How long one request is.
    pub fn request_bytes(&self) -> usize {
        let request = probe::order(&self.route.name, true);
        request.body.to_string().len()
    }

    /// Sends the requests by `caller`, and has `cut` take the provider of this name away half way.
    ///
    /// # Errors
    /// Those of `cut`.
    pub async fn run<E>(
        &self,
        caller: &Caller<'_>,
        cut: impl FnOnce(&Arc<str>) -> Result<(), E>,
    ) -> Result<Report, E> {
        if !self.has_backup() {
            // Each of these would cost, and prove what is known.
            return Ok(tally::report(self, first(self.route), None, &[]));
        }
        let mut samples = Vec::new();
        let half = self.requests / 2;
        for number in 1..=half {
            let asked = self.ask(caller, number).await;
            samples.push(asked.sample(Phase::Before, None));
        }
        let primary = primary(self.route, &samples);
        let provider = &primary.provider.name;
        tracing::info!(target = %primary.id, "cutting");
        let mut asking = pin!(self.ask(caller, half + 1));
        let early = if self.cuts_in_flight() {
            tokio::select! {
                biased;
                asked = &mut asking => Some(asked),
                () = sleep(self.midway(half + 1, &samples)) => None,
            }
        } else {
            None
        };
        cut(provider)?;
        let at = Instant::now();
        samples.push(match early {
            Some(asked) => asked.sample(Phase::Before, None),
            None if self.cuts_in_flight() => asking.await.sample(Phase::InFlight, Some(at)),
            None => asking.await.sample(Phase::After, Some(at)),
        });
        for number in half + 2..=self.requests {
            let asked = self.ask(caller, number).await;
            samples.push(asked.sample(Phase::After, Some(at)));
        }
        Ok(tally::report(self, primary, Some(half + 1), &samples))
    }

    async fn ask(&self, caller: &Caller<'_>, number: usize) -> Asked {
        tracing::debug!(number, "asking");
        let streamed = self.is_streamed(number);
        let request = probe::order(&self.route.name, streamed);
        let start = Instant::now();
        let answer = caller.once(&request).await;
        Asked {
            number,
            streamed,
            start,
            answer,
        }
    }

    fn is_streamed(&self, number: usize) -> bool {
        match self.forms {
            Forms::Plain => false,
            Forms::Stream => true,
            Forms::Both => number.is_multiple_of(2),
        }
    }

    /// Whether the outage takes a connection away while an answer is awaited. Silence and a status
    /// meet those who come.
    fn cuts_in_flight(&self) -> bool {
        match self.fault {
            Gone::Connect | Gone::Reset => true,
            Gone::Hang | Gone::Error => false,
        }
    }

    /// When the answer to this request is half way to its first byte.
    fn midway(&self, number: usize, before: &[Sample]) -> Duration {
        let alike = before
            .iter()
            .filter(|sample| sample.streamed == self.is_streamed(number));
        let answered = alike.filter(|sample| sample.failed().is_none());
        let times: Vec<Duration> = answered
            .map(|sample| sample.first_token.unwrap_or(sample.total))
            .collect();
        tally::quantile(times, 50).unwrap_or_default() / 2
    }
}

struct Asked {
    number: usize,
    streamed: bool,
    start: Instant,
    answer: Answer,
}

impl Asked {
    fn sample(&self, phase: Phase, cut: Option<Instant>) -> Sample {
        let end = self.start + self.answer.total;
        Sample {
            since_cut: cut.map(|cut| end.saturating_duration_since(cut)),
            ..Sample::of(self.number, self.streamed, phase, &self.answer)
        }
    }
}

fn first(route: &Route) -> &Arc<Target> {
    &route.places[0].members[0].target
}

/// The target that the requests went to first: of a group it is known only then.
fn primary<'a>(route: &'a Route, samples: &[Sample]) -> &'a Arc<Target> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for planned in samples
        .iter()
        .filter_map(|sample| sample.planned.as_deref())
    {
        *times.entry(planned).or_default() += 1;
    }
    let most = times.into_iter().max_by_key(|(_, times)| *times);
    let found = most.and_then(|(id, _)| route.targets().find(|target| *target.id == *id));
    found.unwrap_or_else(|| first(route))
}
