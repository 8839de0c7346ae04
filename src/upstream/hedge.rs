//! A second target is asked while the first keeps silent for longer than it ever does.
//!
//! Whoever comes to an answer first is the caller's, and the other one is given up at once. A failure of
//! one leaves the other running.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::attempt::{Answered, Upstream, begin, tell};
use super::send::Call;
use super::tried::{Lost, Try};
use crate::plan::Schedule;
use crate::record::Recorder;
use crate::snapshot::Route;

/// What becomes of the one that was slower.
const SLOWER: &str = "another target answered first";

pub(super) struct Race<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) call: &'a Call<'a>,
    pub(super) route: &'a Route,
    /// How long the first one may keep silent.
    pub(super) patience: Duration,
}

impl Race<'_> {
    /// # Errors
    /// All that ran have failed; the last one is to be answered for.
    pub(super) async fn run(
        &self,
        first: Try,
        schedule: &mut Schedule,
        recorder: &mut Recorder,
    ) -> Result<Answered, Lost> {
        let (first_log, dropped) = (first.log(), first.dropped());
        let mut running = pin!(self.upstream.run(self.call, first));
        tokio::select! {
            biased;
            ended = &mut running => return ended,
            () = sleep(self.patience) => {}
        }
        let Some(second) = self.second(schedule, recorder) else {
            return running.await;
        };
        let second_log = second.log();
        let mut backup = pin!(self.upstream.run(self.call, second));
        let (lost, first_is_left) = tokio::select! {
            biased;
            ended = &mut running => match ended {
                Ok(answered) => {
                    second_log.cancelled(SLOWER, Instant::now().into_std());
                    recorder.dropped(&dropped);
                    return Ok(answered);
                }
                Err(lost) => (lost, false),
            },
            ended = &mut backup => match ended {
                Ok(answered) => {
                    first_log.cancelled(SLOWER, Instant::now().into_std());
                    return Ok(answered);
                }
                Err(lost) => (lost, true),
            },
        };
        tell(recorder, &lost);
        if !schedule.lost(&lost.failure, &lost.target, Instant::now()) {
            return Err(lost);
        }
        if first_is_left {
            recorder.dropped(&dropped);
            running.await
        } else {
            backup.await
        }
    }

    /// The attempt that runs beside the first, if there may be one.
    fn second(&self, schedule: &mut Schedule, recorder: &mut Recorder) -> Option<Try> {
        let step = schedule.hedge(self.route.hedge?, Instant::now(), &self.upstream.health)?;
        begin(self.call, step, schedule, recorder)
    }
}
