//! What another configuration brings back, and what it leaves as it is known.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{PAUSE, classes, failure, lets_in, once, told, until_it_is_back, well};
use crate::support::fixture::ask;
use crate::support::{Config, Gateway, Reply, Upstream, soon};

/// Adds a route that nobody asks for, and waits until it is live.
async fn change_something_else(gateway: &Gateway) {
    let file = gateway.folder.file("pillion.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + "  another: { targets: [second/m] }\n").unwrap();
    gateway.signal("HUP");
    soon("the new configuration is live", async {
        while gateway.get("/v1/models/another").await.status != 200 {
            sleep(PAUSE).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_account_is_back_when_the_configuration_names_another_key() {
    let first = lets_in("sk-new").await;
    let config = Config::new()
        .file("old", "sk-old")
        .file("new", "sk-new")
        .provider("first", &first.base_url(), "secret: \"file:$FOLDER/old\"")
        // It is held from the start, so that it is no news in itself.
        .provider_alone("second", &first.base_url(), "secret: \"file:$FOLDER/new\"");
    let gateway = Gateway::start(config).await;
    let marked = Instant::now();
    for _ in 0..2 {
        let answer = gateway.chat(&ask()).await;
        told(&answer, 502, "upstream_authentication_error");
    }
    assert_eq!(first.hits(), 1);
    change_something_else(&gateway).await;
    let answer = gateway.chat(&ask()).await;
    told(&answer, 502, "upstream_authentication_error");
    assert_eq!(first.hits(), 1, "its key has not changed");
    let file = gateway.folder.file("pillion.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("/old\"", "/new\"")).unwrap();
    soon("the other key is used", async {
        while gateway.chat(&ask()).await.status != 200 {
            sleep(PAUSE).await;
        }
    })
    .await;
    let took = marked.elapsed();
    assert!(took < Duration::from_secs(9), "before any probe: {took:?}");
}

#[tokio::test]
async fn an_unknown_model_is_out_until_the_configuration_changes() {
    let first = once(Reply::error(404, "x", Some("model_not_found"), "no such")).await;
    let second = well().await;
    let gateway = Gateway::start(Config::of(&[&first, &second])).await;
    assert_eq!(classes(&gateway, &ask()).await, ["target_missing", "ok"]);
    assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    assert_eq!((first.hits(), second.hits()), (1, 2));
    change_something_else(&gateway).await;
    until_it_is_back(&gateway, &ask()).await;
    assert_eq!((first.hits(), second.hits()), (2, 2));
}

#[tokio::test]
async fn a_reload_changes_nothing_of_what_is_known() {
    let failing = Upstream::always(failure()).await;
    let limited = Reply::error(429, "requests", Some("rate_limit_exceeded"), "slow down");
    let limited = Upstream::always(limited.header("retry-after", 3600)).await;
    let third = well().await;
    let config = Config::of(&[&failing, &limited, &third]).knob("breaker: { cooldown: 60s..60s }");
    let gateway = Gateway::start(config).await;
    let all = ["server_error", "rate_limited", "ok"];
    assert_eq!(classes(&gateway, &ask()).await, all);
    assert_eq!(classes(&gateway, &ask()).await, ["server_error", "ok"]);
    change_something_else(&gateway).await;
    assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    let hits = [&failing, &limited, &third].map(Upstream::hits);
    assert_eq!(hits, [2, 1, 3]);
}
