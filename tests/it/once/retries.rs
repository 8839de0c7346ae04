//! An SDK's retries: what the try before them came to is theirs.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{is_joined, joins};
use crate::support::fixture::{ask, ask_stream};
use crate::support::twice::{CHAT, FIRST_TRY, Held, KEY, PATIENCE, RETRY, both, is_free, sent};
use crate::support::{Config, Gateway, PROMISED, Reply, Upstream, takes_less};

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
        takes_less(PROMISED, async || {
            let first = Upstream::always(Reply::silence()).await;
            let gateway = Gateway::start(Config::of(&[&first])).await;
            let client = sent(&gateway, &[FIRST_TRY, announced], &body).await;
            first.request(0).await;
            let left = Instant::now();
            drop(client);
            let took = first.closed(0).await - left;
            let records = gateway.records(|_| true, 1).await;
            assert_eq!(records[0].outcome(), "cancelled");
            assert_eq!(records[0].classes(), ["cancelled"]);
            took
        })
        .await;
    }
}

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
        let last = ("x-stainless-retry-count", "2");
        let three = sent(&gateway, &[last], &body).await;
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
