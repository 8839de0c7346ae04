//! How long a provider asks us to wait.
//!
//! It says so in `retry-after-ms`, in `retry-after` (seconds, a fraction of them, or a date), in
//! prose, or only by when its buckets are full again. What asks for nothing (zero, a time past, text
//! that cannot be read) is ignored, and no wait is longer than a day.
//! Never here: a clock (`now` is an argument, for dates), or what a wait is used for.
//! RFC 9110 §10.2.3; `time.ParseDuration` of Go for `OpenAI`'s reset headers
//! (<https://platform.openai.com/docs/guides/rate-limits>); both read 2026-11-22.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

pub(super) const DAY: Duration = Duration::from_hours(24);

/// The wait that a response asks for, by its headers or, failing these, by its message.
pub fn wait(headers: &HeaderMap, message: Option<&str>, now: SystemTime) -> Option<Duration> {
    asked(headers, message, now).or_else(|| full_again(headers, now))
}

/// The wait that was asked for outright. The reset headers are left out: providers send them with
/// every answer, so beside anything but a rate limit they ask for nothing.
pub(super) fn asked(
    headers: &HeaderMap,
    message: Option<&str>,
    now: SystemTime,
) -> Option<Duration> {
    let millis = header(headers, "retry-after-ms").and_then(|text| seconds(text, 0.001));
    let after = header(headers, "retry-after")
        .and_then(|text| seconds(text, 1.0).or_else(|| until_date(text, now)));
    // Azure has sent `retry-after: 1` beside `retry-after-ms: 0`: the longer is the one meant.
    millis.max(after).or_else(|| in_prose(message?))
}

/// "Please try again in 6m0s", "Please retry after 20 seconds", "Please retry in 36.4s".
pub(super) fn in_prose(message: &str) -> Option<Duration> {
    let message = message.to_ascii_lowercase();
    ["try again in", "retry after", "retry in"]
        .iter()
        .flat_map(|words| message.match_indices(words).map(|(at, _)| at + words.len()))
        .find_map(|at| sane(duration(&message[at..]).0))
}

/// When the bucket that ran out is full again: an upper bound, for want of anything better. Where
/// nothing says which one that is, it may be any.
fn full_again(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let buckets = ["requests", "tokens"].map(|bucket| {
        let left = header(headers, &format!("x-ratelimit-remaining-{bucket}"));
        let reset = header(headers, &format!("x-ratelimit-reset-{bucket}")).and_then(span);
        (left == Some("0"), reset)
    });
    let plain = || header(headers, "x-ratelimit-reset").and_then(|text| until_reset(text, now));
    latest(&buckets)
        .or_else(|| latest(&anthropic(headers, now)))
        .or_else(plain)
}

/// Whether each bucket is empty, and when it is full again.
type Buckets<const N: usize> = [(bool, Option<Duration>); N];

fn latest<const N: usize>(buckets: &Buckets<N>) -> Option<Duration> {
    let empty = buckets.iter().filter(|(empty, _)| *empty);
    let empty = empty.filter_map(|(_, reset)| *reset).max();
    empty.or_else(|| buckets.iter().filter_map(|(_, reset)| *reset).max())
}

/// Anthropic names instants, and has four buckets
/// (`docs/en/api/rate-limits` at platform.claude.com, read 2026-11-22).
fn anthropic(headers: &HeaderMap, now: SystemTime) -> Buckets<4> {
    ["requests", "tokens", "input-tokens", "output-tokens"].map(|bucket| {
        let field = |name: &str| header(headers, &format!("anthropic-ratelimit-{bucket}-{name}"));
        let reset = field("reset").and_then(|text| until_instant(text, now));
        (field("remaining") == Some("0"), reset)
    })
}

/// RFC 3339.
pub(super) fn until_instant(text: &str, now: SystemTime) -> Option<Duration> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    sane(SystemTime::from(instant).duration_since(now).ok()?)
}

