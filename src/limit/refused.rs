//! Why a limit or a budget lets a request not pass, and what its caller is told. Pure.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::shown::Shown;
use super::terms::{Of, Scope};
use super::window::Per;

/// When there may be room again where nobody knows.
const SOON: Duration = Duration::from_secs(1);

/// A limit that a request does not fit into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub scope: Scope,
    pub why: Why,
}

/// A request that is refused, and what its caller may know of its limits.
#[derive(Debug)]
pub struct Refusal {
    pub refused: Refused,
    pub shown: Shown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There are too few requests left in this minute, until then.
    Requests(Duration),
    /// The same of tokens.
    Tokens(Duration),
    /// As many run as may.
    Concurrency,
    /// The budget is spent, or what is left of it is less than the request may cost.
    Spent(Per),
    /// It would fit if what now runs were known to cost less than it may.
    Held(Per),
    /// The shared state is away, and with it what has been spent.
    SpendUnknown,
    /// The shared state is away, and the limit is closed then.
    LimitUnknown,
}

impl Refused {
    /// Status, `error.type` and `error.code`.
    pub(crate) fn wire(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self.why {
            Why::Requests(_) | Why::Tokens(_) | Why::Concurrency => (
                S::TOO_MANY_REQUESTS,
                "rate_limit_error",
                "rate_limit_exceeded",
            ),
            Why::Spent(_) | Why::Held(_) => (
                S::PAYMENT_REQUIRED,
                "invalid_request_error",
                "insufficient_quota",
            ),
            Why::SpendUnknown => (S::SERVICE_UNAVAILABLE, "server_error", "budget_unavailable"),
            Why::LimitUnknown => (S::SERVICE_UNAVAILABLE, "server_error", "limit_unavailable"),
        }
    }

    /// When it would pass, as far as is known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self.why {
            Why::Requests(wait) | Why::Tokens(wait) => Some(wait),
            Why::Concurrency | Why::Held(_) | Why::SpendUnknown | Why::LimitUnknown => Some(SOON),
            Why::Spent(_) => None,
        }
    }

    /// Whether the caller should come again by itself.
    pub(crate) fn should_retry(&self) -> bool {
        match self.why {
            Why::Requests(_) | Why::Tokens(_) | Why::Concurrency => true,
            Why::Spent(_) | Why::Held(_) | Why::SpendUnknown | Why::LimitUnknown => false,
        }
    }

    /// Whether it would pass if it cost less.
    pub(super) fn is_for_money(&self) -> bool {
        match self.why {
            Why::Spent(_) | Why::Held(_) | Why::SpendUnknown => true,
            Why::Requests(_) | Why::Tokens(_) | Why::Concurrency | Why::LimitUnknown => false,
        }
    }

    /// The limit as metrics name it: `rpm` of a key, `route_rpm`, `team_budget`.
    pub(crate) fn label(&self) -> &'static str {
        let (key, route, team) = match self.why {
            Why::Requests(_) => ("rpm", "route_rpm", "team_rpm"),
            Why::Tokens(_) => ("tpm", "route_tpm", "team_tpm"),
            Why::Concurrency => ("concurrency", "route_concurrency", "team_concurrency"),
            Why::Spent(_) | Why::Held(_) | Why::SpendUnknown => {
                ("budget", "route_budget", "team_budget")
            }
            Why::LimitUnknown => ("limits", "route_limits", "team_limits"),
        };
        match self.scope.of {
            Of::Key => key,
            Of::Route => route,
            Of::Team => team,
        }
    }

    /// Of several that refuse, the one that is told: first what no wait helps, then the longest wait.
    pub(super) fn weight(&self) -> (u8, Duration) {
        let rank = match self.why {
            Why::Spent(_) => 4,
            Why::SpendUnknown => 3,
            Why::LimitUnknown => 2,
            Why::Held(_) => 1,
            Why::Requests(_) | Why::Tokens(_) | Why::Concurrency => 0,
        };
        (rank, self.retry_after().unwrap_or_default())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = &self.scope;
        match self.why {
            Why::Requests(_) => write!(f, "The {scope} has no requests left in this minute."),
            Why::Tokens(_) => write!(f, "The {scope} has too few tokens left in this minute."),
            Why::Concurrency => write!(f, "The {scope} has as many requests under way as it may."),
            Why::Spent(per) => write!(
                f,
                "The budget of the {scope} for this {} is spent, or less is left of it than this request may cost.",
                per.name()
            ),
            Why::Held(per) => write!(
                f,
                "The budget of the {scope} for this {} is taken by the requests that are under way; some of it may come back when they end.",
                per.name()
            ),
            Why::SpendUnknown => write!(
                f,
                "What the {scope} has spent cannot be known at the moment, so its budget is closed."
            ),
            Why::LimitUnknown => write!(
                f,
                "What the {scope} has used cannot be known at the moment, so it is closed."
            ),
        }
    }
}
