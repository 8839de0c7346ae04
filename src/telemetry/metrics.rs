//! The process's metrics, in the `OpenMetrics` text format.
//!
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/> (read 2026-11). The families are filled
//! by those who own the facts: [`crate::record`] for requests, [`crate::admin`] for configuration
//! and secrets. Label values come from the configuration or from our own words, so their number is
//! bounded by what the operator wrote.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::{Label, Lately, Spend, names};

/// Names and values, in one fixed order per family.
pub(crate) type Labels<const N: usize> = [(&'static str, Label); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Gauges<const N: usize> = Family<Labels<N>, Gauge>;
type Histograms = Family<Labels<2>, Histogram, fn() -> Histogram>;

/// Upper bounds in seconds: from a connection refused at once to the longest plain answer.
const LATENCY_BUCKETS: [f64; 14] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0, 180.0, 600.0,
];

/// Every metric there is. Incrementing one takes no lock that a scrape holds for long.
#[derive(Debug)]
pub struct Metrics {
    /// Written to when it is known of which process it is.
    registry: RwLock<Registry>,
    pub(crate) requests: Counters<4>,
    pub(crate) attempts: Counters<2>,
    pub(crate) fallbacks: Counters<3>,
    /// By target: 0 closed, 1 half-open, 2 open.
    pub(crate) breaker_state: Gauges<1>,
    /// By target and reason: until it may be tried again, -1 where only a new configuration helps.
    pub(crate) target_out_seconds: Gauges<2>,
    pub(crate) rejections: Counters<1>,
    pub(crate) stream_ends: Counters<1>,
    pub(crate) joins: Counters<1>,
    pub(crate) pii_found: Counters<2>,
    pub(crate) tokens: Counters<3>,
    /// For graphs, as a float; [`spend`](Self::spend) is exact.
    pub(crate) cost: Family<Labels<3>, Counter<f64, AtomicU64>>,
    pub(crate) spend: Spend,
    pub(crate) lately: Lately,
    pub(crate) first_token_seconds: Histograms,
    pub(crate) request_seconds: Histograms,
    in_flight: Gauges<1>,
    /// Requests that wait for a seat.
    pub(crate) queue_waiting: Gauge,
    pub(crate) config_version: Gauges<1>,
    pub(crate) config_age_seconds: Gauge,
    /// By reason, of which there are a few.
    config_refusals: Counters<1>,
    pub(crate) config_stale: Gauge,
    pub(crate) secret_age_seconds: Gauges<1>,
    /// By provider: 0 while there is no secret that may be used.
    pub(crate) secret_usable: Gauges<1>,
    /// By key and limit.
    pub(crate) limit_rejections: Counters<2>,
    /// By scope, in the operator's currency.
    pub(crate) budget_remaining: Family<Labels<1>, Gauge<f64, AtomicU64>>,
    /// By scope: 1 once four fifths are spent.
    pub(crate) budget_warning: Gauges<1>,
    pub(crate) audit_records: Counter,
    pub(crate) audit_dropped: Counter,
    /// These three by sink.
    pub(crate) audit_sink_up: Gauges<1>,
    pub(crate) audit_sent: Counters<1>,
    pub(crate) audit_waiting: Gauges<1>,
    pub(crate) tasks: Gauge,
    /// These three are not there without a central source.
    pub(crate) config_source_up: Gauge,
    pub(crate) config_source_age_seconds: Gauge,
    pub(crate) config_copy_failures: Counter,
}

/// What became of spans. Clones are one.
#[derive(Debug, Clone)]
pub struct SpanCounts {
    sent: Counter,
    /// By reason, of which there are two.
    dropped: Counters<1>,
}

/// One request under way on a route; over when dropped.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl Metrics {
    pub fn new() -> Self {
        use names as n;
        let all = &mut Registry::default();
        let metrics = Self {
            requests: add(all, n::REQUESTS, "Requests by how they ended"),
            attempts: add(all, n::ATTEMPTS, "Tries at a target by how they ended"),
            fallbacks: add(all, n::FALLBACKS, "Switches of target by what failed"),
            breaker_state: add(all, n::BREAKER_STATE, "0 closed, 1 half-open, 2 open"),
            target_out_seconds: add(all, n::TARGET_OUT_SECONDS, "Until it may be tried again"),
            rejections: add(all, n::REJECTIONS, "Requests refused here"),
            stream_ends: add(all, n::STREAM_ENDS, "Streams begun by how they ended"),
            joins: add(all, n::JOINS, "Requests that took the answer of another"),
            pii_found: add(all, n::PII_FOUND, "Personal data in requests, by class"),
            tokens: add(
                all,
                n::TOKENS,
                "Tokens as the providers counted them, else estimated",
            ),
            cost: add(all, n::COST, "What they cost, where that is known"),
            spend: Spend::default(),
            lately: Lately::new(Instant::now()),
            first_token_seconds: latency(all, n::FIRST_TOKEN_SECONDS, "Arrival to first token"),
            request_seconds: latency(all, n::REQUEST_SECONDS, "Arrival to the end"),
            in_flight: add(all, n::IN_FLIGHT, "Requests under way"),
            queue_waiting: add(all, n::QUEUE_WAITING, "Requests that wait for their turn"),
            config_version: add(all, n::CONFIG_VERSION, "The live configuration"),
            config_age_seconds: add(all, n::CONFIG_AGE_SECONDS, "Since it was applied"),
            config_refusals: add(all, n::CONFIG_REFUSALS, "Configurations refused"),
            config_stale: add(all, n::CONFIG_STALE, "1 while the newest one is refused"),
            secret_age_seconds: add(all, n::SECRET_AGE_SECONDS, "Since a secret changed"),
            secret_usable: add(all, n::SECRET_USABLE, "0 while its provider is left out"),
            limit_rejections: add(
                all,
                n::LIMIT_REJECTIONS,
                "Requests that a limit did not let pass",
            ),
            budget_remaining: add(all, n::BUDGET_REMAINING, "What is left of a budget"),
            budget_warning: add(all, n::BUDGET_WARNING, "1 once four fifths of it are spent"),
            audit_records: add(all, n::AUDIT_RECORDS, "Audit records made, one a request"),
            audit_dropped: add(all, n::AUDIT_DROPPED, "Audit records that a sink lost"),
            audit_sink_up: add(all, n::AUDIT_SINK_UP, "0 while it takes no records"),
            audit_sent: add(all, n::AUDIT_SENT, "Records that a sink elsewhere took"),
            audit_waiting: add(
                all,
                n::AUDIT_WAITING,
                "Records that wait for a sink elsewhere",
            ),
            tasks: add(all, n::TASKS, "Pieces of work under way in the process"),
            config_source_up: Gauge::default(),
            config_source_age_seconds: Gauge::default(),
            config_copy_failures: Counter::default(),
            registry: RwLock::new(std::mem::take(all)),
        };
        // There from the start, so that the first one is seen to be one more.
        let invalid = [(n::REASON, Label::Word("invalid"))];
        let _ = metrics.config_refusals.get_or_create(&invalid);
        metrics
    }

    /// Of a process that shares its state with others: there from now on. Asked for once.
    pub(crate) fn shared_state_up(&self) -> Gauge {
        let mut all = self
            .registry
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        add(
            &mut all,
            names::SHARED_STATE_UP,
            "1 while the shared state is there",
        )
    }

    /// Of a process that tells its spans: there from now on. Asked for once.
    pub(crate) fn spans(&self) -> SpanCounts {
        let mut all = self
            .registry
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let dropped = "Spans that were lost: no room, or refused";
        SpanCounts {
            sent: add(&mut all, names::SPANS_SENT, "Spans that the collector took"),
            dropped: add(&mut all, names::SPANS_DROPPED, dropped),
        }
    }

    /// With those of a process that follows a central document.
    #[must_use]
    pub fn with_central_source(mut self) -> Self {
        use names as n;
        let all = self
            .registry
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        self.config_source_up = add(all, n::CONFIG_SOURCE_UP, "1 while the source answers");
        self.config_source_age_seconds =
            add(all, n::CONFIG_SOURCE_AGE_SECONDS, "Since it answered");
        self.config_copy_failures = add(
            all,
            n::CONFIG_COPY_FAILURES,
            "Documents that could not be kept on disk",
        );
        self
    }

    /// A configuration was refused; `reason` is one of a few words.
    pub(crate) fn config_refused(&self, reason: &'static str) {
        self.config_refusals
            .get_or_create(&[(names::REASON, Label::Word(reason))])
            .inc();
    }

    /// Counts a request as under way on `route` until the guard is dropped.
    pub fn in_flight(&self, route: &Arc<str>) -> InFlight {
        let gauge = self
            .in_flight
            .get_or_create_owned(&[(names::ROUTE, route.into())]);
        gauge.inc();
        InFlight(gauge)
    }

    /// The text that a scrape gets.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        let all = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = text::encode(&mut text, &all) {
            tracing::error!(%error, "metrics could not be rendered");
        }
        text
    }
}

