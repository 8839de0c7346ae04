//! No secret is in answers, logs, records, metrics, reports or files, whatever becomes of it.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{Picky, by_token, central, readyz};
use crate::support::fixture::{ask, ask_stream};
use crate::support::store::{Bao, ROOT};
use crate::support::{Centre, Config, Folder, Gateway, soon};

/// What a provider says that repeats the key, and what anybody could see of it all meanwhile.
async fn seen_through_two_changes(
    gateway: &Gateway,
    bao: &Bao,
    provider: &Picky,
    keys: [&str; 2],
) -> String {
    let mut seen = String::new();
    let mut look = |answer: &crate::support::Answer| {
        seen += &format!("{:?}\n{}\n", answer.headers, answer.text());
    };
    for body in [ask(), ask_stream()] {
        look(&gateway.chat(&body).await);
    }
    // What passes through is shown with the provider's own headers.
    look(&gateway.post("/v1/things", &[], r#"{"model":"chat"}"#).await);
    bao.put("llm/openai", &json!({ "key": keys[1] })).await;
    provider.accept(keys[1]);
    provider.revoke(keys[0]);
    look(&gateway.chat(&ask()).await);
    provider.revoke(keys[1]);
    look(&gateway.chat(&ask()).await);
    look(&gateway.post("/v1/things", &[], r#"{"model":"chat"}"#).await);
    bao.stop();
    bao.go_on();
    for path in [
        "/metrics",
        "/readyz",
        "/api/targets",
        "/api/routes",
        "/api/requests",
        "/api/config",
        "/api/",
        "/",
    ] {
        look(&gateway.ask_admin(path).await);
    }
    let config = gateway.ask_admin("/api/config").await;
    assert_eq!(
        config.json()["config"]["secret_stores"]["bank"]["kind"],
        "vault"
    );
    gateway.records(|_| true, 6).await;
    seen += &files_of(&gateway.folder.file(""));
    let log = gateway.log();
    assert!(log.contains("TRACE"), "the log is at trace");
    seen + &log
}

/// Every file that a gateway has in its folder, but for those that the operator keeps a secret in.
fn files_of(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &files_of(&path);
        } else if !["token", "source"].iter().any(|name| path.ends_with(name)) {
            all += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
        }
    }
    all
}

fn without(secrets: &[&str], seen: &str) {
    for secret in secrets {
        assert!(!seen.contains(secret), "{secret} is seen");
    }
}

const KEYS: [&str; 2] = ["key-canary-1", "key-canary-2"];

#[tokio::test]
async fn no_secret_is_seen_anywhere() {
    const ENVIRONMENT: &str = "environment-canary-1";
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting(KEYS[0]).await;
    bao.put("llm/openai", &json!({ "key": KEYS[0] })).await;
    let config = by_token(&bao, &provider, ", refresh: 200ms")
        .env("PILLION_LOG", "trace")
        .env("THIRD", ENVIRONMENT)
        .provider(
            "second",
            &provider.upstream.base_url(),
            "secret: \"file:$FOLDER/no/key\"",
        )
        .provider("third", &provider.upstream.base_url(), "secret: env:THIRD");
    let gateway = Gateway::start(config).await;
    let seen = seen_through_two_changes(&gateway, &bao, &provider, KEYS).await;
    assert!(
        seen.contains("\"kind\":\"pillion.audit\""),
        "the records are looked at"
    );
    without(&[KEYS[0], KEYS[1], ROOT, ENVIRONMENT], &seen);
}

#[tokio::test]
async fn no_secret_is_seen_where_a_central_document_leads() {
    const SOURCE: &str = "source-canary-1";
    const SHARED: &str = "shared-canary-1";
    const WRITTEN: &str = "written-canary-1";
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting(KEYS[0]).await;
    bao.put("llm/openai", &json!({ "key": KEYS[0] })).await;
    let folder = Folder::new();
    let document = central(&bao, &provider, &folder, "version: 1");
    let centre = Centre::with(document.clone()).await;
    let source = format!(
        "url: \"{}\", refresh: 100ms, report: \"{}\", auth: {{ token_file: \"$FOLDER/source\" }}",
        centre.url(),
        centre.reports_url()
    );
    let shared = format!("redis://:{SHARED}@127.0.0.1:1");
    let config = Config::following(&source)
        .root("identity: { instance: pod-a }")
        .env("PILLION_LOG", "trace")
        .env("PILLION_SHARED_STATE", &shared)
        .file("token", ROOT)
        .file("source", SOURCE);
    let gateway = Gateway::begin(&config, folder).await.serving().await;
    let mut seen = seen_through_two_changes(&gateway, &bao, &provider, KEYS).await;

    // A document that holds what it must not is refused, and none of it repeated.
    let written = format!("https://pillion:{WRITTEN}@vault.internal");
    let poisoned = document.replace("version: 1", "version: 2");
    centre.says(poisoned.replace(&bao.url(), &written));
    soon("the refusal is told", async {
        while readyz(&gateway).await["config"]["stale"] != true {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    soon("the refusal is reported", async {
        while !centre
            .reports()
            .concat()
            .contains("secret_stores.bank.address")
        {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    seen += &readyz(&gateway).await.to_string();
    seen += &centre.reports().concat();
    seen += &gateway.log();
    soon("the document is kept", async {
        while !gateway.folder.file("cache/central.copy").exists() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    seen += &files_of(&gateway.folder.file(""));
    assert!(seen.contains("bank:llm/openai#key"), "its name may be seen");
    without(&[KEYS[0], KEYS[1], ROOT, SOURCE, SHARED, WRITTEN], &seen);
}
