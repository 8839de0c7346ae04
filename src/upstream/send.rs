//! One attempt at one target: encode, sign, send, and hold back until there is an answer.
//!
//! Nobody else decides that an attempt failed. A plain answer is whole and valid when it leaves
//! here; a stream has reached its commit point: its first meaningful event is ready to go out.

use std::error::Error;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout_at};

use super::body::Outgoing;
use super::client::Client;
use super::credentials::Credential;
use super::{address, headers, sign};
use crate::chat::{self, Surface, UsageOption};
use crate::dialect::openai::{self, Decoder, Shape, Shown, Wanted, encode};
use crate::outcome::{Class, Failure, judge};
use crate::record::Recorder;
use crate::snapshot::Target;

/// An error's body is read this far: its first words say what it is.
const MAX_ERROR: usize = 64 << 10;
/// How long an error's body may take once its head is there.
const ERROR_BODY: Duration = Duration::from_secs(2);
/// The most that is set aside for an answer on the strength of its announced length alone.
const TRUSTED: usize = 1 << 20;
/// The longest plain answer.
const MAX_ANSWER: usize = 16 << 20;
/// The longest answer with vectors: 2,048 of 3,072 numbers as text.
const MAX_VECTORS: usize = 128 << 20;

/// What every attempt of one request has in common.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) request: &'a chat::Request,
    /// The caller's headers.
    pub(super) headers: &'a HeaderMap,
    /// Whether the caller sees the provider's model name.
    pub(super) expose_model: bool,
    /// Between two events.
    pub(super) idle: Duration,
    /// Where a stream must have reached its commit point.
    pub(super) deadline: Instant,
}

/// An answer, as far as it must be known before anything goes out.
#[derive(Debug)]
pub enum Sent {
    Whole(Whole),
    Streaming(Box<Streaming>),
}

#[derive(Debug)]
pub struct Whole {
    pub headers: HeaderMap,
    pub body: Bytes,
    pub usage: chat::Usage,
}

/// A stream at its commit point: what may go out is in the decoder.
#[derive(Debug)]
pub struct Streaming {
    pub headers: HeaderMap,
    pub decoder: Decoder,
    pub incoming: Incoming,
}

