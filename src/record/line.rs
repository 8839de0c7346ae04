//! The schema of an audit record: one JSON object a line, fields in this order.
//!
//! Names and order are a contract with whoever reads the files. Absent facts are null, never zero.
//! Written by serde straight into the line's bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::content::{Content, Held};
use super::facts::{Attempt, AttemptLog, Facts, Verdict};
use crate::chat::{Surface, Usage};
use crate::outcome::Class;
use crate::privacy::MaskedText;
use crate::snapshot::{Identity, Key, Residency, Target};
use crate::trace::TraceId;

/// Where most lines fit without growing.
const USUAL_LENGTH: usize = 1024;

/// One record as it is written, without its seal: `seq`, `prev` and `hash` are the sinks'.
///
/// # Errors
/// None that is known: every member can be written as JSON.
pub(super) fn write(
    facts: &Facts,
    verdict: &Verdict<'_>,
    identity: &Identity,
) -> serde_json::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(USUAL_LENGTH);
    let answering = facts.answering();
    let target = answering.as_ref().map(|(target, _)| &**target);
    let held = facts.content.as_deref().and_then(Content::held);
    let row = Line::new(facts, verdict, identity, target, held.as_ref());
    serde_json::to_writer(&mut line, &row)?;
    Ok(line)
}

#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    #[serde(serialize_with = "milliseconds")]
    time: Timestamp,
    id: &'a str,
    trace_id: Option<TraceId>,
    key: Option<&'a str>,
    team: Option<&'a str>,
    service: Option<&'a str>,
    environment: Option<&'a str>,
    instance: Option<&'a str>,
    route: Option<&'a str>,
    rule: Option<&'a str>,
    surface: Option<&'static str>,
    stream: Option<bool>,
    plan: Option<Plan<'a>>,
    attempts: Attempts<'a>,
    status: Option<u16>,
    outcome: &'static str,
    reason: Option<&'a str>,
    target: Option<&'a str>,
    provider: Option<&'a str>,
    model: Option<&'a str>,
    first_token_ms: Option<u64>,
    total_ms: u64,
    usage: Option<UsageLine>,
    /// Text, so that no reader makes a float of it.
    cost: Option<String>,
    currency: Option<String>,
    privacy: Option<PrivacyLine<'a>>,
    residency: Option<ResidencyLine<'a>>,
    dropped: Option<&'a [Cow<'static, str>]>,
    content: Option<ContentLine<'a>>,
    config_version: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn new(
        facts: &'a Facts,
        verdict: &Verdict<'a>,
        identity: &'a Identity,
        target: Option<&'a Target>,
        held: Option<&'a Held<'a>>,
    ) -> Self {
        let key = facts.key.as_deref();
        let spent = facts.spent();
        // What the key says, else what the instance says.
        let known = |of_key: fn(&Key) -> &Option<Arc<str>>, of_instance: &'a Option<Arc<str>>| {
            let of_key = key.and_then(|key| of_key(key).as_deref());
            of_key.or(of_instance.as_deref())
        };
        Self {
            kind: "pillion.audit",
            time: facts.arrival.time,
            id: facts.id.as_str(),
            trace_id: facts.trace.map(|trace| trace.id()),
            key: key.map(|key| &*key.id),
            team: known(|key| &key.team, &identity.team),
            service: known(|key| &key.service, &identity.service),
            environment: known(|key| &key.environment, &identity.environment),
            instance: identity.instance.as_deref(),
            route: facts.route.as_deref().map(|route| &*route.name),
            rule: facts.rule.as_deref(),
            surface: facts.surface.map(Surface::name),
            stream: facts.streamed,
            plan: facts.plan.as_deref().map(Plan),
            attempts: Attempts {
                all: &facts.attempts,
                arrival: facts.arrival.instant,
                end: verdict.at,
            },
            status: verdict.status.map(|status| status.as_u16()),
            outcome: verdict.outcome.name(),
            reason: verdict.reason,
            target: target.map(|target| &*target.id),
            provider: target.map(|target| &*target.provider.name),
            model: target.map(|target| &*target.model),
            first_token_ms: facts.first_token_after().map(millis),
            total_ms: millis(verdict.at.duration_since(facts.arrival.instant)),
            usage: spent
                .usage
                .map(|usage| UsageLine::new(usage, spent.estimated)),
            cost: spent.cost.map(|cost| cost.to_string()),
            currency: spent.currency.map(|currency| currency.to_string()),
            privacy: facts.privacy.as_deref().map(|privacy| PrivacyLine {
                found: Counted(&privacy.found),
                action: privacy.action,
            }),
            residency: (facts.residency.as_deref())
                .map(|demanded| ResidencyLine::new(demanded, &facts.attempts)),
            dropped: Some(&*facts.dropped).filter(|dropped| !dropped.is_empty()),
            content: held.map(ContentLine::new),
            config_version: facts.version.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct PrivacyLine<'a> {
    found: Counted<'a>,
    /// Null where nothing was found.
    action: Option<&'static str>,
}

