//! A call that runs here for the whole fleet, and what becomes of its name when it is over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Inner;
use super::held::Renewable;
use super::name::{Answer, Name};
use super::words::Words;
use crate::error::GatewayError;
use crate::outcome::{Class, Failure};
use crate::record::{Ended, Ending};

/// So long at least what a call came to is there for those who have waited for it, who look each
/// quarter second, and after a while without a reply.
const TOLD: Duration = Duration::from_secs(15);

/// How long an answer is of use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lives {
    /// Since the call has ended.
    pub(super) behind: Duration,
    /// Since its request came.
    pub(super) window: Option<(Instant, Duration)>,
}

/// A name that is claimed, or about to be. Dropped, it is given back.
pub(super) struct Stake {
    pub(super) fleet: Arc<Inner>,
    pub(super) name: Name,
    pub(super) claim: Bytes,
}

/// A call that runs here, for the whole fleet. Dropped, it came to nothing that is kept; but of one
/// that may have had a provider do something, those who wait are told that, and do not ask again.
pub struct Lease {
    number: u64,
    executes: bool,
    pub(super) ending: Arc<Ending>,
    lives: Lives,
    /// Whether its name has what it came to.
    settled: bool,
    pub(super) stake: Stake,
}

impl Lease {
    pub(super) fn new(
        stake: Stake,
        lives: Lives,
        keyed: bool,
        claimed: Option<Instant>,
        executes: bool,
        ending: Arc<Ending>,
    ) -> Self {
        let number = stake.fleet.number();
        let renewable = Renewable {
            name: stake.name.key.clone(),
            claim: stake.claim.clone(),
            keyed,
            claimed,
        };
        stake.fleet.held.hold(number, renewable);
        Self {
            number,
            executes,
            ending,
            lives,
            settled: false,
            stake,
        }
    }

    /// The call has come to this.
    pub(super) fn keep(&mut self, answer: &Answer) {
        let now = Instant::now();
        let window = self
            .lives
            .window
            .map(|(came, span)| (came + span).saturating_duration_since(now));
        // Those who came within the window may wait until behind its end.
        let life = self.lives.behind.max(window.unwrap_or_default()).max(TOLD);
        let nonce = self.stake.fleet.nonce();
        let value = nonce.and_then(|nonce| self.stake.name.answer(answer, nonce));
        self.settle(value, life);
    }

    /// The call has come to nothing, for all who wait.
    fn fail(&mut self) {
        let failure = match self.ending.ended() {
            Some(Ended::Failed(GatewayError::Unanswered(failure)) | Ended::Broken(_, failure)) => {
                failure.clone()
            }
            Some(Ended::Failed(_) | Ended::Answered(_) | Ended::Cancelled) | None => {
                let why = "the call was given up, or its answer is too long to be shared";
                Failure::new(Class::Cancelled, why)
            }
        };
        let nonce = self.stake.fleet.nonce();
        let value = nonce.and_then(|nonce| self.stake.name.failure(&failure, nonce));
        self.settle(value, TOLD);
    }

    fn settle(&mut self, value: Option<Bytes>, life: Duration) {
        let Some(value) = value else {
            return;
        };
        let Stake { fleet, name, claim } = &self.stake;
        let words = Words::put(&name.key, claim, value, life);
        fleet.redis.tell(&words.each());
        self.settled = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stake.fleet.held.release(self.number);
        if self.executes && !self.settled && self.ending.began() {
            self.fail();
        }
    }
}

impl Drop for Stake {
    fn drop(&mut self) {
        // What has been put there is no claim, and stays.
        let words = Words::drop(&self.name.key, &self.claim);
        self.fleet.redis.tell(&words.each());
    }
}
