//! A request that comes twice is one call: the provider is asked once, and both get the same bytes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::fixture::{ask, ask_stream, plain, read_stream, role, streamed, text};
use crate::support::reply::End;
use crate::support::twice::{CHAT, FIRST_TRY, Held, KEY, RETRY, both, is_free, sent};
use crate::support::{Answer, Config, Gate, Gateway, Reply, Upstream};

/// From the last caller's going to the provider's knowing.
const PROMISED: Duration = Duration::from_millis(100);

/// Whether so many have joined in this way.
async fn joins(gateway: &Gateway, kind: &str, count: usize) -> bool {
    let line = format!("pillion_joins_total{{kind=\"{kind}\"}} {count}");
    gateway.has_metric(|told| told == line).await
}

/// What the one that came second is, beside the one that came first.
async fn is_joined(gateway: &Gateway, first: &Answer, second: &Answer) {
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.text(), second.text());
    assert!(first.complete && second.complete);
    assert_eq!(first.header("x-pillion-joined"), None);
    assert_eq!(second.header("x-pillion-joined"), Some("true"));
    for name in ["content-type", "content-length", "x-pillion-target"] {
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
    assert_ne!(first.id(), second.id());
    let paid = gateway.audit(first.id()).await;
    assert_eq!((paid.outcome(), paid.classes()), ("ok", vec!["ok"]));
    is_free(gateway, second).await;
}

#[tokio::test]
async fn two_with_one_key_are_one_call() {
    for streams in [false, true] {
        let Held { body, gate, first } = Held::begun(streams).await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let one = sent(&gateway, &[KEY], &body).await;
        first.request(0).await;
        let two = sent(&gateway, &[KEY], &body).await;
        gateway.under_way("chat", 2).await;
        gate.open();
        let (one, two) = both(one, two).await;
        is_joined(&gateway, &one, &two).await;
        assert_eq!(first.hits(), 1);
        assert!(joins(&gateway, "idempotency_key", 1).await);
        gateway.under_way("chat", 0).await;
    }
}

