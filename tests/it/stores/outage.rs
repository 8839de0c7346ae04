//! A store that is gone, and for how long its keys are used all the same.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use super::{Picky, by_token, metrics, readyz};
use crate::support::fixture::{ask, plain};
use crate::support::store::Bao;
use crate::support::{Gateway, Reply, Upstream, soon};

#[tokio::test]
async fn an_outage_that_is_longer_than_every_timeout_is_not_seen() {
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
    let gateway = Gateway::start(by_token(&bao, &provider, ", refresh: 200ms")).await;
    bao.stop();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(17) {
        let asked = Instant::now();
        assert_eq!(gateway.chat(&ask()).await.status, 200);
        // The store is given five seconds for an answer.
        assert!(
            asked.elapsed() < Duration::from_secs(4),
            "nobody waits for the store"
        );
        sleep(Duration::from_millis(100)).await;
    }
    let detail = readyz(&gateway).await;
    let problem = detail["secrets"][0]["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("did not answer in time"), "{problem}");
    assert_eq!(detail["ready"], true);
    provider.accept("sk-2");
    bao.go_on();
    bao.put("llm/openai", &json!({ "key": "sk-2" })).await;
    soon("the store is read again", async {
        loop {
            assert_eq!(gateway.chat(&ask()).await.status, 200);
            let last = provider.upstream.requests().pop().unwrap();
            if last.header("authorization") == Some("Bearer sk-2") {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_store_has_not_confirmed_for_too_long_is_not_used() {
    let Some(mut bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
    let config = by_token(&bao, &provider, ", refresh: 300ms").root("secret_max_stale: 3s");
    let gateway = Gateway::start(config).await;
    bao.kill();
    let began = Instant::now();
    let refused = soon("the key is not used any more", async {
        loop {
            let answer = gateway.chat(&ask()).await;
            if answer.status != 200 {
                return answer;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert!(
        began.elapsed() > Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        (refused.status, &*refused.code()),
        (503, "no_eligible_target")
    );
    assert!(
        refused.text().contains("cannot be read"),
        "{}",
        refused.text()
    );
    let shown = metrics(&gateway).await;
    assert!(
        shown.contains("pillion_secret_usable{provider=\"first\"} 0"),
        "{shown}"
    );
    assert!(!shown.contains("pillion_secret_age_seconds{"), "{shown}");
    assert_eq!(readyz(&gateway).await["ready"], true);
    bao.again().await;
    bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
    soon("the store is read again", async {
        while gateway.chat(&ask()).await.status != 200 {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_start_does_not_wait_for_a_store_that_is_gone() {
    let Some(mut bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    let other = Upstream::always(Reply::json(plain("Hello!"))).await;
    bao.stop();
    let began = Instant::now();
    let config = by_token(&bao, &provider, "").provider("second", &other.base_url(), "");
    let gateway = Gateway::start(config).await;
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    let answer = gateway.chat(&ask()).await;
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("second/model-second")
    );
    bao.go_on();
    bao.kill();
    bao.again().await;
    bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
    soon("the provider comes in", async {
        loop {
            let answer = gateway.chat(&ask()).await;
            if answer.header("x-pillion-target") == Some("first/model-first") {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}
