//! A request that is planned, tried until it is answered, and whose answer is judged.

use http::Response;
use http::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::Instant;

use super::planned::Planned;
use super::routing::Caller;
use super::{Answer, EVENT_STREAM, Gateway, JSON};
use crate::body::full;
use crate::chat;
use crate::error::GatewayError;
use crate::plan::Schedule;
use crate::record::Recorder;
use crate::stream::Limits;
use crate::upstream::{Answered, attempt};

pub(super) async fn answer(
    gateway: &Gateway,
    caller: Caller<'_>,
    headers: &HeaderMap,
    request: chat::Request,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    let planned = Planned::make(gateway, caller, headers, &request, recorder)?;
    // A plain answer leaves here whole; a stream takes its seat along.
    let seat = planned.seat(gateway).await?;
    let Planned {
        route,
        plan,
        ask,
        deadline,
    } = planned;
    let schedule = Schedule::new(&plan, ask, deadline, route.max_attempts, request.executes);
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
        Answered::Whole(whole) => {
            recorder.usage(whole.usage);
            let mut response = Response::new(full(whole.body));
            *response.headers_mut() = whole.headers;
            let kind = if request.stream { EVENT_STREAM } else { JSON };
            response.headers_mut().insert(CONTENT_TYPE, kind);
            Ok(Answer::Ready(response))
        }
        Answered::Streaming(streaming, running) => {
            let end = Instant::now() + route.timeouts.stream;
            Ok(Answer::Streaming(
                streaming,
                running,
                Limits {
                    idle: deadline.idle,
                    end,
                    cut: gateway.cut.clone(),
                    surface: request.surface,
                },
                seat,
            ))
        }
    }
}
