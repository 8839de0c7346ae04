//! Keys that are replaced, in whatever order the store and the provider come to know of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Picky, by_token};
use crate::support::crowd::crowd;
use crate::support::fixture::{ask, ask_stream};
use crate::support::store::Bao;
use crate::support::{Gateway, soon};

#[tokio::test]
async fn a_key_is_rotated_under_load_and_no_request_fails() {
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
    let gateway = Arc::new(Gateway::start(by_token(&bao, &provider, "")).await);
    let mut load = JoinSet::new();
    let asked = Arc::clone(&gateway);
    load.spawn(async move {
        let body = |number| if number % 2 == 0 { ask() } else { ask_stream() };
        crowd(&asked, 800, 100, body).await
    });
    provider.upstream.request(150).await;
    // Both are good for a while.
    provider.accept("sk-2");
    bao.put("llm/openai", &json!({ "key": "sk-2" })).await;
    provider.upstream.request(300).await;
    provider.revoke("sk-1");
    provider.upstream.request(500).await;
    // Hard: the new one is good only from now on, and the old one good no more.
    bao.put("llm/openai", &json!({ "key": "sk-3" })).await;
    provider.accept("sk-3");
    provider.revoke("sk-2");
    let came = load.join_next().await.unwrap().unwrap();
    for each in &came {
        assert_eq!(each.answer.status, 200, "{}", each.answer.text());
        assert_eq!(
            each.tries, 1,
            "{} was sent again by its caller",
            each.number
        );
    }
    let records = gateway.records(|_| true, 800).await;
    let retried: Vec<_> = records.iter().filter(|it| it.classes().len() > 1).collect();
    for record in &retried {
        assert_eq!(record.classes(), ["auth", "ok"], "{}", record.0);
    }
    eprintln!(
        "{} of 800 requests were in flight and retried",
        retried.len()
    );
    assert!((2..=100).contains(&retried.len()), "{}", retried.len());
    assert!(
        !gateway.log().contains("refuses its key"),
        "{}",
        gateway.log()
    );
}

#[tokio::test]
async fn a_key_that_is_revoked_beneath_many_fails_none_of_them() {
    const AT_ONCE: usize = 60;
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
    let gateway = Arc::new(Gateway::start(by_token(&bao, &provider, "")).await);
    assert_eq!(gateway.chat(&ask()).await.status, 200);
    bao.put("llm/openai", &json!({ "key": "sk-2" })).await;
    provider.accept("sk-2");
    provider.revoke("sk-1");
    // None of them can be answered before the store is: they all have been refused by then.
    bao.stop();
    let mut requests = JoinSet::new();
    for number in 0..AT_ONCE {
        let gateway = Arc::clone(&gateway);
        requests.spawn(async move {
            let body = if number % 2 == 0 { ask() } else { ask_stream() };
            gateway.chat(&body).await
        });
    }
    provider.upstream.request(AT_ONCE).await;
    assert_eq!(provider.refused(), AT_ONCE + 1);
    bao.go_on();
    while let Some(answer) = requests.join_next().await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let record = gateway.audit(answer.id()).await;
        assert_eq!(record.classes(), ["auth", "ok"], "{}", record.0);
    }
    assert_eq!(provider.upstream.hits(), 1 + 2 * AT_ONCE);
}

#[tokio::test]
async fn a_key_that_the_provider_does_not_know_yet_waits_and_the_one_before_serves() {
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
    let gateway = Gateway::start(by_token(&bao, &provider, ", refresh: 200ms")).await;
    assert_eq!(gateway.chat(&ask()).await.status, 200);
    bao.put("llm/openai", &json!({ "key": "sk-2" })).await;
    soon("the new key is tried", async {
        while provider.refused() == 0 {
            let answer = gateway.chat(&ask()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    for _ in 0..10 {
        assert_eq!(gateway.chat(&ask()).await.status, 200);
    }
    assert_eq!(provider.refused(), 1);
    // Now it is known, and the one before is not any more.
    provider.accept("sk-2");
    provider.revoke("sk-1");
    assert_eq!(gateway.chat(&ask()).await.status, 200);
}

#[tokio::test]
async fn a_key_that_is_refused_and_has_not_changed_is_told_at_once_and_healed_by_the_store() {
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    let other = Picky::accepting("sk-b").await;
    bao.put("llm/openai", &json!({ "key": "sk-1", "b": "sk-b" }))
        .await;
    let config = by_token(&bao, &provider, ", refresh: 300ms").provider(
        "second",
        &other.upstream.base_url(),
        "secret: \"bank:llm/openai#b\"",
    );
    let gateway = Gateway::start(config).await;
    provider.revoke("sk-1");
    let answer = gateway.chat(&ask()).await;
    assert_eq!(
        (answer.status, &*answer.code()),
        (502, "upstream_authentication_error")
    );
    assert_eq!(other.upstream.hits(), 0, "nobody else is asked for it");
    // Later ones leave the marked account for the other of its kind.
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("second/model-second")
    );
    provider.accept("sk-2");
    bao.put("llm/openai", &json!({ "key": "sk-2", "b": "sk-b" }))
        .await;
    soon("the account is used again", async {
        loop {
            let answer = gateway.chat(&ask()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            if answer.header("x-pillion-target") == Some("first/model-first") {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}
