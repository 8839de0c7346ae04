//! A caller that goes away, or does not read: the call at the provider is cancelled, the record is
//! written once, and nothing piles up.

use std::time::{Duration, Instant};

use crate::support::fixture::{ask, ask_stream, finish, role, streamed, text};
use crate::support::{Client, Config, Gate, Gateway, PROMISED, Reply, Upstream, soon, takes_less};

async fn asked(gateway: &Gateway, body: &str) -> Client {
    let mut client = gateway.connect().await;
    client
        .post("/v1/chat/completions", &[], body.as_bytes())
        .await;
    client
}

/// A provider that pauses at the gate behind its second event.
async fn held_in_mid_stream(gate: &Gate) -> (Upstream, Gateway) {
    let answer = Reply::sse(streamed(&["Hel", "lo!"])).pause_after(2, gate);
    let first = Upstream::always(answer).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    (first, gateway)
}

/// How long after its caller left the provider knew; the one request has one record.
async fn is_cancelled(gateway: &Gateway, first: &Upstream, left: Instant) -> Duration {
    let took = first.closed(0).await - left;
    cancelled_once(gateway).await;
    took
}

/// The one record of the one request, which must be its last.
async fn cancelled_once(gateway: &Gateway) {
    let records = gateway.records(|_| true, 1).await;
    assert_eq!(records[0].outcome(), "cancelled", "{}", records[0].0);
    assert_eq!(records[0].classes(), ["cancelled"]);
    assert_eq!(records[0].0["status"], serde_json::Value::Null);
    // Another request behind it: were there a second record of the first, it would be there by now.
    let after = gateway.get("/v1/models").await;
    gateway.audit(after.id()).await;
    assert_eq!(gateway.all_records().len(), 2);
}

#[tokio::test]
async fn a_caller_that_leaves_before_an_answer_cancels_the_call() {
    for body in [ask(), ask_stream()] {
        takes_less(PROMISED, async || {
            let first = Upstream::always(Reply::silence()).await;
            let second = Upstream::always(Reply::sse(streamed(&["x"]))).await;
            let gateway = Gateway::start(Config::of(&[&first, &second])).await;
            let client = asked(&gateway, &body).await;
            first.request(0).await;
            let left = Instant::now();
            drop(client);
            let took = is_cancelled(&gateway, &first, left).await;
            assert_eq!(second.hits(), 0);
            took
        })
        .await;
    }
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_first_token_cancels_the_call() {
    takes_less(PROMISED, async || {
        let gate = Gate::new();
        let first = Upstream::always(Reply::sse(streamed(&["x"])).pause_after(1, &gate)).await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let client = asked(&gateway, &ask_stream()).await;
        first.request(0).await;
        let left = Instant::now();
        drop(client);
        is_cancelled(&gateway, &first, left).await
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_leaves_in_mid_stream_cancels_the_call() {
    takes_less(PROMISED, async || {
        let gate = Gate::new();
        let (first, gateway) = held_in_mid_stream(&gate).await;
        let mut stream = gateway.stream(&ask_stream()).await;
        stream.event().await;
        stream.event().await;
        let left = Instant::now();
        drop(stream);
        is_cancelled(&gateway, &first, left).await
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_half_closes_has_left() {
    for body in [ask(), ask_stream()] {
        takes_less(PROMISED, async || {
            let first = Upstream::always(Reply::silence()).await;
            let gateway = Gateway::start(Config::of(&[&first])).await;
            let mut client = asked(&gateway, &body).await;
            first.request(0).await;
            let left = Instant::now();
            client.half_close().await;
            is_cancelled(&gateway, &first, left).await
        })
        .await;
    }
}

#[tokio::test]
async fn a_caller_that_half_closes_in_mid_stream_has_left() {
    takes_less(PROMISED, async || {
        let gate = Gate::new();
        let (first, gateway) = held_in_mid_stream(&gate).await;
        let mut stream = gateway.stream(&ask_stream()).await;
        stream.event().await;
        let left = Instant::now();
        stream.half_close().await;
        is_cancelled(&gateway, &first, left).await
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_leaves_between_two_attempts_starts_no_other() {
    let limited = Reply::error(429, "requests", Some("rate_limit_exceeded"), "Rate limit");
    let first = Upstream::always(limited.header("retry-after", 20)).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let client = asked(&gateway, &ask()).await;
    first.request(0).await;
    drop(client);
    let records = gateway.records(|_| true, 1).await;
    assert_eq!(records[0].outcome(), "cancelled");
    assert_eq!(first.hits(), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_in_the_middle_of_its_body_is_no_request_of_anyone() {
    let first = Upstream::always(Reply::silence()).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let mut client = gateway.connect().await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"mod";
    client.write(head.as_bytes()).await;
    drop(client);
    let records = gateway.records(|_| true, 1).await;
    assert_eq!(records[0].outcome(), "cancelled");
    assert_eq!(first.hits(), 0);
}

#[tokio::test]
async fn a_caller_that_does_not_read_holds_the_provider_back() {
    let piece = text(&"x".repeat(16 << 10));
    let first = Upstream::always(Reply::sse(role() + &piece).endless()).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let before = gateway.resident_kib();
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = gateway.stream(&ask_stream()).await;
        stream.event().await;
        streams.push(stream);
    }
    // The provider writes until its socket takes no more: then its count stands still.
    let total = || {
        first
            .requests()
            .iter()
            .map(|seen| seen.written)
            .sum::<usize>()
    };
    let mut last = total();
    soon("the provider's writes stand still", async {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = total();
            if now == last {
                break;
            }
            last = now;
        }
    })
    .await;
    let grown = gateway.resident_kib().saturating_sub(before);
    assert!(
        grown < 8 << 10,
        "{grown} KiB for 4 callers that do not read"
    );
    // Whoever reads again gets on.
    let mut stream = streams.remove(0);
    for _ in 0..100 {
        assert!(stream.event().await.is_some());
    }
    let numbers = 0..first.hits();
    drop(stream);
    drop(streams);
    for number in numbers {
        first.closed(number).await;
    }
    gateway
        .records(|record| record.outcome() == "cancelled", 4)
        .await;
}

#[tokio::test]
async fn callers_that_come_and_go_leave_nothing_behind() {
    let first = Upstream::choosing(|_| {
        Reply::sse(role() + &text("x") + &finish("stop")).pause_after(2, &Gate::new())
    })
    .await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    for number in 0..200 {
        let mut stream = gateway.stream(&ask_stream()).await;
        stream.event().await;
        drop(stream);
        first.closed(number).await;
    }
    gateway
        .records(|record| record.outcome() == "cancelled", 200)
        .await;
    assert_eq!(gateway.all_records().len(), 200);
    let in_flight = gateway.metric("pillion_in_flight{route=\"chat\"}").await;
    assert_eq!(in_flight.as_deref(), Some("0"));
}