/// Together counts seconds; `OpenRouter` names an instant, in milliseconds since 1970.
fn until_reset(text: &str, now: SystemTime) -> Option<Duration> {
    /// 2001-09-09 in milliseconds, and thirty thousand years in seconds.
    const AN_INSTANT: f64 = 1e12;
    let number: f64 = text.parse().ok()?;
    if number < AN_INSTANT {
        return span(text);
    }
    let since_1970 = Duration::try_from_secs_f64(number / 1000.0).ok()?;
    let instant = SystemTime::UNIX_EPOCH.checked_add(since_1970)?;
    sane(instant.duration_since(now).ok()?)
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

fn until_date(text: &str, now: SystemTime) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    sane(date.duration_since(now).ok()?)
}

/// A reset header's value: a duration, or at Azure and Together plain seconds.
pub(super) fn span(text: &str) -> Option<Duration> {
    let (total, rest) = duration(text);
    if rest.is_empty() {
        return sane(total);
    }
    seconds(text, 1.0)
}

/// A plain number of units, each worth so many seconds. More than a day is a day.
fn seconds(text: &str, unit: f64) -> Option<Duration> {
    let seconds = text.parse::<f64>().ok()? * unit;
    if !seconds.is_finite() || seconds <= 0.0 {
        return None;
    }
    sane(Duration::try_from_secs_f64(seconds.min(DAY.as_secs_f64())).ok()?)
}

fn sane(wait: Duration) -> Option<Duration> {
    (!wait.is_zero()).then_some(wait.min(DAY))
}

/// The sum of the leading `number unit` pairs, and what follows them.
fn duration(text: &str) -> (Duration, &str) {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while let Some((part, after)) = pair(rest) {
        total = total.saturating_add(part);
        rest = after;
    }
    (total, rest)
}

