//! The request path, from an accepted request to the answer's head.
//!
//! ```text
//! listen → identify → read → plan → attempt ⟲ → decode → encode → record
//! ```
//!
//! Each step takes what the one before it proved and returns what the next one needs, or the error
//! that the caller is told. What belongs to a step is in its room; here is only their order.

mod content;
mod count;
mod elsewhere;
mod judged;
mod limited;
mod models;
mod once;
mod passthrough;
mod planned;
mod private;
mod resume;
mod routing;
mod ruled;

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub(crate) use self::private::{Decision, Inspected};
use self::routing::Caller;
use crate::body::{self, Body, ReadError, full};
use crate::chat::{self, Surface};
use crate::error::GatewayError;
use crate::fleet::Fleet;
use crate::limit::{Quotas, Seat, Seats};
use crate::listen::door::{self, Door};
use crate::listen::endpoint::{self, Endpoint};
use crate::listen::{Peer, auth, respond};
use crate::live::Live;
use crate::once::Calls;
use crate::record::{Arrival, End, Recorder, Records};
use crate::snapshot::{Key, Snapshot, Target};
use crate::stream::{self, Limits, Passing, Relay};
use crate::tasks::Tasks;
use crate::upstream::{Running, Streaming, Upstream};

/// What every request is served with.
pub struct Gateway {
    pub snapshot: Live<Snapshot>,
    pub upstream: Upstream,
    pub records: Records,
    /// The calls that a request may be one of.
    pub calls: Calls,
    /// Where other processes may run the call that a request is.
    pub fleet: Option<Fleet>,
    pub tasks: Tasks,
    pub seats: Seats,
    /// The limits and budgets of keys, routes and teams.
    pub quotas: Quotas,
    /// Cancelled when what still runs must end now.
    pub cut: CancellationToken,
}

/// What came of a request before anything went out.
enum Answer {
    /// An answer that is whole.
    Ready(Response<Body>),
    /// A stream at its commit point.
    Streaming(Box<Streaming>, Running, Limits, Seat),
    /// An answer that passes through.
    Passing(Box<Response<Incoming>>, Seat),
}

/// How far a request has come once it is read.
enum Read {
    /// To its answer, or to the end of its hope of one.
    Done(Box<Answer>),
    /// It is to be planned and tried, unless somebody else asked for the same.
    Asked(Box<Asking>),
}

/// A request that a provider is to be asked for, and all that it is asked with.
struct Asking {
    snapshot: Arc<Snapshot>,
    key: Arc<Key>,
    headers: HeaderMap,
    request: chat::Request,
}

/// Why a request gets no answer.
enum Refusal {
    Error(GatewayError),
    /// The same, with the request's body still on its way: the connection closes.
    Unread(GatewayError),
    /// The caller went away while its body was read.
    Gone,
}

impl From<GatewayError> for Refusal {
    fn from(error: GatewayError) -> Self {
        Self::Error(error)
    }
}

/// Serves one request. Dropping the future cancels what it started and records that.
pub async fn handle(
    gateway: Arc<Gateway>,
    request: Request<Incoming>,
    peer: Peer,
) -> Response<Body> {
    let snapshot = gateway.snapshot.current(); // one view of the configuration, to the last byte
    let mut recorder = gateway.records.begin(Arrival::now());
    recorder.version(&snapshot.version);
    recorder.trace(request.headers());
    // Also what is refused before it is known is told in the words of its surface.
    let surface = endpoint::surface(request.uri().path());
    let receipt = recorder.receipt();
    let reading = read(&gateway, &snapshot, request, peer, &mut recorder);
    let response = match Box::pin(or_cut(&gateway.cut, reading)).await {
        Ok(Read::Asked(asking)) => once::answer(gateway, asking, recorder).await,
        Ok(Read::Done(answer)) => deliver(&gateway, surface, Ok(*answer), recorder),
        Err(refusal) => deliver(&gateway, surface, Err(refusal), recorder),
    };
    match receipt {
        Some(receipt) => Box::pin(stream::held(response, receipt)).await,
        None => response,
    }
}

/// The answer as it goes out. Its record ends with it, or with its body.
fn deliver(
    gateway: &Gateway,
    surface: Surface,
    answer: Result<Answer, Refusal>,
    recorder: Recorder,
) -> Response<Body> {
    match answer {
        Ok(Answer::Ready(response)) => {
            let mut response = tell(response, &recorder);
            name_request(surface, response.headers_mut());
            recorder.finish(End::Answered(response.status()));
            response
        }
        Ok(Answer::Streaming(mut streaming, running, limits, seat)) => {
            let mut response = Response::new(());
            *response.headers_mut() = std::mem::take(&mut streaming.headers);
            response.headers_mut().insert(CONTENT_TYPE, EVENT_STREAM);
            let mut response = tell(response, &recorder);
            name_request(surface, response.headers_mut());
            let tasks = gateway.tasks.clone();
            let relay = Relay::new(*streaming, running, recorder, seat, limits, tasks);
            response.map(|()| relay.boxed_unsync())
        }
        Ok(Answer::Passing(response, seat)) => {
            let (head, incoming) = tell(*response, &recorder).into_parts();
            let cut = gateway.cut.clone();
            let passing = Passing::new(incoming, head.status, recorder, seat, cut);
            Response::from_parts(head, passing.boxed_unsync())
        }
        Err(Refusal::Error(error)) => refuse(surface, recorder, &error, respond::error),
        Err(Refusal::Unread(error)) => refuse(surface, recorder, &error, respond::refusal),
        // The recorder, dropped, says that the caller went away. Nobody reads the answer, but hyper
        // ends a connection that broke off in mid-body only once there is one.
        Err(Refusal::Gone) => respond::refusal(surface, &INCOMPLETE, recorder.id()),
    }
}

