//! A sidecar's own file beside a newer central document that no longer agrees with it, and what is
//! live once both have been heard.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::support::fixture::{ask, plain};
use crate::support::{Centre, Config, Folder, Gateway, Redis, Reply, Upstream, soon};

const LOOK: Duration = Duration::from_millis(5);
const UP: &str = "pillion_shared_state_up";

fn following(centre: &Centre) -> Config {
    Config::following(&format!("url: \"{}\", refresh: 100ms", centre.url()))
}

async fn saying(text: &str) -> Upstream {
    Upstream::always(Reply::json(plain(text))).await
}

/// The document that has this provider alone, with more lines.
fn document(provider: &Upstream, more: &str) -> String {
    Config::of(&[provider]).central(more)
}

/// Waits until this provider answers; returns the model that the caller is told then.
async fn model_of(gateway: &Gateway, text: &str) -> Value {
    soon(&format!("{text} answers"), async {
        loop {
            let answer = gateway.chat(&ask()).await;
            if answer.text().contains(text) {
                return answer.json()["model"].clone();
            }
            sleep(LOOK).await;
        }
    })
    .await
}

async fn dropped(gateway: &Gateway) -> Vec<Value> {
    let shown = gateway.ask_admin("/api/config").await.json();
    shown["dropped"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_a_newer_document_no_longer_leaves_is_dropped_and_does_not_keep_it_out() {
    let (first, second) = (saying("one").await, saying("two").await);
    let left = "version: 1\nlocal_overrides: [routes.*.expose_model]";
    let centre = Centre::with(document(&first, left)).await;
    let config = following(&centre).root("routes: { chat: { expose_model: true } }");
    let gateway = Gateway::begin(&config, Folder::new()).await.serving().await;
    assert_ne!(model_of(&gateway, "one").await, "chat");
    assert_eq!(dropped(&gateway).await, [""; 0]);

    centre.says(document(&second, "version: 2"));
    assert_eq!(model_of(&gateway, "two").await, "chat");
    let told = dropped(&gateway).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["path"], "routes");
    let at = told[0]["at"].as_str().unwrap();
    assert!(
        at.starts_with("file:") && at.contains("pillion.yaml:"),
        "{at}"
    );
    let ready = gateway.ask_admin("/readyz").await.json();
    assert_eq!(ready["config"]["stale"], false, "{ready}");
    let warned = |gateway: &Gateway| gateway.log().matches("is dropped").count();
    soon("it is logged", async {
        while warned(&gateway) == 0 {
            sleep(LOOK).await;
        }
    })
    .await;
    assert_eq!(warned(&gateway), 1);

    // A start finds the same.
    let folder = gateway.crash();
    let gateway = Gateway::begin(&config, folder).await.serving().await;
    assert_eq!(model_of(&gateway, "two").await, "chat");
    assert_eq!(dropped(&gateway).await, told);
}

#[tokio::test]
async fn whether_the_shared_state_is_up_is_told_where_the_document_names_one() {
    let provider = saying("one").await;
    let centre = Centre::with(document(&provider, "")).await;
    let alone = following(&centre);
    let gateway = Gateway::begin(&alone, Folder::new()).await.serving().await;
    let metrics = gateway.ask_admin("/metrics").await;
    assert!(!metrics.text().contains(UP), "there is none");
    let Some(redis) = Redis::start().await else {
        return;
    };
    centre.says(document(
        &provider,
        &format!("shared_state: {}", redis.url()),
    ));
    let gateway = Gateway::begin(&alone, Folder::new()).await.serving().await;
    let up = format!("{UP} 1");
    gateway.until_metric(&up, |told| told == up).await;
}
