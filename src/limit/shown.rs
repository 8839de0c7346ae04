//! What a caller is told of its rate limits, in the names of OpenAI's headers.
//!
//! <https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers> (read 2026-11). Pure.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// What is left of the limits of a request, its own part taken. Of several of one kind, the one of which
/// the least is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shown {
    pub requests: Option<Left>,
    pub tokens: Option<Left>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub limit: u64,
    pub remaining: u64,
    /// Until all of it is there again.
    pub reset: Duration,
}

const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

impl Shown {
    pub(super) fn requests(&mut self, left: Left) {
        least(&mut self.requests, left);
    }

    pub(super) fn tokens(&mut self, left: Left) {
        least(&mut self.tokens, left);
    }

    /// Takes out what was told of another request.
    pub(crate) fn untell(headers: &mut HeaderMap) {
        for name in REQUESTS.into_iter().chain(TOKENS) {
            headers.remove(name);
        }
    }

    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        for (names, left) in [(REQUESTS, self.requests), (TOKENS, self.tokens)] {
            let Some(left) = left else { continue };
            let [limit, remaining, reset] = names;
            headers.insert(limit, HeaderValue::from(left.limit));
            headers.insert(remaining, HeaderValue::from(left.remaining));
            if let Ok(span) = HeaderValue::try_from(span(left.reset)) {
                headers.insert(reset, span);
            }
        }
    }
}

fn least(known: &mut Option<Left>, left: Left) {
    if known.is_none_or(|known| left.remaining < known.remaining) {
        *known = Some(left);
    }
}

/// As OpenAI writes spans: `20ms`, `7.66s`, `6m0s`. Rounded up.
fn span(span: Duration) -> String {
    let ms = span.as_nanos().div_ceil(1_000_000);
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = match ms {
        0..1000 => write!(text, "{ms}ms"),
        1000..60_000 => {
            let _ = write!(text, "{}", ms / 1000);
            match (ms % 1000).div_ceil(10) {
                0 => write!(text, "s"),
                100 => {
                    text.clear();
                    write!(text, "{}s", ms / 1000 + 1)
                }
                hundredths => write!(text, ".{hundredths:02}s"),
            }
        }
        _ => {
            let secs = ms.div_ceil(1000);
            write!(text, "{}m{}s", secs / 60, secs % 60)
        }
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_openai_writes_them() {
        for (ms, text) in [
            (0, "0ms"),
            (20, "20ms"),
            (1000, "1s"),
            (7655, "7.66s"),
            (8995, "9s"),
            (60_000, "1m0s"),
            (360_001, "6m1s"),
        ] {
            assert_eq!(span(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn only_what_is_limited_is_told_and_of_two_the_one_that_is_nearer() {
        let left = |remaining| Left {
            limit: 10,
            remaining,
            reset: Duration::from_secs(6),
        };
        let mut shown = Shown::default();
        shown.requests(left(4));
        shown.requests(left(3));
        shown.requests(left(9));
        let mut headers = HeaderMap::new();
        shown.tell(&mut headers);
        assert_eq!(headers["x-ratelimit-limit-requests"], "10");
        assert_eq!(headers["x-ratelimit-remaining-requests"], "3");
        assert_eq!(headers["x-ratelimit-reset-requests"], "6s");
        assert_eq!(headers.len(), 3);
    }
}
