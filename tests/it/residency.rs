//! What must stay within never leaves, whatever goes wrong: each way in which a second target is asked is
//! tried with a demand and without one, so that it is known that it would have been.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fixture::{ask, ask_stream, plain, role, streamed, text};
use crate::support::reply::End;
use crate::support::{Answer, Config, Gateway, Reply, Upstream};

const CHAT: &str = "/v1/chat/completions";
/// More than enough answers to make a history: ten are.
const HISTORY: usize = 30;
/// Much longer than `inside` takes before.
const LATE: Duration = Duration::from_millis(300);

/// Two providers and a gateway: `inside` is in kz, `outside` says nothing of itself.
struct Two {
    inside: Upstream,
    outside: Upstream,
    gateway: Gateway,
}

/// What is demanded, and by whom.
const NOTHING: &str = "";
const ROUTE: &str = "residency: kz";
const RULE: &str = "rules: [{ name: stay, when: { share: 100% }, residency: kz }]";

/// The targets stand in this order.
async fn two(order: [&str; 2], [inside, outside]: [Upstream; 2], knobs: &[&str]) -> Two {
    let mut config = Config::new().limits("20s", "10s", "10s");
    for name in order {
        config = if name == "inside" {
            config.provider(name, &inside.base_url(), "residency: kz")
        } else {
            config.provider(name, &outside.base_url(), "")
        };
    }
    for knob in knobs.iter().filter(|knob| !knob.is_empty()) {
        config = config.knob(knob);
    }
    let gateway = Gateway::start(config).await;
    Two {
        inside,
        outside,
        gateway,
    }
}

const INSIDE_FIRST: [&str; 2] = ["inside", "outside"];
const OUTSIDE_FIRST: [&str; 2] = ["outside", "inside"];

async fn says(name: &'static str) -> Upstream {
    Upstream::choosing(move |seen| {
        if seen.json()["stream"] == true {
            Reply::sse(streamed(&[name]))
        } else {
            Reply::json(plain(name))
        }
    })
    .await
}

async fn fails() -> Upstream {
    Upstream::always(Reply::error(500, "server_error", None, "oops")).await
}

/// The record: what was planned, and whom it was tried with.
async fn record(gateway: &Gateway, answer: &Answer) -> (Value, Vec<String>, Value) {
    let record = gateway.audit(answer.id()).await;
    let tried = record.targets().into_iter().map(str::to_owned).collect();
    (record.0["plan"].clone(), tried, record.0["rule"].clone())
}

#[tokio::test]
async fn nobody_outside_is_asked_first_or_as_a_fallback() {
    for demand in [NOTHING, ROUTE, RULE] {
        for order in [INSIDE_FIRST, OUTSIDE_FIRST] {
            let two = two(order, [fails().await, says("outside").await], &[demand]).await;
            let answer = two.gateway.chat(&ask()).await;
            let (plan, tried, rule) = record(&two.gateway, &answer).await;
            let told = two.gateway.audit(answer.id()).await.0["residency"].clone();
            if demand == NOTHING {
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert!(two.outside.hits() > 0);
                assert!(told.is_null(), "{told}");
                continue;
            }
            let proof = json!({ "demanded": ["kz"], "providers": { "inside": ["kz"] } });
            assert_eq!(told, proof);
            assert_eq!(answer.status, 502, "{}", answer.text());
            assert_eq!(plan, json!(["inside/model-inside"]));
            assert!(!tried.is_empty() && tried.iter().all(|it| it == "inside/model-inside"));
            assert_eq!(rule == "stay", demand == RULE, "{rule}");
            assert_eq!(two.outside.hits(), 0);
            assert!(two.inside.hits() > 0);
        }
    }
}

