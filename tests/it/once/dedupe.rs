//! Identical requests without a key, on a route that takes them for one.

use serde_json::{Value, json};

use super::joins;
use crate::support::fixture::{ask, plain};
use crate::support::twice::{CHAT, Held, is_free, sent};
use crate::support::{Config, Gateway, Reply, Upstream};

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
