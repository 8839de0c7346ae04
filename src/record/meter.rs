//! A request's metrics, counted from its record: the one place that does.

use super::facts::{Facts, Outcome, Verdict};
use crate::chat::Usage;
use crate::telemetry::{Label, Metrics, names};

pub(super) fn count(metrics: &Metrics, facts: &Facts, verdict: &Verdict<'_>) {
    let route = Label::from(facts.route.as_ref().map(|route| &route.name));
    let target = Label::from(facts.answering().map(|attempt| &attempt.target.id));
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
    count_attempts(metrics, facts);
    if facts.streamed == Some(true) && facts.answering().is_some() {
        count_stream_end(metrics, verdict.outcome);
    }
    if let Some(usage) = facts.usage {
        count_tokens(metrics, usage, &route, &target);
    }
}

fn count_attempts(metrics: &Metrics, facts: &Facts) {
    for attempt in &facts.attempts {
        metrics
            .attempts
            .get_or_create(&[
                (names::TARGET, (&attempt.target.id).into()),
                (names::CLASS, attempt.class.name().into()),
            ])
            .inc();
    }
    for (before, after) in facts.attempts.iter().zip(facts.attempts.iter().skip(1)) {
        if before.target.id == after.target.id {
            continue;
        }
        metrics
            .fallbacks
            .get_or_create(&[
                (names::FROM, (&before.target.id).into()),
                (names::TO, (&after.target.id).into()),
                (names::CLASS, before.class.name().into()),
            ])
            .inc();
    }
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
