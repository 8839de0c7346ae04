//! Configuration and secrets, kept current while requests run.
//!
//! A reconciler: woken by a signal, by a look at the files, or by a central document, it does the whole
//! job again with all that there is, and on failure keeps the last good configuration and says so.

use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::admin::Status;
use crate::central::{Offer, Standing, Taker, Verdict, summary};
use crate::config::{self, CentralText, Document, Loaded, Problem, Process, Sources};
use crate::health::Health;
use crate::live::{Live, Publisher};
use crate::secret::{Keyring, Reference};
use crate::snapshot::Snapshot;

pub(super) struct Reloader {
    /// Without the central document, which is in `state`.
    sources: Sources,
    keyring: Keyring,
    health: Health,
    status: Arc<Status>,
    /// What of a central document was refused may be fine with another file of ours.
    again: Arc<Notify>,
    /// Held while a configuration is read and published: one at a time, so that the newest is the
    /// last.
    state: Mutex<State>,
}

struct State {
    seen: Option<Stamp>,
    /// The one that is live.
    central: Option<CentralText>,
    stage: Stage,
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

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// A mounted `ConfigMap` is swapped by a link, with a new file behind it.
    file: u64,
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
            state: Mutex::new(State {
                // Nothing has been seen: a change since the start is then found by the first look.
                seen: None,
                central: None,
                stage: Stage::Waiting(sender),
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
    }

    /// Reads everything anew.
    pub(super) fn reload(&self) {
        let mut state = self.state();
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
        let named: Vec<&Reference> = snapshot
            .providers
            .values()
            .filter_map(|provider| provider.secret.as_ref())
            .chain(&snapshot.admin_token)
            .collect();
        for (reference, error) in self.keyring.load(&snapshot.secret_stores, named) {
            let in_use = self.keyring.current(&reference).is_some();
            tracing::error!(secret = %reference, %error, in_use, "a secret cannot be read; without one what needs it is left out until it can");
        }
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
                if process != serving.process {
                    tracing::warn!(
                        "settings of the process have changed; they take effect at a restart"
                    );
                }
                serving.publisher.publish(Arc::clone(&snapshot));
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
            tracing::warn!("{warning}");
        }
        self.status
            .config_applied(&snapshot, effective, Instant::now());
        tracing::info!(version = %snapshot.version, "the configuration is live");
        if let Some((waiting, first)) = first {
            // Whoever waited may have been told to end.
            let _ = waiting.send(first);
        }
    }

    fn refuse(&self, problems: &[Problem]) {
        for problem in problems {
            tracing::error!("{problem}");
        }
        tracing::error!(
            problems = problems.len(),
            "the new configuration is refused; the last good one stays"
        );
        self.status.config_refused(summary(&said(problems)));
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

fn said(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn stamp(document: &Document) -> Option<Stamp> {
    let Document::File(path) = document else {
        return None;
    };
    let found = std::fs::metadata(path).ok()?;
    Some(Stamp {
        modified: found.modified().ok(),
        length: found.len(),
        file: found.ino(),
    })
}
