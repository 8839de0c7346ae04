//! How the targets of the live routes stand: as JSON for people, as gauges for alerts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use crate::health::{BreakerState, Health, TargetReport, Times};
use crate::snapshot::{Snapshot, Target};
use crate::telemetry::{Label, Metrics, names};

/// What `/api/targets` answers.
#[derive(Debug, Serialize)]
pub(super) struct Targets {
    targets: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    target: String,
    provider: String,
    model: String,
    /// The routes that list it.
    routes: Vec<String>,
    /// Whether it gets requests now.
    available: bool,
    /// Why not: `breaker_open`, `rate_limited`, `quota_exhausted`, `auth`, `target_missing`.
    reason: Option<&'static str>,
    /// When it may be tried again; null where only a change of the configuration helps.
    until: Option<String>,
    /// `closed`, `half_open`, `open`.
    breaker: &'static str,
    last_failure: Option<LastFailure>,
    in_flight: u64,
    first_token_ms: Span,
    answer_ms: Span,
    /// Between two tokens of a stream.
    pace_ms: Span,
}

#[derive(Debug, Serialize)]
struct LastFailure {
    class: &'static str,
    seconds_ago: u64,
}

/// Milliseconds that something takes; null while nothing is known.
#[derive(Debug, Serialize)]
struct Span {
    expected: Option<u64>,
    p95: Option<u64>,
    /// Whether it has been taking much longer than usual.
    slow: bool,
}

impl Targets {
    pub(super) fn of(snapshot: &Snapshot, health: &Health, now: Instant) -> Self {
        let wall = SystemTime::now();
        let rows = listed(snapshot).into_values();
        Self {
            targets: rows
                .map(|(target, routes)| {
                    Row::of(&target, routes, &health.report(&target, now), now, wall)
                })
                .collect(),
        }
    }
}

impl Row {
    fn of(
        target: &Target,
        routes: Vec<String>,
        report: &TargetReport,
        now: Instant,
        wall: SystemTime,
    ) -> Self {
        let until = report.out.and_then(|out| out.until);
        let until = until.map(|until| wall + until.saturating_duration_since(now));
        Self {
            target: report.id.to_string(),
            provider: target.provider.name.to_string(),
            model: target.model.to_string(),
            routes,
            available: report.out.is_none(),
            reason: report.out.map(|out| out.why.name()),
            until: until
                .and_then(|until| Timestamp::try_from(until).ok())
                .map(|until| format!("{until:.3}")),
            breaker: report.breaker.name(),
            last_failure: report.last_failure.map(|(class, ago)| LastFailure {
                class,
                seconds_ago: ago.as_secs(),
            }),
            in_flight: report.in_flight,
            first_token_ms: report.first_token.into(),
            answer_ms: report.answer.into(),
            pace_ms: report.pace.into(),
        }
    }
}

impl From<Times> for Span {
    fn from(times: Times) -> Self {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self {
            expected: times.expected.map(millis),
            p95: times.p95.map(millis),
            slow: times.slow,
        }
    }
}

/// Brings the gauges of the targets up to date.
pub(super) fn gauge(metrics: &Metrics, snapshot: &Snapshot, health: &Health, now: Instant) {
    metrics.breaker_state.clear();
    metrics.target_out_seconds.clear();
    for (target, _) in listed(snapshot).into_values() {
        let report = health.report(&target, now);
        let label = || Label::from(&target.id);
        let state = match report.breaker {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        };
        metrics
            .breaker_state
            .get_or_create(&[(names::TARGET, label())])
            .set(state);
        if let Some(out) = report.out {
            let left = out.until.map(|until| until.saturating_duration_since(now));
            let left = left.map(|left| i64::try_from(left.as_secs() + 1).unwrap_or(i64::MAX));
            metrics
                .target_out_seconds
                .get_or_create(&[
                    (names::TARGET, label()),
                    (names::REASON, out.why.name().into()),
                ])
                .set(left.unwrap_or(-1));
        }
    }
}

/// Each target once, with the routes that list it.
fn listed(snapshot: &Snapshot) -> BTreeMap<Arc<str>, (Arc<Target>, Vec<String>)> {
    let mut listed: BTreeMap<Arc<str>, (Arc<Target>, Vec<String>)> = BTreeMap::new();
    for route in snapshot.routes.values() {
        for target in route.targets() {
            let row = listed
                .entry(Arc::clone(&target.id))
                .or_insert_with(|| (Arc::clone(target), Vec::new()));
            if !row.1.iter().any(|name| **name == *route.name) {
                row.1.push(route.name.to_string());
            }
        }
    }
    listed
}
