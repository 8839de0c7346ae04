//! One attempt at one target: encode, sign, send, and hold back until there is an answer.
//!
//! Nobody else decides that an attempt failed. A plain answer is whole and valid when it leaves
//! here; a stream has reached its commit point: its first meaningful event is ready to go out.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::alarm::Alarm;
use super::attempt::Question;
use super::body::Outgoing;
use super::client::Client;
use super::credentials::Credential;
use super::prepare::Prepared;
use super::reading::{self, MAX_ANSWER, MAX_VECTORS, refused};
use super::running::Running;
use super::sign;
use crate::chat::{self, Surface};
use crate::dialect::answer::{Part, Reader};
use crate::dialect::{Decoder, Meaning, Shown};
use crate::outcome::{Class, Failure};
use crate::record::Recorder;
use crate::snapshot::{OnUnsupported, Residency, Target};

/// What every attempt of one request has in common.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) request: &'a chat::Request,
    pub(super) meaning: Meaning,
    /// The caller's headers.
    pub(super) headers: &'a HeaderMap,
    /// Whether the caller sees the provider's model name.
    pub(super) expose_model: bool,
    /// Where it must stay.
    pub(super) residency: &'a Residency,
    pub(super) unsupported: OnUnsupported,
    /// Between two events.
    pub(super) idle: std::time::Duration,
    /// Where a stream must have reached its commit point.
    pub(super) deadline: Instant,
    /// When the request came, in seconds since 1970.
    pub(super) created: u64,
    pub(super) part: Part,
}

/// An answer, as far as it must be known before anything goes out.
#[derive(Debug)]
pub(super) enum Sent {
    Whole(Box<Whole>),
    Streaming(Box<Streaming>),
}

impl Sent {
    fn whole(whole: Whole) -> Self {
        Self::Whole(Box::new(whole))
    }
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

impl<'a> Call<'a> {
    pub(super) fn new(question: &Question<'a>, recorder: &Recorder) -> Self {
        let Question {
            route,
            request,
            headers,
            residency,
            deadline,
            part,
        } = *question;
        Self {
            request,
            meaning: Meaning::default(),
            headers,
            expose_model: route.expose_model,
            residency,
            unsupported: route.unsupported,
            idle: deadline.idle,
            deadline: deadline.at,
            created: recorder.arrived(),
            part,
        }
    }

    /// Sends what was prepared for `target` and waits until `end` for an answer.
    pub(super) async fn send(
        &self,
        client: &Client,
        target: &Target,
        prepared: Prepared,
        credential: &Credential,
        end: Instant,
        running: &mut Running,
    ) -> Result<Sent, Failure> {
        let sent = self.answer(client, target, prepared, credential, end, running);
        let mut sent = sent
            .await
            .map_err(|failure| sign::hide(failure, credential))?;
        let headers = match &mut sent {
            Sent::Whole(whole) => &mut whole.headers,
            Sent::Streaming(streaming) => &mut streaming.headers,
        };
        super::headers::drop_leaking(headers, credential);
        Ok(sent)
    }

    async fn answer(
        &self,
        client: &Client,
        target: &Target,
        mut prepared: Prepared,
        credential: &Credential,
        end: Instant,
        running: &mut Running,
    ) -> Result<Sent, Failure> {
        let reader = self.reader(target, &prepared);
        let bodies = std::mem::take(&mut prepared.bodies);
        if let Some((embedder, wanted)) = &prepared.vectors {
            let mut answers = Vec::with_capacity(bodies.len());
            let mut left = MAX_VECTORS;
            for body in bodies {
                let request = prepared.signed(body, target, credential)?;
                let response = self
                    .exchange(client, request, end, |head| running.head(head))
                    .await?;
                let read = reading::read(response.into_body(), left);
                let answer = Alarm::at(end)
                    .wait(pin!(read))
                    .await
                    .map_err(|_| unended())??;
                left = left.saturating_sub(answer.len());
                answers.push(answer);
            }
            running.first_token();
            let (body, usage) = embedder.answer(&answers, wanted, &reader.shown.model)?;
            return Ok(Sent::whole(Whole {
                headers: HeaderMap::new(),
                body,
                usage,
            }));
        }
        let body = bodies.into_iter().next().unwrap_or_default();
        let request = prepared.signed(body, target, credential)?;
        let response = self
            .exchange(client, request, end, |head| running.head(head))
            .await?;
        let status = response.status();
        let sent = if self.part == Part::Next && is_json(response.headers()) {
            Err(Failure::new(
                Class::Broken,
                "a whole answer, where a stream was to go on",
            ))
        } else if is_json(response.headers()) || reader.is_same() && !self.request.stream {
            self.whole(reader, response, end, running).await
        } else if self.request.stream {
            self.stream(reader, response, end, running).await
        } else {
            self.collect(client, reader, response, end, running).await
        };
        sent.map_err(|failure| Failure {
            status: failure.status.or(Some(status)),
            ..failure
        })
    }

