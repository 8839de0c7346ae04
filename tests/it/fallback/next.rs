//! Which target is the next, and how many there are for one request.

use super::backup;
use crate::support::fixture::ask;
use crate::support::{Config, Gateway, Reply, Upstream};

#[tokio::test]
async fn too_long_a_request_goes_only_to_a_larger_model() {
    let long = Reply::error(
        400,
        "invalid_request_error",
        Some("context_length_exceeded"),
        "This model's maximum context length is 8192 tokens.",
    );
    let first = Upstream::always(long.clone()).await;
    let (smaller, larger) = (backup().await, backup().await);
    let config = Config::of(&[&first, &smaller, &larger]).root(
        "models:\n  first/model-first: { context: 8192 }\n  second/model-second: { context: 4096 }\n  third/model-third: { context: 128000 }",
    );
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.status, 200);
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.targets(), ["first/model-first", "third/model-third"]);
    assert_eq!(record.classes(), ["context_length", "ok"]);

    // Where no larger one is declared, the provider's own words are the answer.
    let gateway = Gateway::start(Config::of(&[&first, &smaller])).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(
        (answer.status, &*answer.code()),
        (400, "context_length_exceeded")
    );
    assert_eq!(smaller.hits(), 0);
}

#[tokio::test]
async fn an_account_without_credit_is_not_asked_for_another_model() {
    let empty = Reply::error(
        429,
        "insufficient_quota",
        Some("insufficient_quota"),
        "quota",
    );
    let first = Upstream::always(empty).await;
    let second = backup().await;
    let config = Config::new()
        .provider("first", &first.base_url(), "")
        .target("first/another-model")
        .provider("second", &second.base_url(), "");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    let record = gateway.audit(answer.id()).await;
    assert_eq!(
        record.targets(),
        ["first/model-first", "second/model-second"]
    );
}

#[tokio::test]
async fn attempts_are_counted_and_end_at_max_attempts() {
    let broken = || Upstream::always(Reply::error(500, "server_error", None, "oops"));
    let all = [broken().await, broken().await, broken().await];
    let config = Config::of(&[&all[0], &all[1], &all[2]]).knob("max_attempts: 2");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!((answer.status, &*answer.code()), (502, "upstream_failed"));
    assert_eq!(answer.header("x-pillion-attempts"), Some("2"));
    let hits: Vec<usize> = all.iter().map(Upstream::hits).collect();
    assert_eq!(hits, [1, 1, 0]);
}

#[tokio::test]
async fn traffic_is_shared_by_weight_and_the_rest_of_the_group_is_a_backup() {
    let (heavy, light) = (backup().await, backup().await);
    let never = backup().await;
    let config = Config::new()
        .provider_alone("heavy", &heavy.base_url(), "")
        .provider_alone("light", &light.base_url(), "")
        .provider_alone("never", &never.base_url(), "")
        .target("{ any: [ { to: heavy/m, weight: 9 }, { to: light/m, weight: 1 }, { to: never/m, weight: 0 } ] }");
    let gateway = Gateway::start(config).await;
    let mut client = gateway.connect().await;
    let mut targets = Vec::new();
    // Each conversation is asked about twice: it stays where it began.
    for number in 0..400 {
        let conversation = (number % 200).to_string();
        let headers = [("x-pillion-tag-conversation", &*conversation)];
        client
            .post("/v1/chat/completions", &headers, ask().as_bytes())
            .await;
        let (answer, same) = client.answer().await.rest_and_client().await;
        assert_eq!(answer.status, 200);
        targets.push(answer.header("x-pillion-target").unwrap().to_owned());
        client = same;
    }
    assert_eq!(targets[..200], targets[200..]);
    let lights = targets[..200].iter().filter(|target| *target == "light/m");
    let to_light = lights.count();
    // Of 200 with p = 0.1, fewer than 3 or more than 50 come once in 10^6 runs.
    assert!((3..=50).contains(&to_light), "{to_light} of 200");
    assert_eq!(heavy.hits() + light.hits(), 400);
    assert_eq!(never.hits(), 0);
}
