//! A [`GatewayError`] as Anthropic's error object, for callers of Messages.
//!
//! The SDKs make an exception of the status and show the rest; in a stream they raise `event: error`
//! of this shape alone. The words of `error.type` are Anthropic's, never OpenAI's; ours is the
//! `error_code` of the details.
//!
//! <https://platform.claude.com/docs/en/api/errors> (read 2026-11)

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use crate::error::GatewayError;

/// What Claude Code looks for in an error before it makes a conversation shorter.
const TOO_LONG: &str = "prompt is too long";

/// Status and body.
pub(super) fn body(error: &GatewayError, request_id: &str) -> (StatusCode, String) {
    let (status, _, code) = error.wire();
    let body = object(kind(status, code), &message(error, code), code, request_id);
    (status, body)
}

/// The error that ends a stream which broke under way.
pub(super) fn event_of(kind: &str, message: &str, code: &str, request_id: &str) -> Bytes {
    let object = object(kind, message, code, request_id);
    format!("event: error\ndata: {object}\n\n").into()
}

/// A status in Anthropic's words.
fn kind(status: StatusCode, code: &str) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        // An account without credit will have none in a moment either.
        503 if code == "upstream_quota_exhausted" => "api_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

fn message(error: &GatewayError, code: &str) -> String {
    let message = error.to_string();
    if code == "context_length_exceeded" && !message.contains(TOO_LONG) {
        return format!("{TOO_LONG}: {message}");
    }
    message
}

/// One line: JSON escapes the line ends of what it quotes.
fn object(kind: &str, message: &str, code: &str, request_id: &str) -> String {
    format!(
        r#"{{"type":"error","error":{{"type":{},"message":{},"details":{{"error_code":{}}}}},"request_id":{}}}"#,
        Value::from(kind),
        Value::from(message),
        Value::from(code),
        Value::from(Some(request_id).filter(|id| !id.is_empty())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Class, Failure, Said};

    fn unanswered(class: Class, said: Option<&str>) -> GatewayError {
        let mut failure = Failure::new(class, "x");
        failure.said = said.map(|message| {
            Box::new(Said {
                message: message.into(),
                ..Said::default()
            })
        });
        GatewayError::Unanswered(failure)
    }

    #[test]
    fn an_error_has_anthropics_status_and_words() {
        let refused = |status: u16| GatewayError::Refused {
            status: StatusCode::from_u16(status).unwrap(),
            code: "c",
            message: "m".into(),
        };
        for (error, status, kind) in [
            (refused(400), 400, "invalid_request_error"),
            (refused(402), 402, "billing_error"),
            (refused(403), 403, "permission_error"),
            (refused(404), 404, "not_found_error"),
            (refused(405), 405, "invalid_request_error"),
            (refused(408), 408, "timeout_error"),
            (refused(409), 409, "conflict_error"),
            (refused(413), 413, "request_too_large"),
            (GatewayError::InvalidToken, 401, "authentication_error"),
            (
                unanswered(Class::RateLimited, None),
                429,
                "rate_limit_error",
            ),
            (unanswered(Class::Auth, None), 502, "api_error"),
            (GatewayError::Internal, 500, "api_error"),
            (GatewayError::ShuttingDown, 503, "overloaded_error"),
            (GatewayError::DeadlineExceeded, 504, "timeout_error"),
        ] {
            let (got, text) = body(&error, "01J");
            assert_eq!(got.as_u16(), status, "{error:?}");
            let object: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(object["type"], "error");
            assert_eq!(object["error"]["type"], kind, "{error:?}");
            assert_eq!(object["error"]["message"], error.to_string());
            assert_eq!(object["error"]["details"]["error_code"], error.wire().2);
            assert_eq!(object["request_id"], "01J");
        }
    }

    #[test]
    fn a_stream_is_ended_by_an_event_that_is_raised() {
        let expected = concat!(
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"a\\n\\\"b\\\"\",",
            "\"details\":{\"error_code\":\"stream_broken\"}},\"request_id\":null}\n\n"
        );
        assert_eq!(
            event_of("api_error", "a\n\"b\"", "stream_broken", ""),
            expected
        );
    }

    #[test]
    fn a_prompt_that_is_too_long_is_called_so() {
        for (said, expected) in [
            (
                None,
                "prompt is too long: The request is too long for the models of this route.",
            ),
            (
                Some("Input is too long."),
                "prompt is too long: Input is too long.",
            ),
            (
                Some("prompt is too long: 9 tokens > 8 maximum"),
                "prompt is too long: 9 tokens > 8 maximum",
            ),
        ] {
            let (_, text) = body(&unanswered(Class::ContextLength, said), "");
            let object: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(object["error"]["message"], expected);
        }
    }
}
