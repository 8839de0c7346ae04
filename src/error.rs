//! What the caller is told when there is no answer.
//!
//! [`GatewayError`] is the one error that leaves the process. [`GatewayError::wire`] gives its
//! status, `error.type` and `error.code`; the code is also the metric's label. Only
//! [`crate::listen::respond`] writes it. The words are ours: the one exception is a provider's own
//! 4xx text ([`Said`](crate::outcome::Said)), which was judged fit to be passed on.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::chat::Unsupported;
use crate::limit::Refused;
use crate::outcome::{Class, Failure};

/// When there may be room again.
const SOON: Duration = Duration::from_secs(1);

/// Why the caller gets no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayError {
    /// The request is not one that we or any provider could serve: 400.
    Invalid {
        code: &'static str,
        param: Option<String>,
        message: Cow<'static, str>,
    },
    /// HTTP that must not reach a provider: the door's own statuses (403, 404, 405, 408, 413, …).
    Refused {
        status: StatusCode,
        code: &'static str,
        message: Cow<'static, str>,
    },
    /// Another method than this path, or any path here, takes: 405 with the `Allow` header.
    MethodNotAllowed {
        allow: &'static str,
    },
    /// No token, a wrong one, an expired one, one of another environment: told apart in the log only.
    InvalidToken,
    RouteNotAllowed {
        route: Arc<str>,
    },
    /// No route bears this model string, and this key has nowhere else to send it.
    UnknownModel {
        model: String,
        routes: Vec<Arc<str>>,
    },
    /// The plan is empty; says what emptied it.
    NoEligibleTarget {
        why: String,
        /// When a target may be tried again.
        wait: Option<Duration>,
    },
    /// There is no room for this request now.
    Overloaded,
    /// Its record could not be written, without which nothing is served.
    AuditUnavailable,
    /// A limit of the key, the route or the team does not let it pass.
    Limited(Refused),
    /// Every attempt that was allowed failed; the failure is the one that decides what is said.
    Unanswered(Failure),
    /// The deadline passed before any attempt could end.
    DeadlineExceeded,
    /// The caller's patience has ended while its call goes on: asked again, it joins that.
    StillRunning,
    /// The process is about to end.
    ShuttingDown,
    /// A fault of ours.
    Internal,
}

