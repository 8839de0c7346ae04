//! The requests that run, for who looks from outside: what is known of each by now.
//!
//! A request has its place here from its route to its end. Nothing is written or counted for it: an
//! attempt is shared with the record, and is read when somebody looks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;
use smallvec::SmallVec;

use super::facts::{Arrival, Attempt, AttemptLog, Facts};
use super::id::RequestId;
use super::line::{millis, milliseconds};
use crate::chat::Surface;
use crate::snapshot::{Key, Route};

/// By the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    begun: u64,
    requests: BTreeMap<u64, Request>,
}

#[derive(Debug)]
struct Request {
    id: RequestId,
    arrival: Arrival,
    key: Option<Arc<Key>>,
    route: Option<Arc<Route>>,
    surface: Option<Surface>,
    streamed: Option<bool>,
    attempts: SmallVec<[AttemptLog; 2]>,
}

/// The place of one request: given back when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    running: Arc<Running>,
    number: u64,
}

/// A request that runs, as it is shown. The names are those of the record.
#[derive(Debug, Serialize)]
pub struct Seen {
    #[serde(serialize_with = "milliseconds")]
    time: Timestamp,
    id: String,
    key: Option<String>,
    route: Option<String>,
    surface: Option<&'static str>,
    stream: Option<bool>,
    /// Whose answer is on its way to the caller.
    target: Option<String>,
    first_token_ms: Option<u64>,
    /// Until now.
    total_ms: u64,
    attempts: Vec<SeenAttempt>,
}

#[derive(Debug, Serialize)]
struct SeenAttempt {
    target: String,
    /// Null while it runs.
    class: Option<&'static str>,
    status: Option<u16>,
    start_ms: u64,
    /// Until now, where it runs.
    ms: u64,
    first_token_ms: Option<u64>,
}

impl Running {
    pub(super) fn begin(self: &Arc<Self>, facts: &Facts) -> Ticket {
        let request = Request {
            id: facts.id,
            arrival: facts.arrival,
            key: facts.key.clone(),
            route: facts.route.clone(),
            surface: facts.surface,
            streamed: facts.streamed,
            attempts: facts.attempts.clone(),
        };
        let mut places = self.lock();
        places.begun += 1;
        let number = places.begun;
        places.requests.insert(number, request);
        let running = Arc::clone(self);
        Ticket { running, number }
    }

    /// How many there are, and the newest `most` of them, the newest first.
    pub(super) fn newest(&self, most: usize, now: Instant) -> (usize, Vec<Seen>) {
        let places = self.lock();
        let newest = places.requests.values().rev().take(most);
        let seen = newest.map(|request| request.seen(now)).collect();
        (places.requests.len(), seen)
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    pub(super) fn attempt(&self, attempt: &AttemptLog) {
        let mut places = self.running.lock();
        if let Some(request) = places.requests.get_mut(&self.number) {
            request.attempts.push(attempt.clone());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.running.lock().requests.remove(&self.number);
    }
}

impl Request {
    fn seen(&self, now: Instant) -> Seen {
        let arrived = self.arrival.instant;
        let (mut target, mut first_token) = (None, None);
        let mut attempts = Vec::with_capacity(self.attempts.len());
        for attempt in self.attempts.iter().map(AttemptLog::lock) {
            if attempt.answered {
                target = Some(attempt.target.id.to_string());
                first_token = attempt.first_token;
            }
            attempts.push(SeenAttempt::new(&attempt, arrived, now));
        }
        Seen {
            time: self.arrival.time,
            id: self.id.as_str().to_owned(),
            key: self.key.as_ref().map(|key| key.id.to_string()),
            route: self.route.as_ref().map(|route| route.name.to_string()),
            surface: self.surface.map(Surface::name),
            stream: self.streamed,
            target,
            first_token_ms: first_token.map(|at| millis(at.saturating_duration_since(arrived))),
            total_ms: millis(now.saturating_duration_since(arrived)),
            attempts,
        }
    }
}

impl SeenAttempt {
    fn new(attempt: &Attempt, arrived: Instant, now: Instant) -> Self {
        let started = attempt.started;
        let ended = attempt.ended.unwrap_or(now);
        Self {
            target: attempt.target.id.to_string(),
            class: attempt.ended.map(|_| attempt.class.name()),
            status: attempt.status.map(|status| status.as_u16()),
            start_ms: millis(started.saturating_duration_since(arrived)),
            ms: millis(ended.saturating_duration_since(started)),
            first_token_ms: (attempt.first_token)
                .map(|at| millis(at.saturating_duration_since(started))),
        }
    }
}
