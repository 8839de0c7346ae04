//! The request path, from an accepted request to the answer's head.
//!
//! ```text
//! listen → identify → read → plan → attempt ⟲ → decode → encode → record
//! ```
//!
//! Each step takes what the one before it proved and returns what the next one needs, or the error
//! that the caller is told. What belongs to a step is in its room; here is only their order.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::body::{self, Body, ReadError, full};
use crate::chat::{self, Named, Surface};
use crate::error::GatewayError;
use crate::listen::door::{self, Door};
use crate::listen::endpoint::Endpoint;
use crate::listen::{Peer, auth, respond};
use crate::live::Live;
use crate::plan::{Deadline, Plan, Schedule, patience};
use crate::record::{Arrival, End, Recorder, Records};
use crate::snapshot::{Key, Provider, Route, Snapshot, Target};
use crate::stream::{Limits, Passing, Relay};
use crate::tasks::Tasks;
use crate::upstream::{Passed, Sent, Upstream, attempt, pass};

/// What every request is served with. Clones are one.
#[derive(Clone)]
pub struct Gateway {
    pub snapshot: Live<Snapshot>,
    pub upstream: Upstream,
    pub records: Records,
    pub tasks: Tasks,
    /// Cancelled when what still runs must end now.
    pub cut: CancellationToken,
}

/// What came of a request before anything went out.
enum Answer {
    /// An answer that is whole.
    Ready(Response<Body>),
    /// A stream at its commit point.
    Streaming(Box<crate::upstream::Streaming>, Limits),
    /// An answer that passes through.
    Passing(Box<Response<Incoming>>),
}

/// A request that was refused, and whether its body is still on its way.
struct Refused {
    error: GatewayError,
    unread: bool,
}

impl From<GatewayError> for Refused {
    fn from(error: GatewayError) -> Self {
        Self {
            error,
            unread: false,
        }
    }
}

/// Serves one request. Dropping the future cancels what it started and records that.
pub async fn handle(gateway: Gateway, request: Request<Incoming>, peer: Peer) -> Response<Body> {
    let arrival = Arrival::now();
    let snapshot = gateway.snapshot.current();
    let mut recorder = gateway.records.begin(arrival);
    recorder.version(&snapshot.version);
    let answered = Box::pin(answer(&gateway, &snapshot, request, peer, &mut recorder)).await;
    let mut response = match answered {
        Ok(Answer::Ready(response)) => {
            let response = tell(response, &recorder);
            recorder.finish(End::Answered(response.status()));
            response
        }
        Ok(Answer::Streaming(streaming, limits)) => {
            let mut response = Response::new(());
            *response.headers_mut() = streaming.headers.clone();
            response.headers_mut().insert(CONTENT_TYPE, EVENT_STREAM);
            let response = tell(response, &recorder);
            let relay = Relay::new(*streaming, recorder, limits, gateway.tasks.clone());
            response.map(|()| relay.boxed_unsync())
        }
        Ok(Answer::Passing(response)) => {
            let (head, incoming) = tell(*response, &recorder).into_parts();
            let passing = Passing::new(incoming, head.status, recorder);
            Response::from_parts(head, passing.boxed_unsync())
        }
        Err(Refused { error, unread }) => {
            let respond = if unread {
                respond::refusal
            } else {
                respond::error
            };
            let response = tell(respond(&error, recorder.id()), &recorder);
            tracing::debug!(id = recorder.id(), %error, "a request was not answered");
            recorder.finish(End::Failed(&error));
            response
        }
    };
    response.headers_mut().remove("trailer");
    response
}

async fn answer(
    gateway: &Gateway,
    snapshot: &Snapshot,
    request: Request<Incoming>,
    peer: Peer,
    recorder: &mut Recorder,
) -> Result<Answer, Refused> {
    let identified = identify(snapshot, &request, peer, recorder);
    let (head, incoming) = request.into_parts();
    let (key, endpoint) = match identified {
        Ok(Some(identified)) => identified,
        Ok(None) => return Ok(Answer::Ready(no_content())),
        Err(error) => {
            body::discard(&head.headers, incoming, &gateway.tasks);
            return Err(Refused {
                error,
                unread: true,
            });
        }
    };
    let body = match body::read(&head.headers, incoming, snapshot.body_limit, &gateway.tasks).await
    {
        Ok(body) => body,
        Err(ReadError::Refused(error)) => {
            return Err(Refused {
                error,
                unread: true,
            });
        }
        // Nobody is there to read what is answered; the recorder notes a caller that went away.
        Err(ReadError::Gone) => std::future::pending().await,
    };
    let answering = async {
        match endpoint {
            Endpoint::Surface(surface) => {
                let request = chat::Request::read(surface, body)?;
                judged(gateway, snapshot, &key, &head.headers, request, recorder).await
            }
            Endpoint::Models => Ok(Answer::Ready(models(snapshot, &key))),
            Endpoint::Model(id) => {
                if let Some(response) = model(snapshot, &key, &id) {
                    return Ok(Answer::Ready(response));
                }
                // Its name as it was written: a slash in it stays encoded.
                let name = head.uri.path().rsplit('/').next().unwrap_or_default();
                let path = format!("/models/{name}");
                passthrough(
                    gateway,
                    snapshot,
                    &key,
                    &head,
                    &path,
                    body,
                    Some(&id),
                    recorder,
                )
                .await
            }
            Endpoint::Passthrough(path) => {
                passthrough(gateway, snapshot, &key, &head, &path, body, None, recorder).await
            }
        }
    };
    or_cut(gateway, answering).await.map_err(Refused::from)
}

