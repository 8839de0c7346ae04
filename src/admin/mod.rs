//! What probes and scrapers ask: is it alive, is it ready, what does it count. And what people look at: the
//! page, and what it shows.
//!
//! Pure but for the clock: a method and a path in, a response out; whoever listens calls
//! [`respond`]. Readiness never depends on a provider: a pod that is taken out because a provider
//! is down cannot fall back to another one. Never here: a secret's value, or content but that of one record for
//! who shows the token.

mod access;
mod activity;
mod page;
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
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::Serialize;

use self::access::Denied;
use self::page::Asset;

use crate::body::{self, Body};
use crate::health::Health;
use crate::limit::Quotas;
use crate::secret::Keyring;
use crate::telemetry::{By, Metrics};
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
/// tells is for this machine and for who shows the token, and so is the page that shows it.
pub async fn respond<B>(request: &Request<B>, from: IpAddr, state: &AdminState) -> Response<Body> {
    let (method, path) = (request.method(), request.uri().path());
    let asked = Asked::of(path);
    let is_guarded = path.starts_with(access::API) || matches!(asked, Some(Asked::Page(_)));
    if is_guarded && let Err(denied) = access::may(path, request.headers(), from, state) {
        return match (&asked, denied) {
            (Some(Asked::Page(asset)), Denied::NoToken) => asset.without_token(request.headers()),
            (_, _) => denied.into_response(),
        };
    }
    let Some(asked) = asked else {
        return reply(StatusCode::NOT_FOUND, TEXT, "not found\n");
    };
    if method != Method::GET && method != Method::HEAD {
        let mut refusal = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "method not allowed\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        refusal.headers_mut().insert(ALLOW, allowed);
        return refusal;
    }
    let query = request.uri().query();
    match asked {
        Asked::Page(asset) => asset.respond(request.headers()),
        Asked::Config => config(state).await,
        Asked::Request(id) => match request_of(state, id) {
            Some(record) => reply(StatusCode::OK, JSON, record),
            None => reply(
                StatusCode::NOT_FOUND,
                TEXT,
                "not among the newest requests\n",
            ),
        },
        Asked::Requests => reply(StatusCode::OK, JSON, requests::list(&state.status.recent())),
        Asked::Activity => {
            let (seen, now) = (activity::after(query), Instant::now());
            json(&state.status.activity(seen, now))
        }
        Asked::Series => json(&state.metrics.lately.show(by(query), Instant::now())),
        Asked::Routes => json(&state.status.routes()),
        Asked::Targets => json(&state.status.targets(&state.health)),
        Asked::Spend => {
            let rows = state.metrics.spend.rows();
            json(&state.status.spend(&state.quotas, rows))
        }
        Asked::Alive => reply(StatusCode::OK, TEXT, "ok\n"),
        Asked::Ready => readiness(state),
        Asked::Metrics => metrics(state),
    }
}

/// What can be asked for.
enum Asked<'a> {
    Page(&'static Asset),
    Config,
    /// By its id.
    Request(&'a str),
    Requests,
    Activity,
    Series,
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
            "/api/activity" => Self::Activity,
            "/api/series" => Self::Series,
            "/api/routes" => Self::Routes,
            "/api/targets" => Self::Targets,
            "/api/spend" => Self::Spend,
            "/livez" | "/healthz" => Self::Alive,
            "/readyz" | "/startupz" => Self::Ready,
            "/metrics" => Self::Metrics,
            _ => match path.strip_prefix(access::DETAIL) {
                Some(id) => Self::Request(id),
                None => Self::Page(page::at(path)?),
            },
        })
    }
}

/// By provider where that is asked for, else by route.
fn by(query: Option<&str>) -> By {
    let mut members = query.unwrap_or_default().split('&');
    if members.any(|member| member == "by=provider") {
        By::Provider
    } else {
        By::Route
    }
}

fn readiness(state: &AdminState) -> Response<Body> {
    let readiness = state.status.readiness(state, Instant::now());
    let mut response = json(&readiness);
    if !readiness.ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// The record of a request. What it holds of content only a token opens: where there is none, everybody on
/// this machine is told the rest.
fn request_of(state: &AdminState, id: &str) -> Option<Vec<u8>> {
    let live = state.status.snapshot();
    let with_content = live.is_some_and(|live| live.admin_token.is_some());
    requests::one(&state.status.recent(), id, with_content)
}

/// The shape of it is told where it is made: [`Effective::show`](crate::config::Effective::show).
async fn config(state: &AdminState) -> Response<Body> {
    match state.status.config().await {
        Ok(config) => reply(StatusCode::OK, JSON, config),
        Err(error) => {
            tracing::error!(%error, "the configuration could not be shown");
            failure()
        }
    }
}

fn metrics(state: &AdminState) -> Response<Body> {
    state.status.gauge(state, Instant::now());
    state.status.count_tasks();
    reply(StatusCode::OK, OPEN_METRICS, state.metrics.render())
}

fn json(told: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(told) {
        Ok(text) => reply(StatusCode::OK, JSON, text),
        Err(error) => {
            tracing::error!(%error, "an answer of the admin port could not be written");
            failure()
        }
    }
}

fn failure() -> Response<Body> {
    reply(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "internal error\n")
}

/// What is told is of this moment, and is what it says it is.
fn reply(status: StatusCode, kind: &'static str, content: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(body::full(content));
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
