//! How long things may take: attempts, answers, streams, and the caller's own patience.
//!
//! The limits are configured small; what is asserted of the clock is one-sided where a busy machine
//! could otherwise fail a test.

use std::time::{Duration, Instant};

use crate::support::fixture::{
    DONE, Ended, arguments, ask, ask_stream, call, finish, plain, read_plain, read_stream, role,
    streamed, text, usage,
};
use crate::support::reply::{End, Framing};
use crate::support::{Config, Gate, Gateway, Reply, Upstream, takes_less};

const MS: fn(u64) -> Duration = Duration::from_millis;

async fn backup() -> Upstream {
    Upstream::choosing(|seen| {
        if seen.json()["stream"] == true {
            Reply::sse(streamed(&["from the backup"]))
        } else {
            Reply::json(plain("from the backup"))
        }
    })
    .await
}

#[tokio::test]
async fn an_attempt_without_a_first_token_is_left_for_the_next_target() {
    let silent_after = |events| Reply::sse(streamed(&["x"])).cut_after(events, End::Silence);
    for (what, reply) in [
        ("no head", Reply::silence()),
        ("a head", silent_after(0)),
        ("a role", silent_after(1)),
    ] {
        let first = Upstream::always(reply).await;
        let second = backup().await;
        let config = Config::of(&[&first, &second]).knob("first_token: 600ms");
        let gateway = Gateway::start(config).await;
        let start = Instant::now();
        let answer = gateway.chat(&ask_stream()).await;
        assert_eq!(
            read_stream(&answer.data(), false).choices[0].text,
            "from the backup"
        );
        // Twice 600 ms fits into the timeout with the backup's share untouched, so it is tried twice.
        let record = gateway.audit(answer.id()).await;
        assert_eq!(record.classes(), ["timeout", "timeout", "ok"], "{what}");
        assert!(start.elapsed() >= MS(1200));
        assert!(record.0["attempts"][0]["ms"].as_u64().unwrap() >= 600);
        // What is left is cancelled, not kept.
        first.closed(0).await;
        first.closed(1).await;
    }
}

#[tokio::test]
async fn a_plain_answer_that_does_not_come_is_left_for_the_next_target() {
    let half = plain("x").len() / 2;
    let drip = Reply::json(plain("x")).cut_at(half, End::Silence);
    for (what, reply) in [("no head", Reply::silence()), ("half an answer", drip)] {
        let first = Upstream::always(reply).await;
        let second = backup().await;
        // Twice a second does not fit into 60 % of 3 s: it is left at once.
        let config = Config::of(&[&first, &second]).limits("3s", "1s", "1s");
        let gateway = Gateway::start(config).await;
        let answer = gateway.chat(&ask()).await;
        assert_eq!(read_plain(&answer.json())[0].text, "from the backup");
        assert_eq!(
            gateway.audit(answer.id()).await.classes(),
            ["timeout", "ok"],
            "{what}"
        );
        first.closed(0).await;
    }
}

#[tokio::test]
async fn a_share_of_the_deadline_is_kept_for_the_backup() {
    let first = Upstream::always(Reply::silence()).await;
    let second = backup().await;
    let config = Config::of(&[&first, &second]).limits("2s", "2s", "2s");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let ms = gateway.audit(answer.id()).await.0["attempts"][0]["ms"]
        .as_u64()
        .unwrap();
    assert!((1190..2000).contains(&ms), "60 % of two seconds: {ms}");
}

