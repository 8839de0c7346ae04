//! How many tokens a message would be: asked of the first target, estimated if that cannot say.
//!
//! Tools of the Messages surface ask this often, to decide when a conversation must be shortened; an
//! answer that is nearly right serves them, and an error does not.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::Instant;

use super::routing::{Caller, Way};
use super::{Answer, Gateway, JSON, usable};
use crate::body::full;
use crate::chat::{self, estimate};
use crate::dialect::{Meaning, anthropic};
use crate::error::GatewayError;
use crate::plan::{Deadline, Plan, patience};
use crate::record::Recorder;
use crate::snapshot::Route;
use crate::upstream;

pub(super) async fn answer(
    gateway: &Gateway,
    caller: Caller<'_>,
    headers: &HeaderMap,
    request: chat::Request,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    recorder.streamed(false);
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
        false,
        patience(headers),
    );
    let meaning = Meaning::default();
    let first = &plan.targets()[0];
    let counted = upstream::count(
        &gateway.upstream,
        &route,
        first,
        &request,
        headers,
        deadline,
        recorder,
    )
    .await;
    let body = if let Some(body) = counted {
        body
    } else {
        // What cannot even be read has no length; its own error is the clearer one.
        let conversation = meaning.of(&request).map_err(GatewayError::from)?;
        Bytes::from(anthropic::surface::count_answer(estimate(conversation)))
    };
    let mut response = Response::new(full(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    Ok(Answer::Ready(response))
}
