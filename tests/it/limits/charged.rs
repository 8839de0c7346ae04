//! What a budget is charged is what the records say that its requests cost, however they came to their answers.

use pillion::price::Money;
use serde_json::json;

use super::{CHAT, KEY, bounded, keys, spend};
use crate::support::fixture::{DONE, finish, plain, role, streamed, text};
use crate::support::reply::End;
use crate::support::{Config, Gateway, Reply, Upstream};

#[tokio::test]
async fn a_budget_is_charged_what_the_records_say() {
    let cut = role() + &text("The first half, ");
    let uncounted = role() + &text("Hello!") + &finish("stop") + DONE;
    let vectors = json!({"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 7, "total_tokens": 7}});
    let first = Upstream::script([
        // Another one answers.
        Reply::error(500, "server_error", None, "no"),
        // Nobody says what was used.
        Reply::sse(uncounted),
        // Another one goes on.
        Reply::sse(cut).ends(End::Fin),
        Reply::json(vectors.to_string()),
        // The caller's fault.
        Reply::error(400, "invalid_request_error", None, "no"),
    ])
    .await;
    let second = Upstream::choosing(|seen| {
        if seen.json()["stream"] == true {
            Reply::sse(streamed(&["and the second."]))
        } else {
            Reply::json(plain("Hello!"))
        }
    })
    .await;
    let models = "models: { first/model-first: { price: { input: 1000, output: 3000 } }, second/model-second: { price: { input: 2000, output: 5000 } } }";
    let config = Config::of(&[&first, &second])
        .knob("on_break: continue")
        .root(models)
        .root(&keys("budget: { amount: 100, per: day }"));
    let gateway = Gateway::start(config).await;
    let streams = bounded().replace("\"max_tokens\":3", "\"stream\":true");
    let vectors = json!({"model": "chat", "input": "Hi"}).to_string();
    let mut costs = Vec::new();
    for (path, body, status) in [
        (CHAT, bounded(), 200),
        (CHAT, streams.clone(), 200),
        (CHAT, streams, 200),
        ("/v1/embeddings", vectors, 200),
        (CHAT, bounded(), 400),
    ] {
        let answer = gateway.post(path, &KEY, &body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        let record = gateway.audit(answer.id()).await;
        let cost = record.0["cost"].as_str().map(Money::parse);
        assert_eq!(cost.is_some(), status == 200, "{:?}", record.0);
        costs.extend(cost.flatten());
        let charged: Money = costs.iter().copied().sum();
        let row = spend(&gateway, "key:chat").await;
        assert_eq!(row["spent"], charged.to_string(), "{body}");
        assert_eq!(row["reserved"], "0.00");
    }
    assert!(costs.iter().all(|cost| *cost > Money::ZERO), "{costs:?}");
}
