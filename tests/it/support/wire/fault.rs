//! What a provider does instead of an answer, in the form of each dialect.

use serde_json::{Value, json};

use super::super::Reply;
use super::super::reply::End;
use super::eventstream::exception;
use super::{Script, Tag, Wire};

/// One failure. What each is called by a provider is in `shared` words of its own API's reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A rate, with a wait of seven seconds where the dialect can tell one.
    Rate,
    Quota,
    Overloaded,
    Unavailable,
    Server,
    BrokenJson,
    ErrorInside,
    CutBefore,
    Reset,
    Empty,
    CutInCall,
    Auth,
    Invalid,
    TooLong,
    Missing,
}

impl Fault {
    pub(crate) fn reply(self, wire: Wire, streamed: bool) -> Reply {
        match self {
            Self::BrokenJson if streamed => wire
                .stream(&[(Tag::Around, b"data: {\"broken\n\n".to_vec())])
                .header("content-type", "text/event-stream"),
            Self::BrokenJson => Reply::json("{\"broken"),
            Self::ErrorInside => inside(wire, streamed),
            Self::CutBefore if streamed => {
                wire.cut(&Script::text(&["never"]), Tag::Text, 0, true, End::Rst)
            }
            Self::CutBefore => {
                let script = Script::text(&["never"]);
                wire.reply(false, &script).cut_at(20, End::Rst)
            }
            Self::Reset => Reply::nothing(End::Rst),
            Self::Empty => wire.reply(streamed, &Script::text(&[])),
            Self::CutInCall if streamed => {
                let script = Script::calls(&[], &[super::WEATHER]);
                let nth = match wire {
                    Wire::Gemini => 0,
                    _ => 1,
                };
                wire.cut(&script, Tag::CallPart, nth, true, End::Fin)
            }
            Self::CutInCall => {
                let script = Script::calls(&[], &[super::WEATHER]);
                wire.reply(false, &script).cut_at(60, End::Fin)
            }
            Self::Rate
            | Self::Quota
            | Self::Overloaded
            | Self::Unavailable
            | Self::Server
            | Self::Auth
            | Self::Invalid
            | Self::TooLong
            | Self::Missing => self.refusal(wire),
        }
    }

    /// The frame that breaks a stream under way.
    pub(crate) fn event(self, wire: Wire) -> Vec<u8> {
        match (self, wire) {
            (Self::ErrorInside, _) => inside_event(wire).1,
            (_, Wire::Converse | Wire::Invoke) => b"data: {\"broken\n\n".to_vec(),
            _ => b"event: message_delta\ndata: {\"broken\n\n".to_vec(),
        }
    }

    fn refusal(self, wire: Wire) -> Reply {
        match wire {
            Wire::Chat | Wire::Responses => self.openai(),
            Wire::Anthropic => self.anthropic(),
            Wire::Gemini => self.google(),
            Wire::Converse | Wire::Invoke => self.amazon(),
        }
    }

    fn openai(self) -> Reply {
        let error = Reply::error;
        match self {
            Self::Rate => error(
                429,
                "requests",
                Some("rate_limit_exceeded"),
                "Rate limit reached for requests",
            )
            .header("retry-after", 7),
            Self::Quota => error(
                429,
                "insufficient_quota",
                Some("insufficient_quota"),
                "You exceeded your current quota",
            ),
            Self::Overloaded | Self::Unavailable => error(
                503,
                "server_error",
                Some("server_is_overloaded"),
                "Overloaded",
            ),
            Self::Auth => error(
                401,
                "invalid_request_error",
                Some("invalid_api_key"),
                "Incorrect API key provided",
            ),
            Self::Invalid => error(
                400,
                "invalid_request_error",
                Some("invalid_value"),
                "That will not do.",
            ),
            Self::TooLong => error(
                400,
                "invalid_request_error",
                Some("context_length_exceeded"),
                "This model's maximum context length is 8 tokens.",
            ),
            Self::Missing => error(
                404,
                "invalid_request_error",
                Some("model_not_found"),
                "The model does not exist",
            ),
            _ => error(500, "server_error", None, "The server had an error"),
        }
    }

