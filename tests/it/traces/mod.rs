//! Spans of requests and their attempts: whose child each is, what providers are told of it, and that
//! nobody waits for who collects them.

mod away;
mod real;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::passing::key;
use crate::support::fixture::{ask, ask_stream, plain, streamed};
use crate::support::reply::End;
use crate::support::upstream::Seen;
use crate::support::{Config, Gateway, Reply, Upstream, soon};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const CHAT: &str = "/v1/chat/completions";

/// A collector that keeps what it is sent, unless it is told otherwise.
struct Collector {
    server: Upstream,
    instead: Arc<Mutex<Option<Reply>>>,
    kept: Arc<Mutex<Vec<Seen>>>,
}

impl Collector {
    async fn new() -> Self {
        let instead: Arc<Mutex<Option<Reply>>> = Arc::default();
        let kept: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (said, keeps) = (Arc::clone(&instead), Arc::clone(&kept));
        let server = Upstream::choosing(move |seen| {
            let instead = said.lock().unwrap().clone();
            instead.unwrap_or_else(|| {
                keeps.lock().unwrap().push(seen.clone());
                Reply::json("{}")
            })
        })
        .await;
        Self {
            server,
            instead,
            kept,
        }
    }

    /// From here on it says this, and keeps nothing.
    fn answers(&self, reply: Reply) {
        *self.instead.lock().unwrap() = Some(reply);
    }

    fn is_back(&self) {
        *self.instead.lock().unwrap() = None;
    }

    fn spans(&self) -> Vec<Span> {
        let kept = self.kept.lock().unwrap();
        kept.iter().flat_map(|seen| spans(&seen.json())).collect()
    }