    /// One request and the head of its answer, which is a success. `head` sees that of a refusal, too.
    pub(super) async fn exchange(
        &self,
        client: &Client,
        request: Request<Outgoing>,
        end: Instant,
        head: impl FnOnce(&HeaderMap),
    ) -> Result<Response<Incoming>, Failure> {
        let response = match Alarm::at(end).wait(pin!(client.request(request))).await {
            Err(_) => return Err(Failure::new(Class::Timeout, "no answer began in time")),
            Ok(Err(error)) => return Err(unsent(&error)),
            Ok(Ok(response)) => response,
        };
        head(response.headers());
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(refused(response, end).await)
        }
    }

    fn reader(&self, target: &Target, prepared: &Prepared) -> Reader {
        let model = if self.expose_model {
            Arc::clone(&target.model)
        } else {
            Arc::from(self.request.model.as_str())
        };
        Reader {
            surface: self.request.surface,
            dialect: prepared.dialect,
            cloud: prepared.cloud,
            shown: Shown {
                model,
                target: Arc::clone(&target.id),
                created: self.created,
                usage: self.request.usage == chat::UsageOption::Asked,
                seed: fastrand::u64(..),
            },
            expose_model: self.expose_model,
            names: prepared.names.clone(),
            part: self.part,
        }
    }

    async fn whole(
        &self,
        reader: Reader,
        response: Response<Incoming>,
        end: Instant,
        running: &mut Running,
    ) -> Result<Sent, Failure> {
        let (head, incoming) = response.into_parts();
        let limit = if self.request.surface == Surface::Embeddings {
            MAX_VECTORS
        } else {
            MAX_ANSWER
        };
        let mut alarm = Alarm::at(end);
        let body = alarm.wait(pin!(reading::read(incoming, limit))).await;
        let body = body.map_err(|_| unended())??;
        let headers = super::headers::shown(&head.headers);
        let (body, usage) = reader.whole(self.request, &body)?;
        // An error in the body of a success is no answer.
        running.first_token();
        Ok(Sent::whole(Whole {
            headers,
            body,
            usage,
        }))
    }

    /// A plain caller's answer, from a target that was asked for a stream.
    async fn collect(
        &self,
        client: &Client,
        reader: Reader,
        response: Response<Incoming>,
        end: Instant,
        running: &mut Running,
    ) -> Result<Sent, Failure> {
        let (head, mut incoming) = response.into_parts();
        let mut collector = reader.collector();
        let mut length = 0;
        let mut alarm = Alarm::at(end);
        while !collector.done() {
            if alarm.has_rung() {
                return Err(unended());
            }
            let frame = alarm.wait(pin!(incoming.frame())).await;
            let frame = frame.map_err(|_| unended())?;
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        length += chunk.len();
                        if length > MAX_ANSWER {
                            return Err(Failure::new(Class::Broken, "the answer is too long"));
                        }
                        collector.feed(&chunk)?;
                    }
                }
                Some(Err(_)) => collector.cut().map_err(|_| cut())?,
                None => collector.end()?,
            }
            if collector.arrived() {
                running.first_token();
            }
        }
        client.hear_out(incoming);
        let headers = super::headers::shown(&head.headers);
        let (body, usage) = collector.finish(&reader, self.request)?;
        Ok(Sent::whole(Whole {
            headers,
            body,
            usage,
        }))
    }

    async fn stream(
        &self,
        reader: Reader,
        response: Response<Incoming>,
        end: Instant,
        running: &mut Running,
    ) -> Result<Sent, Failure> {
        let (head, mut incoming) = response.into_parts();
        let mut decoder = reader.decoder(self.request);
        let mut alarm = Alarm::at(end);
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
            if alarm.has_rung() {
                return Err(late(&decoder));
            }
            let frame = alarm.wait(pin!(incoming.frame())).await;
            let frame = frame.map_err(|_| late(&decoder))?;
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
                running.first_token();
                alarm = Alarm::at(self.deadline.min(Instant::now() + self.idle));
            }
        }
        let headers = super::headers::shown(&head.headers);
        Ok(Sent::Streaming(Box::new(Streaming {
            headers,
            decoder,
            incoming,
        })))
    }
}

fn unended() -> Failure {
    Failure::new(Class::Timeout, "the answer did not end in time")
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