    fn anthropic(self) -> Reply {
        let (status, kind, message) = match self {
            Self::Rate => (
                429,
                "rate_limit_error",
                "Number of requests has exceeded your rate limit",
            ),
            Self::Quota => (
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API.",
            ),
            Self::Overloaded | Self::Unavailable => (529, "overloaded_error", "Overloaded"),
            Self::Auth => (401, "authentication_error", "invalid x-api-key"),
            Self::Invalid => (400, "invalid_request_error", "That will not do."),
            Self::TooLong => (
                400,
                "invalid_request_error",
                "prompt is too long: 9 tokens > 8 maximum",
            ),
            Self::Missing => (404, "not_found_error", "model: upstream-model"),
            _ => (500, "api_error", "Internal server error"),
        };
        let error = json!({ "type": kind, "message": message });
        let body = json!({ "type": "error", "error": error, "request_id": "req_1" });
        let reply = Reply::status(status).body(body.to_string());
        match self {
            Self::Rate => reply.header("retry-after", 7),
            _ => reply,
        }
    }

    fn google(self) -> Reply {
        let (code, status, message) = match self {
            Self::Rate | Self::Quota => {
                (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota")
            }
            Self::Overloaded | Self::Unavailable => (
                503,
                "UNAVAILABLE",
                "The model is overloaded. Please try again later.",
            ),
            Self::Auth => (401, "UNAUTHENTICATED", "Request had invalid credentials."),
            Self::Invalid => (400, "INVALID_ARGUMENT", "That will not do."),
            Self::TooLong => (
                400,
                "INVALID_ARGUMENT",
                "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            ),
            Self::Missing => (
                404,
                "NOT_FOUND",
                "models/upstream-model is not found for API version v1beta",
            ),
            _ => (500, "INTERNAL", "An internal error has occurred."),
        };
        let details = match self {
            Self::Rate => json!([
                { "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                  "violations": [{ "quotaId": "GenerateRequestsPerMinutePerProjectPerModel" }] },
                { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s" }
            ]),
            Self::Quota => json!([
                { "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                  "violations": [{ "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier" }] }
            ]),
            _ => json!([]),
        };
        let error =
            json!({ "code": code, "message": message, "status": status, "details": details });
        Reply::status(code).body(json!({ "error": error }).to_string())
    }

    fn amazon(self) -> Reply {
        let (status, kind, message) = match self {
            Self::Rate => (
                429,
                "ThrottlingException",
                "Too many requests, please wait before trying again.",
            ),
            Self::Quota => (
                400,
                "ServiceQuotaExceededException",
                "Your request would exceed a quota.",
            ),
            Self::Overloaded => (429, "ModelNotReadyException", "Model is not ready."),
            Self::Unavailable => (
                503,
                "ServiceUnavailableException",
                "Bedrock is unable to process your request.",
            ),
            Self::Auth => (
                403,
                "AccessDeniedException",
                "You don't have access to the model with the specified model ID.",
            ),
            Self::Invalid => (400, "ValidationException", "That will not do."),
            Self::TooLong => (
                400,
                "ValidationException",
                "Input is too long for requested model.",
            ),
            Self::Missing => (404, "ResourceNotFoundException", "The model was not found."),
            _ => (
                500,
                "InternalServerException",
                "An internal error occurred.",
            ),
        };
        Reply::status(status)
            .header("x-amzn-errortype", kind)
            .body(json!({ "message": message }).to_string())
    }
}

/// An error as a body, and as a frame.
fn inside_event(wire: Wire) -> (Value, Vec<u8>) {
    let error =
        json!({ "message": "The server had an error", "type": "server_error", "code": null });
    let overloaded = json!({ "type": "overloaded_error", "message": "Overloaded" });
    match wire {
        Wire::Chat => {
            let body = json!({ "error": error });
            let event = format!("data: {body}\n\n");
            (body, event.into())
        }
        Wire::Responses => {
            let body = json!({ "error": error });
            let event = json!({ "type": "error", "sequence_number": 2, "error": error });
            (body, format!("event: error\ndata: {event}\n\n").into())
        }
        Wire::Anthropic => {
            let body = json!({ "type": "error", "error": overloaded });
            let event = format!("event: error\ndata: {body}\n\n");
            (body, event.into())
        }
        Wire::Gemini => {
            let error = json!({ "code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE" });
            let body = json!({ "error": error });
            let event = format!("data: {body}\r\n\r\n");
            (body, event.into())
        }
        Wire::Converse | Wire::Invoke => (
            json!({ "type": "error", "error": overloaded }),
            exception("internalServerException", "An internal error occurred."),
        ),
    }
}

/// A 200 that says that it is none.
fn inside(wire: Wire, streamed: bool) -> Reply {
    let event = inside_event(wire);
    if !streamed {
        return Reply::json(event.0.to_string());
    }
    let mut frames = wire.frames(&Script::text(&["never"]));
    let first = frames
        .iter()
        .position(|(tag, _)| *tag == Tag::Text)
        .unwrap();
    frames.truncate(first);
    frames.push((Tag::Around, event.1));
    wire.stream(&frames)
}
