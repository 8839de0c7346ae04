//! A request that is over as spans: one of its own, and one for each attempt below it. Pure.
//!
//! By the conventions of OpenTelemetry for generative AI, 0.1.0, of which an attempt is a
//! `gen_ai.client.inference` or a `gen_ai.client.embeddings`
//! (<https://github.com/open-telemetry/semantic-conventions-genai>, `docs/gen-ai`, read 2026-11), and for the rest
//! by its conventions 1.45.0. They have no word for a gateway: the request is a span of the kind `SERVER` that
//! bears what its caller asked for, and only attempts bear tokens, so that nobody counts those twice. What is
//! ours is named `pillion.*`, as in records. An attempt that somebody else outran, or whose caller hung up, is
//! no error. Names, numbers and classes, as in the record; never its content.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::facts::{Attempt, AttemptLog, Facts, Outcome, Verdict};
use crate::chat::{Surface, Usage};
use crate::otlp::{Attribute, Value, nanoseconds, numbers, texts};
use crate::outcome::Class;
use crate::snapshot::{Identity, Key, Kind, Provider, Target};
use crate::trace::{Bundle, Span, SpanId, Trace};

/// Hosts of servers that are compatible with OpenAI's, or of their domains, and what they are called.
const HOSTS: [(&str, &str); 7] = [
    ("cohere.com", "cohere"),
    ("deepseek.com", "deepseek"),
    ("groq.com", "groq"),
    ("mistral.ai", "mistral_ai"),
    ("moonshot.ai", "moonshot_ai"),
    ("perplexity.ai", "perplexity"),
    ("x.ai", "x_ai"),
];

/// The model of a request that names none.
const NO_MODEL: &str = "-";

/// `None` where the request's trace is not kept.
pub(super) fn write(facts: &Facts, verdict: &Verdict<'_>, identity: &Identity) -> Option<Bundle> {
    let trace = facts.trace.as_ref()?;
    let own = trace.kept()?;
    let clock = Clock::of(facts);
    let first = request(facts, verdict, identity, (trace, own), &clock);
    let mut answers = facts.answers().into_iter();
    // Whoever asks the facts about an attempt waits for these from here on.
    let attempts: Vec<_> = facts.attempts.iter().map(AttemptLog::lock).collect();
    let spans = attempts.iter().filter_map(|attempt| {
        let used = attempt.answered.then(|| answers.next()).flatten();
        attempted(facts, attempt, used, (trace, own), &clock, verdict.at)
    });
    let mut json = Vec::with_capacity(1024 * (1 + attempts.len()));
    let mut count = 0;
    for span in std::iter::once(first).chain(spans) {
        if count > 0 {
            json.push(b',');
        }
        // Texts and numbers alone can be written.
        serde_json::to_writer(&mut json, &span).ok()?;
        count += 1;
    }
    Some(Bundle {
        spans: count,
        json: json.into(),
    })
}

/// What the steady clock showed by the calendar.
struct Clock {
    arrived: Instant,
    nanoseconds: u64,
}

impl Clock {
    fn of(facts: &Facts) -> Self {
        Self {
            arrived: facts.arrival.instant,
            nanoseconds: nanoseconds(facts.arrival.time),
        }
    }

    fn at(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.arrived).as_nanos();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.nanoseconds.saturating_add(since)
    }
}

fn request<'a>(
    facts: &'a Facts,
    verdict: &Verdict<'a>,
    identity: &'a Identity,
    (trace, own): (&Trace, SpanId),
    clock: &Clock,
) -> Span<'a> {
    let key = facts.key.as_deref();
    let route = facts.route.as_deref().map(|route| &*route.name);
    let what = operation(facts.surface);
    let name = named(facts.surface, route);
    let times = (clock.nanoseconds, clock.at(verdict.at));
    let mut span = Span::of_request(trace, own, name, times);
    // What the key says, else what the instance says.
    let known = |of_key: fn(&Key) -> &Option<Arc<str>>, of_instance: &'a Option<Arc<str>>| {
        let of_key = key.and_then(|key| of_key(key).as_deref());
        of_key.or(of_instance.as_deref())
    };
    let answering = facts.answering().map(|(target, _)| target.id.to_string());
    span.add(texts([
        ("gen_ai.operation.name", what.map(Cow::from)),
        ("gen_ai.request.model", route.map(Cow::from)),
        ("pillion.id", Some(facts.id.as_str().into())),
        ("pillion.key", key.map(|key| (*key.id).into())),
        (
            "pillion.team",
            known(|key| &key.team, &identity.team).map(Cow::from),
        ),
        (
            "pillion.service",
            known(|key| &key.service, &identity.service).map(Cow::from),
        ),
        (
            "pillion.environment",
            known(|key| &key.environment, &identity.environment).map(Cow::from),
        ),
        ("pillion.route", route.map(Cow::from)),
        ("pillion.rule", facts.rule.as_deref().map(Cow::from)),
        (
            "pillion.surface",
            facts.surface.map(|surface| surface.name().into()),
        ),
        ("pillion.target", answering.map(Cow::from)),
        ("pillion.joined", facts.joined.map(Cow::from)),
        ("pillion.outcome", Some(verdict.outcome.name().into())),
        ("pillion.reason", verdict.reason.map(Cow::from)),
    ]));
    let status = verdict.status.map(|status| u64::from(status.as_u16()));
    span.add(numbers([("http.response.status_code", status)]));
    span.add(streamed(facts, facts.first_token_after()));
    // What was the caller's own mistake, or its wish, is no error of the server.
    let is_error = match verdict.outcome {
        Outcome::StreamBroken => true,
        Outcome::Error => verdict.status.is_none_or(|status| status.is_server_error()),
        Outcome::Ok | Outcome::Cancelled => false,
    };
    if is_error {
        span.add(texts([("error.type", verdict.reason.map(Cow::from))]));
        span.fails(None);
    }
    span
}

