//! The spans of a request: whose child each is, and what they say.

use serde_json::{Value, json};

use super::recorder::{traced, values};
use super::*;
use crate::error::GatewayError;
use crate::snapshot::Percent;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A request of a trace that its caller keeps, which arrived at a known instant, on a route.
fn kept() -> (Facts, impl Fn(u64) -> Instant) {
    let arrival = Arrival {
        time: "2026-11-20T08:09:10.1239Z".parse().unwrap(),
        instant: Instant::now(),
    };
    let mut facts = Facts::new(RequestId::at(arrival.time), arrival);
    let caller = Trace::of_caller(&headers(&format!("00-{TRACE}-{CALLER}-01")));
    facts.trace = Some(Trace::begin(caller, Percent::ZERO));
    facts.key = Some(key());
    facts.route = Some(route());
    facts.surface = Some(Surface::Chat);
    let after = move |ms| arrival.instant + Duration::from_millis(ms);
    (facts, after)
}

fn spans(facts: &mut Facts, end: End<'_>, at: Instant) -> Vec<Value> {
    let verdict = facts.end(end, at);
    let bundle = spans::write(facts, &verdict, &identity()).unwrap();
    let all = format!("[{}]", str::from_utf8(&bundle.json).unwrap());
    let all: Vec<Value> = serde_json::from_str(&all).unwrap();
    assert_eq!(all.len() as u64, bundle.spans);
    all
}

/// The attributes of a span as one object.
fn said(span: &Value) -> Value {
    let list = span["attributes"].as_array().unwrap();
    let all: serde_json::Map<String, Value> = list
        .iter()
        .map(|one| {
            let (kind, value) = one["value"].as_object().unwrap().iter().next().unwrap();
            let value = match &**kind {
                "intValue" => json!(value.as_str().unwrap().parse::<u64>().unwrap()),
                _ => value.clone(),
            };
            (one["key"].as_str().unwrap().to_owned(), value)
        })
        .collect();
    assert_eq!(all.len(), list.len(), "a name twice: {list:?}");
    Value::Object(all)
}