    /// Waits until it has so many.
    async fn has(&self, count: usize) -> Vec<Span> {
        soon("the spans are told", async {
            loop {
                let spans = self.spans();
                if spans.len() >= count {
                    assert_eq!(spans.len(), count, "{spans:#?}");
                    return spans;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
    }

    /// The configuration that tells it spans, each `every`.
    fn keys(&self, every: &str) -> String {
        let url = self.server.root_url();
        format!("traces: {{ url: \"{url}\", every: {every} }}")
    }
}

#[derive(Debug)]
struct Span {
    all: Value,
    said: BTreeMap<String, Value>,
}

impl Span {
    fn text(&self, field: &str) -> &str {
        self.all[field].as_str().unwrap_or_default()
    }

    fn says(&self, key: &str) -> &Value {
        self.said.get(key).unwrap_or(&Value::Null)
    }
}

fn spans(request: &Value) -> Vec<Span> {
    let list = &request["resourceSpans"][0]["scopeSpans"][0]["spans"];
    let span = |all: &Value| {
        let said = all["attributes"].as_array().unwrap().iter().map(|one| {
            let (_, value) = one["value"].as_object().unwrap().iter().next().unwrap();
            (one["key"].as_str().unwrap().to_owned(), value.clone())
        });
        Span {
            said: said.collect(),
            all: all.clone(),
        }
    };
    list.as_array().unwrap().iter().map(span).collect()
}

/// The `traceparent` of a caller, with these flags.
fn caller(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

/// What a provider was told of a span.
fn told(seen: &Seen) -> (String, String, String) {
    let header = seen.header("traceparent").unwrap();
    let parts: Vec<&str> = header.split('-').collect();
    let [version, trace, span, flags] = *parts else {
        panic!("{header}");
    };
    assert_eq!(version, "00");
    (trace.to_owned(), span.to_owned(), flags.to_owned())
}

#[tokio::test]
async fn a_request_with_a_fallback_is_a_span_with_one_for_each_attempt() {
    for is_streamed in [false, true] {
        let first = Upstream::always(Reply::error(503, "overloaded", None, "later")).await;
        let answer = if is_streamed {
            Reply::sse(streamed(&["Hel", "lo!"]))
        } else {
            Reply::json(plain("Hello!"))
        };
        let second = Upstream::always(answer).await;
        let collector = Collector::new().await;
        let config = Config::of(&[&first, &second])
            .root(&collector.keys("10ms"))
            .root("identity: { instance: pod-1, environment: test }");
        let gateway = Gateway::start(config).await;
        let traceparent = caller("01");
        let headers = [("traceparent", &*traceparent), ("tracestate", "a=1")];
        let body = if is_streamed { ask_stream() } else { ask() };
        let answer = gateway.post(CHAT, &headers, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let all = collector.has(3).await;
        let [request, failed, answered] = &*all else {
            panic!("{all:#?}");
        };
        let seen = collector.server.request(0).await;
        assert!(seen.head.starts_with("POST /v1/traces "), "{}", seen.head);
        assert_eq!(seen.header("content-type"), Some("application/json"));
        let who = seen.json()["resourceSpans"][0]["resource"].to_string();
        for part in ["\"pillion\"", "\"pod-1\"", "\"test\""] {
            assert!(who.contains(part), "{who}");
        }
        // Whose child each is, and that each provider knows its own.
        assert_eq!(request.text("parentSpanId"), CALLER);
        for (span, upstream) in [(failed, &first), (answered, &second)] {
            assert_eq!(span.text("traceId"), TRACE);
            assert_eq!(span.text("parentSpanId"), request.text("spanId"));
            let seen = upstream.request(0).await;
            let expected = (TRACE, span.text("spanId"), "01");
            let (trace, parent, flags) = told(&seen);
            assert_eq!((&*trace, &*parent, &*flags), expected);
            assert_eq!(seen.header("tracestate"), Some("a=1"));
            assert_eq!(span.all["kind"], 3);
        }
        assert_ne!(failed.text("spanId"), answered.text("spanId"));
        assert_eq!(request.all["kind"], 2);
        assert_eq!(
            (request.text("name"), failed.text("name")),
            ("chat chat", "chat model-first")
        );
        assert_eq!(failed.says("error.type"), "overloaded");
        assert_eq!(failed.all["status"]["code"], 2);
        assert_eq!(failed.says("http.response.status_code"), "503");
        assert_eq!(answered.says("gen_ai.request.model"), "model-second");
        assert_eq!(answered.says("gen_ai.provider.name"), "second");
        assert_eq!(answered.says("server.address"), "127.0.0.1");
        assert_eq!(answered.says("server.port"), &*second.port().to_string());
        let chunk = answered.says("gen_ai.response.time_to_first_chunk");
        assert_eq!(chunk.is_f64(), is_streamed, "{chunk}");
        assert_eq!(request.says("http.response.status_code"), "200");
        assert_eq!(request.says("pillion.id"), answer.id());
        // As the record says it.
        let record = gateway.audit(answer.id()).await;
        assert_eq!(record.text("trace_id"), TRACE);
        let used = |kind: &str| record.0["usage"][kind].to_string();
        assert_eq!(answered.says("gen_ai.usage.input_tokens"), &*used("prompt"));
        assert_eq!(
            answered.says("gen_ai.usage.output_tokens"),
            &*used("completion")
        );
        for span in [request, failed] {
            assert_eq!(span.says("gen_ai.usage.output_tokens"), &Value::Null);
        }
        let sent = |told: &str| told == "pillion_spans_sent_total 3";
        gateway.until_metric("they are counted", sent).await;
    }
}

#[tokio::test]
async fn a_request_without_a_trace_begins_one() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let collector = Collector::new().await;
    let config = Config::of(&[&first]).root(&collector.keys("10ms"));
    let gateway = Gateway::start(config).await;
    let mut traces = Vec::new();
    for (number, traceparent) in [None, Some("00-zz"), Some("00-0-1-01")]
        .into_iter()
        .enumerate()
    {
        let headers: Vec<_> = traceparent
            .iter()
            .flat_map(|&it| [("traceparent", it), ("tracestate", "a=1")])
            .collect();
        let answer = gateway.post(CHAT, &headers, &ask()).await;
        let all = collector.has(2 * (number + 1)).await;
        let [.., request, attempt] = &*all else {
            panic!("{all:#?}");
        };
        let (trace, span, flags) = told(&first.request(number).await);
        assert_eq!(
            (request.text("traceId"), attempt.text("spanId")),
            (&*trace, &*span)
        );
        assert_eq!(flags, "01");
        assert_eq!(request.all["parentSpanId"], Value::Null);
        // What tracers say of a trace goes with that trace alone.
        assert_eq!(first.request(number).await.header("tracestate"), None);
        assert_eq!(gateway.audit(answer.id()).await.text("trace_id"), trace);
        traces.push(trace);
    }
    traces.dedup();
    assert_eq!(traces.len(), 3);
    // One that is refused at the door is one, too.
    let answer = gateway
        .post(CHAT, &[("traceparent", &caller("01"))], "{")
        .await;
    assert_eq!(answer.status, 400);
    let all = collector.has(7).await;
    assert_eq!(all[6].text("parentSpanId"), CALLER);
    assert_eq!(all[6].says("pillion.outcome"), "error");
    assert_eq!(
        all[6].all["status"],
        Value::Null,
        "that is the caller's own mistake"
    );
}

#[tokio::test]
async fn the_caller_decides_about_its_trace() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let collector = Collector::new().await;
    let keys = collector.keys("10ms").replace("every", "sample: 0%, every");
    let gateway = Gateway::start(Config::of(&[&first]).root(&keys)).await;
    let [kept, left] = ["01", "00"].map(caller);
    for (number, headers) in [
        &[][..],
        &[("traceparent", &*left)],
        &[("traceparent", &*kept)],
    ]
    .into_iter()
    .enumerate()
    {
        gateway.post(CHAT, headers, &ask()).await;
        let (_, _, flags) = told(&first.request(number).await);
        assert_eq!(flags, if number == 2 { "01" } else { "00" });
    }
    // They are told in their order.
    let all = collector.has(2).await;
    assert!(all.iter().all(|span| span.text("traceId") == TRACE));
}

#[tokio::test]
async fn where_no_spans_are_told_a_callers_headers_go_on_as_they_came() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let traceparent = caller("03");
    let headers = [
        ("traceparent", &*traceparent),
        ("tracestate", "a=1"),
        ("tracestate", "b=2"),
    ];
    let answer = gateway.post(CHAT, &headers, &ask()).await;
    let seen = first.request(0).await;
    assert_eq!(seen.header("traceparent"), Some(&*traceparent));
    assert!(
        seen.head.contains("tracestate: a=1\r\ntracestate: b=2\r\n"),
        "{}",
        seen.head
    );
    assert_eq!(gateway.audit(answer.id()).await.text("trace_id"), TRACE);
    let answer = gateway.chat(&ask()).await;
    assert_eq!(first.request(1).await.header("traceparent"), None);
    assert_eq!(gateway.audit(answer.id()).await.0["trace_id"], Value::Null);
    assert!(
        !gateway
            .has_metric(|told| told.contains("pillion_spans"))
            .await
    );
}

#[tokio::test]
async fn what_passes_through_is_a_span_and_what_joins_another_has_no_attempt() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let collector = Collector::new().await;
    let config = Config::of(&[&first])
        .root(&key("t", ", passthrough: first"))
        .root(&collector.keys("10ms"));
    let gateway = Gateway::start(config).await;
    let token = ("authorization", "Bearer t");
    let headers = [token, ("traceparent", &*caller("01"))];
    let answer = gateway.post("/v1/files", &headers, "{}").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let all = collector.has(2).await;
    for span in &all {
        assert_eq!(span.text("name"), "passthrough");
        assert_eq!(span.says("gen_ai.request.model"), &Value::Null);
    }
    assert_eq!(all[0].says("gen_ai.operation.name"), &Value::Null);
    let (trace, span, _) = told(&first.request(0).await);
    assert_eq!((&*trace, &*span), (TRACE, all[1].text("spanId")));
    let headers = [token, ("idempotency-key", "order-1")];
    for joined in [Value::Null, json!("replay")] {
        let answer = gateway.post(CHAT, &headers, &ask()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let count = if joined.is_null() { 4 } else { 5 };
        let all = collector.has(count).await;
        let request = all.iter().rfind(|span| span.all["kind"] == 2).unwrap();
        assert_eq!(request.says("pillion.joined"), &joined);
    }
}

#[tokio::test]
async fn no_secret_and_no_content_is_in_a_span_or_in_what_is_said_of_them() {
    const CANARIES: [&str; 8] = [
        "canary-token",
        "canary-secret",
        "canary-prompt",
        "canary-said",
        "canary-state",
        "canary-bearer",
        "canary-query",
        "canary-header",
    ];
    let quoting = "your key is canary-secret-1, you said canary-prompt-1";
    let said = streamed(&["canary-said-1 "]);
    let first = Upstream::script([
        Reply::error(500, "canary-said-1", Some("canary-said-1"), quoting),
        Reply::error(400, "canary-said-1", Some("canary-said-1"), quoting),
        Reply::sse(&*said).cut_at(said.rfind("\"stop\"").unwrap(), End::Rst),
    ])
    .await;
    let second = Upstream::always(Reply::json(plain("canary-said-1"))).await;
    let collector = Collector::new().await;
    let url = collector.server.root_url();
    let traces = format!(
        "traces: {{ url: \"{url}/v1/traces?key=canary-query-1\", every: 10ms, headers: {{ x-tenant: canary-header-1 }},
                    auth: {{ token_file: $FOLDER/bearer }} }}"
    );
    let secret = "secret: \"file:$FOLDER/secret\"";
    let other = key("canary-token-2", "")
        .replace("keys:\n", "")
        .replace("id: test", "id: other");
    let config = Config::new()
        .provider("first", &first.base_url(), secret)
        .provider("second", &second.base_url(), secret)
        .root(&key("canary-token-1", ", passthrough: second"))
        .root(&other)
        .root(&traces.replace('\n', " "))
        .file("secret", "canary-secret-1\n")
        .file("bearer", "canary-bearer-1\n")
        .env("PILLION_LOG", "trace");
    let gateway = Gateway::start(config).await;
    let traceparent = caller("01");
    let headers = [
        ("authorization", "Bearer canary-token-1"),
        ("traceparent", &*traceparent),
        ("tracestate", "a=canary-state-1"),
    ];
    let prompt = |body: String| body.replace("\"Hi\"", "\"canary-prompt-1\"");
    for body in [ask(), ask(), ask_stream()] {
        gateway.post(CHAT, &headers, &prompt(body)).await;
    }
    gateway
        .post("/v1/files?a=canary-prompt-1", &headers, "canary-prompt-1")
        .await;
    // What no route bears is sent on for a key with a `passthrough`, and its name with it.
    let unknown = prompt(ask()).replace("\"chat\"", "\"canary-model-1\"");
    let other = [("authorization", "Bearer canary-token-2"), headers[1]];
    let answer = gateway.post(CHAT, &other, &unknown).await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    let wrong = [("authorization", "Bearer canary-token-3"), headers[1]];
    let answer = gateway.post(CHAT, &wrong, &ask()).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    let ends = |spans: &[Span]| spans.iter().filter(|span| span.all["kind"] == 2).count() == 6;
    soon("all are told", async {
        while !ends(&collector.spans()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    let seen = collector.server.request(0).await;
    assert_eq!(seen.header("authorization"), Some("Bearer canary-bearer-1"));
    assert_eq!(seen.header("x-tenant"), Some("canary-header-1"));
    assert!(
        seen.head.starts_with("POST /v1/traces?key=canary-query-1 "),
        "{}",
        seen.head
    );
    let bodies = collector.server.requests();
    let mut all: String = bodies.iter().map(Seen::text).collect();
    assert!(
        all.contains("\"error.type\"") && all.contains("stream_broken"),
        "{all}"
    );
    // What a caller asks for is told in the log, to who looks for it there.
    assert!(!all.contains("canary-model"), "{all}");
    for path in ["/metrics", "/readyz", "/api/requests", "/api/config"] {
        all += gateway.ask_admin(path).await.text();
    }
    let log = gateway.log();
    assert!(log.contains("TRACE"));
    all += &log;
    for canary in CANARIES {
        assert!(!all.contains(canary), "{canary}: {all}");
    }
}