fn attempted<'a>(
    facts: &Facts,
    attempt: &'a Attempt,
    used: Option<(Option<Usage>, bool)>,
    (trace, request): (&Trace, SpanId),
    clock: &Clock,
    end: Instant,
) -> Option<Span<'a>> {
    let target: &Target = &attempt.target;
    let provider = &*target.provider;
    let ended = attempt.ended.unwrap_or(end);
    let times = (clock.at(attempt.started), clock.at(ended));
    // What passes through may be about none.
    let model = Some(&*target.model).filter(|model| *model != NO_MODEL);
    let name = named(facts.surface, model);
    let mut span = Span::of_attempt(trace, (attempt.span?, request), name, times);
    let host = provider.base_url.host();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    span.add(texts([
        (
            "gen_ai.operation.name",
            operation(facts.surface).map(Cow::from),
        ),
        ("gen_ai.provider.name", Some(called(provider).into())),
        ("gen_ai.request.model", model.map(Cow::from)),
        ("server.address", Some(host.into())),
        ("pillion.target", Some((*target.id).into())),
        ("pillion.provider", Some((*provider.name).into())),
        ("pillion.class", Some(attempt.class.name().into())),
        (
            "pillion.upstream_id",
            attempt.upstream_id.as_deref().map(Cow::from),
        ),
    ]));
    let status = attempt.status.map(|status| u64::from(status.as_u16()));
    let (usage, estimated) = used.unwrap_or_default();
    let usage = usage.unwrap_or_default();
    span.add(numbers([
        ("server.port", Some(provider.base_url.port().into())),
        ("http.response.status_code", status),
        ("gen_ai.usage.input_tokens", usage.prompt),
        ("gen_ai.usage.cache_read.input_tokens", usage.cached),
        ("gen_ai.usage.cache_write.input_tokens", usage.cache_write),
        ("gen_ai.usage.output_tokens", usage.completion),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning),
    ]));
    if estimated {
        span.add([flag("pillion.usage.estimated")]);
    }
    let first_token = attempt.first_token;
    let first_token = first_token.map(|at| at.saturating_duration_since(attempt.started));
    span.add(streamed(facts, first_token));
    if !matches!(attempt.class, Class::Ok | Class::Cancelled) {
        span.add(texts([("error.type", Some(attempt.class.name().into()))]));
        span.fails(attempt.reason.as_deref());
    }
    Some(span)
}

/// Of a request whose caller asked for a stream: that, and after how long its first token came.
fn streamed<'a>(facts: &Facts, first: Option<Duration>) -> Vec<Attribute<'a>> {
    if facts.streamed != Some(true) {
        return Vec::new();
    }
    let first = first.map(|first| Attribute {
        key: "gen_ai.response.time_to_first_chunk",
        value: Value::Double(first.as_secs_f64()),
    });
    std::iter::once(flag("gen_ai.request.stream"))
        .chain(first)
        .collect()
}

fn flag<'a>(key: &'static str) -> Attribute<'a> {
    let value = Value::Flag(true);
    Attribute { key, value }
}

/// What is done with a model and what it is done with, as the conventions want a span named.
fn named(surface: Option<Surface>, model: Option<&str>) -> String {
    let what = operation(surface).or(surface.map(Surface::name));
    let what = what.unwrap_or("request");
    match model {
        Some(model) => format!("{what} {model}"),
        None => what.to_owned(),
    }
}

/// `None` where no model is asked for anything that has a name.
fn operation(surface: Option<Surface>) -> Option<&'static str> {
    match surface? {
        Surface::Chat | Surface::Responses | Surface::Messages => Some("chat"),
        Surface::Completions => Some("text_completion"),
        Surface::Embeddings => Some("embeddings"),
        Surface::CountTokens | Surface::Models | Surface::Passthrough => None,
    }
}

/// As the conventions call it, else by the operator's own name for it.
fn called(provider: &Provider) -> &str {
    match &provider.kind {
        Kind::OpenAi => "openai",
        Kind::AzureV1 | Kind::AzureDeployments { .. } => "azure.ai.openai",
        Kind::Anthropic => "anthropic",
        Kind::Gemini => "gcp.gemini",
        Kind::Vertex { .. } => "gcp.vertex_ai",
        Kind::Bedrock { .. } => "aws.bedrock",
        Kind::OpenAiCompatible => {
            let host = provider.base_url.host();
            let is_of = |domain: &str| {
                let rest = host.strip_suffix(domain);
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            };
            let known = HOSTS.iter().find(|(domain, _)| is_of(domain));
            known.map_or(&*provider.name, |(_, name)| name)
        }
    }
}