/// Who is calling, and for what; `None` for a question about the server itself.
fn identify(
    snapshot: &Snapshot,
    request: &Request<Incoming>,
    peer: Peer,
    recorder: &mut Recorder,
) -> Result<Option<(Arc<Key>, Endpoint)>, GatewayError> {
    if door::check(request, &snapshot.hosts, peer.violation)? == Door::Options {
        return Ok(None);
    }
    let headers = request.headers();
    let key = auth::identify(snapshot, headers, Timestamp::now())?;
    recorder.caller(&key);
    let endpoint = Endpoint::of(request.method(), request.uri().path())?;
    recorder.surface(endpoint.surface());
    if let Some(trace) = trace_id(headers) {
        recorder.trace(trace);
    }
    if let Endpoint::Surface(_) = endpoint {
        door::wants_json(headers)?;
    }
    Ok(Some((key, endpoint)))
}

/// A request that is planned, tried until it is answered, and whose answer is judged.
async fn judged(
    gateway: &Gateway,
    snapshot: &Snapshot,
    key: &Arc<Key>,
    headers: &HeaderMap,
    request: chat::Request,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    recorder.streamed(request.stream);
    let route = match route(snapshot, key, &request.model)? {
        Some(route) => {
            recorder.route(&route);
            route
        }
        // A model that no route bears, for a key with a provider of its own: a plan of one target.
        None => Arc::new(unrouted(snapshot, key, &request.model)?),
    };
    let plan = Plan::make(
        &route,
        |target| usable(gateway, target),
        &mut fastrand::Rng::new(),
    )?;
    recorder.plan(plan.targets());
    let started = Instant::now();
    let deadline = Deadline::new(
        started,
        &route.timeouts,
        route.reserve,
        request.stream,
        patience(headers),
    );
    let schedule = Schedule::new(&plan, deadline, route.max_attempts);
    let sent = attempt(
        &gateway.upstream,
        &route,
        &request,
        headers,
        deadline,
        schedule,
        recorder,
    )
    .await?;
    match sent {
        Sent::Whole(whole) => {
            recorder.usage(whole.usage);
            let mut response = Response::new(full(whole.body));
            *response.headers_mut() = whole.headers;
            let kind = if request.stream { EVENT_STREAM } else { JSON };
            response.headers_mut().insert(CONTENT_TYPE, kind);
            Ok(Answer::Ready(response))
        }
        Sent::Streaming(streaming) => {
            let limits = Limits {
                idle: deadline.idle,
                end: Instant::now() + route.timeouts.stream,
                cut: gateway.cut.clone(),
            };
            Ok(Answer::Streaming(streaming, limits))
        }
    }
}

/// A request that is sent on as it came: to the first target of the route it names, else to the
/// key's own provider.
#[expect(
    clippy::too_many_arguments,
    reason = "a request in its parts, each used once"
)]
async fn passthrough(
    gateway: &Gateway,
    snapshot: &Snapshot,
    key: &Arc<Key>,
    head: &http::request::Parts,
    path: &str,
    mut body: Bytes,
    model: Option<&str>,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    recorder.surface(Surface::Passthrough);
    let named = Named::find(&head.headers, &body);
    let asked = model.or(named.as_ref().map(|named| named.model.as_str()));
    let routed = match asked {
        Some(asked) if model.is_none() => route(snapshot, key, asked)?,
        _ => None,
    };
    let target = if let Some(route) = routed {
        recorder.route(&route);
        let plan = Plan::make(
            &route,
            |target| usable(gateway, target),
            &mut fastrand::Rng::new(),
        )?;
        let target = Arc::clone(&plan.targets()[0]);
        if let Some(named) = named {
            body = named.rename(&body, &target.model).into();
        }
        target
    } else if let Some(provider) = &key.passthrough {
        Arc::new(target_of(provider, asked.unwrap_or("-")))
    } else {
        return Err(asked.map_or(NOWHERE, |asked| unknown_model(snapshot, key, asked)));
    };
    recorder.plan(std::slice::from_ref(&target));
    let request = Passed {
        method: &head.method,
        path,
        query: head.uri.query(),
        headers: &head.headers,
        body,
    };
    let response = pass(&gateway.upstream, &target, &request, recorder).await?;
    Ok(Answer::Passing(Box::new(response)))
}

