//! The upstream: a lean server whose answer is named by the model.
//!
//! `plain-BYTES` is a whole answer, `stream-EVENTS-MILLIS-BATCH` a stream that writes BATCH events
//! together every MILLIS (0: as fast as they are taken), `hold` one that begins and never ends.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use memchr::{memchr, memmem};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{Error, tls};

/// Serves until killed; prints its two addresses, cleartext and TLS.
pub(crate) async fn run(certificate: &str, key: &str) -> Result<(), Error> {
    let acceptor = tls::acceptor(certificate, key)?;
    let clear = TcpListener::bind("127.0.0.1:0").await?;
    let secure = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {}", clear.local_addr()?, secure.local_addr()?);
    let answers = Arc::new(Answers::default());
    loop {
        let answers = Arc::clone(&answers);
        tokio::select! {
            accepted = clear.accept() => {
                let stream = accepted?.0;
                stream.set_nodelay(true)?;
                tokio::spawn(serve(stream, answers));
            }
            accepted = secure.accept() => {
                let stream = accepted?.0;
                stream.set_nodelay(true)?;
                let handshake = acceptor.accept(stream);
                tokio::spawn(async move {
                    if let Ok(stream) = handshake.await {
                        serve(stream, answers).await;
                    }
                });
            }
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, answers: Arc<Answers>) {
    let service = service_fn(|request| respond(&answers, request));
    // A client that goes away is no news.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn respond(
    answers: &Answers,
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Error> {
    let mut body = request.into_body();
    let mut model = None;
    while let Some(frame) = body.frame().await {
        if let (None, Some(data)) = (&model, frame?.data_ref()) {
            model = Some(named(data)?.to_owned());
        }
    }
    let answer = answers.of(&model.ok_or("a request without a body")?)?;
    let kind = match &*answer {
        Answer::Plain(_) => "application/json",
        Answer::Stream(_) => "text/event-stream; charset=utf-8",
    };
    let body = match &*answer {
        Answer::Plain(bytes) => Full::new(bytes.clone()).boxed_unsync(),
        Answer::Stream(stream) => Writing::new(stream.clone()).boxed_unsync(),
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

/// The model's name; it is the first member of every body that the client sends.
fn named(data: &[u8]) -> Result<&str, Error> {
    const KEY: &[u8] = br#""model":""#;
    let start = memmem::find(data, KEY).ok_or("no model")? + KEY.len();
    let end = start + memchr(b'"', &data[start..]).ok_or("no end of the model")?;
    Ok(std::str::from_utf8(&data[start..end])?)
}

/// Every answer asked for so far, by model, ready to be written.
#[derive(Default)]
struct Answers {
    made: Mutex<HashMap<String, Arc<Answer>>>,
}

enum Answer {
    Plain(Bytes),
    Stream(Stream),
}

#[derive(Clone)]
struct Stream {
    batches: Arc<[Bytes]>,
    pace: Duration,
    ends: bool,
}

impl Answers {
    fn of(&self, model: &str) -> Result<Arc<Answer>, Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = made.get(model) {
            return Ok(Arc::clone(answer));
        }
        let answer = Arc::new(Answer::of(model)?);
        made.insert(model.to_owned(), Arc::clone(&answer));
        Ok(answer)
    }
}

impl Answer {
    fn of(model: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = model.split('-').collect();
        Ok(match parts[..] {
            ["plain", bytes] => Self::Plain(plain(model, bytes.parse()?)),
            ["stream", events, millis, batch] => {
                let events = events_of(model, events.parse()?);
                Self::Stream(Stream {
                    batches: events
                        .chunks(batch.parse()?)
                        .map(|batch| Bytes::from(batch.concat()))
                        .collect(),
                    pace: Duration::from_millis(millis.parse()?),
                    ends: true,
                })
            }
            [
                "claude",
                "sonnet",
                "4",
                "5",
                "stream",
                events,
                millis,
                batch,
            ] => Self::Stream(Stream {
                batches: claude_events_of(model, events.parse()?)
                    .chunks(batch.parse()?)
                    .map(|batch| Bytes::from(batch.concat()))
                    .collect(),
                pace: Duration::from_millis(millis.parse()?),
                ends: true,
            }),
            ["hold"] => Self::Stream(Stream {
                batches: [Bytes::from(events_of(model, 1)[..2].concat())].into(),
                pace: Duration::ZERO,
                ends: false,
            }),
            _ => return Err(format!("no answer is called `{model}`").into()),
        })
    }
}

/// A completion of `size` bytes.
fn plain(model: &str, size: usize) -> Bytes {
    let answer = |content: &str| {
        format!(
            r#"{{"id":"chatcmpl-B1mW9yNBhcRlM4kPbVxwJSLrOUqTg","object":"chat.completion","created":1755137933,"model":"{model}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":8,"completion_tokens":120,"total_tokens":128,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":null}}"#
        )
    };
    let rest = size.saturating_sub(answer("").len());
    Bytes::from(answer(&"lorem ipsum ".repeat(rest / 12 + 1)[..rest]))
}

/// A role, `count` tokens, a finish, `[DONE]`.
fn events_of(model: &str, count: usize) -> Vec<String> {
    let event = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-B1mW9yNBhcRlM4kPbVxwJSLrOUqTg\",\"object\":\"chat.completion.chunk\",\"created\":1755137933,\"model\":\"{model}\",\"service_tier\":\"default\",\"system_fingerprint\":null,\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}],\"obfuscation\":\"nXk29aQ\"}}\n\n"
        )
    };
    let role = r#"{"role":"assistant","content":"","refusal":null}"#;
    let token = event(r#"{"content":" token"}"#, "null");
    std::iter::once(event(role, "null"))
        .chain(std::iter::repeat_n(token, count))
        .chain([event("{}", r#""stop""#), "data: [DONE]\n\n".to_owned()])
        .collect()
}

/// The same in Anthropic's dialect, each token of the length that sixteen of a kilobyte have.
fn claude_events_of(model: &str, count: usize) -> Vec<String> {
    let event =
        |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
    let text = if count > 16 {
        " token".to_owned()
    } else {
        "lorem ipsum dolor ".repeat(4)
    };
    let start = format!(
        r#","message":{{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"{model}","content":[],"stop_reason":null,"stop_sequence":null,"usage":{{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}}}"#
    );
    let token = event(
        "content_block_delta",
        &format!(r#","index":0,"delta":{{"type":"text_delta","text":"{text}"}}     "#),
    );
    let delta =
        r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":120}"#;
    let block = r#","index":0,"content_block":{"type":"text","text":""}"#;
    [
        event("message_start", &start),
        event("content_block_start", block),
        event("ping", ""),
    ]
    .into_iter()
    .chain(std::iter::repeat_n(token, count))
    .chain([
        event("content_block_stop", r#","index":0"#),
        event("message_delta", delta),
        event("message_stop", ""),
    ])
    .collect()
}

/// A stream being written.
struct Writing {
    stream: Stream,
    written: usize,
    start: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether the pause before the next batch is over.
    rested: bool,
}

impl Writing {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            written: 0,
            start: Instant::now(),
            sleep: None,
            rested: true,
        }
    }

    /// Between two batches: the pace, or one turn of the loop so that each is a write of its own.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.rested {
            return Poll::Ready(());
        }
        if self.stream.pace.is_zero() {
            self.rested = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let written = u32::try_from(self.written).unwrap_or(u32::MAX);
        let until = self.start + self.stream.pace * written;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        ready!(sleep.as_mut().poll(cx));
        self.sleep = None;
        self.rested = true;
        Poll::Ready(())
    }
}

impl Body for Writing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(batch) = self.stream.batches.get(self.written).cloned() else {
            return if self.stream.ends {
                Poll::Ready(None)
            } else {
                Poll::Pending
            };
        };
        ready!(self.poll_rest(cx));
        self.written += 1;
        self.rested = false;
        Poll::Ready(Some(Ok(Frame::data(batch))))
    }
}
