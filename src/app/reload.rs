//! Configuration and secrets, kept current while requests run.
//!
//! A reconciler: woken by a signal, by a look at the files, or by a central document, it does the whole
//! job again with all that there is, and on failure keeps the last good configuration and says so.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::admin::Status;
use crate::central::{Offer, Standing, Taker, Verdict, say, summary};
use crate::config::{self, CentralText, Document, Loaded, Problem, Process, Sources};
use crate::health::Health;
use crate::live::{Live, Publisher};
use crate::secret::{Keyring, Reference};
use crate::snapshot::Snapshot;
use crate::stamp::Stamp;

pub(super) struct Reloader {
    /// Without the central document, which is in `state`.
    sources: Sources,
    keyring: Keyring,
    health: Health,
    status: Arc<Status>,
    /// What of a central document was refused may be fine with another file of ours.
    again: Arc<Notify>,
    /// Whether somebody has asked for everything anew, and that has not begun.
    asked: AtomicBool,
    /// Held while a configuration is read and published: one at a time, so that the newest is the
    /// last.
    state: Mutex<State>,
}

struct State {
    seen: Option<Stamp>,
    /// The one that is live.
    central: Option<CentralText>,
    stage: Stage,
    /// Those that were live before, while requests may run on them.
    past: Vec<Weak<Snapshot>>,
}

enum Stage {
    /// Somebody waits for the first configuration.
    Waiting(oneshot::Sender<First>),
    Serving(Box<Serving>),
}

struct Serving {
    /// What the process was started with, which a reload cannot change.
    process: Process,
    publisher: Publisher<Snapshot>,
    live: Live<Snapshot>,
}

/// The first configuration, live.
pub(super) struct First {
    pub(super) process: Process,
    pub(super) live: Live<Snapshot>,
}

impl Reloader {
    /// The first configuration comes out of the receiver.
    pub(super) fn new(
        sources: Sources,
        keyring: Keyring,
        health: Health,
        status: Arc<Status>,
        again: Arc<Notify>,
    ) -> (Self, oneshot::Receiver<First>) {
        let (sender, first) = oneshot::channel();
        let reloader = Self {
            sources,
            keyring,
            health,
            status,
            again,
            asked: AtomicBool::new(false),
            state: Mutex::new(State {
                // Nothing has been seen: a change since the start is then found by the first look.
                seen: None,
                central: None,
                stage: Stage::Waiting(sender),
                past: Vec::new(),
            }),
        };
        (reloader, first)
    }

    /// Begins with what the command has read.
    pub(super) fn begin(&self, loaded: Loaded) {
        self.apply(&mut self.state(), loaded);
    }

    /// Looks at the files, and reads again those that changed.
    pub(super) fn look(&self) {
        self.keyring.refresh_files();
        let mut state = self.state();
        let now = stamp(&self.sources.document);
        if std::mem::replace(&mut state.seen, now) != now {
            self.read(&mut state);
        }
        self.tell_changed_keys(&state);
        self.forget_secrets(&mut state);
    }

    /// Asks for everything anew; false when somebody has, whose [`reload`](Self::reload) has yet to begin.
    /// So one waits while another runs, however many ask.
    pub(super) fn asks_first(&self) -> bool {
        !self.asked.swap(true, Ordering::AcqRel)
    }

    /// Reads everything anew.
    pub(super) fn reload(&self) {
        let mut state = self.state();
        // Whoever asks from here on may have changed what has been read.
        self.asked.store(false, Ordering::Release);
        state.seen = stamp(&self.sources.document);
        self.read(&mut state);
        self.tell_changed_keys(&state);
    }

    /// What there is of ours, with the central document that is live.
    fn read(&self, state: &mut State) {
        match self.load(state.central.clone()) {
            Ok(loaded) => self.apply(state, loaded),
            Err(problems) => self.refuse(&problems),
        }
        self.again.notify_one();
    }

    fn load(&self, central: Option<CentralText>) -> Result<Loaded, Vec<Problem>> {
        config::load(&Sources {
            now: Timestamp::now(),
            central,
            ..self.sources.clone()
        })
    }

    /// Reads the secrets that `snapshot` names. One that cannot be read disables its provider, unless it
    /// has been read before, and nothing else; one that hangs is soon given up.
    fn read_secrets(&self, snapshot: &Snapshot) {
        self.keyring.hold_files_for(snapshot.secret_max_stale);
        let named = secrets(snapshot);
        for (reference, error) in self.keyring.load(&snapshot.secret_stores, named) {
            let in_use = self.keyring.current(&reference).is_some();
            tracing::error!(secret = %reference, %error, in_use, "a secret cannot be read; without one what needs it is left out until it can");
        }
    }

    /// Forgets the secrets that no request can need any more: a request that began on a configuration
    /// sends its attempts with the keys that this one names.
    fn forget_secrets(&self, state: &mut State) {
        let Stage::Serving(serving) = &state.stage else {
            return;
        };
        let count = state.past.len();
        state.past.retain(|past| past.strong_count() > 0);
        if state.past.len() == count {
            return;
        }
        let past = state.past.iter().filter_map(Weak::upgrade);
        let used: Vec<_> = past.chain([serving.live.current()]).collect();
        let needed: BTreeSet<&Reference> = used.iter().flat_map(|it| secrets(it)).collect();
        self.keyring.forget_but(&needed);
    }

