//! What a provider says is left of its rate limits, with every answer.
//!
//! <https://platform.openai.com/docs/guides/rate-limits>, `docs/en/api/rate-limits` at
//! platform.claude.com (both read 2026-11-22). Azure names its own in plain seconds.
//! Never here: a clock (`now` is an argument, for Anthropic's instants).

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::wait::{header, span, until_instant};

/// Requests and tokens, as far as they are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub requests: Option<Limit>,
    pub tokens: Option<Limit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// All there is, when nothing is used.
    pub limit: Option<u64>,
    pub remaining: u64,
    /// Until nothing is used again.
    pub reset: Duration,
}

/// The names of a bucket's limit, of what remains of it, and of when it is full again.
type Names = [&'static str; 3];

const OPENAI: [Names; 2] = [
    [
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ],
    [
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    ],
];

const ANTHROPIC: [Names; 2] = [
    [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
    [
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ],
];

/// The limits in the headers of an answer.
pub fn limits(headers: &HeaderMap, now: SystemTime) -> Limits {
    let one = |bucket: usize| {
        read(headers, OPENAI[bucket], span)
            .or_else(|| read(headers, ANTHROPIC[bucket], |text| until_instant(text, now)))
    };
    Limits {
        requests: one(0),
        tokens: one(1),
    }
}

fn read(
    headers: &HeaderMap,
    [limit, remaining, reset]: Names,
    span: impl Fn(&str) -> Option<Duration>,
) -> Option<Limit> {
    // `-1` is not a number of anything.
    let remaining = header(headers, remaining)?.parse().ok()?;
    Some(Limit {
        limit: header(headers, limit).and_then(|all| all.parse().ok()),
        remaining,
        // A time that has passed is no time at all: the bucket is full.
        reset: span(header(headers, reset)?).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn both_spellings_are_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(492_324);
        let openai = headers(&[
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]);
        let claude = headers(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2026-03-01T12:00:01Z"),
            ("anthropic-ratelimit-tokens-remaining", "7"),
            ("anthropic-ratelimit-tokens-reset", "2026-03-01T11:59:00Z"),
        ]);
        let limit = |limit, remaining, millis| {
            Some(Limit {
                limit,
                remaining,
                reset: Duration::from_millis(millis),
            })
        };
        for (headers, requests, tokens) in [
            (openai, limit(Some(500), 499, 120), limit(None, 0, 360_000)),
            (claude, limit(Some(50), 49, 1000), limit(None, 7, 0)),
            (
                headers(&[("x-ratelimit-remaining-requests", "-1")]),
                None,
                None,
            ),
        ] {
            assert_eq!(limits(&headers, now), Limits { requests, tokens });
        }
    }
}