impl Call<'_> {
    /// Sends the request to `target` and waits until `end` for an answer.
    pub(super) async fn send(
        &self,
        client: &Client,
        target: &Target,
        credential: &Credential,
        end: Instant,
        recorder: &mut Recorder,
    ) -> Result<Sent, Failure> {
        let request = self.outgoing(target, credential)?;
        let response = match timeout_at(end, client.request(request)).await {
            Err(_) => return Err(Failure::new(Class::Timeout, "no answer began in time")),
            Ok(Err(error)) => return Err(unsent(&error)),
            Ok(Ok(response)) => response,
        };
        if let Some(id) = response
            .headers()
            .get("x-request-id")
            .and_then(|id| id.to_str().ok())
        {
            recorder.upstream_id(id);
        }
        let status = response.status();
        if !status.is_success() {
            return Err(refused(response, end).await);
        }
        let sent = if self.request.stream && !is_json(response.headers()) {
            self.stream(response, end, recorder).await
        } else {
            self.whole(response, end, recorder).await
        };
        sent.map_err(|failure| Failure {
            status: failure.status.or(Some(status)),
            ..failure
        })
    }

    fn outgoing(
        &self,
        target: &Target,
        credential: &Credential,
    ) -> Result<Request<Outgoing>, Failure> {
        let unaddressable = |_| {
            Failure::new(
                Class::TargetMissing,
                "the model's name cannot stand in a URL",
            )
        };
        let uri = address::of(target, self.request.surface).map_err(unaddressable)?;
        let pieces = encode(self.request, &target.model, target.stream_usage);
        let mut request = Request::new(Outgoing::from(pieces));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers::judged(self.headers);
        sign::sign(
            &mut request,
            &target.provider,
            credential,
            SystemTime::now(),
        )?;
        Ok(request)
    }

    async fn whole(
        &self,
        response: Response<Incoming>,
        end: Instant,
        recorder: &mut Recorder,
    ) -> Result<Sent, Failure> {
        let (head, incoming) = response.into_parts();
        let limit = if self.request.surface == Surface::Embeddings {
            MAX_VECTORS
        } else {
            MAX_ANSWER
        };
        let body = timeout_at(end, read(incoming, limit))
            .await
            .map_err(|_| Failure::new(Class::Timeout, "the answer did not end in time"))??;
        recorder.first_token();
        let headers = headers::shown(&head.headers);
        if self.request.stream {
            // It was asked for a stream, and the caller gets one.
            let mut decoder = self.decoder();
            decoder.whole(&body)?;
            let usage = decoder.usage();
            return Ok(Sent::Whole(Whole {
                headers,
                body: decoder.output().into(),
                usage,
            }));
        }
        let shown = Shown {
            surface: self.request.surface,
            model: (!self.expose_model).then_some(&self.request.model),
            base64: self.request.base64,
            seed: fastrand::u64(..),
        };
        let answer = openai::answer(&body, shown)?;
        Ok(Sent::Whole(Whole {
            headers,
            body: answer.body,
            usage: answer.usage,
        }))
    }

    async fn stream(
        &self,
        response: Response<Incoming>,
        end: Instant,
        recorder: &mut Recorder,
    ) -> Result<Sent, Failure> {
        let (head, mut incoming) = response.into_parts();
        let mut decoder = self.decoder();
        let mut limit = end;
        while !decoder.released() {
            let late = |decoder: &Decoder| {
                let reason = if decoder.arrived() {
                    "a tool call did not end in time"
                } else {
                    "no first token in time"
                };
                Failure::new(Class::Timeout, reason)
            };
            // Frames that are always ready would never let the timer have its say.
            if Instant::now() >= limit {
                return Err(late(&decoder));
            }
            let frame = timeout_at(limit, incoming.frame())
                .await
                .map_err(|_| late(&decoder))?;
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        decoder.feed(&chunk)?;
                    }
                }
                Some(Err(_)) => return Err(cut()),
                None => decoder.end()?,
            }
            if decoder.arrived() {
                recorder.first_token();
                limit = self.deadline.min(Instant::now() + self.idle);
            }
        }
        let headers = headers::shown(&head.headers);
        Ok(Sent::Streaming(Box::new(Streaming {
            headers,
            decoder,
            incoming,
        })))
    }

    fn decoder(&self) -> Decoder {
        let request = self.request;
        Decoder::new(Wanted {
            shape: if request.surface == Surface::Completions {
                Shape::Completions
            } else {
                Shape::Chat
            },
            choices: request.choices,
            model: (!self.expose_model).then(|| request.model.as_str().into()),
            usage: request.usage == UsageOption::Asked,
            moderation: request.moderation,
            seed: fastrand::u64(..),
        })
    }
}

/// The connection broke in the middle of an answer.
pub(crate) fn cut() -> Failure {
    Failure::new(
        Class::Reset,
        "the connection was cut in the middle of the answer",
    )
}

/// The request did not come to an answer's head.
pub(super) fn unsent(error: &hyper_util::client::legacy::Error) -> Failure {
    tracing::debug!(error = error as &dyn Error, "a request found no answer");
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<hyper::Error>());
    if error.is_connect() {
        Failure::new(Class::Connect, "no connection to the provider")
    } else if cause.is_some_and(hyper::Error::is_parse) {
        Failure::new(Class::Broken, "what the provider sent is not HTTP")
    } else {
        Failure::new(
            Class::Reset,
            "the connection was cut before an answer began",
        )
    }
}

/// What a status other than success means.
async fn refused(response: Response<Incoming>, end: Instant) -> Failure {
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

async fn read(mut incoming: Incoming, limit: usize) -> Result<Bytes, Failure> {
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

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    })
}

/// The status of every answer that leaves [`Call::send`].
pub(crate) const ANSWERED: StatusCode = StatusCode::OK;
