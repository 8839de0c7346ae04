//! Requests that bear an idempotency key.

use super::{is_joined, joins};
use crate::support::fixture::{ask, ask_stream, plain, read_stream, role, streamed, text};
use crate::support::twice::{CHAT, Held, KEY, both, sent};
use crate::support::{Answer, Config, Gate, Gateway, Reply, Upstream};

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
