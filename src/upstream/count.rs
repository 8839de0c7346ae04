//! One question to one target: how many tokens a message would be.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::{Instant, timeout_at};

use super::attempt::{Question, Upstream};
use super::client::Within;
use super::reading;
use super::running::upstream_id;
use super::send::{ANSWERED, Call};
use crate::dialect::{Dialect, anthropic, bedrock, gemini};
use crate::outcome::{Class, Failure};
use crate::record::Recorder;
use crate::snapshot::Target;

/// The longest answer to it, in bytes.
const MAX_COUNT: usize = 64 << 10;

/// The caller's answer; `None` when `target` cannot say.
pub async fn count(
    upstream: &Upstream,
    target: &Arc<Target>,
    question: &Question<'_>,
    recorder: &mut Recorder,
) -> Option<Bytes> {
    target.dialect(question.request.surface)?;
    let call = Call::new(question, recorder);
    let end = question.deadline.attempt_end(Instant::now(), false);
    ask(upstream, &call, target, end, recorder).await
}

async fn ask(
    upstream: &Upstream,
    call: &Call<'_>,
    target: &Arc<Target>,
    end: Instant,
    recorder: &mut Recorder,
) -> Option<Bytes> {
    let within = Within::of(target, call.residency)?;
    let client = upstream.clients.to(&within);
    let mut prepared = call.prepare(target).ok()?;
    let log = recorder.attempt(target);
    recorder.dropped(&prepared.dropped);
    prepared.mark(recorder.mark(&log));
    let dialect = prepared.dialect;
    let body = prepared.bodies.pop()?;
    let asked = async {
        let credential = upstream.credential(&target.provider, end).await?;
        let request = prepared.signed(body, target, &credential)?;
        let head = |headers: &HeaderMap| {
            if let Some(id) = upstream_id(headers) {
                log.upstream_id(id);
            }
        };
        let response = call.exchange(&client, request, end, head).await?;
        let body = timeout_at(end, reading::read(response.into_body(), MAX_COUNT))
            .await
            .map_err(|_| Failure::new(Class::Timeout, "the answer did not end in time"))??;
        let tokens = match dialect {
            // In the caller's own words already, once it is one.
            Dialect::Anthropic | Dialect::AnthropicInCloud => {
                anthropic::read_count(&body)?;
                return Ok(body);
            }
            Dialect::Gemini => gemini::count::read_count(&body)?,
            Dialect::Converse => bedrock::read_count(&body)?,
            Dialect::OpenAi | Dialect::Responses => {
                return Err(Failure::new(Class::Broken, "this provider does not count"));
            }
        };
        Ok(Bytes::from(anthropic::surface::count_answer(tokens)))
    };
    match asked.await {
        Ok(body) => {
            log.answered(ANSWERED);
            Some(body)
        }
        Err(failure) => {
            log.failed(&failure, Instant::now().into_std());
            None
        }
    }
}