/// What a key without a provider of its own is told of a path that is not ours.
const NOWHERE: GatewayError = GatewayError::Refused {
    status: StatusCode::NOT_FOUND,
    code: "not_found",
    message: Cow::Borrowed(
        "Only a provider serves this path, and this token has no `passthrough`.",
    ),
};

/// The route that `model` means to this key; `None` when it is for the key's own provider.
fn route(snapshot: &Snapshot, key: &Key, model: &str) -> Result<Option<Arc<Route>>, GatewayError> {
    let Some(route) = snapshot.route(model).or(key.default_route.as_ref()) else {
        return if key.passthrough.is_some() {
            Ok(None)
        } else {
            Err(unknown_model(snapshot, key, model))
        };
    };
    if key.may_use(route) {
        return Ok(Some(Arc::clone(route)));
    }
    Err(GatewayError::RouteNotAllowed {
        route: Arc::clone(&route.name),
    })
}

fn unrouted(snapshot: &Snapshot, key: &Key, model: &str) -> Result<Route, GatewayError> {
    let provider = key
        .passthrough
        .as_ref()
        .ok_or_else(|| unknown_model(snapshot, key, model))?;
    Ok(Route::to(target_of(provider, model)))
}

fn target_of(provider: &Arc<Provider>, model: &str) -> Target {
    Target {
        id: format!("{}/{model}", provider.name).into(),
        provider: Arc::clone(provider),
        model: model.into(),
        context: None,
        stream_usage: true,
    }
}

/// Whether a target can be asked at all.
fn usable(gateway: &Gateway, target: &Target) -> Result<(), String> {
    match &target.provider.secret {
        Some(reference) if gateway.upstream.keyring.current(reference).is_none() => Err(format!(
            "the key of provider `{}` cannot be read",
            target.provider.name
        )),
        _ => Ok(()),
    }
}

fn unknown_model(snapshot: &Snapshot, key: &Key, model: &str) -> GatewayError {
    let routes = allowed(snapshot, key)
        .map(|route| Arc::clone(&route.name))
        .collect();
    GatewayError::UnknownModel {
        model: model.to_owned(),
        routes,
    }
}

fn allowed<'a>(snapshot: &'a Snapshot, key: &'a Key) -> impl Iterator<Item = &'a Arc<Route>> {
    snapshot.routes.values().filter(|route| key.may_use(route))
}

/// `GET /models`: the routes this key may use.
fn models(snapshot: &Snapshot, key: &Key) -> Response<Body> {
    let data: Vec<_> = allowed(snapshot, key)
        .map(|route| listed(&route.name))
        .collect();
    json(&serde_json::json!({ "object": "list", "data": data }))
}

fn model(snapshot: &Snapshot, key: &Key, id: &str) -> Option<Response<Body>> {
    let route = snapshot.route(id).filter(|route| key.may_use(route));
    if route.is_none() && key.passthrough.is_some() {
        return None;
    }
    Some(match route {
        Some(_) => json(&listed(id)),
        None => respond::error(&unknown_model(snapshot, key, id), ""),
    })
}

fn listed(id: &str) -> serde_json::Value {
    serde_json::json!({ "id": id, "object": "model", "created": 0, "owned_by": "pillion" })
}

fn json(value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn no_content() -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Lets `work` run until the process must end.
async fn or_cut<T>(
    gateway: &Gateway,
    work: impl Future<Output = Result<T, GatewayError>>,
) -> Result<T, GatewayError> {
    tokio::select! {
        biased;
        done = work => done,
        () = gateway.cut.cancelled() => Err(GatewayError::ShuttingDown),
    }
}

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TARGET: HeaderName = HeaderName::from_static("x-pillion-target");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-pillion-attempts");
const REASON: HeaderName = HeaderName::from_static("x-pillion-reason");

/// Says, for people, who answered and why it was not the first.
fn tell<B>(mut response: Response<B>, recorder: &Recorder) -> Response<B> {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(recorder.id()) {
        headers.insert(REQUEST_ID, id);
    }
    if recorder.attempts() > 0 {
        headers.insert(ATTEMPTS, HeaderValue::from(recorder.attempts()));
    }
    if let Some(target) = recorder.target()
        && let Ok(target) = HeaderValue::from_str(&target.id)
    {
        headers.insert(TARGET, target);
    }
    if let Some(reason) = recorder.reason() {
        headers.insert(REASON, HeaderValue::from_static(reason));
    }
    response
}

/// The trace id of a `traceparent`: <https://www.w3.org/TR/trace-context/> (read 2026-11).
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent")?.to_str().ok()?.split('-').nth(1)
}
