//! A request that is planned, tried until it is answered, and whose answer is judged.

use std::time::Duration;

use http::Response;
use http::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::Instant;

use super::planned::Planned;
use super::resume::Resumption;
use super::routing::Caller;
use super::{Answer, EVENT_STREAM, Gateway, JSON, content, limited};
use crate::body::full;
use crate::chat::{self, Surface, Weight};
use crate::dialect::answer::Part;
use crate::error::GatewayError;
use crate::limit::Asked;
use crate::once::LINGER;
use crate::plan::{Plan, Schedule};
use crate::record::Recorder;
use crate::stream::Limits;
use crate::upstream::{Answered, Question, attempt};

/// An attempt that goes on for a retry ends before the call is let go, so that it is known how it ended.
const LASTS: Duration = LINGER.saturating_sub(Duration::from_secs(1));

/// `lasts` says that a retry finds the call when the caller's own patience ends first.
pub(super) async fn answer(
    gateway: &Gateway,
    caller: Caller<'_>,
    headers: &HeaderMap,
    request: chat::Request,
    lasts: bool,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    let mut planned = Planned::make(gateway, caller, headers, &request, recorder).await?;
    recorder.asked(request.tokens);
    // From here on nobody sees what was taken out of it.
    let private = std::mem::take(&mut planned.masked);
    let frames = private.frames(&request);
    let request = private.request.as_ref().unwrap_or(&request);
    let asked = Asked {
        prompt: request.tokens,
        most: request.most,
        answers: match request.surface {
            Surface::Embeddings => 0,
            _ => request.choices,
        },
    };
    let (under, targets) = (planned.under.clone(), planned.plan.targets());
    let within = limited::take(
        gateway,
        caller,
        &planned.route.name,
        under,
        asked,
        targets,
        recorder,
    )
    .await?;
    if let Some(within) = within {
        recorder.plan(&within);
        planned.plan = Plan::of(within);
    }
    let resumption = Resumption::of(&planned, request, headers);
    // A plain answer leaves here whole; a stream takes its seat along.
    let seat = planned.seat(gateway).await?;
    let Planned {
        route,
        plan,
        residency,
        ask,
        deadline,
        ..
    } = planned;
    let deadline = if lasts {
        deadline.outlasting(&route.timeouts, LASTS)
    } else {
        deadline
    };
    let question = Question {
        route: &route,
        request,
        headers,
        residency: &residency,
        deadline,
        part: if resumption.is_some() {
            Part::First
        } else {
            Part::Whole
        },
    };
    let schedule = Schedule::new(&plan, ask, deadline, route.max_attempts, request.executes);
    match attempt(&gateway.upstream, &question, schedule, recorder).await? {
        Answered::Whole(whole) => {
            recorder.usage(whole.usage);
            if whole.usage.completion.is_none() && request.surface != Surface::Embeddings {
                recorder.said(Weight::of_answer(&whole.body).tokens());
            }
            content::answered(request, &whole.body, recorder).await;
            let body = private.restored(request, whole.body)?;
            let mut response = Response::new(full(body));
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
                    frames,
                    said: content::said(request, recorder),
                    resume: resumption.map(|resumption| resumption.by(&gateway.upstream)),
                },
                seat,
            ))
        }
    }
}
