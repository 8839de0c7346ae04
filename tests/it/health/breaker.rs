//! The circuit breaker: which failures open it.

use super::{classes, failure, hello, well};
use crate::support::fixture::{ask, ask_stream, streamed};
use crate::support::reply::End;
use crate::support::{Config, Gateway, Reply, Upstream};

#[tokio::test]
async fn after_two_failures_in_a_row_a_target_is_left_alone() {
    let first = Upstream::always(failure()).await;
    let second = Upstream::choosing(|seen| {
        if seen.json()["stream"] == true {
            Reply::sse(streamed(&["Hello!"]))
        } else {
            hello()
        }
    })
    .await;
    let config = Config::of(&[&first, &second]).knob("breaker: { cooldown: 60s..60s }");
    let gateway = Gateway::start(config).await;
    for body in [ask(), ask_stream()] {
        assert_eq!(classes(&gateway, &body).await, ["server_error", "ok"]);
    }
    for body in [ask(), ask_stream(), ask()] {
        let answer = gateway.chat(&body).await;
        let target = answer.header("x-pillion-target");
        assert_eq!(target, Some("second/model-second"));
        assert_eq!(gateway.audit(answer.id()).await.classes(), ["ok"]);
    }
    assert_eq!((first.hits(), second.hits()), (2, 5));
    gateway.says("a circuit breaker opened").await;
}

#[tokio::test]
async fn failures_with_an_answer_between_them_are_not_in_a_row() {
    let mut number = 0;
    let first = Upstream::choosing(move |_| {
        number += 1;
        if number % 2 == 1 { failure() } else { hello() }
    })
    .await;
    let second = well().await;
    let gateway = Gateway::start(Config::of(&[&first, &second])).await;
    for _ in 0..4 {
        assert_eq!(classes(&gateway, &ask()).await, ["server_error", "ok"]);
        assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    }
    assert_eq!((first.hits(), second.hits()), (8, 4));
}

#[tokio::test]
async fn a_target_that_breaks_its_answers_off_is_left_alone_too() {
    let cut = Reply::sse(streamed(&["Hel", "lo!"])).cut_after(2, End::Rst);
    let first = Upstream::always(cut).await;
    let second = Upstream::always(Reply::sse(streamed(&["Hello!"]))).await;
    let config = Config::of(&[&first, &second]).knob("breaker: { cooldown: 60s..60s }");
    let gateway = Gateway::start(config).await;
    for outcome in ["stream_broken", "stream_broken", "ok"] {
        let answer = gateway.chat(&ask_stream()).await;
        assert_eq!(gateway.audit(answer.id()).await.outcome(), outcome);
    }
    assert_eq!((first.hits(), second.hits()), (2, 1));
}
