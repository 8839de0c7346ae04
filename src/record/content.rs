//! What a record holds of its exchange's content: what was masked, or nothing.
//!
//! The request may be looked into beside its call. A record does not wait for that, and has no content where
//! the look has failed or has not ended by then. Never here: a text that is not masked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::privacy::{MaskedText, Said, Transcript};

/// For so long an answer waits for the look into its request: the largest takes a second or two.
const PATIENCE: Duration = Duration::from_secs(5);

/// The record's end of it.
#[derive(Debug)]
pub struct Content {
    transcript: watch::Receiver<Option<Arc<Transcript>>>,
    answer: Option<MaskedText>,
}

/// The end of who looks into the request. Dropped, the look has failed.
#[derive(Debug)]
pub struct Transcribing(watch::Sender<Option<Arc<Transcript>>>);

/// What is to be written.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub(super) transcript: Arc<Transcript>,
    pub(super) answer: Option<&'a MaskedText>,
}

impl Content {
    pub fn new() -> (Transcribing, Self) {
        let (transcribing, transcript) = watch::channel(None);
        let content = Self {
            transcript,
            answer: None,
        };
        (Transcribing(transcribing), content)
    }

    /// Returns once the request was looked into, or is no longer waited for. Cancel-safe.
    pub(super) async fn transcribed(&mut self) {
        let looked = self.transcript.wait_for(Option::is_some);
        // Late, or failed: the record has none.
        let _ = timeout(PATIENCE, looked).await;
    }

    /// What the answer says, as far as it came.
    pub(super) fn answered(&mut self, said: &Said, is_whole: bool) {
        let Some(transcript) = self.transcript.borrow().clone() else {
            return;
        };
        // A detector that fails has masked nothing.
        let mask = || transcript.answer(said, is_whole);
        self.answer = catch_unwind(AssertUnwindSafe(mask)).ok().flatten();
    }

    pub(super) fn held(&self) -> Option<Held<'_>> {
        Some(Held {
            transcript: self.transcript.borrow().clone()?,
            answer: self.answer.as_ref(),
        })
    }
}

impl Transcribing {
    pub fn done(self, transcript: Transcript) {
        self.0.send_replace(Some(Arc::new(transcript)));
    }
}