fn pair(text: &str) -> Option<(Duration, &str)> {
    let text = text.trim_start();
    let (number, rest) = split_while(text, |c| c.is_ascii_digit() || c == '.');
    let (unit, rest) = split_while(rest.trim_start(), char::is_alphabetic);
    let unit = match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" | "millisecond" | "milliseconds" => 1e-3,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    let part = Duration::try_from_secs_f64((number * unit).min(DAY.as_secs_f64())).ok()?;
    Some((part, rest))
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !keep(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    const MS: fn(u64) -> Option<Duration> = |ms| Some(Duration::from_millis(ms));

    /// Sun, 22 Nov 2026 12:00:00 GMT, which is 1795348800.
    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(498_708)
    }

    type Pairs = &'static [(&'static str, &'static str)];

    fn headers(pairs: Pairs) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn every_header_form_is_read() {
        let table: &[(Pairs, Option<Duration>)] = &[
            (&[("retry-after", "7")], MS(7000)),
            (&[("retry-after", " 0.5 ")], MS(500)),
            (
                &[("retry-after", "Sun, 22 Nov 2026 12:01:30 GMT")],
                MS(90_000),
            ),
            (&[("retry-after", "Sun, 22 Nov 2026 11:59:00 GMT")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "")], None),
            (&[("retry-after", "0")], None),
            (&[("retry-after", "-3")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "inf")], None),
            (&[("retry-after", "1e300")], Some(DAY)),
            (&[("retry-after", "999999")], Some(DAY)),
            (
                &[("retry-after", "Sun, 22 Nov 2048 11:59:00 GMT")],
                Some(DAY),
            ),
            (&[("retry-after-ms", "250")], MS(250)),
            (&[("retry-after-ms", "0")], None),
            // Both, and one of them a zero.
            (&[("retry-after", "1"), ("retry-after-ms", "0")], MS(1000)),
            (&[("retry-after", "0"), ("retry-after-ms", "20")], MS(20)),
            (
                &[("retry-after", "2"), ("retry-after-ms", "1500")],
                MS(2000),
            ),
            // Buckets, only for want of a retry-after.
            (&[("x-ratelimit-reset-requests", "120ms")], MS(120)),
            (&[("x-ratelimit-reset-tokens", "6m0s")], MS(360_000)),
            (&[("x-ratelimit-reset-tokens", "1h2m3s")], MS(3_723_000)),
            (&[("x-ratelimit-reset-tokens", "2m59.56s")], MS(179_560)),
            (&[("x-ratelimit-reset-tokens", "0s")], None),
            (&[("x-ratelimit-reset-tokens", "0")], None),
            (&[("x-ratelimit-reset-tokens", "30")], MS(30_000)),
            (&[("x-ratelimit-reset-tokens", "6m0x")], None),
            (
                &[("x-ratelimit-reset-requests", "1s"), ("retry-after", "3")],
                MS(3000),
            ),
            (
                &[
                    ("x-ratelimit-reset-requests", "1s"),
                    ("x-ratelimit-reset-tokens", "9s"),
                ],
                MS(9000),
            ),
            (
                &[
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-remaining-tokens", "150"),
                    ("x-ratelimit-reset-requests", "1s"),
                    ("x-ratelimit-reset-tokens", "9s"),
                ],
                MS(1000),
            ),
            (
                &[
                    ("anthropic-ratelimit-requests-remaining", "49"),
                    ("anthropic-ratelimit-requests-reset", "2026-11-22T12:05:00Z"),
                    ("anthropic-ratelimit-input-tokens-remaining", "0"),
                    (
                        "anthropic-ratelimit-input-tokens-reset",
                        "2026-11-22T12:00:20Z",
                    ),
                ],
                MS(20_000),
            ),
            (
                &[
                    ("anthropic-ratelimit-tokens-reset", "2026-11-22T12:00:07Z"),
                    (
                        "anthropic-ratelimit-output-tokens-reset",
                        "2026-11-22T11:00:00Z",
                    ),
                ],
                MS(7000),
            ),
            (
                &[
                    ("anthropic-ratelimit-requests-remaining", "0"),
                    ("anthropic-ratelimit-requests-reset", "2026-11-22T12:05:00Z"),
                    ("retry-after", "12"),
                ],
                MS(12_000),
            ),
            (&[("anthropic-ratelimit-requests-reset", "soon")], None),
            (&[("x-ratelimit-reset", "1")], MS(1000)),
            (&[("x-ratelimit-reset", "1795348860000")], MS(60_000)),
            (&[("x-ratelimit-reset", "1795348000000")], None),
            (&[("x-ratelimit-reset", "-1")], None),
            (&[("x-ratelimit-limit-tokens", "-1")], None),
        ];
        for (pairs, expected) in table {
            assert_eq!(wait(&headers(pairs), None, noon()), *expected, "{pairs:?}");
        }
    }

    #[test]
    fn every_prose_form_is_read() {
        let table = [
            (
                "Limit 3. Please try again in 18.642s. Visit us.",
                MS(18_642),
            ),
            ("Please try again in 644ms.", MS(644)),
            ("please TRY AGAIN IN 6m0s", MS(360_000)),
            ("Please try again in 1h2m3s.", MS(3_723_000)),
            ("try again in 1 minute 30 seconds", MS(90_000)),
            ("Please retry after 7 seconds. See the docs.", MS(7000)),
            (
                "Please retry in 36.429760048s.",
                Some(Duration::from_nanos(36_429_760_048)),
            ),
            ("Please retry after 86400 seconds.", Some(DAY)),
            ("Please try again in 0s", None),
            ("Please try again in a moment.", None),
            ("Please try again in 5 attempts", None),
            (
                "Please retry after some time, then try again in 4s",
                MS(4000),
            ),
            ("Resource exhausted. Please try again later", None),
            ("retry after ", None),
            ("try again in 1..2s", None),
        ];
        for (message, expected) in table {
            assert_eq!(
                wait(&HeaderMap::new(), Some(message), noon()),
                expected,
                "{message}"
            );
        }
    }

    #[test]
    fn a_header_beats_the_prose_and_prose_beats_a_bucket() {
        let prose = Some("Please try again in 2s.");
        let both = headers(&[("retry-after", "5"), ("x-ratelimit-reset-tokens", "60s")]);
        assert_eq!(wait(&both, prose, noon()), MS(5000));
        let bucket = headers(&[("x-ratelimit-reset-tokens", "60s")]);
        assert_eq!(wait(&bucket, prose, noon()), MS(2000));
        assert_eq!(asked(&bucket, None, noon()), None);
    }
}
