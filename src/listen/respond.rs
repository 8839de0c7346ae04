//! The only writer of error bodies: a [`GatewayError`] as OpenAI's error object, or as Anthropic's to
//! a caller of its surface (`respond/anthropic.rs`).
//!
//! Before the head has been sent as a response, after it as an event of the stream; the official
//! SDKs raise both. They also retry by themselves, which after all that was tried here would only
//! multiply the load, so every answer says `x-should-retry: false` unless a known wait would help.
//! Never here: the decision what an error is ([`GatewayError::wire`]), or an upstream's text.
//!
//! <https://platform.openai.com/docs/guides/error-codes> (read 2026-08)

mod anthropic;

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{HeaderName, Response, StatusCode};
use serde_json::Value;

use crate::body::{Body, full};
use crate::chat::Surface;
use crate::error::GatewayError;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// Says to the official SDKs whether trying again may help.
pub(crate) const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// The longest wait that a caller is told of: an SDK sleeps through whatever it is told.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The answer to a request that failed, in the form of the surface that it came in by. `request_id`
/// is the record's; empty, it is left out.
pub fn error(surface: Surface, error: &GatewayError, request_id: &str) -> Response<Body> {
    if is_anthropics(surface) {
        let (status, body) = anthropic::body(error, request_id);
        let mut response = respond(error, status, body, request_id);
        if let Some(id) = response.headers().get(X_REQUEST_ID).cloned() {
            // Its SDKs know the request by this name.
            response.headers_mut().insert(REQUEST_ID, id);
        }
        return response;
    }
    let (status, kind, code) = error.wire();
    let body = body(&error.to_string(), kind, error.param(), code);
    respond(error, status, body, request_id)
}

fn respond(
    error: &GatewayError,
    status: StatusCode,
    body: String,
    request_id: &str,
) -> Response<Body> {
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
    say_when_to_retry(headers, error);
    response
}

/// The same for a request whose body was not read to its end: where the next request begins is
/// then not known, so the connection closes.
pub fn refusal(surface: Surface, refused: &GatewayError, request_id: &str) -> Response<Body> {
    let mut response = error(surface, refused, request_id);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The error that ends a stream which broke under way, in the form of its surface. `sequence` is the
/// number of the next event, where the surface counts them.
pub fn broken(surface: Surface, message: &str, sequence: u64, request_id: &str) -> Bytes {
    const KIND: &str = "upstream_error";
    const CODE: &str = "stream_broken";
    match surface {
        Surface::Messages | Surface::CountTokens => {
            anthropic::event_of("api_error", message, CODE, request_id)
        }
        Surface::Responses => responses_event_of(message, KIND, None, CODE, sequence),
        Surface::Chat
        | Surface::Completions
        | Surface::Embeddings
        | Surface::Models
        | Surface::Passthrough => event_of(message, KIND, None, CODE),
    }
}

fn is_anthropics(surface: Surface) -> bool {
    match surface {
        Surface::Messages | Surface::CountTokens => true,
        Surface::Chat
        | Surface::Completions
        | Surface::Embeddings
        | Surface::Responses
        | Surface::Models
        | Surface::Passthrough => false,
    }
}

fn event_of(message: &str, kind: &str, param: Option<&str>, code: &str) -> Bytes {
    format!("data: {}\n\n", body(message, kind, param, code)).into()
}

/// The error that ends a stream of the Responses surface, from its parts: nested, as `OpenAI` sends it
/// and not as its schema has it, which some SDKs take for an event like any other. `sequence` is
/// the number that follows the frames before it.
fn responses_event_of(
    message: &str,
    kind: &str,
    param: Option<&str>,
    code: &str,
    sequence: u64,
) -> Bytes {
    format!(
        "event: error\ndata: {{\"type\":\"error\",\"sequence_number\":{sequence},\"error\":{{\"type\":{},\"code\":{},\"message\":{},\"param\":{}}}}}\n\n",
        Value::from(kind),
        Value::from(code),
        Value::from(message),
        Value::from(param),
    )
    .into()
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

fn say_when_to_retry(headers: &mut HeaderMap, error: &GatewayError) {
    let wait = error.retry_after().filter(|wait| *wait <= LONGEST_WAIT);
    let retry = if wait.is_some() && error.is_rate_limit() {
        "true"
    } else {
        "false"
    };
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
        let (_, kind, code) = error.wire();
        assert_eq!(
            body(&error.to_string(), kind, error.param(), code),
            expected
        );
        assert_eq!(
            broken(Surface::Chat, "gone", 0, "01J"),
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
            let response = error(Surface::Chat, &rate_limited(wait), "id");
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
    fn each_surface_has_its_own_form() {
        for (surface, anthropics, event) in [
            (Surface::Chat, false, "data: {\"error\":{"),
            (Surface::Passthrough, false, "data: {\"error\":{"),
            (
                Surface::Responses,
                false,
                "event: error\ndata: {\"type\":\"error\",\"sequence_number\":7,\"error\":{",
            ),
            (
                Surface::Messages,
                true,
                "event: error\ndata: {\"type\":\"error\",\"error\":{",
            ),
        ] {
            let told = broken(surface, "gone", 7, "01J");
            assert!(told.starts_with(event.as_bytes()), "{surface:?}: {told:?}");
            assert!(told.ends_with(b"}\n\n"));
            let response = error(surface, &GatewayError::ShuttingDown, "01J");
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(header(&response, "x-request-id"), Some("01J"));
            assert_eq!(header(&response, "request-id").is_some(), anthropics);
            assert_eq!(header(&response, "x-should-retry"), Some("false"));
        }
    }

    #[test]
    fn the_head_names_the_request_and_what_would_have_been_allowed() {
        let refused = GatewayError::MethodNotAllowed { allow: "GET, HEAD" };
        let response = refusal(Surface::Chat, &refused, "01J");
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
            header(
                &error(Surface::Chat, &GatewayError::Internal, ""),
                "x-request-id"
            ),
            None
        );
        let response = error(Surface::Chat, &GatewayError::Internal, "01J");
        assert_eq!(header(&response, "connection"), None);
    }
}
