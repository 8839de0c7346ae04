//! Bodies of answers, read with limits.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout_at};

use super::send::cut;
use crate::outcome::{Class, Failure, judge};

/// An error's body is read this far: its first words say what it is.
const MAX_ERROR: usize = 64 << 10;
/// How long an error's body may take once its head is there.
const ERROR_BODY: Duration = Duration::from_secs(2);
/// The most that is set aside for an answer on the strength of its announced length alone.
const TRUSTED: usize = 1 << 20;
/// The longest plain answer.
pub(super) const MAX_ANSWER: usize = 16 << 20;
/// The longest answer with vectors: 2,048 of 3,072 numbers as text.
pub(super) const MAX_VECTORS: usize = 128 << 20;

/// What a status other than success means.
pub(super) async fn refused(response: Response<Incoming>, end: Instant) -> Failure {
    let (head, incoming) = response.into_parts();
    let until = end.min(Instant::now() + ERROR_BODY);
    let body = timeout_at(until, read_start(incoming))
        .await
        .unwrap_or_default();
    judge(head.status, &head.headers, &body, SystemTime::now())
}

async fn read_start(mut incoming: Incoming) -> Bytes {
    let mut body = BytesMut::new();
    while let Some(Ok(frame)) = incoming.frame().await {
        if let Ok(chunk) = frame.into_data() {
            body.extend_from_slice(&chunk);
        }
        if body.len() > MAX_ERROR {
            body.truncate(MAX_ERROR);
            break;
        }
    }
    body.freeze()
}

/// A whole body of at most `limit` bytes.
pub(super) async fn read(mut incoming: Incoming, limit: usize) -> Result<Bytes, Failure> {
    let too_long = || Failure::new(Class::Broken, "the answer is too long");
    let length = incoming.size_hint().lower();
    if length > limit as u64 {
        return Err(too_long());
    }
    let mut first = Bytes::new();
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(chunk) = frame.map_err(|_| cut())?.into_data() else {
            continue;
        };
        if body.len() + first.len() + chunk.len() > limit {
            return Err(too_long());
        }
        // Most answers are one chunk, which need not be copied.
        if first.is_empty() && body.is_empty() {
            first = chunk;
            continue;
        }
        if body.is_empty() {
            let announced = usize::try_from(length).unwrap_or_default().min(TRUSTED);
            body.reserve(announced.max(first.len() + chunk.len()));
            body.extend_from_slice(&first);
            first = Bytes::new();
        }
        body.extend_from_slice(&chunk);
    }
    Ok(if body.is_empty() {
        first
    } else {
        body.freeze()
    })
}