impl GatewayError {
    /// Status, `error.type` and `error.code`.
    pub fn wire(&self) -> (StatusCode, &str, &str) {
        use StatusCode as S;
        match self {
            Self::Invalid { code, .. } => (S::BAD_REQUEST, "invalid_request_error", code),
            Self::Refused { status, code, .. } => (*status, "invalid_request_error", code),
            Self::MethodNotAllowed { .. } => (
                S::METHOD_NOT_ALLOWED,
                "invalid_request_error",
                "method_not_allowed",
            ),
            Self::InvalidToken => (S::UNAUTHORIZED, "invalid_request_error", "invalid_api_key"),
            Self::RouteNotAllowed { .. } => {
                (S::FORBIDDEN, "invalid_request_error", "route_not_allowed")
            }
            Self::UnknownModel { .. } => (S::NOT_FOUND, "invalid_request_error", "model_not_found"),
            Self::NoEligibleTarget { .. } => {
                (S::SERVICE_UNAVAILABLE, "server_error", "no_eligible_target")
            }
            Self::DeadlineExceeded | Self::StillRunning => {
                (S::GATEWAY_TIMEOUT, "upstream_error", "deadline_exceeded")
            }
            Self::Overloaded | Self::ShuttingDown => {
                (S::SERVICE_UNAVAILABLE, "server_error", "overloaded")
            }
            Self::AuditUnavailable => (S::SERVICE_UNAVAILABLE, "server_error", "audit_unavailable"),
            Self::Limited(refused) => refused.wire(),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "server_error", "internal"),
            Self::Unanswered(failure) => unanswered(failure),
        }
    }

    /// The field of the request that is at fault.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Invalid { param, .. } => param.as_deref(),
            Self::UnknownModel { .. } => Some("model"),
            Self::Unanswered(Failure {
                said: Some(said), ..
            }) => said.param.as_deref(),
            Self::Refused { .. }
            | Self::MethodNotAllowed { .. }
            | Self::InvalidToken
            | Self::RouteNotAllowed { .. }
            | Self::NoEligibleTarget { .. }
            | Self::Unanswered(_)
            | Self::DeadlineExceeded
            | Self::StillRunning
            | Self::Overloaded
            | Self::AuditUnavailable
            | Self::Limited(_)
            | Self::ShuttingDown
            | Self::Internal => None,
        }
    }

    /// What the log may say: a provider's own text may repeat what was asked or answered.
    pub fn for_log(&self) -> String {
        if let Self::Unanswered(failure) = self {
            return format!("{}: {}", failure.class.name(), failure.reason);
        }
        self.to_string()
    }

    /// The methods that would have been allowed: the `Allow` header.
    pub fn allow(&self) -> Option<&'static str> {
        if let Self::MethodNotAllowed { allow } = self {
            return Some(allow);
        }
        None
    }

    /// How long the caller should wait before it asks again, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unanswered(Failure {
                class: Class::RateLimited,
                wait,
                ..
            })
            | Self::NoEligibleTarget { wait, .. } => *wait,
            // At once: the call has its answer in hand, or soon will.
            Self::StillRunning => Some(Duration::from_millis(1)),
            Self::Overloaded | Self::AuditUnavailable => Some(SOON),
            Self::Limited(refused) => refused.retry_after(),
            Self::Unanswered(_)
            | Self::Invalid { .. }
            | Self::Refused { .. }
            | Self::MethodNotAllowed { .. }
            | Self::InvalidToken
            | Self::RouteNotAllowed { .. }
            | Self::UnknownModel { .. }
            | Self::DeadlineExceeded
            | Self::ShuttingDown
            | Self::Internal => None,
        }
    }

    /// Whether the official SDKs, which retry by themselves, should do so. All that could be tried has
    /// been tried here: so only after a rate limit, or where the call goes on.
    pub fn should_retry(&self) -> bool {
        match self {
            Self::Unanswered(failure) => failure.class == Class::RateLimited,
            Self::StillRunning => true,
            Self::Limited(refused) => refused.should_retry(),
            Self::Invalid { .. }
            | Self::Refused { .. }
            | Self::MethodNotAllowed { .. }
            | Self::InvalidToken
            | Self::RouteNotAllowed { .. }
            | Self::UnknownModel { .. }
            | Self::NoEligibleTarget { .. }
            | Self::DeadlineExceeded
            | Self::Overloaded
            | Self::AuditUnavailable
            | Self::ShuttingDown
            | Self::Internal => false,
        }
    }
}

fn unanswered(failure: &Failure) -> (StatusCode, &str, &str) {
    use StatusCode as S;
    match failure.class {
        Class::Timeout => (S::GATEWAY_TIMEOUT, "upstream_error", "deadline_exceeded"),
        Class::RateLimited => (
            S::TOO_MANY_REQUESTS,
            "rate_limit_error",
            "rate_limit_exceeded",
        ),
        Class::QuotaExhausted => (
            S::SERVICE_UNAVAILABLE,
            "upstream_error",
            "upstream_quota_exhausted",
        ),
        Class::Auth => (
            S::BAD_GATEWAY,
            "upstream_error",
            "upstream_authentication_error",
        ),
        Class::TargetMissing => (S::BAD_GATEWAY, "upstream_error", "upstream_model_not_found"),
        Class::InvalidRequest => (
            client_status(failure),
            "invalid_request_error",
            said_code(failure).unwrap_or("invalid_request"),
        ),
        Class::ContextLength => (
            client_status(failure),
            "invalid_request_error",
            said_code(failure).unwrap_or("context_length_exceeded"),
        ),
        Class::Policy => (
            S::BAD_REQUEST,
            "invalid_request_error",
            said_code(failure).unwrap_or("content_policy"),
        ),
        Class::Connect
        | Class::Reset
        | Class::Overloaded
        | Class::ServerError
        | Class::Broken
        | Class::Ok
        | Class::Cancelled => (S::BAD_GATEWAY, "upstream_error", "upstream_failed"),
    }
}

/// A provider's own status for a request that is at fault, where it is one that says so: some say it
/// with 403 or 429, which would mean something else from us.
fn client_status(failure: &Failure) -> StatusCode {
    let says_so = |status: &StatusCode| matches!(status.as_u16(), 400 | 404 | 413 | 415 | 422);
    failure
        .status
        .filter(says_so)
        .unwrap_or(StatusCode::BAD_REQUEST)
}

