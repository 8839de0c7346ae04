//! From a provider's refusal to its meaning.
//!
//! [`judge`] is for answers that are not 2xx; [`judge_reported`] is for errors that came inside one:
//! in a body, or as an event of a stream. Both ask the same questions in the same order. What decides
//! first is what costs most to get wrong: money before keys, policy and length before both retries and
//! cooldowns, a provider's word before the status it came with.
//! Never here: sockets, clocks, logs, and what is tried next. Nothing of the provider's text gets into
//! a reason; its text reaches [`Failure::said`] only for mistakes that are the caller's to mend.
//! The table is that of `ARCHITECTURE.md`; the statuses are those of the providers' error pages
//! (<https://platform.openai.com/docs/guides/error-codes> and the sources in [`super::lists`]), read
//! 2026-11-22.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

use super::envelope::Envelope;
use super::scrub::scrub;
use super::wait::{self, wait};
use super::{Class, Failure, lists};

/// What an answer that is not 2xx means. A 2xx is judged as an error reported in one.
///
/// `body` may be cut; then only the status and the headers speak. `now` is for dates in headers.
pub fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Failure {
    if status.is_success() {
        return judge_reported(body);
    }
    let mut error = Envelope::read(body);
    if let Some(word) = exception(headers) {
        error.add_word(word);
    }
    let Verdict(class, why) = if status.is_redirection() {
        Verdict(Class::Broken, "a redirect, which is never followed")
    } else {
        refused(Some(status.as_u16()), &error)
    };
    let why = match why {
        "" => status.canonical_reason().unwrap_or("of no known meaning"),
        why => why,
    };
    Failure {
        status: Some(status),
        wait: wait_of(class, headers, &error, now),
        said: said(class, &error).map(Box::new),
        ..Failure::new(class, format!("{} {why}", status.as_u16()))
    }
}

/// What an error inside a 2xx means: the JSON of an error object, or of the whole body or event that
/// carries one.
///
/// A class that says whose fault it was is kept. Anything else is [`Class::Broken`], a server's own
/// fault included: the promise of the 2xx was broken, whatever broke it. The headers are not asked,
/// as those of a 2xx were sent before anything went wrong.
pub fn judge_reported(error: &[u8]) -> Failure {
    let error = Envelope::read(error);
    let Verdict(class, why) = reported(&error);
    let named = error
        .status
        .map(|status| status.to_string())
        .unwrap_or_default();
    let reason = match (named.as_str(), why) {
        _ if error.is_empty() => "200 with a body that is no answer".to_owned(),
        ("", "") => "200 with an error".to_owned(),
        (one, "") | ("", one) => format!("200 with an error: {one}"),
        (named, why) => format!("200 with an error: {named} {why}"),
    };
    Failure {
        status: Some(StatusCode::OK),
        wait: wait_of(class, &HeaderMap::new(), &error, SystemTime::UNIX_EPOCH),
        said: said(class, &error).map(Box::new),
        ..Failure::new(class, reason)
    }
}

