//! The only writer of error bodies: a [`GatewayError`] as OpenAI's error object.
//!
//! Before the head has been sent as a response, after it as an event of the stream; the official
//! SDKs raise both. They also retry by themselves, which after all that was tried here would only
//! multiply the load, so every answer says `x-should-retry: false` unless a known wait would help.
//! Never here: the decision what an error is ([`GatewayError::wire`]), or an upstream's text.
//!
//! <https://platform.openai.com/docs/guides/error-codes> (read 2026-08)

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{HeaderName, Response};
use serde_json::Value;

use crate::body::{Body, full};
use crate::error::GatewayError;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Says to the official SDKs whether trying again may help.
pub(crate) const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// The longest wait that a caller is told of: an SDK sleeps through whatever it is told.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The answer to a request that failed. `request_id` is the record's; empty, it is left out.
pub fn error(error: &GatewayError, request_id: &str) -> Response<Body> {
    let (status, kind, code) = error.wire();
    let body = body(&error.to_string(), kind, error.param(), code);
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(id) = HeaderValue::from_str(request_id)
        .ok()
        .filter(|id| !id.is_empty())
    {
        headers.insert(X_REQUEST_ID, id);
    }
    if let Some(allow) = error.allow() {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    say_when_to_retry(headers, error.retry_after());
    response
}

/// The same for a request whose body was not read to its end: where the next request begins is
/// then not known, so the connection closes.
pub fn refusal(refused: &GatewayError, request_id: &str) -> Response<Body> {
    let mut response = error(refused, request_id);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The error that ends a stream under way.
pub fn event(error: &GatewayError) -> Bytes {
    let (_, kind, code) = error.wire();
    event_of(&error.to_string(), kind, error.param(), code)
}

/// The same from its parts, for what can only happen to a stream.
pub fn event_of(message: &str, kind: &str, param: Option<&str>, code: &str) -> Bytes {
    format!("data: {}\n\n", body(message, kind, param, code)).into()
}

/// One line: JSON escapes the line ends of what it quotes.
fn body(message: &str, kind: &str, param: Option<&str>, code: &str) -> String {
    format!(
        r#"{{"error":{{"message":{},"type":{},"param":{},"code":{}}}}}"#,
        Value::from(message),
        Value::from(kind),
        Value::from(param),
        Value::from(code),
    )
}

fn say_when_to_retry(headers: &mut HeaderMap, wait: Option<Duration>) {
    let wait = wait.filter(|wait| *wait <= LONGEST_WAIT);
    let retry = if wait.is_some() { "true" } else { "false" };
    headers.insert(X_SHOULD_RETRY, HeaderValue::from_static(retry));
    if let Some(wait) = wait {
        // Rounded up, both: a caller that comes too early is refused again.
        let ms = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        headers.insert(RETRY_AFTER_MS, HeaderValue::from(ms));
        headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000).max(1)));
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::outcome::{Class, Failure};

    fn rate_limited(wait: Option<Duration>) -> GatewayError {
        let mut failure = Failure::new(Class::RateLimited, "429");
        failure.wait = wait;
        GatewayError::Unanswered(failure)
    }

    fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
        Some(response.headers().get(name)?.to_str().unwrap())
    }

    #[test]
    fn an_error_is_openais_object_in_openais_order() {
        let error = GatewayError::Invalid {
            code: "invalid_json",
            param: Some("messages".into()),
            message: "line 1:\n\"quoted\"".into(),
        };
        let expected = concat!(
            r#"{"error":{"message":"line 1:\n\"quoted\"","type":"invalid_request_error","#,
            r#""param":"messages","code":"invalid_json"}}"#
        );
        assert_eq!(event(&error), format!("data: {expected}\n\n"));
        assert_eq!(
            event_of("gone", "upstream_error", None, "stream_broken"),
            concat!(
                r#"data: {"error":{"message":"gone","type":"upstream_error","#,
                r#""param":null,"code":"stream_broken"}}"#,
                "\n\n"
            )
        );
    }

    #[test]
    fn a_caller_is_told_to_retry_only_when_a_known_and_short_wait_helps() {
        let ms = |ms| Some(Duration::from_millis(ms));
        for (wait, should, after_ms, after) in [
            (None, "false", None, None),
            (ms(0), "true", Some("0"), Some("1")),
            (ms(1), "true", Some("1"), Some("1")),
            (ms(1001), "true", Some("1001"), Some("2")),
            (ms(60_000), "true", Some("60000"), Some("60")),
            (ms(60_001), "false", None, None),
            (
                Some(Duration::from_micros(10)),
                "true",
                Some("1"),
                Some("1"),
            ),
        ] {
            let response = error(&rate_limited(wait), "id");
            assert_eq!(
                header(&response, "x-should-retry"),
                Some(should),
                "{wait:?}"
            );
            assert_eq!(header(&response, "retry-after-ms"), after_ms, "{wait:?}");
            assert_eq!(header(&response, "retry-after"), after, "{wait:?}");
        }
    }

    #[test]
    fn the_head_names_the_request_and_what_would_have_been_allowed() {
        let refused = GatewayError::MethodNotAllowed { allow: "GET, HEAD" };
        let response = refusal(&refused, "01J");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        for (name, value) in [
            ("x-request-id", "01J"),
            ("content-type", "application/json"),
            ("allow", "GET, HEAD"),
            ("connection", "close"),
            ("x-should-retry", "false"),
        ] {
            assert_eq!(header(&response, name), Some(value));
        }
        assert_eq!(
            header(&error(&GatewayError::Internal, ""), "x-request-id"),
            None
        );
        let response = error(&GatewayError::Internal, "01J");
        assert_eq!(header(&response, "connection"), None);
    }
}