async fn read(
    gateway: &Gateway,
    snapshot: &Arc<Snapshot>,
    request: Request<Incoming>,
    peer: Peer,
    recorder: &mut Recorder,
) -> Result<Read, Refusal> {
    let identified = identify(snapshot, &request, peer, recorder);
    let identified = match identified {
        Ok(_) if gateway.records.unavailable() => Err(GatewayError::AuditUnavailable),
        identified => identified,
    };
    let (head, incoming) = request.into_parts();
    let (key, endpoint) = match identified {
        Ok(Some(identified)) => identified,
        Ok(None) => return Ok(Read::Done(Box::new(Answer::Ready(no_content())))),
        Err(error) => {
            body::discard(&head.headers, incoming, &gateway.tasks);
            return Err(Refusal::Unread(error));
        }
    };
    let body = body::read(&head.headers, incoming, snapshot.body_limit, &gateway.tasks).await;
    let body = body.map_err(|error| match error {
        ReadError::Refused(error) => Refusal::Unread(error),
        ReadError::Gone => Refusal::Gone,
    })?;
    let caller = Caller {
        snapshot,
        key: &key,
    };
    let answer = match endpoint {
        Endpoint::Surface(surface) => {
            let request = chat::Request::read(surface, body)?;
            if surface != Surface::CountTokens {
                return Ok(Read::Asked(Box::new(Asking {
                    snapshot: Arc::clone(snapshot),
                    key,
                    headers: head.headers,
                    request,
                })));
            }
            count::answer(gateway, caller, &head.headers, request, recorder).await?
        }
        Endpoint::Models => Answer::Ready(models::list(caller)),
        Endpoint::Model(id) => match models::one(caller, &id)? {
            Some(response) => Answer::Ready(response),
            None => passthrough::model(gateway, caller, &head, recorder).await?,
        },
        Endpoint::Passthrough(path) => {
            passthrough::answer(gateway, caller, &head, &path, body, recorder).await?
        }
    };
    Ok(Read::Done(Box::new(answer)))
}

/// Who is calling, and for what; `None` for a question about the server itself.
fn identify(
    snapshot: &Snapshot,
    request: &Request<Incoming>,
    peer: Peer,
    recorder: &mut Recorder,
) -> Result<Option<(Arc<Key>, Endpoint)>, GatewayError> {
    if peer.crowded {
        return Err(GatewayError::Overloaded);
    }
    if door::check(request, &snapshot.hosts, peer.violation)? == Door::Options {
        return Ok(None);
    }
    let headers = request.headers();
    let key = auth::identify(snapshot, headers, Timestamp::now())?;
    recorder.caller(&key);
    let endpoint = Endpoint::of(request.method(), request.uri().path())?;
    recorder.surface(endpoint.surface());
    if let Endpoint::Surface(_) = endpoint {
        door::wants_json(headers)?;
    }
    Ok(Some((key, endpoint)))
}

/// Whether a target can be asked at all.
fn usable(gateway: &Gateway, target: &Target) -> Result<(), String> {
    match &target.provider.secret {
        Some(reference)
            if reference.is_held() && gateway.upstream.keyring.current(reference).is_none() =>
        {
            Err(format!(
                "the key of provider `{}` cannot be read",
                target.provider.name
            ))
        }
        _ => Ok(()),
    }
}

/// What a caller would be told that left in the middle of its body.
const INCOMPLETE: GatewayError = GatewayError::Refused {
    status: StatusCode::BAD_REQUEST,
    code: "incomplete_body",
    message: Cow::Borrowed("The request body ended before its announced length."),
};

/// Lets `work` run until the process must end.
async fn or_cut<T>(
    cut: &CancellationToken,
    work: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    tokio::select! {
        biased;
        done = work => done,
        () = cut.cancelled() => Err(Refusal::Unread(GatewayError::ShuttingDown)),
    }
}

fn refuse(
    surface: Surface,
    recorder: Recorder,
    error: &GatewayError,
    respond: fn(Surface, &GatewayError, &str) -> Response<Body>,
) -> Response<Body> {
    let why = error.for_log();
    tracing::debug!(
        id = recorder.id(),
        error = why,
        "a request was not answered"
    );
    let response = tell(respond(surface, error, recorder.id()), &recorder);
    recorder.finish(End::Failed(error));
    response
}

fn no_content() -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TARGET: HeaderName = HeaderName::from_static("x-pillion-target");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-pillion-attempts");
const REASON: HeaderName = HeaderName::from_static("x-pillion-reason");
const DROPPED: HeaderName = HeaderName::from_static("x-pillion-dropped");

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
    if let Some(dropped) = fields(recorder.was_dropped()) {
        headers.insert(DROPPED, dropped);
    }
    recorder.shown().tell(headers);
    if let Some(reason) = recorder.reason() {
        headers.insert(REASON, HeaderValue::from_static(reason));
    }
    response
}

/// Anthropic's SDKs know a request's id by a name of their own.
fn name_request(surface: Surface, headers: &mut HeaderMap) {
    if let (Surface::Messages | Surface::CountTokens, Some(id)) =
        (surface, headers.get(REQUEST_ID).cloned())
    {
        headers.insert("request-id", id);
    }
}

/// Names of fields as one header. Those that are no names were the caller's own invention.
fn fields(dropped: &[Cow<'static, str>]) -> Option<HeaderValue> {
    let is_name = |name: &&str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.[]".contains(&b);
        name.len() <= 64 && name.bytes().all(plain)
    };
    let mut list = String::new();
    for name in dropped.iter().map(|name| &**name).filter(is_name).take(32) {
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(name);
    }
    if list.is_empty() {
        return None;
    }
    HeaderValue::try_from(list).ok()
}
