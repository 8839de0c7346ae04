//! Spans to a collector, by OTLP over HTTP.
//!
//! Like records, one batch after the other; but what a collector does not take is lost, as nobody waits for a
//! span, and what comes while it is away is kept for as long as there is room, and no longer.

use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Collector;
use super::judge::Verdict;
use super::pace::Pace;
use super::post::{Load, Post};
use crate::otlp::{Resource, Scope};
use crate::snapshot::Identity;
use crate::telemetry::metrics::SpanCounts;
use crate::trace::{Batch, Waiting};
use crate::upstream::Clients;

/// The scope of all spans.
const SCOPE: &str = "pillion";
/// What closes a request.
const TAIL: &[u8] = b"]}]}]}";

/// Sends what waits for the collector.
pub struct Spans {
    waiting: Waiting,
    post: Post,
    /// What opens a request: it says who we are, and its list of spans is open.
    head: Bytes,
    every: Duration,
    counted: SpanCounts,
    pace: Pace,
}

impl Spans {
    /// # Errors
    /// What in the configuration cannot work, for the operator.
    pub fn new(
        collector: &Collector,
        waiting: Waiting,
        identity: &Identity,
        counted: SpanCounts,
        clients: &Clients,
        rng: Rng,
    ) -> Result<Self, &'static str> {
        Ok(Self {
            waiting,
            post: Post::new(Load::Spans, collector, clients)?,
            head: head(identity).into(),
            every: collector.every,
            counted,
            pace: Pace::new(rng),
        })
    }

    /// Goes on until `end` is cancelled and what waits then is sent, or cannot be. Whoever cannot wait so long
    /// drops it.
    pub async fn run(mut self, end: CancellationToken) {
        while let Some(batch) = self.waiting.batch(self.every, &end).await {
            let mut rest = vec![batch];
            while let Some(batch) = rest.pop() {
                let Some(smaller) = self.deliver(batch, &end).await else {
                    continue;
                };
                rest.extend(smaller);
            }
        }
    }

    /// Until it is taken or lost; `Some` is what is to be sent in its place.
    async fn deliver(&mut self, mut batch: Batch, end: &CancellationToken) -> Option<[Batch; 2]> {
        loop {
            let (head, sent) = (self.head.clone(), batch.clone());
            let (why, after) = match self.post.send(move || body(&head, &sent)).await {
                Verdict::Taken { refused, why } => {
                    self.taken(&batch, refused, why);
                    return None;
                }
                Verdict::Unfit(why) => {
                    if let Some(other) = batch.halve() {
                        return Some([other, batch]);
                    }
                    self.refused(&batch, &why);
                    return None;
                }
                Verdict::Refused(why) => {
                    self.refused(&batch, &why);
                    return None;
                }
                Verdict::Again { why, after } => (why, after),
            };
            let (wait, is_first) = self.pace.fails(after);
            if is_first {
                tracing::warn!(%why, "spans cannot be sent: they wait while there is room");
            } else {
                tracing::debug!(%why, "spans still cannot be sent");
            }
            if end.is_cancelled() {
                let lost = batch.spans() + self.waiting.abandon();
                tracing::warn!(lost, %why, "some spans could not be sent before the end");
                return None;
            }
            let _ = end.run_until_cancelled(sleep(wait)).await;
        }
    }

    fn taken(&mut self, batch: &Batch, refused: u64, why: Option<String>) {
        let why = why.unwrap_or_default();
        let refused = refused.min(batch.spans());
        if refused > 0 {
            tracing::warn!(refused, %why, "the collector has refused spans, and is not to be sent them again");
            self.counted.dropped("refused", refused);
        } else if !why.is_empty() {
            tracing::debug!(%why, "the collector has taken spans and says something of them");
        }
        self.counted.sent(batch.spans() - refused);
        if self.pace.works() {
            tracing::info!("spans are sent again");
        }
    }

    fn refused(&mut self, batch: &Batch, why: &str) {
        let (_, is_first) = self.pace.fails(None);
        let spans = batch.spans();
        if is_first {
            tracing::warn!(spans, %why, "the collector takes no such spans: they are lost");
        } else {
            tracing::debug!(spans, %why, "the collector still takes no such spans");
        }
        self.counted.dropped("refused", spans);
    }
}

/// `ExportTraceServiceRequest`.
fn body(head: &[u8], batch: &Batch) -> Vec<u8> {
    let pieces = || std::iter::once(head).chain(batch.pieces()).chain([TAIL]);
    let mut body = Vec::with_capacity(pieces().map(<[u8]>::len).sum());
    pieces().for_each(|piece| body.extend_from_slice(piece));
    body
}

/// A request's beginning, to where its spans are.
fn head(identity: &Identity) -> Vec<u8> {
    #[derive(Serialize)]
    struct Who<'a> {
        resource: Resource<'a>,
    }
    #[derive(Serialize)]
    struct What {
        scope: Scope,
    }
    let resource = Resource::of(identity);
    let scope = Scope::named(SCOPE);
    let mut head = b"{\"resourceSpans\":[".to_vec();
    let mut open = |object: serde_json::Result<Vec<u8>>, list: &str| {
        // What is made of texts alone can be written. Its last byte is its end.
        let object = object.unwrap_or_default();
        head.extend(object.strip_suffix(b"}").unwrap_or_default());
        head.extend(format!(",\"{list}\":[").into_bytes());
    };
    open(serde_json::to_vec(&Who { resource }), "scopeSpans");
    open(serde_json::to_vec(&What { scope }), "spans");
    head
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_request_is_what_the_protocol_wants() {
        let identity = Identity {
            instance: Some("pod-1".into()),
            ..Identity::default()
        };
        let body = [&*head(&identity), br#"{"name":"a"},{"name":"b"}"#, TAIL].concat();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let resource = &body["resourceSpans"][0];
        let instance = json!({ "key": "service.instance.id", "value": { "stringValue": "pod-1" } });
        let attributes = resource["resource"]["attributes"].as_array().unwrap();
        assert!(attributes.contains(&instance), "{attributes:?}");
        let scope = &resource["scopeSpans"][0];
        assert_eq!(scope["scope"]["name"], SCOPE);
        assert_eq!(scope["spans"], json!([{ "name": "a" }, { "name": "b" }]));
    }
}
