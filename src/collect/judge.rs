//! What a collector's answer means. Pure.
//!
//! <https://opentelemetry.io/docs/specs/otlp/> (1.10.0, read 2026-11). By it a client must not send again
//! what was answered with another status than 429, 502, 503 and 504, and spans are not. Of records nothing is
//! given up that may be taken once an operator has mended something (a token, a path, a certificate): only
//! what the answer says is wrong with the records themselves.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::post::Load;

/// What becomes of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The collector has it, but for so many that it refuses for good.
    Taken { refused: u64, why: Option<String> },
    /// As a whole it is not taken, and never will be; parts of it may be.
    Unfit(String),
    /// Nothing of it is taken, and it is not to be sent again.
    Refused(String),
    /// It is to be sent again, and not before so long, where that was said.
    Again {
        why: String,
        after: Option<Duration>,
    },
}

/// `now` is for a time that the answer names.
pub(super) fn judge(
    load: Load,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> Verdict {
    let code = status.as_u16();
    if status.is_success() {
        return match load {
            Load::Lines => Verdict::Taken {
                refused: 0,
                why: None,
            },
            Load::Logs | Load::Spans => partial(body),
        };
    }
    let is_unfit = status == StatusCode::PAYLOAD_TOO_LARGE
        || (load == Load::Logs && status == StatusCode::BAD_REQUEST);
    if is_unfit {
        return Verdict::Unfit(format!("it answers {code}"));
    }
    let why = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("it refuses us: it answers {code}")
        }
        _ if status.is_redirection() => format!("it answers {code}, and nothing is followed"),
        _ => format!("it answers {code}"),
    };
    if load == Load::Spans && !matches!(code, 429 | 502..=504) {
        return Verdict::Refused(why);
    }
    Verdict::Again {
        why,
        after: crate::outcome::wait(headers, None, now),
    }
}

/// `ExportLogsServiceResponse`, or `ExportTraceServiceResponse`. What cannot be read says nothing against what
/// was sent.
fn partial(body: &[u8]) -> Verdict {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Response {
        partial_success: Option<Partial>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Partial {
        #[serde(alias = "rejectedSpans")]
        rejected_log_records: Option<serde_json::Value>,
        error_message: Option<String>,
    }
    let response: Option<Response> = serde_json::from_slice(body).ok();
    let partial = response.and_then(|it| it.partial_success);
    let Some(partial) = partial else {
        return Verdict::Taken {
            refused: 0,
            why: None,
        };
    };
    // A number of 64 bits is a text in this encoding; some send a number.
    let refused = match partial.rejected_log_records {
        Some(serde_json::Value::String(text)) => text.parse().unwrap_or_default(),
        Some(other) => other.as_u64().unwrap_or_default(),
        None => 0,
    };
    let cut = |text: String| text.chars().take(200).collect();
    Verdict::Taken {
        refused,
        why: partial.error_message.map(cut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(load: Load, status: u16, headers: &[(&'static str, &str)], body: &str) -> Verdict {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let status = StatusCode::from_u16(status).unwrap();
        judge(
            load,
            status,
            &headers,
            body.as_bytes(),
            SystemTime::UNIX_EPOCH,
        )
    }

    fn taken(refused: u64) -> Verdict {
        Verdict::Taken { refused, why: None }
    }

    #[test]
    fn only_a_success_is_an_acknowledgement() {
        for load in [Load::Lines, Load::Logs] {
            for status in [200, 201, 202, 204] {
                assert_eq!(said(load, status, &[], ""), taken(0), "{status}");
            }
            for status in [301, 307, 401, 403, 404, 408, 429, 500, 502, 503, 504] {
                let verdict = said(load, status, &[], "");
                assert!(
                    matches!(verdict, Verdict::Again { after: None, .. }),
                    "{status}"
                );
            }
            assert!(matches!(said(load, 413, &[], ""), Verdict::Unfit(_)));
        }
        assert!(matches!(said(Load::Logs, 400, &[], ""), Verdict::Unfit(_)));
        // A gateway before it may say so of anything.
        assert!(matches!(
            said(Load::Lines, 400, &[], ""),
            Verdict::Again { .. }
        ));
    }

    #[test]
    fn spans_are_sent_again_only_where_the_protocol_says_so() {
        for status in [429, 502, 503, 504] {
            let verdict = said(Load::Spans, status, &[("retry-after", "7")], "");
            let after = Some(Duration::from_secs(7));
            assert!(
                matches!(&verdict, Verdict::Again { after: asked, .. } if *asked == after),
                "{status}: {verdict:?}"
            );
        }
        for status in [301, 400, 401, 403, 404, 408, 500, 501] {
            let verdict = said(Load::Spans, status, &[], "");
            assert!(matches!(verdict, Verdict::Refused(_)), "{status}");
        }
        assert!(matches!(said(Load::Spans, 413, &[], ""), Verdict::Unfit(_)));
    }

    #[test]
    fn a_wait_that_was_asked_for_is_known() {
        let verdict = said(Load::Logs, 429, &[("retry-after", "7")], "");
        let Verdict::Again { after, .. } = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_partial_success_says_how_many_are_lost() {
        for (body, refused) in [
            ("{}", 0),
            ("no JSON", 0),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":{"rejectedLogRecords":"3"}}"#, 3),
            (r#"{"partialSuccess":{"rejectedLogRecords":2}}"#, 2),
        ] {
            assert_eq!(said(Load::Logs, 200, &[], body), taken(refused), "{body}");
        }
        let spans = r#"{"partialSuccess":{"rejectedSpans":"4"}}"#;
        assert_eq!(said(Load::Spans, 200, &[], spans), taken(4));
        let why = r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no"}}"#;
        let expected = Verdict::Taken {
            refused: 1,
            why: Some("no".into()),
        };
        assert_eq!(said(Load::Logs, 200, &[], why), expected);
        assert_eq!(said(Load::Lines, 200, &[], why), taken(0));
    }
}
