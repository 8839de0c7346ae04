//! Configuration and secrets, kept current while requests run.
//!
//! A reconciler: woken by a signal or by a look at the files, it takes no input, does the whole job
//! again, and on failure keeps the last good configuration and says so.

use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use jiff::Timestamp;

use crate::admin::Status;
use crate::config::{self, Document, Loaded, Problem, Process, Sources};
use crate::health::Health;
use crate::live::{Live, Publisher};
use crate::secret::{Keyring, Reference};
use crate::snapshot::Snapshot;

pub(super) struct Reloader {
    sources: Sources,
    /// What the process was started with, which a reload cannot change.
    process: Process,
    publisher: Publisher<Snapshot>,
    live: Live<Snapshot>,
    keyring: Keyring,
    health: Health,
    status: Arc<Status>,
    seen: Mutex<Option<Stamp>>,
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
    pub(super) fn new(
        sources: Sources,
        process: Process,
        publisher: Publisher<Snapshot>,
        live: Live<Snapshot>,
        keyring: Keyring,
        health: Health,
        status: Arc<Status>,
    ) -> Self {
        // Nothing has been seen: a change since the start is then found by the first look.
        let seen = Mutex::default();
        Self {
            sources,
            process,
            publisher,
            live,
            keyring,
            health,
            status,
            seen,
        }
    }

    /// Looks at the files, and reads again those that changed.
    pub(super) fn look(&self) {
        self.keyring.refresh_files();
        // Held to the end: one at a time, so that the newest is the last to be published.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.sources.document);
        if std::mem::replace(&mut *seen, now) != now {
            self.read();
        }
        self.tell_changed_keys();
    }

    /// Reads everything anew.
    pub(super) fn reload(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = stamp(&self.sources.document);
        self.read();
        self.tell_changed_keys();
    }

    fn read(&self) {
        let sources = Sources {
            now: Timestamp::now(),
            ..self.sources.clone()
        };
        match config::load(&sources) {
            Ok(loaded) => self.apply(loaded),
            Err(problems) => self.refuse(&problems),
        }
    }

    /// Reads the secrets that `snapshot` names. One that cannot be read disables its provider, and
    /// nothing else.
    pub(super) fn read_secrets(&self, snapshot: &Snapshot) {
        let named: Vec<&Reference> = snapshot
            .providers
            .values()
            .filter_map(|provider| provider.secret.as_ref())
            .collect();
        for (reference, error) in self.keyring.load(named) {
            tracing::error!(secret = %reference, %error, "a secret cannot be read; its provider is left out until it can");
        }
    }

    /// An account whose key was refused may be asked again once it has another one, whoever had that
    /// one read: a secret may be several providers'.
    fn tell_changed_keys(&self) {
        let changed = self.keyring.take_changed();
        for provider in self.live.current().providers.values() {
            if provider
                .secret
                .as_ref()
                .is_some_and(|secret| changed.contains(secret))
            {
                self.health.key_changed(provider);
            }
        }
    }

    fn apply(&self, loaded: Loaded) {
        let Loaded {
            snapshot,
            process,
            warnings,
            ..
        } = loaded;
        let snapshot = Arc::new(snapshot);
        // Before the snapshot, so that no request finds a provider without its key.
        self.read_secrets(&snapshot);
        if self.live.current().version == snapshot.version && !self.status.is_stale() {
            return;
        }
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        if process != self.process {
            tracing::warn!("settings of the process have changed; they take effect at a restart");
        }
        let before = self.live.current();
        self.publisher.publish(Arc::clone(&snapshot));
        for (name, provider) in &snapshot.providers {
            let of_before = before.providers.get(name);
            if of_before.is_none_or(|of_before| of_before.secret != provider.secret) {
                self.health.key_changed(provider);
            }
        }
        self.status.config_applied(&snapshot, Instant::now());
        tracing::info!(version = %snapshot.version, "the configuration is live");
    }

    fn refuse(&self, problems: &[Problem]) {
        for problem in problems {
            tracing::error!("{problem}");
        }
        tracing::error!(
            problems = problems.len(),
            "the new configuration is refused; the last good one stays"
        );
        let first = problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        let message = match problems.len() {
            0 | 1 => first,
            count => format!("{first} (and {} more)", count - 1),
        };
        self.status.config_refused(message);
    }
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
