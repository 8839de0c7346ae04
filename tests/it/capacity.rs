//! What an account was declared to take in a minute, and what requests are thought to take of it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::overload::{BATCH, KEYS};
use crate::support::fixture::{ask, plain};
use crate::support::{Answer, Config, Gateway, Reply, Upstream};

/// A request with an image of a megabyte.
fn image() -> String {
    let data = BASE64_STANDARD.encode(vec![0x5A; 1 << 20]);
    let url = format!("data:image/png;base64,{data}");
    json!({ "model": "chat", "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "What is this?" },
        { "type": "image_url", "image_url": { "url": url } },
    ] }] })
    .to_string()
}

/// A request of about so many tokens.
fn long(tokens: usize) -> String {
    let text = "and ".repeat(tokens);
    json!({ "model": "chat", "messages": [{ "role": "user", "content": text }] }).to_string()
}

/// Two targets, of which the first takes so many tokens a minute.
async fn two(first: &Upstream, tpm: u64) -> (Upstream, Gateway) {
    let second = Upstream::always(Reply::json(plain("second"))).await;
    let config = Config::new()
        .provider(
            "first",
            &first.base_url(),
            &format!("capacity: {{ tpm: {tpm} }}"),
        )
        .provider("second", &second.base_url(), "");
    (second, Gateway::start(config).await)
}

fn served_by(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-pillion-target").unwrap()
}

#[tokio::test]
async fn an_image_of_a_megabyte_is_no_megabyte_of_tokens() {
    let first = Upstream::always(Reply::json(plain("first"))).await;
    let capacity = "capacity: { tpm: 20000 }";
    let config = Config::new()
        .provider("first", &first.base_url(), capacity)
        .root(KEYS);
    let gateway = Gateway::start(config).await;
    let batch = [("authorization", BATCH)];
    for body in [ask(), image(), image()] {
        let answer = gateway.post("/v1/chat/completions", &batch, &body).await;
        assert_eq!(served_by(&answer), "first/model-first");
    }
    let (second, gateway) = two(&first, 20_000).await;
    for body in [ask(), image(), image()] {
        assert_eq!(served_by(&gateway.chat(&body).await), "first/model-first");
    }
    assert_eq!(second.hits(), 0);
}

#[tokio::test]
async fn a_batch_request_that_is_more_than_the_account_takes_finds_it_when_it_is_idle() {
    let first = Upstream::always(Reply::json(plain("first"))).await;
    let config = Config::new()
        .provider("first", &first.base_url(), "capacity: { tpm: 10000 }")
        .root(KEYS);
    let gateway = Gateway::start(config).await;
    let batch = [("authorization", BATCH)];
    let answer = gateway
        .post("/v1/chat/completions", &batch, &long(50_000))
        .await;
    assert_eq!(served_by(&answer), "first/model-first");
}

#[tokio::test]
async fn what_was_thought_to_be_long_and_was_not_leaves_room() {
    let refusal = || Reply::error(400, "invalid_request_error", None, "no");
    for (name, reply, spills) in [
        // It says that it counted twelve.
        ("answered", Reply::json(plain("first")), false),
        ("refused", refusal(), false),
        // Whether it had begun, nobody knows.
        (
            "failed",
            Reply::error(500, "server_error", None, "oops"),
            true,
        ),
    ] {
        let first = Upstream::script(vec![reply, Reply::json(plain("first"))]).await;
        let (second, gateway) = two(&first, 30_000).await;
        gateway.chat(&long(20_000)).await;
        let before = (first.hits(), second.hits());
        assert_eq!(before.0, 1, "{name}");
        let answer = gateway.chat(&long(20_000)).await;
        let expected = if spills {
            "second/model-second"
        } else {
            "first/model-first"
        };
        assert_eq!(served_by(&answer), expected, "{name}");
    }
}
