//! A request that may be one of several: it joins the call that it is, replays what that came to, or
//! begins it.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http::header::{HeaderName, HeaderValue};
use tokio::time::{Instant, timeout};

use super::content::{self, Subject};
use super::elsewhere::Claiming;
use super::routing::{Caller, Way};
use super::ruled::beside;
use super::{Asking, Gateway, REQUEST_ID, Refusal, deliver, judged, name_request, or_cut, refuse};
use crate::body::Body;
use crate::chat::Surface;
use crate::error::GatewayError;
use crate::fleet::Arriving;
use crate::limit::Shown;
use crate::listen::respond;
use crate::once::{Asked, Entered, Handed, Identity, REPLAY, Waiter};
use crate::plan::patience;
use crate::record::Recorder;
use crate::snapshot::Route;

const JOINED: HeaderName = HeaderName::from_static("x-pillion-joined");

pub(super) async fn answer(
    gateway: Arc<Gateway>,
    asking: Box<Asking>,
    mut recorder: Recorder,
) -> Response<Body> {
    let now = Instant::now();
    let surface = asking.request.surface;
    let asked = match Asked::read(&asking.headers) {
        Ok(asked) => asked,
        Err(error) => return deliver(&gateway, surface, Err(error.into()), recorder),
    };
    let route = route(&asking);
    let dedupe = route
        .as_ref()
        .and_then(|route| route.dedupe)
        .filter(|_| !asking.request.tools);
    let lasts = asked.may_come_again();
    let told = if asked.is_numbered() {
        GatewayError::StillRunning
    } else {
        GatewayError::DeadlineExceeded
    };
    let caller = Caller {
        snapshot: &asking.snapshot,
        key: &asking.key,
    };
    let rules = beside(caller, route.as_deref(), &asking.request, &asking.headers);
    let identity = Identity {
        caller: Arc::clone(&asking.key.id),
        key: asked.key.clone(),
        surface,
        body: asking.request.body.as_bytes().clone(),
        rules,
        dedupe,
    };
    let fleet = gateway.fleet.as_ref();
    let fleet = fleet.map(|fleet| (fleet.clone(), asked.clone(), identity.clone()));
    match gateway.calls.enter(asked, identity, now) {
        Ok(Entered::First(vacancy)) => {
            let ending = vacancy.ending();
            recorder.shared(Arc::clone(&ending));
            let claim = fleet.and_then(|(fleet, asked, identity)| {
                let arriving = Arriving {
                    asked: &asked,
                    identity: &identity,
                    executes: asking.request.executes,
                    priority: asking.key.priority,
                    ending,
                    came: now,
                };
                Some(Claiming {
                    claim: fleet.claim(arriving)?,
                    ticket: vacancy.ticket(),
                    keyed: identity.key.is_some(),
                    told: told.clone(),
                    now,
                })
            });
            let shorter =
                |patience: &Duration| route.is_none_or(|route| *patience < route.timeouts.whole);
            let patience = patience(&asking.headers).filter(|span| lasts && shorter(span));
            let id = patience.map(|_| recorder.id().to_owned());
            let waiter = vacancy.begin(match claim {
                None => Box::pin(work(gateway, asking, lasts, recorder)),
                Some(claim) => Box::pin(claim.work(gateway, asking, lasts, recorder)),
            });
            match within(patience, waiter, told).await {
                Handed::Whole(response) => response,
                Handed::Shared(reader) => reader.into_response(None),
                // The record is with the call, and says the same.
                Handed::Failed(error) => {
                    respond::error(surface, &error, id.as_deref().unwrap_or_default())
                }
            }
        }
        Ok(Entered::Joined(waiter, kind)) => {
            join(&mut recorder, &asking, route, kind.name());
            follow(waiter, &asking, told, recorder).await
        }
        Ok(Entered::Replayed(reader)) => {
            join(&mut recorder, &asking, route, REPLAY);
            let id = recorder.id().to_owned();
            joined(surface, &id, reader.into_response(Some(recorder)))
        }
        Err(conflict) => deliver(
            &gateway,
            surface,
            Err(Refusal::Error(conflict.into())),
            recorder,
        ),
    }
}

/// Plans the request and tries it, to its answer.
pub(super) async fn work(
    gateway: Arc<Gateway>,
    asking: Box<Asking>,
    lasts: bool,
    mut recorder: Recorder,
) -> Response<Body> {
    let Asking {
        snapshot,
        key,
        headers,
        request,
    } = *asking;
    let surface = request.surface;
    let caller = Caller {
        snapshot: &snapshot,
        key: &key,
    };
    let answering = async {
        let answer = judged::answer(&gateway, caller, &headers, request, lasts, &mut recorder);
        let answer = Box::pin(answer).await.map_err(Refusal::from);
        recorder.transcribed().await;
        answer
    };
    let answer = or_cut(&gateway.cut, answering).await;
    deliver(&gateway, surface, answer, recorder)
}

/// The route that the request is for, if it is one that the caller may use.
pub(super) fn route(asking: &Asking) -> Option<Arc<Route>> {
    let caller = Caller {
        snapshot: &asking.snapshot,
        key: &asking.key,
    };
    match caller.way(&asking.request.model) {
        Ok(Way::Route(route)) => Some(route),
        // What is wrong is told when it is planned.
        Ok(Way::Own(_)) | Err(_) => None,
    }
}

/// What the record of a request says whose answer is another's.
pub(super) fn join(
    recorder: &mut Recorder,
    asking: &Asking,
    route: Option<Arc<Route>>,
    kind: &'static str,
) {
    recorder.streamed(asking.request.stream);
    if let Some(route) = route {
        recorder.route(&route);
        let subject = || Subject::Came(asking.request.body.clone(), route.privacy.mask);
        content::begin(&route, &asking.snapshot.detectors, subject, recorder);
    }
    recorder.joined(kind);
}

/// Waits for the answer for as long as the caller does, and then gives up with what that is `told`.
async fn within(patience: Option<Duration>, mut waiter: Waiter, told: GatewayError) -> Handed {
    let Some(patience) = patience else {
        return waiter.await;
    };
    if let Ok(handed) = timeout(patience, &mut waiter).await {
        return handed;
    }
    waiter.give_up(&told);
    Handed::Failed(told)
}

/// The answer of a call that runs already.
async fn follow(
    waiter: Waiter,
    asking: &Asking,
    told: GatewayError,
    recorder: Recorder,
) -> Response<Body> {
    let surface = asking.request.surface;
    let handed = within(patience(&asking.headers), waiter, told).await;
    let id = recorder.id().to_owned();
    let response = match handed {
        Handed::Shared(reader) => reader.into_response(Some(recorder)),
        Handed::Failed(error) => refuse(surface, recorder, &error, respond::error),
        // Only the first gets it in this way.
        Handed::Whole(response) => response,
    };
    joined(surface, &id, response)
}

/// The answer of another as this request's own.
pub(super) fn joined(surface: Surface, id: &str, mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(JOINED, HeaderValue::from_static("true"));
    Shown::untell(headers);
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    name_request(surface, headers);
    response
}