/// A class, and why in our own words: empty where the status says enough.
#[derive(Clone, Copy)]
struct Verdict(Class, &'static str);

/// The questions, in order. `status` is `None` for an error inside a 2xx that names none.
fn refused(status: Option<u16>, error: &Envelope) -> Verdict {
    let phrase = error.phrase();
    money(status, error, &phrase)
        .or_else(|| policy(status, error, &phrase))
        .or_else(|| length(status, error, &phrase))
        .or_else(|| capacity(status, error, &phrase))
        .or_else(|| word(status, error))
        .or_else(|| prose(status, error, &phrase))
        .unwrap_or_else(|| by_status(status.unwrap_or_default(), error, &phrase))
}

fn reported(error: &Envelope) -> Verdict {
    let verdict = refused(error.status, error);
    match verdict.0 {
        Class::RateLimited
        | Class::QuotaExhausted
        | Class::Overloaded
        | Class::Auth
        | Class::TargetMissing
        | Class::ContextLength
        | Class::Policy => verdict,
        // Without a word for it a mistake of the caller's is a guess: it would end the request.
        Class::InvalidRequest => {
            listed(error, Class::InvalidRequest).unwrap_or(Verdict(Class::Broken, verdict.1))
        }
        Class::Ok
        | Class::Connect
        | Class::Timeout
        | Class::Reset
        | Class::ServerError
        | Class::Broken
        | Class::Cancelled => Verdict(Class::Broken, verdict.1),
    }
}

fn money(status: Option<u16>, error: &Envelope, phrase: &str) -> Option<Verdict> {
    if let Some(verdict) = listed(error, Class::QuotaExhausted) {
        return Some(verdict);
    }
    if status == Some(402) && error.limit_source.as_deref() == Some(lists::IN_FLIGHT_BUDGET) {
        return Some(Verdict(Class::RateLimited, lists::IN_FLIGHT_BUDGET));
    }
    if matches!(status, None | Some(429)) && lists::starts(phrase, lists::DAILY) {
        return Some(Verdict(Class::QuotaExhausted, "tokens per day"));
    }
    // A quota of a day comes back, but not while anybody waits: `RetryInfo` speaks of seconds.
    if error.daily && matches!(status, None | Some(429)) {
        return Some(Verdict(Class::QuotaExhausted, "a quota of a day"));
    }
    let unmet = error
        .words()
        .any(|word| word.eq_ignore_ascii_case(lists::UNMET));
    if unmet && phrase.contains("billing") {
        return Some(Verdict(Class::QuotaExhausted, "billing"));
    }
    let asked = matches!(status, None | Some(401 | 402 | 403 | 412 | 429));
    // Gemini says it of a rate a minute: its word is the better witness.
    let a_rate = listed(error, Class::RateLimited).is_some();
    let told = asked && !a_rate && lists::has(phrase, lists::BILLING)
        || matches!(status, None | Some(400)) && lists::starts(phrase, lists::OUT_OF_MONEY);
    told.then_some(Verdict(Class::QuotaExhausted, "billing"))
}

fn policy(status: Option<u16>, error: &Envelope, phrase: &str) -> Option<Verdict> {
    if let Some(verdict) = listed(error, Class::Policy) {
        return Some(verdict);
    }
    let moderated = error.moderated && matches!(status, None | Some(400 | 403));
    (moderated || lists::has(phrase, lists::POLICY))
        .then_some(Verdict(Class::Policy, "content policy"))
}

fn length(status: Option<u16>, error: &Envelope, phrase: &str) -> Option<Verdict> {
    if let Some(verdict) = listed(error, Class::ContextLength) {
        return Some(verdict);
    }
    // Waiting never helps a request that is larger than what a whole minute allows.
    if matches!(status, None | Some(413 | 429)) && never_fits(phrase) {
        return Some(Verdict(
            Class::ContextLength,
            "larger than the whole rate limit",
        ));
    }
    let one_field = error
        .words()
        .any(|word| word.eq_ignore_ascii_case(lists::STRING_TOO_LONG));
    let told = !one_field && lists::has(phrase, lists::CONTEXT);
    // Groq sends 413 for tokens; others for bytes, which is the caller's to mend.
    let tokens = status == Some(413) && phrase.contains("token");
    (told || tokens).then_some(Verdict(Class::ContextLength, "too long for the model"))
}

/// "Request too large … Limit 30000, Requested 30601": the same code as a rate that passes, told
/// apart by its numbers alone.
fn never_fits(phrase: &str) -> bool {
    let number = |name: &str| -> Option<u64> {
        let mut places = phrase.match_indices(name);
        places.find_map(|(at, _)| {
            let rest = phrase[at + name.len()..].trim_start_matches([' ', ':']);
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',');
            let digits = &rest[..end.unwrap_or(rest.len())];
            digits.replace(',', "").parse().ok()
        })
    };
    match (number("limit"), number("requested")) {
        (Some(limit), Some(requested)) => requested > limit,
        _ => false,
    }
}

fn capacity(status: Option<u16>, error: &Envelope, phrase: &str) -> Option<Verdict> {
    let asked = matches!(status, None | Some(429 | 500..));
    let told = asked && lists::has(phrase, lists::CAPACITY);
    let verdict = Verdict(Class::Overloaded, "capacity");
    told.then(|| listed(error, Class::Overloaded).unwrap_or(verdict))
}

/// What a listed word means at a status where it can mean it. The caller's mistakes are left to the
/// status: `invalid_request_error` comes with a wrong key too.
fn word(status: Option<u16>, error: &Envelope) -> Option<Verdict> {
    let can_mean = |class| match class {
        Class::RateLimited | Class::Overloaded => !matches!(status, Some(401 | 403)),
        Class::Auth | Class::TargetMissing => !matches!(status, Some(401 | 403 | 500..)),
        Class::Broken => matches!(status, None | Some(400 | 422)),
        Class::Timeout | Class::ServerError => matches!(status, None | Some(408 | 424)),
        Class::Ok
        | Class::Connect
        | Class::Reset
        | Class::QuotaExhausted
        | Class::InvalidRequest
        | Class::ContextLength
        | Class::Policy
        | Class::Cancelled => false,
    };
    let mut known = error.words().filter_map(lists::known);
    known
        .find(|(_, class)| can_mean(*class))
        .map(|(word, class)| Verdict(class, word))
}