#[tokio::test]
async fn no_answer_is_later_than_the_deadline() {
    for body in [ask(), ask_stream()] {
        takes_less(MS(2250), async || {
            let silent = Reply::sse(role())
                .ends(End::Silence)
                .cut_after(1, End::Silence);
            let first = Upstream::always(Reply::silence()).await;
            let second = Upstream::always(silent).await;
            let config = Config::of(&[&first, &second]).limits("2s", "2s", "2s");
            let gateway = Gateway::start(config).await;
            let start = Instant::now();
            let answer = gateway.chat(&body).await;
            let took = start.elapsed();
            assert_eq!((answer.status, &*answer.code()), (504, "deadline_exceeded"));
            assert_eq!(answer.header("x-should-retry"), Some("false"));
            assert!(took >= MS(1990), "{took:?}");
            assert_eq!(
                (first.hits(), second.hits()),
                (1, 1),
                "both had their share"
            );
            first.closed(0).await;
            second.closed(0).await;
            took
        })
        .await;
    }
}

#[tokio::test]
async fn the_callers_own_patience_is_answered_a_quarter_of_a_second_before_it_ends() {
    for name in ["x-stainless-read-timeout", "x-stainless-timeout"] {
        for body in [ask(), ask_stream()] {
            let first = Upstream::always(Reply::silence()).await;
            let gateway = Gateway::start(Config::of(&[&first])).await;
            takes_less(MS(1000), async || {
                let start = Instant::now();
                let answer = gateway
                    .post("/v1/chat/completions", &[(name, "1")], &body)
                    .await;
                let took = start.elapsed();
                assert_eq!((answer.status, &*answer.code()), (504, "deadline_exceeded"));
                assert!(took >= MS(740), "{took:?}");
                took
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_ended_with_an_error() {
    let body = streamed(&["Hel", "lo!"]);
    let first = Upstream::always(Reply::sse(body).cut_after(2, End::Silence)).await;
    let second = backup().await;
    let gateway = Gateway::start(Config::of(&[&first, &second]).knob("idle: 600ms")).await;
    let start = Instant::now();
    let answer = gateway.chat(&ask_stream()).await;
    let whole = read_stream(&answer.data(), false);
    assert_eq!(whole.ended, Ended::Error("stream_broken".to_owned()));
    assert!(start.elapsed() >= MS(600));
    let record = gateway.audit(answer.id()).await;
    assert_eq!(
        (record.outcome(), record.classes()),
        ("stream_broken", vec!["timeout"])
    );
    first.closed(0).await;
    assert_eq!(second.hits(), 0);
}

#[tokio::test]
async fn a_stream_that_goes_on_and_on_is_ended_with_an_error() {
    for workers in [1, 2] {
        let first = Upstream::always(Reply::sse(role() + &text("and on ")).endless()).await;
        let config = Config::of(&[&first])
            .knob("stream: 300ms")
            .root(&format!("workers: {workers}"));
        let gateway = Gateway::start(config).await;
        let mut stream = gateway.stream(&ask_stream()).await;
        let mut last = String::new();
        while let Some(event) = stream.event().await {
            last = event;
        }
        assert!(last.contains("\"stream_broken\""), "{last}");
        first.closed(0).await;
    }
}

#[tokio::test]
async fn a_call_that_has_begun_in_time_may_end_later_than_the_first_token() {
    let gate = Gate::new();
    let begun = role() + &call(0, "call_1", "f") + &arguments(0, "{\"a\":");
    let at = begun.len();
    let body = begun + &arguments(0, "1}") + &finish("tool_calls") + &usage() + DONE;
    let first = Upstream::always(Reply::sse(body).pause_at(at, &gate)).await;
    let second = backup().await;
    let config = Config::of(&[&first, &second]).knob("first_token: 1s");
    let gateway = Gateway::start(config).await;
    let mut client = gateway.connect().await;
    client
        .post("/v1/chat/completions", &[], ask_stream().as_bytes())
        .await;
    first.request(0).await;
    // The provider takes its time, well over the limit.
    tokio::time::sleep(MS(1500)).await;
    gate.open();
    let answer = client.answer().await.rest().await;
    assert_eq!(
        read_stream(&answer.data(), false).choices[0].calls[0].2,
        "{\"a\":1}"
    );
    assert_eq!((first.hits(), second.hits()), (1, 0));
}

#[tokio::test]
async fn a_call_that_never_ends_is_left_for_the_next_target() {
    let begun = role() + &call(0, "call_1", "f") + &arguments(0, "{\"a\":");
    let first = Upstream::always(Reply::sse(begun).ends(End::Silence)).await;
    let second = backup().await;
    let config = Config::of(&[&first, &second])
        .knob("idle: 200ms")
        .limits("3s", "3s", "3s");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask_stream()).await;
    assert_eq!(
        read_stream(&answer.data(), false).choices[0].text,
        "from the backup"
    );
}

#[tokio::test]
async fn an_error_whose_body_does_not_end_is_judged_by_its_head() {
    let reply = Reply::error(503, "x", None, "oops")
        .framing(Framing::Length)
        .cut_at(5, End::Silence);
    let first = Upstream::always(reply).await;
    let second = backup().await;
    let config = Config::of(&[&first, &second]).knob("answer: 1s");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(
        gateway.audit(answer.id()).await.classes(),
        ["overloaded", "ok"]
    );
    first.closed(0).await;
}

#[tokio::test]
async fn a_slow_primarys_backup_is_connected_before_it_is_needed() {
    let first = Upstream::always(Reply::silence()).await;
    let second = backup().await;
    let config = Config::of(&[&first, &second]).limits("2s", "1s", "1s");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("second/model-second")
    );
    let (connected, asked) = (second.connected(0).await, second.request(0).await);
    assert_eq!(
        asked.connection, 0,
        "the connection that was opened early is the one used"
    );
    assert!(
        asked.at - connected > MS(100),
        "{:?} before",
        asked.at - connected
    );
    assert_eq!(second.connections().len(), 1);
}

#[tokio::test]
async fn a_quick_primarys_backup_is_left_in_peace() {
    let (first, second) = (backup().await, backup().await);
    let gateway = Gateway::start(Config::of(&[&first, &second])).await;
    assert_eq!(gateway.chat(&ask()).await.status, 200);
    assert_eq!(second.connections().len(), 0);
}

#[tokio::test]
async fn a_warm_routes_targets_are_connected_before_any_request() {
    let first = Upstream::always(Reply::error(503, "x", None, "oops")).await;
    let second = backup().await;
    let gateway = Gateway::start(Config::of(&[&first, &second]).knob("warm: true")).await;
    first.connected(0).await;
    second.connected(0).await;
    assert_eq!(first.hits() + second.hits(), 0);
    assert_eq!(gateway.chat(&ask()).await.status, 200);
    assert_eq!(
        (first.connections().len(), second.connections().len()),
        (1, 1)
    );
}

#[tokio::test]
async fn a_warm_connection_that_the_provider_closed_costs_no_attempt() {
    let first = backup().await;
    let config = Config::of(&[&first])
        .knob("warm: true")
        .knob("max_attempts: 1");
    let gateway = Gateway::start(config).await;
    first.connected(0).await;
    first.hang_up().await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(first.request(0).await.connection, 1);
}

#[tokio::test]
async fn a_provider_that_is_never_silent_is_held_to_the_same_limits() {
    // Before there is anything to pass on: the next target.
    let first = Upstream::always(Reply::sse(": wait\n\n".repeat(1000)).endless()).await;
    let second = backup().await;
    let config = Config::of(&[&first, &second]).knob("first_token: 600ms");
    let gateway = Gateway::start(config).await;
    let answer = gateway.stream(&ask_stream()).await.rest().await;
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("second/model-second")
    );
    // Afterwards: the end of the stream, said in-band.
    let first = Upstream::always(Reply::sse(role() + &text("x")).endless()).await;
    let gateway = Gateway::start(Config::of(&[&first]).knob("stream: 300ms")).await;
    let answer = gateway.stream(&ask_stream()).await.rest().await;
    assert!(answer.complete);
    assert!(answer.data().last().unwrap().contains("\"stream_broken\""));
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.outcome(), "stream_broken");
    assert_eq!(record.classes(), ["timeout"]);
}