impl SpanCounts {
    /// The collector has taken so many.
    pub(crate) fn sent(&self, spans: u64) {
        self.sent.inc_by(spans);
    }

    /// So many are lost; `reason` is one of a few words.
    pub(crate) fn dropped(&self, reason: &'static str, spans: u64) {
        let reason = [(names::REASON, Label::Word(reason))];
        self.dropped.get_or_create(&reason).inc_by(spans);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn add<M: Metric + Clone + Default>(all: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    all.register(name, help, metric.clone());
    metric
}

fn latency(all: &mut Registry, name: &str, help: &str) -> Histograms {
    let family = Histograms::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS));
    all.register(name, help, family.clone());
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_named_once_and_escapes_its_labels() {
        let metrics = Metrics::new();
        let code = Label::Name("a\"b".into());
        metrics
            .rejections
            .get_or_create(&[(names::CODE, code)])
            .inc();
        metrics.audit_records.inc();
        let text = metrics.render();
        assert!(
            text.contains("pillion_rejections_total{code=\"a\\\"b\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("pillion_audit_records_total 1\n"), "{text}");
        assert!(!text.contains("_total_total"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn in_flight_is_over_when_its_guard_is_dropped() {
        let metrics = Metrics::new();
        let route = Arc::from("chat");
        let one = metrics.in_flight(&route);
        let two = metrics.in_flight(&route);
        assert!(
            metrics
                .render()
                .contains("pillion_in_flight{route=\"chat\"} 2\n")
        );
        drop((one, two));
        assert!(
            metrics
                .render()
                .contains("pillion_in_flight{route=\"chat\"} 0\n")
        );
    }

    #[test]
    fn labels_are_equal_when_their_text_is() {
        let family: Counters<1> = Family::default();
        family
            .get_or_create(&[(names::STATUS, Label::Word("200"))])
            .inc();
        family
            .get_or_create(&[(names::STATUS, Label::Name("200".into()))])
            .inc();
        let by_status = [(names::STATUS, http::StatusCode::OK.into())];
        assert_eq!(family.get_or_create(&by_status).get(), 2);
    }
}
