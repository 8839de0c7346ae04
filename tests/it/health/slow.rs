//! A target that has become slow, and a caller that is quick to go.

use std::time::Duration;

use crate::support::fixture::{ask_stream, streamed};
use crate::support::reply::Pieces;
use crate::support::{Config, Gate, Gateway, Reply, Upstream};

#[tokio::test]
async fn a_target_that_drags_from_token_to_token_is_left_for_its_backup() {
    let talk = |pace| {
        let text =
            streamed(&["word "; 20]).replace("\"completion_tokens\":3", "\"completion_tokens\":20");
        Reply::sse(text)
            .pieces(Pieces::Bytes(200))
            .pace(Duration::from_millis(pace))
    };
    let mut script = vec![talk(0); 15];
    script.extend(vec![talk(15); 5]);
    let first = Upstream::script(script).await;
    let second = Upstream::always(talk(0)).await;
    let config = Config::of(&[&first, &second]).knob("slow_floor: 300ms");
    let gateway = Gateway::start(config).await;
    for number in 0..20 {
        let answer = gateway.chat(&ask_stream()).await;
        let target = answer.header("x-pillion-target");
        assert_eq!(target, Some("first/model-first"), "{number}");
    }
    // The first one goes there all the same, to measure it; there is no script left for it.
    gateway.chat(&ask_stream()).await;
    let answer = gateway.chat(&ask_stream()).await;
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("second/model-second")
    );
    assert_eq!(answer.header("x-pillion-attempts"), Some("1"));
    let targets = gateway.ask_admin("/api/targets").await.json();
    let slow = |kind: &str| targets["targets"][0][kind]["slow"].clone();
    assert_eq!(
        (slow("pace_ms"), slow("first_token_ms")),
        (true.into(), false.into())
    );
}

#[tokio::test]
async fn who_waits_for_less_than_a_pause_blames_nobody_for_it() {
    let gate = Gate::new();
    let pausing = Reply::sse(streamed(&["Hello, ", "world!"])).pause_after(2, &gate);
    let first = Upstream::always(pausing).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let headers = [("x-stainless-read-timeout", "0.6")];
    for _ in 0..3 {
        let stream = gateway
            .open("/v1/chat/completions", &headers, &ask_stream())
            .await;
        let answer = stream.rest().await;
        assert!(answer.text().contains("stream_broken"), "{}", answer.text());
    }
    gate.open();
    assert_eq!(gateway.chat(&ask_stream()).await.status, 200);
    assert_eq!(first.hits(), 4);
}
