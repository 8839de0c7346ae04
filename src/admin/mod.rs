//! What probes and scrapers ask: is it alive, is it ready, what does it count.
//!
//! Pure but for the clock: a method and a path in, a response out; whoever listens calls
//! [`respond`]. Readiness never depends on a provider: a pod that is taken out because a provider
//! is down cannot fall back to another one. Never here: a secret's value, or content but that of one record for
//! who shows the token.

mod access;
mod requests;
mod routes;
mod spend;
mod status;
mod targets;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};

use crate::body::{self, Body};
use crate::health::Health;
use crate::limit::Quotas;
use crate::secret::Keyring;
use crate::telemetry::Metrics;
use crate::upstream::Credentials;

pub use self::status::Status;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
/// <https://prometheus.io/docs/specs/om/open_metrics_spec/#protocol-negotiation> (read 2026-11)
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All that the answers are made of.
#[derive(Clone)]
pub struct AdminState {
    pub status: Arc<Status>,
    pub metrics: Arc<Metrics>,
    pub keyring: Keyring,
    pub credentials: Credentials,
    pub health: Health,
    pub quotas: Quotas,
}

/// The answer of the admin listener. Waits for nothing but a configuration that is shown for the first
/// time; `/metrics` takes as long as its text is long. Probes and metrics answer anyone; what `/api`
/// tells is for this machine and for who shows the token.
pub async fn respond<B>(request: &Request<B>, from: IpAddr, state: &AdminState) -> Response<Body> {
    let (method, path) = (request.method(), request.uri().path());
    if path.starts_with("/api/")
        && let Err(denied) = access::may(path, request.headers(), from, state)
    {
        return denied.into_response();
    }
    let Some(asked) = Asked::of(path) else {
        return page(StatusCode::NOT_FOUND, TEXT, "not found\n");
    };
    if method != Method::GET && method != Method::HEAD {
        let mut refusal = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "method not allowed\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        refusal.headers_mut().insert(ALLOW, allowed);
        return refusal;
    }
    match asked {
        Asked::Config => config(state).await,
        Asked::Request(id) => match request_of(state, id) {
            Some(record) => page(StatusCode::OK, JSON, record),
            None => page(
                StatusCode::NOT_FOUND,
                TEXT,
                "not among the newest requests\n",
            ),
        },
        Asked::Requests => page(StatusCode::OK, JSON, requests::list(&state.status.recent())),
        Asked::Routes => routes(state),
        Asked::Targets => targets(state),
        Asked::Spend => spend(state),
        Asked::Alive => page(StatusCode::OK, TEXT, "ok\n"),
        Asked::Ready => readiness(state),
        Asked::Metrics => metrics(state),
    }
}

/// What can be asked for.
enum Asked<'a> {
    Config,
    /// By its id.
    Request(&'a str),
    Requests,
    Routes,
    Targets,
    Spend,
    Alive,
    Ready,
    Metrics,
}

impl<'a> Asked<'a> {
    fn of(path: &'a str) -> Option<Self> {
        Some(match path {
            "/api/config" => Self::Config,
            "/api/requests" => Self::Requests,
            "/api/routes" => Self::Routes,
            "/api/targets" => Self::Targets,
            "/api/spend" => Self::Spend,
            "/livez" | "/healthz" => Self::Alive,
            "/readyz" | "/startupz" => Self::Ready,
            "/metrics" => Self::Metrics,
            _ => Self::Request(path.strip_prefix(access::DETAIL)?),
        })
    }
}

fn readiness(state: &AdminState) -> Response<Body> {
    let readiness = state.status.readiness(state, Instant::now());
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    match serde_json::to_vec(&readiness) {
        Ok(detail) => page(status, JSON, detail),
        Err(error) => {
            tracing::error!(%error, "readiness could not be written");
            page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "internal error\n")
        }
    }
}

/// The record of a request. What it holds of content only a token opens: where there is none, everybody on
/// this machine is told the rest.
fn request_of(state: &AdminState, id: &str) -> Option<Vec<u8>> {
    let with_content = state.status.admin_token().is_some();
    requests::one(&state.status.recent(), id, with_content)
}

fn targets(state: &AdminState) -> Response<Body> {
    match serde_json::to_vec(&state.status.targets(&state.health)) {
        Ok(targets) => page(StatusCode::OK, JSON, targets),
        Err(error) => {
            tracing::error!(%error, "the targets could not be written");
            page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "internal error\n")
        }
    }
}

fn routes(state: &AdminState) -> Response<Body> {
    match serde_json::to_vec(&state.status.routes()) {
        Ok(routes) => page(StatusCode::OK, JSON, routes),
        Err(error) => {
            tracing::error!(%error, "the routes could not be written");
            page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "internal error\n")
        }
    }
}

/// What was spent since the start, and the budgets with what is left of each.
fn spend(state: &AdminState) -> Response<Body> {
    let spend = state
        .status
        .spend(&state.quotas, state.metrics.spend.rows());
    match serde_json::to_vec(&spend) {
        Ok(spend) => page(StatusCode::OK, JSON, spend),
        Err(error) => {
            tracing::error!(%error, "what was spent could not be written");
            page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "internal error\n")
        }
    }
}

/// The shape of it is told where it is made: [`Effective::show`](crate::config::Effective::show).
async fn config(state: &AdminState) -> Response<Body> {
    match state.status.config().await {
        Ok(config) => page(StatusCode::OK, JSON, config),
        Err(error) => {
            tracing::error!(%error, "the configuration could not be shown");
            page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "internal error\n")
        }
    }
}

fn metrics(state: &AdminState) -> Response<Body> {
    state.status.gauge(state, Instant::now());
    state.status.count_tasks();
    page(StatusCode::OK, OPEN_METRICS, state.metrics.render())
}

fn page(status: StatusCode, kind: &'static str, content: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(body::full(content));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