#[tokio::test]
async fn a_stream_is_joined_from_its_first_event() {
    let Held { body, gate, first } = Held::begun(true).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let mut one = gateway.open(CHAT, &[KEY], &body).await;
    let mut begun = one.event().await.unwrap();
    begun += &one.event().await.unwrap();
    // The provider is held back: what the second gets now was kept.
    let mut two = gateway.open(CHAT, &[KEY], &body).await;
    assert_eq!(two.head.header("x-pillion-joined"), Some("true"));
    let mut again = two.event().await.unwrap();
    again += &two.event().await.unwrap();
    assert_eq!(begun, again);
    gate.open();
    // Whoever reads on, both get on.
    let rest = two.rest().await;
    assert_eq!(one.rest().await.text(), rest.text());
    let all = again + rest.text();
    let data: Vec<&str> = all
        .split_terminator("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .collect();
    let whole = read_stream(&data, false);
    assert_eq!(whole.choices[0].text, "Hello!");
    assert_eq!(first.hits(), 1);
}

#[tokio::test]
async fn an_answer_is_replayed_to_whoever_bears_its_key() {
    for streams in [false, true] {
        let Held { body, gate, first } = Held::begun(streams).await;
        gate.open();
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let one = gateway.post(CHAT, &[KEY], &body).await;
        for _ in 0..2 {
            let two = gateway.post(CHAT, &[KEY], &body).await;
            is_joined(&gateway, &one, &two).await;
        }
        assert_eq!(first.hits(), 1);
        assert!(joins(&gateway, "replay", 2).await);
        let other = [("idempotency-key", "order-2")];
        let other = gateway.post(CHAT, &other, &body).await;
        assert_eq!(other.header("x-pillion-joined"), None);
        assert_eq!(first.hits(), 2, "another key is another request");
    }
}

#[tokio::test]
async fn one_key_for_two_requests_is_a_conflict() {
    let Held { body, gate, first } = Held::begun(false).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let other = body.replace("Hi", "Ho");
    let one = sent(&gateway, &[KEY], &body).await;
    first.request(0).await;
    let refused = |answer: Answer| {
        assert_eq!(
            (answer.status, &*answer.code()),
            (409, "idempotency_conflict")
        );
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
        assert_eq!(answer.header("x-should-retry"), Some("false"));
    };
    let input = body.replace("messages", "input");
    refused(gateway.post(CHAT, &[KEY], &other).await);
    refused(gateway.post("/v1/responses", &[KEY], &input).await);
    gate.open();
    let one = one.answer().await.rest().await;
    assert_eq!(one.status, 200);
    // Also when it has ended.
    refused(gateway.post(CHAT, &[KEY], &other).await);
    refused(gateway.post("/v1/responses", &[KEY], &input).await);
    assert_eq!(first.hits(), 1);
}

#[tokio::test]
async fn many_on_many_threads_are_one_call() {
    const MANY: usize = 40;
    let words = ["word "; 200];
    let gate = Gate::new();
    let first = Upstream::always(Reply::sse(streamed(&words)).pause_after(50, &gate)).await;
    let gateway = Gateway::start(Config::of(&[&first]).root("workers: 4")).await;
    let mut clients = Vec::new();
    for _ in 0..MANY {
        clients.push(sent(&gateway, &[KEY], &ask_stream()).await);
    }
    gateway.under_way("chat", MANY).await;
    // Half of them leave, the first among them or not, while the others read.
    let staying = clients.split_off(MANY / 2);
    gate.open();
    drop(clients);
    let mut joined = 0;
    for client in staying {
        let answer = client.answer().await.rest().await;
        let whole = read_stream(&answer.data(), false);
        assert_eq!(whole.choices[0].text, words.concat());
        joined += usize::from(answer.header("x-pillion-joined").is_some());
    }
    assert!(joined >= MANY / 2 - 1);
    assert_eq!(first.hits(), 1);
    let records = gateway.records(|_| true, MANY).await;
    assert_eq!(records.len(), MANY);
    let attempts = records.iter().map(|record| record.classes().len());
    assert_eq!(attempts.sum::<usize>(), 1);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let first = Upstream::always(Reply::json(plain("x"))).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let long = "k".repeat(256);
    for key in ["", "two words", long.as_str()] {
        let answer = gateway
            .post(CHAT, &[("idempotency-key", key)], &ask())
            .await;
        assert_eq!(
            (answer.status, &*answer.code()),
            (400, "invalid_idempotency_key")
        );
    }
    assert_eq!(first.hits(), 0);
}

#[tokio::test]
async fn what_one_caller_asks_is_never_anothers_answer() {
    let first = Upstream::always(Reply::json(plain("x"))).await;
    let entry = |id: &str, token: &str| {
        let hex = pillion::config::sha256(token.as_bytes());
        format!("  - {{ id: {id}, hash: \"sha256:{hex}\" }}\n")
    };
    let keys = format!("keys:\n{}{}", entry("a", "token-a"), entry("b", "token-b"));
    let gateway = Gateway::start(Config::of(&[&first]).root(&keys)).await;
    for token in ["Bearer token-a", "Bearer token-b"] {
        let answer = gateway
            .post(CHAT, &[KEY, ("authorization", token)], &ask())
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-pillion-joined"), None);
    }
    assert_eq!(first.hits(), 2);
}

#[tokio::test]
async fn a_call_without_an_answer_is_told_to_all_and_kept_for_none() {
    let gate = Gate::new();
    let refused = Reply::error(500, "server_error", None, "no").pause_at(1, &gate);
    let first = Upstream::script([refused, Reply::json(plain("x"))]).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let one = sent(&gateway, &[KEY], &ask()).await;
    first.request(0).await;
    let two = sent(&gateway, &[KEY], &ask()).await;
    gateway.under_way("chat", 2).await;
    gate.open();
    let (one, two) = both(one, two).await;
    for answer in [&one, &two] {
        assert_eq!((answer.status, &*answer.code()), (502, "upstream_failed"));
        assert_eq!(gateway.audit(answer.id()).await.outcome(), "error");
    }
    assert_eq!(one.text(), two.text());
    assert_ne!(one.id(), two.id());
    assert_eq!(two.header("x-pillion-joined"), Some("true"));
    let again = gateway.post(CHAT, &[KEY], &ask()).await;
    assert_eq!((again.status, first.hits()), (200, 2));
    assert_eq!(again.header("x-pillion-joined"), None);
}

#[tokio::test]
async fn a_stream_that_broke_is_broken_for_all_and_kept_for_none() {
    let gate = Gate::new();
    let whole = streamed(&["Hel", "lo", "!"]);
    let cut = Reply::sse(whole.clone())
        .pause_after(3, &gate)
        .cut_after(4, End::Rst);
    let first = Upstream::script([cut, Reply::sse(whole)]).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let one = gateway.open(CHAT, &[KEY], &ask_stream()).await;
    let two = gateway.open(CHAT, &[KEY], &ask_stream()).await;
    gate.open();
    let (one, two) = (one.rest().await, two.rest().await);
    assert_eq!(one.text(), two.text());
    assert!(one.text().contains("stream_broken"), "{}", one.text());
    for answer in [&one, &two] {
        assert_eq!(gateway.audit(answer.id()).await.outcome(), "stream_broken");
    }
    let again = gateway.post(CHAT, &[KEY], &ask_stream()).await;
    assert!(again.text().ends_with("data: [DONE]\n\n"));
    assert_eq!(first.hits(), 2);
}

#[tokio::test]
async fn one_that_joined_outlives_the_first() {
    for (streams, begun) in [(false, false), (true, false), (true, true)] {
        let Held { body, gate, first } = Held::begun(streams).await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let one = sent(&gateway, &[KEY], &body).await;
        first.request(0).await;
        let two = sent(&gateway, &[KEY], &body).await;
        gateway.under_way("chat", 2).await;
        if begun {
            let mut stream = one.answer().await;
            stream.event().await;
            stream.leave().await;
        } else {
            one.leave().await;
        }
        gate.open();
        let two = two.answer().await.rest().await;
        assert_eq!((two.status, two.complete), (200, true));
        is_free(&gateway, &two).await;
        let paid = gateway
            .records(|record| record.outcome() == "cancelled", 1)
            .await;
        assert_eq!(paid[0].classes(), ["ok"], "it was the provider's one call");
        assert_eq!(paid[0].0["usage"]["completion"], 3);
        assert_eq!(first.hits(), 1);
    }
}

#[tokio::test]
async fn a_call_with_a_key_goes_on_without_its_caller() {
    for (streams, begun) in [(false, false), (true, false), (true, true)] {
        let Held { body, gate, first } = Held::begun(streams).await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let one = sent(&gateway, &[KEY], &body).await;
        first.request(0).await;
        if begun {
            let mut stream = one.answer().await;
            stream.event().await;
            stream.leave().await;
        } else {
            one.leave().await;
        }
        let again = sent(&gateway, &[KEY], &body).await;
        gateway.under_way("chat", 2).await;
        gate.open();
        let again = again.answer().await.rest().await;
        assert_eq!((again.status, again.complete), (200, true));
        assert_eq!(again.header("x-pillion-joined"), Some("true"));
        is_free(&gateway, &again).await;
        let left = gateway
            .records(|record| record.outcome() == "cancelled", 1)
            .await;
        assert_eq!(left[0].classes(), ["ok"]);
        // And whoever comes later still.
        let later = gateway.post(CHAT, &[KEY], &body).await;
        assert_eq!(later.text(), again.text());
        assert_eq!(first.hits(), 1);
    }
}

#[tokio::test]
async fn a_retry_of_an_sdk_joins_the_try_before_it() {
    let unnumbered = ("x-stainless-lang", "python");
    for (streams, try_before) in [(false, FIRST_TRY), (true, FIRST_TRY), (false, unnumbered)] {
        // No answer has begun: an SDK does not retry what it reads.
        let Held { body, gate, first } = Held::silent(streams).await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let one = sent(&gateway, &[try_before], &body).await;
        first.request(0).await;
        let two = sent(&gateway, &[RETRY], &body).await;
        gateway.under_way("chat", 2).await;
        gate.open();
        let (one, two) = both(one, two).await;
        is_joined(&gateway, &one, &two).await;
        assert_eq!(first.hits(), 1);
        assert!(joins(&gateway, "sdk_retry", 1).await);
        // What has ended is not kept for a retry.
        let three = gateway.post(CHAT, &[RETRY], &body).await;
        assert_eq!((three.status, first.hits()), (200, 2));
        assert_eq!(three.header("x-pillion-joined"), None);
    }
}

#[tokio::test]
async fn what_is_merely_alike_is_not_one() {
    let Held { body, gate, first } = Held::begun(false).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let one = sent(&gateway, &[FIRST_TRY], &body).await;
    first.request(0).await;
    // Another sample of the same, a retry of something else, a key.
    let other = body.replace("Hi", "Ho");
    let others: [(&[(&str, &str)], &str); 5] = [
        (&[FIRST_TRY], &body),
        (&[], &body),
        (&[RETRY], &other),
        (&[RETRY, KEY], &body),
        (&[KEY, FIRST_TRY], &other),
    ];
    let mut clients = Vec::new();
    for (headers, body) in &others[..4] {
        clients.push(sent(&gateway, headers, body).await);
        first.request(clients.len()).await;
    }
    let conflict = gateway.post(CHAT, others[4].0, others[4].1).await;
    assert_eq!(conflict.status, 409);
    gate.open();
    for client in std::iter::once(one).chain(clients) {
        let answer = client.answer().await.rest().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-pillion-joined"), None);
    }
    assert_eq!(first.hits(), 5);
}

#[tokio::test]
async fn an_sdk_that_leaves_early_cancels_its_call() {
    let announced = ("x-stainless-read-timeout", "5");
    for body in [ask(), ask_stream()] {
        let first = Upstream::always(Reply::silence()).await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let client = sent(&gateway, &[FIRST_TRY, announced], &body).await;
        first.request(0).await;
        let left = Instant::now();
        drop(client);
        let took = first.closed(0).await - left;
        assert!(took < PROMISED, "{took:?}");
        let records = gateway.records(|_| true, 1).await;
        assert_eq!(records[0].outcome(), "cancelled");
        assert_eq!(records[0].classes(), ["cancelled"]);
    }
}

/// The caller's own patience, which is shorter than the route's.
const PATIENCE: (&str, &str) = ("x-stainless-read-timeout", "1");

#[tokio::test]
async fn an_sdk_that_times_out_finds_its_call_when_it_comes_again() {
    for streams in [false, true] {
        let Held { body, gate, first } = Held::silent(streams).await;
        let config = Config::of(&[&first]).limits("20s", "20s", "20s");
        let gateway = Gateway::start(config).await;
        let one = gateway.post(CHAT, &[FIRST_TRY, PATIENCE], &body).await;
        assert_eq!((one.status, &*one.code()), (504, "deadline_exceeded"));
        assert_eq!(one.header("x-should-retry"), Some("true"));
        assert_eq!(one.header("retry-after-ms"), Some("1"));
        // It has its own patience, and may come more than once.
        let two = gateway.post(CHAT, &[RETRY, PATIENCE], &body).await;
        assert_eq!((two.status, &*two.code()), (504, "deadline_exceeded"));
        assert_eq!(two.header("x-pillion-joined"), Some("true"));
        let last = [("x-stainless-retry-count", "2"), PATIENCE];
        let three = sent(&gateway, &last, &body).await;
        gateway.under_way("chat", 2).await;
        gate.open();
        let three = three.answer().await.rest().await;
        assert_eq!((three.status, three.complete), (200, true));
        assert_eq!(three.header("x-pillion-joined"), Some("true"));
        is_free(&gateway, &three).await;
        assert_eq!(first.hits(), 1);
        let free = gateway.audit(two.id()).await;
        assert_eq!(
            (free.outcome(), free.number("status")),
            ("error", Some(504))
        );
        assert_eq!(free.0["attempts"], json!([]));
    }
}

#[tokio::test]
async fn the_record_of_a_call_that_goes_on_says_what_its_caller_was_told() {
    let Held { body, gate, first } = Held::silent(false).await;
    let config = Config::of(&[&first]).limits("20s", "20s", "20s");
    let gateway = Gateway::start(config).await;
    let one = gateway.post(CHAT, &[FIRST_TRY, PATIENCE], &body).await;
    gate.open();
    let paid = gateway.audit(one.id()).await;
    assert_eq!(
        (paid.outcome(), paid.number("status")),
        ("error", Some(504))
    );
    assert_eq!(paid.text("reason"), "deadline_exceeded");
    assert_eq!(paid.classes(), ["ok"]);
    assert_eq!(paid.0["usage"]["completion"], 3);
    assert_eq!(gateway.all_records().len(), 1);
}

#[tokio::test]
async fn an_sdk_that_hangs_up_at_its_announced_time_finds_its_call_again() {
    for streams in [false, true] {
        let Held { body, gate, first } = Held::silent(streams).await;
        let config = Config::of(&[&first]).limits("20s", "20s", "20s");
        let gateway = Gateway::start(config).await;
        let start = Instant::now();
        let one = sent(&gateway, &[PATIENCE], &body).await;
        first.request(0).await;
        // Reads nothing, and is gone a second after it asked: its own clock, not a wait for us.
        tokio::time::sleep_until((start + Duration::from_secs(1)).into()).await;
        one.leave().await;
        let two = sent(&gateway, &[RETRY], &body).await;
        gateway.under_way("chat", 2).await;
        gate.open();
        let two = two.answer().await.rest().await;
        assert_eq!((two.status, two.complete), (200, true));
        assert_eq!(two.header("x-pillion-joined"), Some("true"));
        assert_eq!(first.hits(), 1);
    }
}

/// A route on which identical requests within an hour are one.
async fn deduping(first: &Upstream) -> Gateway {
    Gateway::start(Config::of(&[first]).knob("dedupe: 1h")).await
}

#[tokio::test]
async fn a_user_that_clicks_again_asks_once() {
    for streams in [false, true] {
        let Held { body, gate, first } = Held::begun(streams).await;
        let gateway = deduping(&first).await;
        // The page that asked is gone when it is asked again.
        let one = sent(&gateway, &[], &body).await;
        first.request(0).await;
        one.leave().await;
        let two = sent(&gateway, &[], &body).await;
        gateway.under_way("chat", 2).await;
        gate.open();
        let two = two.answer().await.rest().await;
        assert_eq!((two.status, two.complete), (200, true));
        is_free(&gateway, &two).await;
        let three = gateway.post(CHAT, &[], &body).await;
        assert_eq!(three.text(), two.text());
        assert_eq!(three.header("x-pillion-joined"), Some("true"));
        assert_eq!(first.hits(), 1);
        assert!(joins(&gateway, "dedupe", 1).await);
        assert!(joins(&gateway, "replay", 1).await);
        let other = gateway.post(CHAT, &[], &body.replace("Hi", "Ho")).await;
        assert_eq!((other.status, first.hits()), (200, 2));
    }
}

#[tokio::test]
async fn identical_requests_with_tools_are_asked_each() {
    let first = Upstream::always(Reply::json(plain("x"))).await;
    let gateway = deduping(&first).await;
    let tool = json!({ "type": "function", "function": { "name": "pay", "parameters": {} } });
    let mut body: Value = serde_json::from_str(&ask()).unwrap();
    body["tools"] = json!([tool]);
    for hits in 1..=2 {
        let answer = gateway.chat(&body.to_string()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-pillion-joined"), None);
        assert_eq!(first.hits(), hits);
    }
    // A list without tools is none.
    body["tools"] = json!([]);
    for _ in 0..2 {
        gateway.chat(&body.to_string()).await;
        assert_eq!(first.hits(), 3);
    }
}

#[tokio::test]
async fn a_stream_too_long_to_keep_is_not_kept_and_not_hurried() {
    let events = role() + &text(&"x".repeat(64 << 10));
    let first = Upstream::always(Reply::sse(events).endless()).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let before = gateway.resident_kib();
    let mut one = gateway.open(CHAT, &[KEY], &ask_stream()).await;
    for _ in 0..400 {
        assert!(
            one.event().await.is_some(),
            "25 MiB come, 8 of them kept at most"
        );
    }
    let grown = gateway.resident_kib().saturating_sub(before);
    assert!(grown < 24 << 10, "{grown} KiB");
    let mut two = gateway.open(CHAT, &[KEY], &ask_stream()).await;
    assert_eq!(two.head.header("x-pillion-joined"), None);
    assert!(two.event().await.is_some());
    assert_eq!(first.hits(), 2);
    assert!(one.event().await.is_some(), "the first reads on");
}
