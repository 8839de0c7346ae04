//! What the process is doing, for those who ask from outside.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::OnceCell;
use tokio::task::JoinError;

use super::AdminState;
use super::activity::{self, Activity};
use super::routes::Routes;
use super::spend::{self, Spend};
use super::targets::{self, Targets};
use crate::central::{Following, Reason, SourceDetail};
use crate::config::Effective;
use crate::health::Health;
use crate::limit::Quotas;
use crate::record::Records;
use crate::secret::Reference;
use crate::snapshot::{Provider, Snapshot};
use crate::telemetry::{Metrics, Row, names};

/// Told by those who start, reload and stop; read by probes. It never changes what they do.
#[derive(Debug)]
pub struct Status {
    metrics: Arc<Metrics>,
    started: Timestamp,
    /// Where applications connect, once they can.
    listen: OnceLock<SocketAddr>,
    draining: AtomicBool,
    config: RwLock<Config>,
    /// Where there is a central document.
    following: Option<Arc<Following>>,
    /// Once they are kept.
    records: OnceLock<Records>,
}

#[derive(Debug, Default)]
struct Config {
    live: Option<Live>,
    /// Why the newest configuration is not the live one.
    refused: Option<String>,
    /// The keys of the live one that say otherwise than what the process began with.
    restart: Vec<&'static str>,
}

#[derive(Debug)]
struct Live {
    snapshot: Arc<Snapshot>,
    effective: Effective,
    /// Once somebody has asked for it. No secret is in it.
    shown: Arc<OnceCell<Bytes>>,
    since: Instant,
}

/// What `/readyz` answers.
#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    config: ConfigDetail,
    secrets: Vec<SecretDetail>,
    /// The sinks of records that fail, once records are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Vec<SinkDetail>>,
    draining: bool,
}

/// A sink that takes no records now.
#[derive(Debug, Serialize)]
struct SinkDetail {
    sink: &'static str,
    problem: String,
    since_seconds: u64,
}

#[derive(Debug, Serialize)]
struct ConfigDetail {
    version: Option<String>,
    age_seconds: Option<u64>,
    /// Whether there is a newer one, which was refused.
    stale: bool,
    refused: Option<String>,
    /// The keys whose new values take effect at a restart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    restart: Vec<&'static str>,
    /// Of the central document, where there is to be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceDetail>,
}

/// A provider whose secret cannot be read, or is not issued, now; an older value may be in use.
#[derive(Debug, Serialize)]
struct SecretDetail {
    provider: String,
    problem: String,
}

