//! Errors as OpenAI writes them: status, envelope, headers.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

/// What `retry-after` says where the configuration does not.
const DEFAULT_WAIT: Duration = Duration::from_secs(2);

/// An answer that is an error.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<&'static str>,
    message: String,
    /// What `retry-after` says.
    pub(super) wait: Option<Duration>,
}

impl Refusal {
    pub(super) fn body(&self) -> Value {
        json!({ "error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }})
    }

    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code: None,
            param: None,
            message: message.into(),
            wait: None,
        }
    }

    fn code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    fn param(self, param: &'static str) -> Self {
        Self {
            param: Some(param),
            ..self
        }
    }

    fn wait(self, wait: Option<Duration>) -> Self {
        Self { wait, ..self }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    pub(super) fn unreadable() -> Self {
        Self::invalid("We could not parse the JSON body of your request.")
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request_error",
            "The request body is too large.",
        )
    }

    pub(super) fn lacks(param: &'static str) -> Self {
        Self::invalid(format!("Missing required parameter: '{param}'."))
            .param(param)
            .code("missing_required_parameter")
    }

    pub(super) fn no_messages() -> Self {
        Self::invalid("Invalid 'messages': empty array. Expected an array with minimum length 1.")
            .param("messages")
            .code("empty_array")
    }

    pub(super) fn unknown_model(model: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "invalid_request_error",
            format!("The model `{model}` does not exist or you do not have access to it."),
        )
        .code("model_not_found")
    }

    pub(super) fn rate_limited(model: &str, wait: Option<Duration>) -> Self {
        let wait = wait.unwrap_or(DEFAULT_WAIT);
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "requests",
            format!(
                "Rate limit reached for {model} in organization org-simulated on requests per min \
                 (RPM): Limit 60, Used 60, Requested 1. Please try again in {:.3}s.",
                wait.as_secs_f64()
            ),
        )
        .code("rate_limit_exceeded")
        .wait(Some(wait))
    }

    pub(super) fn quota_exhausted() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
        )
        .code("insufficient_quota")
    }

    pub(super) fn overloaded(wait: Option<Duration>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable_error",
            "The server is overloaded. Please try again later.",
        )
        .code("server_is_overloaded")
        .wait(wait)
    }

    pub(super) fn server_error() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "server_error",
            "The server had an error processing your request. Sorry about that!",
        )
    }

    pub(super) fn auth() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_request_error",
            "Incorrect API key provided.",
        )
        .code("invalid_api_key")
    }

    pub(super) fn invalid_request() -> Self {
        Self::invalid(
            "Unsupported value: 'temperature' does not support 99 with this model. \
             Only the default (1) value is supported.",
        )
        .param("temperature")
        .code("unsupported_value")
    }

    pub(super) fn unsupported(param: &'static str) -> Self {
        Self::invalid(format!(
            "Unsupported parameter: '{param}' is not supported with this model."
        ))
        .param(param)
        .code("unsupported_parameter")
    }

    pub(super) fn context_length(context: u64, prompt: usize) -> Self {
        Self::invalid(format!(
            "This model's maximum context length is {context} tokens. However, your messages \
             resulted in {prompt} tokens. Please reduce the length of the messages.",
        ))
        .param("messages")
        .code("context_length_exceeded")
    }

    pub(super) fn policy() -> Self {
        Self::invalid(
            "Your request was rejected as a result of our safety system: the prompt violates our \
             usage policy.",
        )
        .code("content_policy_violation")
    }
}