    /// An account whose key was refused may be asked again once it has another one, whoever had that
    /// one read: a secret may be several providers'.
    fn tell_changed_keys(&self, state: &State) {
        let changed = self.keyring.take_changed();
        let Stage::Serving(serving) = &state.stage else {
            return;
        };
        for provider in serving.live.current().providers.values() {
            if provider
                .secret
                .as_ref()
                .is_some_and(|secret| changed.contains(secret))
            {
                self.health.key_changed(provider);
            }
        }
    }

    fn apply(&self, state: &mut State, loaded: Loaded) {
        let Loaded {
            snapshot,
            process,
            effective,
            warnings,
            ..
        } = loaded;
        let snapshot = Arc::new(snapshot);
        // Before the snapshot, so that no request finds a provider without its key.
        self.read_secrets(&snapshot);
        // On a thread aside, which may wait; what was read before is not waited for.
        Handle::current().block_on(self.keyring.read_once(super::FIRST_READ));
        let mut restart = Vec::new();
        let first = match &mut state.stage {
            Stage::Waiting(_) => {
                let (publisher, live) = Live::new(Arc::clone(&snapshot));
                let serving = Serving {
                    process: process.clone(),
                    publisher,
                    live: live.clone(),
                };
                let serving = Stage::Serving(Box::new(serving));
                let before = std::mem::replace(&mut state.stage, serving);
                match before {
                    Stage::Waiting(waiting) => Some((waiting, First { process, live })),
                    Stage::Serving(_) => None,
                }
            }
            Stage::Serving(serving) => {
                let before = serving.live.current();
                if before.version == snapshot.version && !self.status.is_stale() {
                    return;
                }
                restart = process.differs(&serving.process);
                if !restart.is_empty() {
                    let keys = restart.join(", ");
                    tracing::warn!(%keys, "settings have changed that take effect at a restart");
                }
                serving.publisher.publish(Arc::clone(&snapshot));
                state.past.push(Arc::downgrade(&before));
                for (name, provider) in &snapshot.providers {
                    let of_before = before.providers.get(name);
                    if of_before.is_none_or(|of_before| of_before.secret != provider.secret) {
                        self.health.key_changed(provider);
                    }
                }
                None
            }
        };
        for warning in &warnings {
            tracing::warn!(target: "pillion::config", "{warning}");
        }
        self.status
            .config_applied(&snapshot, effective, Instant::now());
        self.status.config_waits(restart);
        tracing::info!(version = %snapshot.version, "the configuration is live");
        if let Some((waiting, first)) = first {
            // Whoever waited may have been told to end.
            let _ = waiting.send(first);
        }
    }

    fn refuse(&self, problems: &[Problem]) {
        let said = said(problems);
        say(&said);
        tracing::error!(
            problems = said.len(),
            "the new configuration is refused; the last good one stays"
        );
        self.status.config_refused(summary(&said));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taker for Reloader {
    fn take(&self, offer: &Offer, standing: &Standing) -> Verdict {
        let Ok(text) = std::str::from_utf8(&offer.document.text) else {
            return Verdict::Refused(vec![format!("{}: is no text in UTF-8", offer.name)]);
        };
        let central = CentralText {
            name: Arc::clone(&offer.name),
            format: offer.document.format,
            text: text.into(),
        };
        let mut state = self.state();
        // Before it is read: a change meanwhile is found by the next look.
        state.seen = stamp(&self.sources.document);
        let loaded = match self.load(Some(central.clone())) {
            Ok(loaded) => loaded,
            Err(problems) => return Verdict::Refused(said(&problems)),
        };
        if let Err(stay) = standing.admits(&loaded.release) {
            return Verdict::Stays(stay);
        }
        let release = loaded.release.clone();
        state.central = Some(central);
        self.apply(&mut state, loaded);
        self.tell_changed_keys(&state);
        Verdict::Live(release)
    }
}

/// What the providers' secrets are called, and the token of the admin port.
fn secrets(snapshot: &Snapshot) -> impl Iterator<Item = &Reference> {
    let providers = snapshot.providers.values();
    let of_providers = providers.filter_map(|provider| provider.secret.as_ref());
    of_providers.chain(&snapshot.admin_token)
}

fn said(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn stamp(document: &Document) -> Option<Stamp> {
    match document {
        Document::File(path) => Stamp::at(path),
        Document::Text { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, Local};
    use crate::telemetry::Metrics;

    #[test]
    fn those_who_ask_while_a_reading_runs_are_one() {
        let document = Document::Text {
            format: Format::Yaml,
            text: "a: [".to_owned(),
        };
        let sources = Sources {
            document,
            central: None,
            local: Local::Bound,
            env: Vec::new(),
            flags: Vec::new(),
            in_kubernetes: false,
            now: Timestamp::UNIX_EPOCH,
        };
        let (reloader, _first) = Reloader::new(
            sources,
            Keyring::default(),
            Health::new(fastrand::Rng::with_seed(7)),
            Arc::new(Status::new(Arc::new(Metrics::default()))),
            Arc::default(),
        );
        let asks: Vec<_> = (0..3).map(|_| reloader.asks_first()).collect();
        assert_eq!(asks, [true, false, false]);
        reloader.reload();
        assert!(reloader.asks_first());
    }
}
