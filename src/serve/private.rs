//! What a request holds of personal data, as far as its route asks, and what is done about it.
//!
//! A request is looked into once at most: where its route does something about personal data, or one of
//! its rules comes to ask. What takes its time is done on a thread aside, so that nobody else waits. A
//! look that fails, or comes too late, is a refusal: what was not seen is not sent.

mod inspected;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::content::Subject;
use super::routing::Caller;
use crate::chat::{Look, Request, Surface};
use crate::error::GatewayError;
use crate::plan;
use crate::privacy::{self, Detectors, Frames, Survey, Vault};
use crate::record::Recorder;
use crate::snapshot::{Privacy, Route};

pub(super) use self::inspected::pass;
pub(crate) use self::inspected::{Decision, Inspected};

/// The longest body that is looked into where it is, in bytes: a millisecond's work.
pub(super) const AT_ONCE: usize = 64 << 10;
/// The longest that a look may take; the largest body takes a second.
const LONGEST: Duration = Duration::from_secs(5);

/// What is seen of one request.
pub(super) struct Private {
    detectors: Arc<Detectors>,
    privacy: Privacy,
    seen: Option<Seen>,
    /// Whether a rule came to ask for what has not been seen.
    wanted: Cell<bool>,
}

/// What a look came to.
struct Seen {
    inspected: Inspected,
    masked: Option<(Request, Arc<Vault>)>,
}

/// A request as any provider may see it, and what was taken out.
#[derive(Default)]
pub(super) struct Masked {
    /// Absent where nothing was taken out.
    pub(super) request: Option<Request>,
    vault: Option<Arc<Vault>>,
}

impl Private {
    /// Looks at once where the route does something about what is found.
    ///
    /// # Errors
    /// It could not be looked into in time.
    pub(super) async fn of(
        caller: Caller<'_>,
        route: &Route,
        request: &Request,
        deadline: Instant,
    ) -> Result<Self, GatewayError> {
        let mut private = Self {
            detectors: Arc::clone(&caller.snapshot.detectors),
            privacy: route.privacy,
            seen: None,
            wanted: Cell::new(false),
        };
        if route.privacy.looks() {
            private.look(request, deadline).await?;
        }
        Ok(private)
    }

    /// For rules: what was found. Where nobody has looked, it is wanted.
    pub(super) fn told(&self, look: &Look<'_>) -> plan::Found {
        let Some(seen) = &self.seen else {
            // One that passes through is not looked into.
            self.wanted.set(look.request().is_some());
            return plan::Found::unknown();
        };
        seen.inspected.told(&self.detectors)
    }

    /// Whether a rule has asked in vain.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.replace(false)
    }

    /// # Errors
    /// It could not be looked into in time.
    pub(super) async fn look(
        &mut self,
        request: &Request,
        deadline: Instant,
    ) -> Result<(), GatewayError> {
        let privacy = self.privacy;
        let seen = if request.body.len() <= AT_ONCE {
            // One that fails is one that has not seen.
            let look = || see(&self.detectors, request, &privacy);
            catch_unwind(AssertUnwindSafe(look)).ok().flatten()
        } else {
            let (detectors, request) = (Arc::clone(&self.detectors), request.clone());
            let look = spawn_blocking(move || see(&detectors, &request, &privacy));
            let end = deadline.min(Instant::now() + LONGEST);
            // Late, or it panicked.
            timeout_at(end, look)
                .await
                .ok()
                .and_then(Result::ok)
                .flatten()
        };
        self.seen = Some(seen.ok_or(GatewayError::PiiUnavailable)?);
        Ok(())
    }

    /// The request as any provider may see it, for its record.
    pub(super) fn subject(&self, request: &Request) -> Subject {
        let seen = self.seen.as_ref();
        match seen.and_then(|seen| seen.masked.as_ref()) {
            Some((masked, vault)) => Subject::Sent(masked.body.clone(), Some(Arc::clone(vault))),
            None => Subject::Sent(request.body.clone(), None),
        }
    }

    /// What is done about it, which the recorder is told. `ruled` says that the request has fallen under a rule
    /// about personal data, which says where what cannot be looked into goes.
    ///
    /// # Errors
    /// It holds what must not be sent, or may hold it.
    pub(super) fn act(self, ruled: bool, recorder: &mut Recorder) -> Result<Masked, GatewayError> {
        let Some(seen) = self.seen else {
            return Ok(Masked::default());
        };
        let decision = seen.inspected.decide(&self.detectors, &self.privacy, ruled);
        recorder.privacy(decision.found, decision.action);
        if let Some(refusal) = decision.refusal {
            return Err(refusal);
        }
        let Some((request, vault)) = seen.masked else {
            return Ok(Masked::default());
        };
        Ok(Masked {
            request: Some(request),
            vault: self.privacy.unmask.then_some(vault),
        })
    }
}

impl Masked {
    /// What puts the values back into the answer of a request that asks for a stream.
    pub(super) fn frames(&self, asked: &Request) -> Option<Box<Frames>> {
        let vault = self.vault.as_ref().filter(|_| asked.stream)?;
        let json = Look::at(asked).json();
        let frames = Frames::new(Arc::clone(vault), asked.surface, json);
        Some(Box::new(frames))
    }

    /// A whole answer with the values put back.
    ///
    /// # Errors
    /// It is no JSON, which none of ours is.
    pub(super) fn restored(
        &self,
        asked: &Request,
        body: bytes::Bytes,
    ) -> Result<bytes::Bytes, GatewayError> {
        let Some(vault) = &self.vault else {
            return Ok(body);
        };
        if asked.surface == Surface::Embeddings {
            // Numbers, and many of them.
            return Ok(body);
        }
        if let Some(mut frames) = self.frames(asked) {
            let mut out = frames.pass(body.into());
            frames.finish(&mut out);
            return Ok(out.into());
        }
        let text = str::from_utf8(&body).map_err(|_| GatewayError::Internal)?;
        let restored = vault.restore_body(text);
        let restored = restored.map_err(|_| GatewayError::Internal)?;
        Ok(restored.map_or(body, Into::into))
    }
}

/// `None` where the body is no JSON, which none of ours is.
fn see(detectors: &Detectors, request: &Request, privacy: &Privacy) -> Option<Seen> {
    let (text, mask) = (&request.body, privacy.mask);
    let survey = Survey::read(detectors, text).ok()?;
    let inspected = Inspected::of(&survey, privacy);
    let masked = if inspected.found.classes().meets(mask) {
        let privacy::Masked {
            body, moved, vault, ..
        } = survey.mask(detectors, text, mask).ok()?;
        body.map(|body| {
            let request = request.reworded(body, |at| moved.place(at));
            (request, Arc::new(vault))
        })
    } else {
        None
    };
    Some(Seen { inspected, masked })
}

#[cfg(test)]
mod tests;
