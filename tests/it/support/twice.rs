//! Requests that come twice, and what they come to.

use serde_json::{Value, json};

use super::fixture::{ask, ask_stream, plain, streamed};
use super::{Answer, Client, Gate, Gateway, Reply, Upstream};

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const KEY: (&str, &str) = ("idempotency-key", "order-1");
pub(crate) const FIRST_TRY: (&str, &str) = ("x-stainless-retry-count", "0");
pub(crate) const RETRY: (&str, &str) = ("x-stainless-retry-count", "1");
/// The caller's own patience, which is shorter than the route's.
pub(crate) const PATIENCE: (&str, &str) = ("x-stainless-read-timeout", "1");

/// A provider that holds an answer back, and the request that it holds it from.
pub(crate) struct Held {
    pub(crate) body: String,
    pub(crate) gate: Gate,
    pub(crate) first: Upstream,
}

impl Held {
    /// Held back after its beginning.
    pub(crate) async fn begun(streams: bool) -> Self {
        Self::start(streams, |reply, _| reply).await
    }

    /// Held back whole.
    pub(crate) async fn silent(streams: bool) -> Self {
        Self::start(streams, |reply, gate| reply.pause_at(0, gate)).await
    }

    async fn start(streams: bool, change: impl FnOnce(Reply, &Gate) -> Reply) -> Self {
        let gate = Gate::new();
        let (body, reply) = held(streams, &gate);
        let first = Upstream::always(change(reply, &gate)).await;
        Self { body, gate, first }
    }
}

/// A plain answer, and a stream, each held back at a gate after its beginning.
pub(crate) fn held(streams: bool, gate: &Gate) -> (String, Reply) {
    if streams {
        let reply = Reply::sse(streamed(&["Hel", "lo", "!"])).pause_after(3, gate);
        (ask_stream(), reply)
    } else {
        (ask(), Reply::json(plain("Hello!")).pause_at(5, gate))
    }
}

/// A request whose answer nobody has waited for yet.
pub(crate) async fn sent(gateway: &Gateway, headers: &[(&str, &str)], body: &str) -> Client {
    let mut client = gateway.connect().await;
    client.post(CHAT, headers, body.as_bytes()).await;
    client
}

/// What came of two requests.
pub(crate) async fn both(one: Client, two: Client) -> (Answer, Answer) {
    let (one, two) = (one.answer().await, two.answer().await);
    (one.rest().await, two.rest().await)
}

/// The record of a request that was answered by another's call.
pub(crate) async fn is_free(gateway: &Gateway, answer: &Answer) {
    assert_eq!(answer.header("x-pillion-joined"), Some("true"));
    let free = gateway.audit(answer.id()).await;
    assert_eq!((free.outcome(), free.number("status")), ("ok", Some(200)));
    assert_eq!(free.0["attempts"], json!([]));
    assert_eq!(free.text("route"), "chat");
    for field in ["usage", "cost", "target", "plan"] {
        assert_eq!(free.0[field], Value::Null, "{field}");
    }
}
