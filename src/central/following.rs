//! How the following goes: told by the follower, read by probes, scrapers and reports.

use std::borrow::Cow;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::digest::Digest;
use crate::telemetry::Metrics;

/// Where the live document came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Source,
    /// Kept on disk from an earlier time; the source has not confirmed it since the start.
    Copy,
}

/// Why a configuration was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is too long, or nothing that can be read as a text.
    Unusable,
    Signature,
    /// It has problems.
    Invalid,
    /// It is a step back.
    Version,
}

impl Reason {
    /// The metric's label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unusable => "unusable",
            Self::Signature => "signature",
            Self::Invalid => "invalid",
            Self::Version => "version",
        }
    }
}

/// It changes nothing of what it tells about.
#[derive(Debug)]
pub struct Following {
    metrics: Arc<Metrics>,
    /// The source's address, without a password.
    source: String,
    state: Mutex<State>,
    changes: Notify,
}

#[derive(Debug)]
struct State {
    /// When it was last known that nothing newer is there; before that, the start, or the time at
    /// which the copy was kept.
    current: Instant,
    /// Why the source cannot be asked.
    away: Option<String>,
    /// Why the newest document is not the live one.
    refused: Option<(Reason, String)>,
    /// It will be taken later.
    waits: Option<String>,
    live: Option<Live>,
}

#[derive(Debug)]
struct Live {
    origin: Origin,
    digest: Digest,
    version: Option<u64>,
    /// Why it is for others first.
    early: Option<String>,
}

/// What `/readyz` and reports say of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceDetail {
    pub url: String,
    /// The live document: the first 12 digits of its SHA-256.
    pub document: Option<String>,
    /// Its `version`.
    pub version: Option<u64>,
    pub from: Option<Origin>,
    /// Since the source was last heard.
    pub age_seconds: u64,
    /// Why it cannot be asked.
    pub away: Option<String>,
    pub refused: Option<String>,
    /// Why the newest document is not taken yet.
    pub waits: Option<String>,
    /// For whom the live document is as yet, where this instance is none of them and has no other.
    pub early: Option<String>,
}

impl Following {
    pub fn new(source: String, metrics: Arc<Metrics>, now: Instant) -> Self {
        Self {
            metrics,
            source,
            state: Mutex::new(State {
                current: now,
                away: None,
                refused: None,
                waits: None,
                live: None,
            }),
            changes: Notify::new(),
        }
    }

    pub fn detail(&self, now: Instant) -> SourceDetail {
        let state = self.state();
        SourceDetail {
            url: self.source.clone(),
            document: state.live.as_ref().map(|live| live.digest.short()),
            version: state.live.as_ref().and_then(|live| live.version),
            from: state.live.as_ref().map(|live| live.origin),
            age_seconds: now.saturating_duration_since(state.current).as_secs(),
            away: state.away.clone(),
            refused: (state.refused.as_ref()).map(|(_, why)| why.clone()),
            waits: state.waits.clone(),
            early: (state.live.as_ref()).and_then(|live| live.early.clone()),
        }
    }

    /// Returns when something has changed since it last did. For one who waits at a time.
    pub(super) async fn changed(&self) {
        self.changes.notified().await;
    }

    /// Why the newest document is not live, where it was refused.
    pub fn refusal(&self) -> Option<String> {
        let state = self.state();
        state.refused.as_ref().map(|(_, why)| why.clone())
    }

    /// Brings the metrics up to date that change by themselves.
    pub fn gauge(&self, now: Instant) {
        let age = now.saturating_duration_since(self.state().current);
        let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        self.metrics.config_source_age_seconds.set(age);
    }

    /// The source has answered.
    pub(super) fn answered(&self, now: Instant) {
        let mut state = self.state();
        state.current = now;
        if state.away.take().is_some() {
            tracing::info!(source = %self.source, "the source is back");
        }
        self.metrics.config_source_up.set(1);
    }

    /// It has not.
    pub(super) fn away(&self, why: String) {
        let mut state = self.state();
        if state.away.as_ref() != Some(&why) {
            tracing::warn!(source = %self.source, "the source {why}; what is live stays live");
        }
        state.away = Some(why);
        self.metrics.config_source_up.set(0);
    }

    /// The newest document that is known of is live.
    pub(super) fn live(
        &self,
        origin: Origin,
        digest: Digest,
        version: Option<u64>,
        early: Option<String>,
    ) {
        let mut state = self.state();
        state.live = Some(Live {
            origin,
            digest,
            version,
            early,
        });
        self.changes.notify_one();
        if origin == Origin::Source {
            state.refused = None;
            state.waits = None;
        }
    }

    /// A document that was kept for so long is what we go on with.
    pub(super) fn kept_for(&self, age: Duration, now: Instant) {
        self.state().current = now.checked_sub(age).unwrap_or(now);
    }

    /// The newest document is refused; whatever was live stays.
    pub(super) fn refused(&self, reason: Reason, problems: &[String]) {
        say(problems);
        tracing::error!(
            source = %self.source,
            reason = reason.name(),
            problems = problems.len(),
            "the document is refused; the last good one stays"
        );
        let mut state = self.state();
        state.refused = Some((reason, summary(problems)));
        state.waits = None;
        self.metrics.config_refused(reason.name());
        self.changes.notify_one();
    }

    /// The newest document is sound, and not for us yet.
    pub(super) fn waits(&self, why: String) {
        let mut state = self.state();
        if state.waits.as_ref() != Some(&why) {
            tracing::info!(source = %self.source, "{why}: what is live stays live");
        }
        state.waits = Some(why);
        state.refused = None;
        self.changes.notify_one();
    }

    /// What the source has is what it had before: the refusal of something unusable in its place is over.
    /// Whether there was one.
    pub(super) fn take_unusable(&self) -> bool {
        let mut state = self.state();
        let refused = &mut state.refused;
        let was = refused.take_if(|(reason, _)| *reason == Reason::Unusable);
        was.is_some()
    }

    /// The live document could not be written down.
    pub(super) fn not_kept(&self, error: &io::Error) {
        tracing::warn!(%error, "the last good document could not be kept; a restart without the source would not have it");
        self.metrics.config_copy_failures.inc();
    }

    /// A panic while it is held leaves nothing half done that matters.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many problems of one document are logged, and so much of each: one may have a hundred thousand,
/// and a name of a megabyte.
const MOST: usize = 50;
const LONGEST: usize = 1000;

/// Logs them, as far as somebody would read them.
pub(crate) fn say(problems: &[String]) {
    for problem in problems.iter().take(MOST) {
        tracing::error!("{}", beginning(problem));
    }
    if problems.len() > MOST {
        tracing::error!("and {} more", problems.len() - MOST);
    }
}

/// The first one, and how many there are.
pub(crate) fn summary(problems: &[String]) -> String {
    let first = beginning(problems.first().map(String::as_str).unwrap_or_default());
    match problems.len() {
        0 | 1 => first.into_owned(),
        count => format!("{first} (and {} more)", count - 1),
    }
}

fn beginning(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_problems_is_told_in_a_line() {
        let of = |count| vec!["é".to_owned(); count];
        assert_eq!(summary(&of(0)), "");
        assert_eq!(summary(&of(1)), "é");
        assert_eq!(summary(&of(3)), "é (and 2 more)");
        let long = summary(&["é".repeat(3_000_000)]);
        assert_eq!(long, format!("{}…", "é".repeat(LONGEST)));
    }
}
