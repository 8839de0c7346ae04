//! The content of requests on routes that have it recorded: what is masked is looked for beside the call.
//!
//! A look that fails or is late costs the record its content, and the request nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytestring::ByteString;
use tokio::task::spawn_blocking;

use super::private::AT_ONCE;
use crate::chat::{Request, Surface};
use crate::privacy::{Classes, Detectors, Said, Survey, Transcript, Vault};
use crate::record::{Content, Recorder};
use crate::snapshot::{self, Route};

/// A request that is to be looked into.
pub(super) enum Subject {
    /// As providers get it, with what was taken out of it before.
    Sent(ByteString, Option<Arc<Vault>>),
    /// As it came, and what its route takes out of those that are sent.
    Came(ByteString, Classes),
}

/// Begins to look into a request, for `recorder`, where its route has content recorded.
pub(super) fn begin(
    route: &Route,
    detectors: &Arc<Detectors>,
    subject: impl FnOnce() -> Subject,
    recorder: &mut Recorder,
) {
    if route.content == snapshot::Content::Nothing {
        return;
    }
    let (transcribing, content) = Content::new();
    recorder.content(content);
    let (subject, detectors) = (subject(), Arc::clone(detectors));
    let is_short = subject.length() <= AT_ONCE;
    let look = move || {
        let transcript = catch_unwind(AssertUnwindSafe(|| subject.transcript(&detectors)));
        if let Some(transcript) = transcript.ok().flatten() {
            transcribing.done(transcript);
        }
    };
    if is_short {
        look();
    } else {
        // The recorder hears of its end, or of none.
        drop(spawn_blocking(look));
    }
}

/// Tells `recorder` what a plain answer says, or one that is all of a stream.
pub(super) async fn answered(asked: &Request, body: &[u8], recorder: &mut Recorder) {
    recorder.transcribed().await;
    if let Some(mut said) = said(asked, recorder) {
        said.whole(body);
        recorder.answered(&said, true);
    }
}

/// What gathers the answer of a request, where that is recorded.
pub(super) fn said(asked: &Request, recorder: &Recorder) -> Option<Box<Said>> {
    // Vectors say nothing.
    let says = recorder.has_content() && asked.surface != Surface::Embeddings;
    says.then(|| Box::new(Said::new(asked.surface)))
}

impl Subject {
    fn length(&self) -> usize {
        let (Self::Sent(body, _) | Self::Came(body, _)) = self;
        body.len()
    }

    /// `None` where it stops being JSON.
    fn transcript(&self, detectors: &Arc<Detectors>) -> Option<Transcript> {
        match self {
            Self::Sent(text, vault) => Transcript::of(detectors, text, vault.as_deref()).ok(),
            Self::Came(text, mask) => {
                if mask.is_empty() {
                    return Transcript::of(detectors, text, None).ok();
                }
                let survey = Survey::read(detectors, text).ok()?;
                let masked = survey.mask(detectors, text, *mask).ok()?;
                let text = masked.body.as_deref().unwrap_or(text);
                Transcript::of(detectors, text, Some(&masked.vault)).ok()
            }
        }
    }
}
