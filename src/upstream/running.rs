//! An attempt that runs: its place in the record, and its leave to go.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use tokio::time::Instant;

use super::attempt::Answered;
use super::send::{ANSWERED, Sent};
use crate::chat::Usage;
use crate::health::Permit;
use crate::outcome::{self, Failure};
use crate::record::AttemptLog;
use crate::snapshot::Target;

/// An attempt whose key was refused. Dropped, its target is taught nothing.
#[derive(Debug)]
#[must_use = "whether the refusal stands is yet to be found out"]
pub(super) struct Refused(Permit);

impl Refused {
    /// There is no other key.
    pub(super) fn stands(self, failure: &Failure) {
        self.0.failed(failure, Instant::now());
    }
}

/// One attempt, from its start to its end. Dropped before, it was given up.
#[derive(Debug)]
pub struct Running {
    log: AttemptLog,
    permit: Permit,
}

impl Running {
    pub(super) fn new(log: AttemptLog, permit: Permit) -> Self {
        Self { log, permit }
    }

    pub(super) fn log(&self) -> AttemptLog {
        self.log.clone()
    }

    /// The head of an answer arrived, be it a refusal.
    pub(super) fn head(&self, headers: &HeaderMap) {
        if let Some(id) = upstream_id(headers) {
            self.log.upstream_id(id);
        }
        let limits = outcome::limits(headers, SystemTime::now());
        self.permit.hear(&limits, Instant::now());
    }

    /// The first meaningful event arrived, now; later calls change nothing.
    pub(super) fn first_token(&mut self) {
        let now = Instant::now();
        self.log.first_token(now.into_std());
        self.permit.first_token(now);
    }

    /// What was sent came to this, and will be the caller's.
    pub(super) fn answer(self, sent: Sent) -> Answered {
        self.log.answered(ANSWERED);
        match sent {
            Sent::Whole(whole) => {
                self.answered(whole.usage, Duration::ZERO);
                Answered::Whole(whole)
            }
            Sent::Streaming(streaming) => Answered::Streaming(streaming, self),
        }
    }

    /// The answer is whole; for `held` of the time its caller was waited for. The record is told when
    /// it is finished.
    pub fn answered(self, usage: Usage, held: Duration) {
        self.permit.answered(usage.believed(), held, Instant::now());
    }

    /// There is none, or it broke off.
    pub fn failed(self, failure: &Failure) {
        let now = Instant::now();
        self.log.failed(failure, now.into_std());
        self.permit.failed(failure, now);
    }

    /// Its key was refused, which may have been replaced meanwhile: until that is found out, nobody is
    /// kept from its account.
    pub(super) fn refused(self, failure: &Failure) -> Refused {
        self.log.failed(failure, Instant::now().into_std());
        Refused(self.permit)
    }

    /// We ended a chosen answer: the record says why, and of the target nothing is learned.
    pub fn ended(self, failure: &Failure) {
        self.log.broke(failure, Instant::now().into_std());
    }

    /// A chosen answer broke off: some of it has gone out.
    pub fn broke(self, failure: &Failure) {
        let now = Instant::now();
        self.log.broke(failure, now.into_std());
        self.permit.failed(failure, now);
    }

    pub fn target(&self) -> &Arc<Target> {
        self.permit.target()
    }
}

/// The provider's own id of an exchange, under the names that they have for it.
pub(super) fn upstream_id(headers: &HeaderMap) -> Option<&str> {
    [
        "x-request-id",
        "request-id",
        "x-amzn-requestid",
        "apim-request-id",
    ]
    .iter()
    .find_map(|name| headers.get(*name)?.to_str().ok())
}