/// Where a request had to stay, and where those are who were asked.
#[derive(Serialize)]
struct ResidencyLine<'a> {
    demanded: Vec<&'a str>,
    /// What each provider says of itself.
    providers: BTreeMap<String, Vec<String>>,
}

impl<'a> ResidencyLine<'a> {
    fn new(demanded: &'a Residency, attempts: &[AttemptLog]) -> Self {
        let asked = attempts.iter().map(|log| {
            let provider = &log.lock().target.provider;
            let places = provider.residency.iter().map(ToString::to_string);
            (provider.name.to_string(), places.collect())
        });
        Self {
            demanded: demanded.places().collect(),
            providers: asked.collect(),
        }
    }
}

/// The content of an exchange, masked.
#[derive(Serialize)]
struct ContentLine<'a> {
    request: &'a str,
    /// Null where there was none.
    answer: Option<&'a str>,
    /// Whether one of the two goes on.
    cut: bool,
}

impl<'a> ContentLine<'a> {
    fn new(held: &'a Held<'a>) -> Self {
        let request = held.transcript.request();
        Self {
            request: request.as_str(),
            answer: held.answer.map(MaskedText::as_str),
            cut: request.is_cut() || held.answer.is_some_and(MaskedText::is_cut),
        }
    }
}

/// How often each was found, by name.
struct Counted<'a>(&'a [(Arc<str>, u64)]);

impl Serialize for Counted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, count)| (&**name, count)))
    }
}

/// The targets in the order in which they were to be tried.
struct Plan<'a>(&'a [Arc<Target>]);

impl Serialize for Plan<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|target| &*target.id))
    }
}

struct Attempts<'a> {
    all: &'a [AttemptLog],
    arrival: Instant,
    /// The end of the request, and of an attempt that has none of its own.
    end: Instant,
}

impl Serialize for Attempts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.all.iter().map(|log| Attempted(log, self)))
    }
}

struct Attempted<'a>(&'a AttemptLog, &'a Attempts<'a>);

impl Serialize for Attempted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AttemptLine::new(&self.0.lock(), self.1).serialize(serializer)
    }
}

#[derive(Serialize)]
struct AttemptLine<'a> {
    target: &'a str,
    class: &'static str,
    status: Option<u16>,
    ms: u64,
    first_token_ms: Option<u64>,
    reason: Option<&'a str>,
    /// Whether the provider charges for it: not where it cannot have seen the request; where its answer
    /// is the caller's, as far as that came.
    billed: Option<bool>,
    upstream_id: Option<&'a str>,
    /// From the arrival of the request to the start of this attempt.
    start_ms: u64,
}

impl<'a> AttemptLine<'a> {
    fn new(attempt: &'a Attempt, request: &Attempts<'_>) -> Self {
        let ended = attempt.ended.unwrap_or(request.end);
        let since_start = |at: Instant| millis(at.duration_since(attempt.started));
        Self {
            target: &attempt.target.id,
            class: attempt.class.name(),
            status: attempt.status.map(|status| status.as_u16()),
            ms: since_start(ended),
            first_token_ms: attempt.first_token.map(since_start),
            reason: attempt.reason.as_deref(),
            billed: match attempt.class {
                Class::Connect => Some(false),
                _ => (attempt.answered && attempt.first_token.is_some()).then_some(true),
            },
            upstream_id: attempt.upstream_id.as_deref(),
            start_ms: millis(attempt.started.duration_since(request.arrival)),
        }
    }
}

#[derive(Serialize)]
struct UsageLine {
    prompt: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
    completion: Option<u64>,
    /// Whether the numbers are ours instead of the provider's.
    estimated: bool,
    /// What of prompt and completion was sound, in the few records that have some.
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_input: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_output: Option<NonZeroU32>,
}

impl UsageLine {
    fn new(usage: Usage, estimated: bool) -> Self {
        Self {
            prompt: usage.prompt,
            cached: usage.cached,
            cache_write: usage.cache_write,
            reasoning: usage.reasoning,
            completion: usage.completion,
            estimated,
            audio_input: usage.audio_input,
            audio_output: usage.audio_output,
        }
    }
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// RFC 3339 in UTC, to the millisecond.
pub(super) fn milliseconds<S: Serializer>(
    time: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    struct Milliseconds<'a>(&'a Timestamp);
    impl fmt::Display for Milliseconds<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{:.3}", self.0)
        }
    }
    serializer.collect_str(&Milliseconds(time))
}
