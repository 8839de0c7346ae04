//! How many tokens a message would be: asked of the first target, estimated if that cannot say.
//!
//! Tools of the Messages surface ask this often, to decide when a conversation must be shortened; an
//! answer that is nearly right serves them, and an error does not.

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderMap};

use super::planned::Planned;
use super::routing::Caller;
use super::{Answer, Gateway, JSON};
use crate::body::full;
use crate::chat::{self, estimate};
use crate::dialect::answer::Part;
use crate::dialect::{Meaning, anthropic};
use crate::error::GatewayError;
use crate::record::Recorder;
use crate::upstream::{self, Question};

pub(super) async fn answer(
    gateway: &Gateway,
    caller: Caller<'_>,
    headers: &HeaderMap,
    request: chat::Request,
    recorder: &mut Recorder,
) -> Result<Answer, GatewayError> {
    let planned = Planned::make(gateway, caller, headers, &request, recorder).await;
    recorder.transcribed().await;
    let planned = planned?;
    let Planned {
        route,
        plan,
        residency,
        ask,
        deadline,
        under: _,
        masked,
    } = planned;
    let request = masked.request.unwrap_or(request);
    let meaning = Meaning::default();
    let first = &plan.targets()[0];
    // An estimate is better than a wait, too.
    let counted = match gateway.seats.free(ask.priority) {
        Some(_seat) => {
            let question = Question {
                route: &route,
                request: &request,
                headers,
                residency: &residency,
                deadline,
                part: Part::Whole,
            };
            upstream::count(&gateway.upstream, first, &question, recorder).await
        }
        None => None,
    };
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
