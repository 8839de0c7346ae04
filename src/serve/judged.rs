//! A request that is planned, tried until it is answered, and whose answer is judged.

use std::sync::Arc;

use http::Response;
use http::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::Instant;

use super::routing::{Caller, Way};
use super::{Answer, EVENT_STREAM, Gateway, JSON, usable};
use crate::body::full;
use crate::chat;
use crate::error::GatewayError;
use crate::plan::{Deadline, Plan, Schedule, patience};
use crate::record::Recorder;
use crate::snapshot::Route;
use crate::stream::Limits;
use crate::upstream::{Sent, attempt};

pub(super) async fn answer(
    gateway: &Gateway,
    caller: Caller<'_>,
    headers: &HeaderMap,
    request: chat::Request,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    recorder.streamed(request.stream);
    let route = match caller.way(&request.model)? {
        Way::Route(route) => {
            recorder.route(&route);
            route
        }
        Way::Own(target) => Arc::new(Route::to(target)),
    };
    let plan = Plan::make(
        &route,
        |target| usable(gateway, target),
        &mut fastrand::Rng::new(),
    )?;
    recorder.plan(plan.targets());
    let deadline = Deadline::new(
        Instant::now(),
        &route.timeouts,
        route.reserve,
        request.stream,
        patience(headers),
    );
    let schedule = Schedule::new(&plan, deadline, route.max_attempts, request.executes);
    match attempt(
        &gateway.upstream,
        &route,
        &request,
        headers,
        deadline,
        schedule,
        recorder,
    )
    .await?
    {
        Sent::Whole(whole) => {
            recorder.usage(whole.usage);
            let mut response = Response::new(full(whole.body));
            *response.headers_mut() = whole.headers;
            let kind = if request.stream { EVENT_STREAM } else { JSON };
            response.headers_mut().insert(CONTENT_TYPE, kind);
            Ok(Answer::Ready(response))
        }
        Sent::Streaming(streaming) => {
            let end = Instant::now() + route.timeouts.stream;
            Ok(Answer::Streaming(
                streaming,
                Limits {
                    idle: deadline.idle,
                    end,
                    cut: gateway.cut.clone(),
                    surface: request.surface,
                },
            ))
        }
    }
}
