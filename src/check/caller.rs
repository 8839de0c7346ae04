//! One request to a gateway as an application sends it, and all that can be seen of its answer.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::HeaderValue;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::probe::Request;
use super::read;
use crate::record::Kept;
use crate::snapshot::BaseUrl;
use crate::upstream::Visitor;
use crate::wire::sse::{Framer, TooLong};

/// No answer to a probe comes near this.
const LONGEST: usize = 16 << 20;
/// A rate limit is waited out once when it is shorter than this.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// A record is written when its request is over, which a provider may take a moment to notice.
const RECORD: Duration = Duration::from_secs(2);

/// Who asks: one gateway's address, with the token for it.
#[derive(Debug)]
pub struct Caller<'a> {
    pub visitor: &'a Visitor,
    /// Ends where `/v1` does.
    pub base: BaseUrl,
    /// Marked sensitive by whoever made it, so that no output can show it.
    pub authorization: Option<HeaderValue>,
    /// How long one answer may take.
    pub patience: Duration,
    /// The gateway's records, where it is our own.
    pub records: Option<&'a Kept>,
}

/// What came of one request.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Why there is no answer, or not a whole one.
    pub(crate) failed: Option<String>,
    /// 0 when no head came.
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// To the first event with content, of a stream.
    pub(crate) first_token: Option<Duration>,
    pub(crate) total: Duration,
    /// Whether the caller hung up after the first token, as it was to.
    pub(crate) left: bool,
    /// What the gateway recorded of it.
    pub(crate) record: Option<Value>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn is_stream(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        kind.starts_with("text/event-stream")
    }

    /// How long a rate limit is to last, when it is worth waiting for.
    fn wait(&self) -> Option<Duration> {
        let millis = self.header("retry-after-ms")?.parse().ok()?;
        let wait = Duration::from_millis(millis);
        (self.status == 429 && wait <= LONGEST_WAIT).then_some(wait)
    }
}

impl Caller<'_> {
    pub(crate) async fn ask(&self, request: &Request) -> Answer {
        let answer = self.once(request).await;
        let Some(wait) = answer.wait() else {
            return answer;
        };
        sleep(wait).await;
        self.once(request).await
    }

    /// Without a second try at a rate limit: what an application sees that has none either.
    pub(crate) async fn once(&self, request: &Request) -> Answer {
        let start = Instant::now();
        let mut answer = Answer::default();
        if let Err(why) = self.exchange(request, start, &mut answer).await {
            answer.failed = Some(why);
        }
        answer.total = start.elapsed();
        answer.record = self.record(&answer).await;
        answer
    }

    async fn exchange(
        &self,
        request: &Request,
        start: Instant,
        answer: &mut Answer,
    ) -> Result<(), String> {
        // Our own gateway ends at the same time, and says more: it is let speak first.
        let end = start + self.patience + Duration::from_secs(1);
        let late = |_| format!("no end within {} s", self.patience.as_secs());
        let uri = (self.base.join(request.path)).map_err(|error| error.to_string())?;
        let body = Bytes::from(request.body.to_string());
        let posting = self.visitor.post(uri, self.authorization.as_ref(), body);
        let (head, mut incoming) = timeout_at(end, posting).await.map_err(late)??.into_parts();
        answer.status = head.status.as_u16();
        answer.headers = head.headers;
        let leave = request.leave;
        timeout_at(end, receive(&mut incoming, start, leave, answer))
            .await
            .map_err(late)?
    }

    /// The record of the request that was answered.
    async fn record(&self, answer: &Answer) -> Option<Value> {
        let records = self.records?;
        let id = answer.header("x-request-id")?;
        let end = Instant::now() + RECORD;
        while Instant::now() < end {
            match records.take() {
                Some(record) if record["id"] == id => return Some(record),
                // Of a request that was given up before its answer began.
                Some(_) => {}
                None => sleep(Duration::from_millis(5)).await,
            }
        }
        None
    }
}

/// Reads the body into `answer`, up to its end or to where the caller leaves.
async fn receive(
    incoming: &mut Incoming,
    start: Instant,
    leave: bool,
    answer: &mut Answer,
) -> Result<(), String> {
    let streamed = answer.is_stream();
    let mut framer = Framer::default();
    let mut whole = BytesMut::new();
    let mut end = Ok(());
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else {
            end = Err("the connection was cut in the middle of the answer".to_owned());
            break;
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        whole.extend_from_slice(&data);
        if whole.len() > LONGEST {
            end = Err("the answer does not end".to_owned());
            break;
        }
        if streamed && answer.first_token.is_none() {
            let mut meaningful = false;
            let fed = framer.feed(&data, |event| {
                meaningful |= read::is_meaningful(event.data);
                Ok::<(), TooLong>(())
            });
            // What cannot be framed is found out when the whole is read.
            if fed.is_ok() && meaningful {
                answer.first_token = Some(start.elapsed());
            }
        }
        if leave && answer.first_token.is_some() {
            answer.left = true;
            break;
        }
    }
    answer.body = whole.freeze();
    end
}
