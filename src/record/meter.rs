//! A request's metrics, counted from its record: the one place that does.

use std::sync::Arc;

use http::StatusCode;

use super::facts::{AttemptLog, Facts, Outcome, Verdict};
use crate::chat::Usage;
use crate::outcome::Class;
use crate::snapshot::Target;
use crate::telemetry::{Label, Metrics, Sample, names};

pub(super) fn count(metrics: &Metrics, facts: &Facts, verdict: &Verdict<'_>) {
    let route = Label::from(facts.route.as_ref().map(|route| &route.name));
    let answering = facts.answering();
    let target = Label::from(answering.as_ref().map(|(target, _)| &target.id));
    let latency = [
        (names::ROUTE, route.clone()),
        (names::TARGET, target.clone()),
    ];

    metrics
        .requests
        .get_or_create(&[
            (names::ROUTE, route.clone()),
            (names::KEY, facts.key.as_ref().map(|key| &key.id).into()),
            (names::OUTCOME, verdict.outcome.name().into()),
            (names::STATUS, verdict.status.into()),
        ])
        .inc();
    let total = verdict.at.duration_since(facts.arrival.instant);
    metrics
        .request_seconds
        .get_or_create(&latency)
        .observe(total.as_secs_f64());
    if let Some(first_token) = facts.first_token_after() {
        metrics
            .first_token_seconds
            .get_or_create(&latency)
            .observe(first_token.as_secs_f64());
    }
    if let Some(code) = verdict.rejection {
        let code = Label::Name(code.into());
        metrics
            .rejections
            .get_or_create(&[(names::CODE, code)])
            .inc();
    }
    if let Some(kind) = facts.joined {
        metrics
            .joins
            .get_or_create(&[(names::KIND, kind.into())])
            .inc();
    }
    for (class, count) in facts.privacy.iter().flat_map(|privacy| &privacy.found) {
        let labels = [(names::ROUTE, route.clone()), (names::CLASS, class.into())];
        metrics.pii_found.get_or_create(&labels).inc_by(*count);
    }
    let is_switched = count_attempts(metrics, facts);
    if facts.streamed == Some(true) && answering.is_some() {
        count_stream_end(metrics, verdict.outcome);
    }
    let spent = facts.spent();
    // What a provider was asked for by no route is told as one; what was answered here, or refused, is not.
    let lately = match &facts.route {
        Some(_) => Some(route.clone()),
        None => (!facts.attempts.is_empty()).then_some(Label::Word("passthrough")),
    };
    if let Some(route) = lately {
        let provider = answering.as_ref().map(|(target, _)| &target.provider.name);
        let sample = Sample {
            route,
            provider: provider.into(),
            is_failed: is_failed(verdict.outcome, verdict.status),
            is_switched,
            first_token: facts.first_token_after(),
            cost: spent.cost.zip(spent.currency.clone()),
        };
        metrics.lately.add(sample, verdict.at);
    }
    if let Some(usage) = spent.usage {
        count_tokens(metrics, usage, &route, &target);
        let cost = spent.cost.zip(spent.currency.as_ref());
        (metrics.spend).add(&route, &target, usage, spent.estimated, cost);
    }
    if let (Some(cost), Some(currency)) = (spent.cost, &spent.currency) {
        let labels = [
            (names::ROUTE, route),
            (names::TARGET, target),
            (names::CURRENCY, currency.into()),
        ];
        metrics.cost.get_or_create(&labels).inc_by(cost.about());
    }
}

/// Whether what was asked was not done: what a caller has asked wrongly, or too often, is no failure. So do the
/// dashboards of `deploy` count.
fn is_failed(outcome: Outcome, status: Option<StatusCode>) -> bool {
    match outcome {
        Outcome::Error => status.is_some_and(|status| status.is_server_error()),
        Outcome::StreamBroken => true,
        Outcome::Ok | Outcome::Cancelled => false,
    }
}

/// Whether more than one target was asked.
fn count_attempts(metrics: &Metrics, facts: &Facts) -> bool {
    let mut is_switched = false;
    let mut before: Option<(Arc<Target>, Class)> = None;
    for attempt in facts.attempts.iter().map(AttemptLog::lock) {
        metrics
            .attempts
            .get_or_create(&[
                (names::TARGET, (&attempt.target.id).into()),
                (names::CLASS, attempt.class.name().into()),
            ])
            .inc();
        if let Some((from, class)) = before.filter(|(from, _)| from.id != attempt.target.id) {
            is_switched = true;
            metrics
                .fallbacks
                .get_or_create(&[
                    (names::FROM, (&from.id).into()),
                    (names::TO, (&attempt.target.id).into()),
                    (names::CLASS, class.name().into()),
                ])
                .inc();
        }
        before = Some((Arc::clone(&attempt.target), attempt.class));
    }
    is_switched
}

fn count_stream_end(metrics: &Metrics, outcome: Outcome) {
    metrics
        .stream_ends
        .get_or_create(&[(names::OUTCOME, outcome.name().into())])
        .inc();
}

fn count_tokens(metrics: &Metrics, usage: Usage, route: &Label, target: &Label) {
    for (kind, tokens) in [
        ("prompt", usage.prompt),
        ("cached", usage.cached),
        ("cache_write", usage.cache_write),
        ("reasoning", usage.reasoning),
        ("completion", usage.completion),
    ] {
        if let Some(tokens) = tokens {
            metrics
                .tokens
                .get_or_create(&[
                    (names::ROUTE, route.clone()),
                    (names::TARGET, target.clone()),
                    (names::KIND, kind.into()),
                ])
                .inc_by(tokens);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_has_asked_wrongly_is_no_failure() {
        for (outcome, status, expected) in [
            (Outcome::Ok, 200, false),
            (Outcome::Error, 400, false),
            (Outcome::Error, 401, false),
            (Outcome::Error, 429, false),
            (Outcome::Error, 502, true),
            (Outcome::StreamBroken, 200, true),
            (Outcome::Cancelled, 200, false),
        ] {
            let status = StatusCode::from_u16(status).ok();
            assert_eq!(
                is_failed(outcome, status),
                expected,
                "{outcome:?} {status:?}"
            );
        }
    }
}