#[test]
fn a_request_and_each_of_its_attempts_are_spans() {
    let (mut facts, after) = kept();
    facts.streamed = Some(true);
    let log = facts.attempt(&target("openai", "gpt-5"), after(2));
    let mut failure = Failure::new(Class::RateLimited, "429 names a rate");
    failure.status = Some(StatusCode::TOO_MANY_REQUESTS);
    log.failed(&failure, after(50));
    let log = facts.attempt(&target("openai", "mini"), after(51));
    log.upstream_id("msg_1");
    log.first_token(after(400));
    log.answered(StatusCode::OK);
    facts.usage = Some(usage());
    let id = facts.id;
    let all = spans(&mut facts, End::Answered(StatusCode::OK), after(900));
    let [request, first, second] = &*all else {
        panic!("{all:?}");
    };
    for span in &all {
        assert_eq!(span["traceId"], TRACE);
        assert_eq!(span["spanId"].as_str().unwrap().len(), 16);
    }
    assert_eq!(request["parentSpanId"], CALLER);
    for (attempt, name) in [(first, "chat gpt-5"), (second, "chat mini")] {
        assert_eq!(attempt["parentSpanId"], request["spanId"]);
        assert_eq!(
            (&attempt["kind"], &attempt["name"]),
            (&json!(3), &json!(name))
        );
        assert_eq!(attempt["flags"], 0x101);
    }
    assert_ne!(first["spanId"], second["spanId"]);
    assert_eq!(
        (&request["kind"], &request["name"]),
        (&json!(2), &json!("chat chat"))
    );
    assert_eq!(request["flags"], 0x301);
    let times = |span: &Value| {
        (
            span["startTimeUnixNano"].clone(),
            span["endTimeUnixNano"].clone(),
        )
    };
    let at = |ms: u64| json!((1_795_162_150_123_900_000 + ms * 1_000_000).to_string());
    assert_eq!(times(request), (at(0), at(900)));
    assert_eq!(times(first), (at(2), at(50)));
    assert_eq!(times(second), (at(51), at(900)));
    assert_eq!(
        said(request),
        json!({
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "chat", "gen_ai.request.stream": true,
            "gen_ai.response.time_to_first_chunk": 0.4, "http.response.status_code": 200,
            "pillion.id": id.as_str(), "pillion.key": "chat-prod", "pillion.team": "support",
            "pillion.service": "chat", "pillion.route": "chat", "pillion.surface": "chat",
            "pillion.target": "openai/mini", "pillion.outcome": "ok",
        })
    );
    assert_eq!(
        said(first),
        json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5",
            "gen_ai.request.stream": true, "server.address": "localhost", "server.port": 80,
            "http.response.status_code": 429, "error.type": "rate_limited",
            "pillion.target": "openai/gpt-5", "pillion.provider": "openai", "pillion.class": "rate_limited",
        })
    );
    assert_eq!(
        said(second),
        json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "mini",
            "gen_ai.request.stream": true, "gen_ai.response.time_to_first_chunk": 0.349,
            "gen_ai.usage.input_tokens": 12, "gen_ai.usage.cache_read.input_tokens": 0,
            "gen_ai.usage.output_tokens": 7, "server.address": "localhost", "server.port": 80,
            "http.response.status_code": 200, "pillion.target": "openai/mini", "pillion.provider": "openai",
            "pillion.class": "ok", "pillion.upstream_id": "msg_1",
        })
    );
    assert_eq!(
        first["status"],
        json!({ "code": 2, "message": "429 names a rate" })
    );
    assert_eq!(
        (&request["status"], &second["status"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn an_error_is_what_is_not_the_callers_own() {
    let failure = Failure::new(Class::Reset, "cut");
    let unknown = GatewayError::UnknownModel {
        model: "a-model-that-a-caller-made-up".into(),
        routes: Vec::new(),
    };
    for (end, kind) in [
        (
            End::Failed(&GatewayError::Unanswered(failure.clone())),
            Some("reset"),
        ),
        (End::Failed(&GatewayError::Overloaded), Some("overloaded")),
        (End::Failed(&unknown), None),
        (End::Broken(StatusCode::OK, &failure), Some("reset")),
        (End::Cancelled, None),
        (End::Answered(StatusCode::BAD_REQUEST), None),
    ] {
        let (mut facts, after) = kept();
        let all = spans(&mut facts, end, after(1));
        let [request] = &*all else { panic!("{all:?}") };
        let is_error = request["status"]["code"] == 2;
        assert_eq!(is_error, kind.is_some(), "{request}");
        assert_eq!(said(request)["error.type"].as_str(), kind, "{request}");
        assert!(!request.to_string().contains("made-up"), "{request}");
    }
    // Who was given up has done nothing wrong.
    let (mut facts, after) = kept();
    let slow = facts.attempt(&target("openai", "slow"), after(0));
    facts
        .attempt(&target("openai", "quick"), after(5))
        .answered(StatusCode::OK);
    slow.cancelled("another target answered first", after(9));
    let all = spans(&mut facts, End::Answered(StatusCode::OK), after(10));
    let loser = &all[1];
    assert_eq!(said(loser)["pillion.class"], "cancelled");
    assert_eq!(
        (&loser["status"], &said(loser)["error.type"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn tokens_are_those_of_the_attempt_that_used_them() {
    let (mut facts, after) = kept();
    facts.asked = Some(10);
    let failure = Failure::new(Class::Reset, "cut");
    let first = facts.attempt(&target("openai", "a"), after(0));
    first.answered(StatusCode::OK);
    facts.usage = Some(usage());
    first.broke(&failure, after(5));
    let refused = facts.attempt(&target("openai", "b"), after(5));
    refused.failed(&failure, after(6));
    facts
        .attempt(&target("openai", "c"), after(6))
        .answered(StatusCode::OK);
    facts.go_on(&target("openai", "a"));
    facts.said = 40;
    let all = spans(&mut facts, End::Answered(StatusCode::OK), after(9));
    let used = |span: &Value| {
        let said = said(span);
        let count = |name: &str| said[format!("gen_ai.usage.{name}_tokens")].as_u64();
        (
            count("input"),
            count("output"),
            said["pillion.usage.estimated"] == true,
        )
    };
    let expected = [
        (None, None, false),
        (Some(12), Some(7), false),
        (None, None, false),
        (Some(10), Some(40), true),
    ];
    assert_eq!(all.iter().map(used).collect::<Vec<_>>(), expected);
}

#[test]
fn providers_are_called_what_the_conventions_call_them() {
    for (kind, url, called) in [
        (Kind::Anthropic, "http://h", "anthropic"),
        (Kind::AzureV1, "http://h", "azure.ai.openai"),
        (Kind::Gemini, "http://h", "gcp.gemini"),
        (
            Kind::Bedrock { region: "r".into() },
            "http://h",
            "aws.bedrock",
        ),
        (
            Kind::OpenAiCompatible,
            "https://api.groq.com/openai/v1",
            "groq",
        ),
        (Kind::OpenAiCompatible, "https://x.ai/v1", "x_ai"),
        (Kind::OpenAiCompatible, "https://notx.ai/v1", "own"),
        (Kind::OpenAiCompatible, "http://[::1]:8000/v1", "own"),
    ] {
        let mut target = Arc::try_unwrap(target("own", "m")).unwrap();
        let provider = Arc::get_mut(&mut target.provider).unwrap();
        provider.kind = kind;
        provider.base_url = BaseUrl::try_new(url).unwrap();
        let (mut facts, after) = kept();
        drop(facts.attempt(&Arc::new(target), after(0)));
        let all = spans(&mut facts, End::Cancelled, after(1));
        let said = said(&all[1]);
        assert_eq!(said["gen_ai.provider.name"], called, "{url}");
        if url.contains("::1") {
            assert_eq!(
                (&said["server.address"], &said["server.port"]),
                (&json!("::1"), &json!(8000))
            );
        }
    }
}

#[test]
fn what_has_no_name_in_the_conventions_is_no_operation() {
    for (surface, name, operation) in [
        (Some(Surface::Messages), "chat chat", Some("chat")),
        (Some(Surface::Responses), "chat chat", Some("chat")),
        (
            Some(Surface::Completions),
            "text_completion chat",
            Some("text_completion"),
        ),
        (
            Some(Surface::Embeddings),
            "embeddings chat",
            Some("embeddings"),
        ),
        (Some(Surface::CountTokens), "count_tokens chat", None),
        (Some(Surface::Passthrough), "passthrough chat", None),
        (None, "request chat", None),
    ] {
        let (mut facts, after) = kept();
        facts.surface = surface;
        let all = spans(&mut facts, End::Cancelled, after(1));
        assert_eq!(all[0]["name"], name);
        assert_eq!(said(&all[0])["gen_ai.operation.name"].as_str(), operation);
    }
}

#[tokio::test]
async fn spans_are_left_where_the_trace_is_kept_and_the_record_names_it() {
    let counted = Metrics::new().spans();
    let (tracer, mut waiting) = Tracer::new(Percent::ZERO, counted);
    let (records, lines, _) = traced(8, Some(tracer));
    let ended = tokio_util::sync::CancellationToken::new();
    ended.cancel();
    for (flags, spans) in [("01", 2), ("00", 0)] {
        let mut recorder = records.begin(Arrival::now());
        recorder.trace(&headers(&format!("00-{TRACE}-{CALLER}-{flags}")));
        let log = recorder.attempt(&target("openai", "m"));
        let mut sent = HeaderMap::new();
        recorder.mark(&log).unwrap().put(&mut sent);
        let sent = sent["traceparent"].to_str().unwrap().to_owned();
        assert!(
            sent.starts_with(&format!("00-{TRACE}-")) && sent.ends_with(flags),
            "{sent}"
        );
        assert!(!sent.contains(CALLER), "{sent}");
        drop(recorder);
        assert_eq!(values(&lines)[0]["trace_id"], TRACE);
        let batch = waiting
            .batch(Duration::ZERO, &ended)
            .await
            .unwrap_or_default();
        assert_eq!(batch.spans(), spans);
        let said: Vec<u8> = batch.pieces().flatten().copied().collect();
        let span = &sent[36..52];
        let is_told = memchr::memmem::find(&said, span.as_bytes()).is_some();
        assert_eq!(is_told, spans > 0);
    }
    // A trace that is begun here is the record's, too, whether it is kept or not.
    let mut recorder = records.begin(Arrival::now());
    recorder.trace(&HeaderMap::new());
    drop(recorder);
    let record = &values(&lines)[0];
    assert_eq!(record["trace_id"].as_str().unwrap().len(), 32);
    assert!(waiting.batch(Duration::ZERO, &ended).await.is_none());
}

#[test]
fn without_spans_an_attempt_has_no_mark() {
    let (records, lines, _) = traced(8, None);
    let mut recorder = records.begin(Arrival::now());
    recorder.trace(&headers(&format!("00-{TRACE}-{CALLER}-01")));
    let log = recorder.attempt(&target("openai", "m"));
    assert!(recorder.mark(&log).is_none());
    drop(recorder);
    assert_eq!(values(&lines)[0]["trace_id"], TRACE);
    let mut recorder = records.begin(Arrival::now());
    recorder.trace(&headers("00-zz"));
    drop(recorder);
    assert_eq!(values(&lines)[0]["trace_id"], Value::Null);
}