impl Status {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            started: Timestamp::now(),
            listen: OnceLock::new(),
            draining: AtomicBool::new(false),
            config: RwLock::default(),
            following: None,
            records: OnceLock::new(),
        }
    }

    /// The status of a process that follows a central document.
    #[must_use]
    pub fn following(mut self, following: Arc<Following>) -> Self {
        self.following = Some(following);
        self
    }

    /// This configuration is live.
    pub fn config_applied(&self, snapshot: &Arc<Snapshot>, effective: Effective, now: Instant) {
        let mut config = self.config.write().unwrap_or_else(PoisonError::into_inner);
        *config = Config {
            live: Some(Live {
                snapshot: Arc::clone(snapshot),
                effective,
                shown: Arc::default(),
                since: now,
            }),
            refused: None,
            restart: Vec::new(),
        };
        let version = [(names::VERSION, (&snapshot.version).into())];
        self.metrics.config_version.clear();
        self.metrics.config_version.get_or_create(&version).set(1);
        // Providers that are gone have no age.
        self.metrics.secret_age_seconds.clear();
        self.metrics.secret_usable.clear();
    }

    /// What the live configuration says of these keys takes effect at a restart.
    pub fn config_waits(&self, keys: Vec<&'static str>) {
        let mut config = self.config.write().unwrap_or_else(PoisonError::into_inner);
        config.restart = keys;
    }

    /// A newer configuration was refused; the live one stays. The message is shown to anyone who
    /// can reach the probes.
    pub fn config_refused(&self, message: impl Into<String>) {
        let mut config = self.config.write().unwrap_or_else(PoisonError::into_inner);
        config.refused = Some(message.into());
        self.metrics.config_refused(Reason::Invalid.name());
    }

    /// Whether the newest configuration was refused as a whole, not its central document alone.
    pub fn is_stale(&self) -> bool {
        self.config
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .refused
            .is_some()
    }

    /// Records are kept from now on.
    pub fn records(&self, records: Records) {
        // Told once in a life.
        let _ = self.records.set(records);
    }

    /// The newest records, the newest first, as JSON.
    pub(super) fn recent(&self) -> Vec<Arc<[u8]>> {
        self.records.get().map(Records::recent).unwrap_or_default()
    }

    /// What runs, and what has ended since so many records were `seen`.
    pub(super) fn activity(&self, seen: u64, now: Instant) -> Activity {
        let records = self.records.get();
        let running = records.map(|records| records.running(activity::RUNNING, now));
        let (running_count, running) = running.unwrap_or_default();
        let unseen = records.map(|records| records.recent_since(seen));
        let (next, unseen) = unseen.unwrap_or_default();
        Activity {
            started: format!("{:.3}", self.started),
            now: format!("{:.3}", Timestamp::now()),
            listen: self.listen.get().map(ToString::to_string),
            running_count,
            running,
            next,
            ended: activity::ended(&unseen),
        }
    }

    /// Applications can connect, here: not always where the configuration has it.
    pub fn listener_up(&self, listen: SocketAddr) {
        // Told once in a life.
        let _ = self.listen.set(listen);
    }

    /// The process is about to end: no new traffic, please. There is no way back.
    pub fn draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Ready once a valid configuration is live and the listener is up, until it drains.
    pub(super) fn readiness(&self, state: &AdminState, now: Instant) -> Readiness {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        let draining = self.draining.load(Ordering::Acquire);
        let listening = self.listen.get().is_some();
        let live = config.live.as_ref();
        let refused = self.refused(&config);
        let records = self.records.get();
        let is_kept = !records.is_some_and(Records::unavailable);
        Readiness {
            ready: live.is_some() && listening && !draining && is_kept,
            config: ConfigDetail {
                version: live.map(|live| live.snapshot.version.to_string()),
                age_seconds: live.map(|live| live.age(now).as_secs()),
                stale: refused.is_some(),
                refused,
                restart: config.restart.clone(),
                source: (self.following.as_ref()).map(|following| following.detail(now)),
            },
            secrets: live.map(|live| live.unreadable(state)).unwrap_or_default(),
            audit: records.map(|records| failing(records, now)),
            draining,
        }
    }

    /// The live configuration.
    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&config.live.as_ref()?.snapshot))
    }

    /// The live configuration as JSON, and where each value of it is from; null before there is one.
    /// Made by the first one who asks: that takes as long as reading the texts does, on a thread aside.
    pub(super) async fn config(&self) -> Result<Bytes, JoinError> {
        let (snapshot, effective, shown) = {
            let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
            let Some(live) = &config.live else {
                return Ok(Bytes::from_static(b"null"));
            };
            let shown = Arc::clone(&live.shown);
            (Arc::clone(&live.snapshot), live.effective.clone(), shown)
        };
        let make = || {
            let show = move || Bytes::from(effective.show(&snapshot).to_string());
            tokio::task::spawn_blocking(show)
        };
        shown.get_or_try_init(make).await.cloned()
    }

    /// The routes of the live configuration.
    pub(super) fn routes(&self) -> Option<Routes> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        Some(Routes::of(&config.live.as_ref()?.snapshot))
    }

    /// How the targets of the live configuration stand.
    pub(super) fn targets(&self, health: &Health) -> Option<Targets> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        let live = config.live.as_ref()?;
        Some(Targets::of(
            &live.snapshot,
            health,
            tokio::time::Instant::now(),
        ))
    }

    /// What was spent since the start, and how the budgets of the live configuration stand.
    pub(super) fn spend(&self, quotas: &Quotas, rows: Vec<Row>) -> Spend {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        let snapshot = config.live.as_ref().map(|live| &*live.snapshot);
        Spend::of(snapshot, quotas, rows)
    }

    /// How many tasks live, the scrape's own among them: a number that only grows is a leak.
    pub(super) fn count_tasks(&self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let alive = runtime.metrics().num_alive_tasks();
            let alive = i64::try_from(alive).unwrap_or(i64::MAX);
            self.metrics.tasks.set(alive);
        }
    }

    /// Why the newest configuration is not the live one, whoever has refused it.
    fn refused(&self, config: &Config) -> Option<String> {
        let central = || self.following.as_ref()?.refusal();
        config.refused.clone().or_else(central)
    }

    /// Brings the metrics up to date that change by themselves.
    pub(super) fn gauge(&self, state: &AdminState, now: Instant) {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        let is_stale = self.refused(&config).is_some();
        self.metrics.config_stale.set(i64::from(is_stale));
        if let Some(following) = &self.following {
            following.gauge(now);
        }
        let Some(live) = &config.live else {
            return;
        };
        self.metrics
            .config_age_seconds
            .set(whole_seconds(live.age(now)));
        spend::gauge(&self.metrics, &live.snapshot, &state.quotas);
        targets::gauge(&self.metrics, &live.snapshot, &state.health, now.into());
        for (provider, reference) in live.secrets() {
            let label = [(names::PROVIDER, provider.into())];
            let age = state.keyring.age(reference);
            if reference.is_held() {
                let usable = self.metrics.secret_usable.get_or_create(&label);
                usable.set(age.is_some().into());
            }
            let ages = &self.metrics.secret_age_seconds;
            match age {
                Some(age) => drop(ages.get_or_create(&label).set(whole_seconds(age))),
                // What is left out has no age.
                None => drop(ages.remove(&label)),
            }
        }
    }
}

impl Live {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    fn secrets(&self) -> impl Iterator<Item = (&Arc<str>, &Reference)> {
        self.snapshot
            .providers
            .values()
            .filter_map(|provider| Some((&provider.name, provider.secret.as_ref()?)))
    }

    fn unreadable(&self, state: &AdminState) -> Vec<SecretDetail> {
        let problem = |provider: &Provider| {
            let reference = provider.secret.as_ref()?;
            match state.keyring.problem(reference) {
                Some(problem) => Some(format!("{reference} {problem}")),
                None => state.credentials.problem(provider),
            }
        };
        let providers = self.snapshot.providers.values();
        providers
            .filter_map(|provider| {
                Some(SecretDetail {
                    provider: provider.name.to_string(),
                    problem: problem(provider)?,
                })
            })
            .collect()
    }
}

fn failing(records: &Records, now: Instant) -> Vec<SinkDetail> {
    let failing = records.standing().failing().into_iter();
    failing
        .map(|(sink, failing)| SinkDetail {
            sink,
            problem: failing.why,
            since_seconds: now.saturating_duration_since(failing.since).as_secs(),
        })
        .collect()
}

fn whole_seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}