/// What only prose says, and a status does not: a wrong key or a wrong model sent as 400, the
/// caller's mistakes sent as 500.
fn prose(status: Option<u16>, error: &Envelope, phrase: &str) -> Option<Verdict> {
    match status {
        None | Some(400 | 422) => {
            let of_model = error.said.param.as_deref() == Some("model");
            if lists::starts(phrase, lists::NOT_ADMITTED) {
                Some(Verdict(Class::Auth, "key or region refused"))
            } else if lists::starts(phrase, lists::NO_SUCH_MODEL)
                || phrase.trim_end_matches('.').ends_with(lists::NOT_A_MODEL)
                || of_model && phrase.contains("does not exist")
            {
                Some(Verdict(Class::TargetMissing, "no such model"))
            } else {
                None
            }
        }
        // llama.cpp: the next target may have what this one was started without, but a request
        // must not be able to trip the breaker of a healthy server.
        Some(500 | 501) => {
            let mut words = error.words();
            let typed = words.any(|word| word.eq_ignore_ascii_case(lists::NOT_SUPPORTED));
            (typed || lists::has(phrase, lists::UNSUPPORTED))
                .then_some(Verdict(Class::InvalidRequest, "unsupported by this server"))
        }
        Some(_) => None,
    }
}

/// What the status alone says.
fn by_status(status: u16, error: &Envelope, phrase: &str) -> Verdict {
    let class = match status {
        401 | 403 => Class::Auth,
        404 | 410 if names_model(phrase) => return Verdict(Class::TargetMissing, "no such model"),
        // Between us and the provider: nothing that the caller sent or the provider judged.
        407 => Class::Broken,
        408 | 425 | 499 => Class::Timeout,
        409 | 424 => Class::ServerError,
        // Fireworks: the account is suspended, or an adapter of the model failed to load. No request
        // of ours has a precondition, so it is never the caller's fault.
        412 if phrase.contains("lora") => Class::ServerError,
        402 | 412 => Class::QuotaExhausted,
        429 if error.relayed => return Verdict(Class::RateLimited, "of the provider behind it"),
        429 => Class::RateLimited,
        // 498 is Groq's flex tier when full; 520 to 527 are Cloudflare's; 529 is Anthropic's.
        498 | 503 | 520..=527 | 529 => Class::Overloaded,
        400..=499 => Class::InvalidRequest,
        500..=599 => Class::ServerError,
        _ => Class::Broken,
    };
    listed(error, class).unwrap_or(Verdict(class, ""))
}

/// Whether a 404 is about the model: the operator's fault. Any other is about something that the
/// caller named.
fn names_model(phrase: &str) -> bool {
    let mut words = phrase.split(|c: char| !c.is_ascii_alphanumeric());
    let model = words.any(|word| matches!(word, "model" | "models" | "deployment"));
    // Anthropic says no more than `model: NAME`; OpenRouter has endpoints for models only.
    model && lists::has(phrase, lists::ABSENT)
        || phrase.starts_with("model:")
        || phrase.starts_with("no endpoints found for ")
}

/// The error's word of this class, if it has one: in our spelling, so fit for a reason.
fn listed(error: &Envelope, class: Class) -> Option<Verdict> {
    let mut known = error.words().filter_map(lists::known);
    known
        .find(|(_, of)| *of == class)
        .map(|(word, class)| Verdict(class, word))
}

/// Bedrock names its exceptions in a header: `ThrottlingException:http://…`.
fn exception(headers: &HeaderMap) -> Option<&str> {
    let name = headers.get("x-amzn-errortype")?.to_str().ok()?;
    let name = name.split(':').next()?;
    name.rsplit('#').next().map(str::trim)
}

fn wait_of(
    class: Class,
    headers: &HeaderMap,
    error: &Envelope,
    now: SystemTime,
) -> Option<Duration> {
    let message = Some(error.said.message.as_str());
    // Google's `RetryInfo`; its message may say the same to the millisecond, or nothing.
    let detailed = || error.retry_delay.as_deref().and_then(wait::span);
    match class {
        // Azure's "retry after 86400 seconds" answers one request that is larger than the
        // deployment's whole rate. It must not bench the deployment for a day.
        Class::RateLimited if message.and_then(wait::in_prose) == Some(wait::DAY) => None,
        Class::RateLimited => wait(headers, message, now).max(detailed()),
        Class::Overloaded | Class::ServerError => {
            wait::asked(headers, message, now).max(detailed())
        }
        Class::Ok
        | Class::Connect
        | Class::Timeout
        | Class::Reset
        | Class::QuotaExhausted
        | Class::Broken
        | Class::Auth
        | Class::InvalidRequest
        | Class::TargetMissing
        | Class::ContextLength
        | Class::Policy
        | Class::Cancelled => None,
    }
}

/// The provider's own text, for the mistakes that the caller can mend.
fn said(class: Class, error: &Envelope) -> Option<super::Said> {
    match class {
        Class::InvalidRequest | Class::ContextLength | Class::Policy => scrub(&error.said),
        Class::Ok
        | Class::Connect
        | Class::Timeout
        | Class::Reset
        | Class::RateLimited
        | Class::QuotaExhausted
        | Class::Overloaded
        | Class::ServerError
        | Class::Broken
        | Class::Auth
        | Class::TargetMissing
        | Class::Cancelled => None,
    }
}
