//! What looks like a failure of a target, and is none.

use serde_json::json;

use crate::support::fixture::{ask, ask_stream, delta, finish, plain, read_stream};
use crate::support::{Config, Gateway, Reply, Upstream};

#[tokio::test]
async fn a_connection_that_went_stale_in_the_pool_costs_nothing() {
    // The provider closes after its first answer without having said so.
    let quiet = plain("Hello!");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{quiet}",
        quiet.len()
    );
    let first = Upstream::always(Reply::raw(head)).await;
    let gateway = Gateway::start(Config::of(&[&first]).knob("max_attempts: 1")).await;
    for number in 0..10 {
        let answer = gateway.chat(&ask()).await;
        assert_eq!(answer.status, 200, "{number}: {}", answer.text());
    }
}

#[tokio::test]
async fn dirt_of_a_server_does_not_cost_the_answer() {
    // Role in every delta, no index, no usage, an unknown finish, no [DONE].
    let frames: String = ["Hel", "lo!"]
        .iter()
        .map(|piece| delta(&json!({ "role": "assistant", "content": piece }), None))
        .collect();
    let dirty = frames.replace("\"index\":0,", "") + ": ping\n\n" + &finish("eos");
    let first = Upstream::always(Reply::sse(dirty)).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let whole = read_stream(&gateway.chat(&ask_stream()).await.data(), false);
    assert_eq!(whole.choices[0].text, "Hello!");
    assert_eq!(whole.choices[0].finish, "stop");
}