#[tokio::test]
async fn nobody_outside_is_asked_beside_a_silent_one() {
    for demand in [NOTHING, ROUTE, RULE] {
        let mut count = 0;
        let inside = Upstream::choosing(move |_| {
            count += 1;
            let reply = Reply::sse(streamed(&["inside"]));
            if count > HISTORY {
                reply.pace(LATE)
            } else {
                reply
            }
        });
        let both = [inside.await, says("outside").await];
        let two = two(INSIDE_FIRST, both, &[demand, "hedge: { spend: 100% }"]).await;
        for _ in 0..HISTORY {
            assert_eq!(two.gateway.chat(&ask_stream()).await.status, 200);
        }
        let answer = two.gateway.chat(&ask_stream()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let tried = record(&two.gateway, &answer).await.1;
        if demand == NOTHING {
            assert_eq!(tried, ["inside/model-inside", "outside/model-outside"]);
        } else {
            assert_eq!(tried, ["inside/model-inside"]);
            assert_eq!(two.outside.hits(), 0);
        }
    }
}

#[tokio::test]
async fn nobody_outside_goes_on_with_an_answer_that_broke_off() {
    for demand in [NOTHING, ROUTE, RULE] {
        let broken = Reply::sse(role() + &text("The first half, ")).ends(End::Fin);
        let inside = Upstream::always(broken).await;
        let both = [inside, says("outside").await];
        let two = two(INSIDE_FIRST, both, &[demand, "on_break: continue"]).await;
        let answer = two.gateway.chat(&ask_stream()).await;
        let told = answer.text();
        assert!(told.contains("The first half, "), "{told}");
        if demand == NOTHING {
            assert_eq!(two.outside.hits(), 1, "{told}");
            continue;
        }
        assert!(told.contains("stream_broken"), "{told}");
        assert_eq!(two.outside.hits(), 0);
    }
}

#[tokio::test]
async fn vectors_are_not_asked_of_anybody_outside() {
    let vectors = json!({"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 1, "total_tokens": 1}});
    for demand in [NOTHING, ROUTE, RULE] {
        let outside = Upstream::always(Reply::json(vectors.to_string())).await;
        let two = two(OUTSIDE_FIRST, [fails().await, outside], &[demand]).await;
        let body = json!({"model": "chat", "input": "Hi"}).to_string();
        let answer = two.gateway.post("/v1/embeddings", &[], &body).await;
        let expected = if demand == NOTHING {
            (200, 1)
        } else {
            (502, 0)
        };
        assert_eq!(
            (answer.status, two.outside.hits()),
            expected,
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn tokens_are_not_counted_by_anybody_outside() {
    for demand in [NOTHING, ROUTE, RULE] {
        let outside = Upstream::always(Reply::json(r#"{"input_tokens":42}"#)).await;
        let inside = fails().await;
        let keys = format!(
            "kind: anthropic, secret: env:SECRET, base_url: \"{}\"",
            outside.base_url()
        );
        let mut config = Config::new()
            .env("SECRET", "s")
            .provider_of("outside", &keys)
            .provider("inside", &inside.base_url(), "residency: kz");
        if demand != NOTHING {
            config = config.knob(demand);
        }
        let gateway = Gateway::start(config).await;
        let body = json!({"model": "chat", "messages": [{"role": "user", "content": "Hi"}]});
        let body = body.to_string();
        let answer = gateway.post("/v1/messages/count_tokens", &[], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let counted = answer.json()["input_tokens"] == 42;
        let expected = if demand == NOTHING {
            (true, 1)
        } else {
            (false, 0)
        };
        assert_eq!((counted, outside.hits()), expected);
    }
}

#[tokio::test]
async fn what_passes_through_unread_stays_too() {
    // Nobody can look into it: it may hold what a rule is about.
    const DATA: &str = "rules: [{ name: data, when: { pii: [iin] }, residency: kz }]";
    let form = "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nchat\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--x--\r\n";
    for demand in [NOTHING, ROUTE, RULE, DATA] {
        let both = [
            Upstream::always(Reply::json("{}")).await,
            Upstream::always(Reply::json("{}")).await,
        ];
        let two = two(OUTSIDE_FIRST, both, &[demand]).await;
        let kind = [("content-type", "multipart/form-data; boundary=x")];
        let answer = two
            .gateway
            .post("/v1/audio/transcriptions", &kind, form)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = json!({"model": "chat", "input": "Hi"}).to_string();
        let answer = two.gateway.post("/v1/moderations", &[], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let hits = (two.inside.hits(), two.outside.hits());
        assert_eq!(
            hits,
            if demand == NOTHING { (0, 2) } else { (2, 0) },
            "{demand}"
        );
    }
}

/// The entry of a key whose token is its id.
fn key(id: &str, more: &str) -> String {
    let hex = pillion::config::sha256(id.as_bytes());
    format!("  - {{ id: {id}, hash: \"sha256:{hex}\"{more} }}\n")
}

#[tokio::test]
async fn a_key_keeps_all_that_it_sends_within() {
    let (inside, outside) = (says("inside").await, says("outside").await);
    let keys = key("kept", ", residency: kz, passthrough: inside") + &key("free", "");
    let config = Config::new()
        .provider("outside", &outside.base_url(), "")
        .provider("inside", &inside.base_url(), "residency: kz")
        .route("elsewhere", "{ targets: [outside/m] }")
        .root(&format!("keys:\n{keys}"));
    let gateway = Gateway::start(config).await;
    let bearer = |token: &str| format!("Bearer {token}");
    let (kept, free) = (bearer("kept"), bearer("free"));
    let answer = gateway
        .post(CHAT, &[("authorization", &free)], &ask())
        .await;
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("outside/model-outside")
    );
    let outside_asked = outside.hits();
    let answer = gateway
        .post(CHAT, &[("authorization", &kept)], &ask())
        .await;
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("inside/model-inside")
    );
    // A model that no route bears goes to the key's own provider.
    let nobodys = ask().replace("\"chat\"", "\"gpt-5\"");
    let answer = gateway
        .post(CHAT, &[("authorization", &kept)], &nobodys)
        .await;
    assert_eq!(answer.header("x-pillion-target"), Some("inside/-"));
    let none = ask().replace("\"chat\"", "\"elsewhere\"");
    let answer = gateway.post(CHAT, &[("authorization", &kept)], &none).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "no_eligible_target");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("filter `residency`: `outside/m` is not within `kz`"),
        "{message}"
    );
    assert_eq!(record(&gateway, &answer).await.1, Vec::<String>::new());
    assert_eq!(outside.hits(), outside_asked);
}
