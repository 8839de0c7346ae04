//! What a provider says of a model's rate, an account's credit and its key.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{PAUSE, ask_route, classes, lets_in, once, told, until_it_is_back, well};
use crate::support::fixture::ask;
use crate::support::{Config, Gateway, Kind, Reply, soon};

#[tokio::test]
async fn a_target_at_its_rate_limit_is_asked_again_when_its_time_has_come() {
    let limited = Reply::error(429, "requests", Some("rate_limit_exceeded"), "slow down");
    let first = once(limited.header("retry-after", 3)).await;
    let second = well().await;
    let config =
        Config::of(&[&first, &second]).route("larger", "{ targets: [first/larger, second/m] }");
    let gateway = Gateway::start(config).await;
    assert_eq!(classes(&gateway, &ask()).await, ["rate_limited", "ok"]);
    assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    assert_eq!(first.hits(), 1, "not again");
    assert_eq!(classes(&gateway, &ask_route("larger")).await, ["ok"]);
    assert_eq!(first.hits(), 2, "the limit is of one model");
    until_it_is_back(&gateway, &ask()).await;
    let seen = first.requests();
    let waited = seen[2].at - seen[0].at;
    assert!(waited >= Duration::from_secs(3), "{waited:?}");
}

#[tokio::test]
async fn an_empty_account_is_not_asked_for_any_of_its_models() {
    let code = "insufficient_quota";
    let first = once(Reply::error(429, code, Some(code), "no credit")).await;
    let second = well().await;
    let config = Config::of(&[&first, &second]).route("larger", "{ targets: [first/larger] }");
    let gateway = Gateway::start(config).await;
    assert_eq!(classes(&gateway, &ask()).await, ["quota_exhausted", "ok"]);
    assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    let answer = gateway.chat(&ask_route("larger")).await;
    told(&answer, 503, "upstream_quota_exhausted");
    assert_eq!((first.hits(), second.hits()), (1, 2));
    gateway.says("an account is exhausted").await;
}

#[tokio::test]
async fn a_refused_account_is_replaced_by_another_of_its_kind_alone_until_its_key_changes() {
    let first = lets_in("sk-new").await;
    let (twin, stranger) = (well().await, well().await);
    let secret = "secret: \"file:$FOLDER/key\"";
    let config = Config::new()
        .file("key", "sk-old")
        .provider("first", &first.base_url(), secret)
        .kind("stranger", Kind::Anthropic, &stranger)
        .provider_alone("twin", &twin.base_url(), "")
        // Another account, whose key is in the same file.
        .provider_alone("sibling", &first.base_url(), secret)
        .route("sibling", "{ targets: [sibling/m] }")
        .route(
            "twins",
            "{ targets: [first/m, stranger/claude-haiku-4-5, twin/m] }",
        );
    let gateway = Gateway::start(config).await;
    let refused = "upstream_authentication_error";
    let marked = Instant::now();
    for route in ["twins", "sibling"] {
        told(&gateway.chat(&ask_route(route)).await, 502, refused);
    }
    assert_eq!((first.hits(), twin.hits(), stranger.hits()), (2, 0, 0));
    let answer = gateway.chat(&ask_route("twins")).await;
    assert_eq!(answer.header("x-pillion-target"), Some("twin/m"));
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.classes(), ["ok"], "it is not asked on the way");
    for route in ["chat", "sibling"] {
        let answer = gateway.chat(&ask_route(route)).await;
        told(&answer, 502, refused);
        let record = gateway.audit(answer.id()).await;
        assert!(record.classes().is_empty(), "{}", record.0);
    }
    assert_eq!((first.hits(), twin.hits(), stranger.hits()), (2, 1, 0));

    std::fs::write(gateway.folder.file("key"), "sk-new").unwrap();
    for route in ["chat", "sibling"] {
        soon("the new key is used", async {
            while gateway.chat(&ask_route(route)).await.status != 200 {
                sleep(PAUSE).await;
            }
        })
        .await;
    }
    let took = marked.elapsed();
    assert!(took < Duration::from_secs(9), "before any probe: {took:?}");
    assert_eq!((first.hits(), stranger.hits()), (4, 0));
}