/// A provider's own code. Many servers only repeat the status there, as a number; that tells an
/// application nothing, and ours then says more.
fn said_code(failure: &Failure) -> Option<&str> {
    let code = failure.said.as_ref()?.code.as_deref()?;
    let status = code
        .parse()
        .is_ok_and(|number| (400..600).contains(&number));
    (!status).then_some(code)
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { message, .. } | Self::Refused { message, .. } => f.write_str(message),
            Self::MethodNotAllowed { allow } => {
                write!(f, "This method does not fit the request; allowed: {allow}.")
            }
            Self::InvalidToken => {
                f.write_str("The token is missing, unknown, or no longer valid here.")
            }
            Self::RouteNotAllowed { route } => {
                write!(f, "This token may not use the route `{route}`.")
            }
            Self::UnknownModel { model, routes } if routes.is_empty() => {
                write!(
                    f,
                    "No route is named `{model}`, and this token may use none."
                )
            }
            Self::UnknownModel { model, routes } => {
                write!(
                    f,
                    "No route is named `{model}`. This token may use: {}.",
                    routes.join(", ")
                )
            }
            Self::NoEligibleTarget { why, .. } => {
                write!(f, "No target may serve this request: {why}.")
            }
            Self::Unanswered(failure) => unanswered_message(failure, f),
            Self::DeadlineExceeded => {
                f.write_str("No provider answered within the route's deadline.")
            }
            Self::StillRunning => {
                f.write_str("No provider has answered in the time that this request was given.")
            }
            Self::Limited(refused) => refused.fmt(f),
            Self::Overloaded => f.write_str("There is no room for this request now."),
            Self::AuditUnavailable => {
                f.write_str("Requests are refused while their audit records cannot be written.")
            }
            Self::ShuttingDown => f.write_str("This sidecar is shutting down."),
            Self::Internal => f.write_str("Pillion failed to handle this request."),
        }
    }
}

fn unanswered_message(failure: &Failure, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(said) = &failure.said {
        return f.write_str(&said.message);
    }
    f.write_str(match failure.class {
        Class::Timeout => "No provider answered within the route's deadline.",
        Class::RateLimited => "Every provider of this route is at its rate limit.",
        Class::QuotaExhausted => "The provider's account has no quota left.",
        Class::Auth => "The provider refused the credentials of this sidecar.",
        Class::TargetMissing => "The provider does not have the model that this route names.",
        Class::InvalidRequest => "The provider refused the request as invalid.",
        Class::ContextLength => "The request is too long for the models of this route.",
        Class::Policy => "The provider refused the request by its content policy.",
        Class::Connect
        | Class::Reset
        | Class::Overloaded
        | Class::ServerError
        | Class::Broken
        | Class::Ok
        | Class::Cancelled => "No provider of this route could answer.",
    })
}

impl std::error::Error for GatewayError {}

impl From<Unsupported> for GatewayError {
    fn from(why: Unsupported) -> Self {
        Self::Invalid {
            code: why.code,
            param: Some(why.param.into_owned()).filter(|param| !param.is_empty()),
            message: why.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Said;

    #[test]
    fn the_log_does_not_hear_a_providers_own_words() {
        let mut failure = Failure::new(Class::InvalidRequest, "400");
        failure.said = Some(Box::new(Said {
            message: "No such user: canary".into(),
            ..Said::default()
        }));
        let error = GatewayError::Unanswered(failure);
        assert_eq!(error.for_log(), "invalid_request: 400");
        assert_eq!(error.to_string(), "No such user: canary");
    }

    #[test]
    fn a_code_that_repeats_the_status_gives_way_to_ours() {
        for (class, code, told) in [
            (Class::ContextLength, Some("400"), "context_length_exceeded"),
            (Class::InvalidRequest, Some("422"), "invalid_request"),
            (Class::Policy, None, "content_policy"),
            (Class::InvalidRequest, Some("1500"), "1500"),
            (
                Class::InvalidRequest,
                Some("string_too_long"),
                "string_too_long",
            ),
        ] {
            let mut failure = Failure::new(class, "400");
            failure.said = Some(Box::new(Said {
                code: code.map(str::to_owned),
                ..Said::default()
            }));
            assert_eq!(GatewayError::Unanswered(failure).wire().2, told, "{code:?}");
        }
    }
}
