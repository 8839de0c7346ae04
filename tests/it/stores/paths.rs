//! Paths that a Vault does not let us read, or not any more.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use super::{Picky, config, metrics, readyz, until_told};
use crate::support::fixture::ask;
use crate::support::store::Bao;
use crate::support::{Gateway, soon};

#[tokio::test]
async fn a_path_that_is_not_ours_leaves_its_provider_out_and_no_other() {
    let Some(bao) = Bao::start().await else {
        return;
    };
    let (provider, other) = (
        Picky::accepting("sk-1").await,
        Picky::accepting("sk-2").await,
    );
    bao.put("llm/openai", &json!({ "key": "sk-1", "b": "sk-2" }))
        .await;
    bao.put("else/openai", &json!({ "key": "sk-3" })).await;
    let (role_id, secret_id) = bao.role(&json!({ "token_policies": "llm" })).await;
    let before = bao.tokens().await;
    let login = format!("auth: approle, role_id: {role_id}, secret_id_file: \"$FOLDER/id\"");
    let url = other.upstream.base_url();
    let config = config(&bao, &login, &provider, "bank:else/openai#key")
        .provider("second", &url, "secret: \"bank:llm/openai#b\"")
        .provider("third", &url, "secret: \"bank:llm/openai#none\"")
        .provider("fourth", &url, "secret: \"bank:llm/nothing#key\"")
        .file("id", &secret_id);
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("second/model-second")
    );
    let problem =
        |provider: &str, problem: &str| json!({ "provider": provider, "problem": problem });
    let expected = json!([
        problem(
            "first",
            "bank:else/openai#key is not given to us: the store answered 403"
        ),
        problem("fourth", "bank:llm/nothing#key does not exist"),
        problem("third", "bank:llm/openai#none has no such field"),
    ]);
    assert_eq!(readyz(&gateway).await["secrets"], expected);
    let logins = bao.tokens().await - before;
    assert!(
        logins <= 2,
        "{logins} logins for what a second one did not open"
    );
    let metrics = metrics(&gateway).await;
    assert!(metrics.contains("pillion_secret_usable{provider=\"first\"} 0"));
    assert!(metrics.contains("pillion_secret_usable{provider=\"second\"} 1"));
}

/// A provider for what lies at `llm/openai`, and one for what lies at `else/openai`; both are ours to
/// read, by a token that we log in for.
struct TwoPaths {
    bao: Bao,
    provider: Picky,
    gateway: Gateway,
    before: BTreeSet<String>,
}

impl TwoPaths {
    async fn start() -> Option<Self> {
        let bao = Bao::start().await?;
        let provider = Picky::accepting("sk-1").await;
        bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
        bao.put("else/openai", &json!({ "key": "sk-1" })).await;
        let (role_id, secret_id) = bao.role(&json!({ "token_policies": "llm" })).await;
        bao.allow(&["llm", "else"]).await;
        let before = bao.accessors().await;
        let login = format!(
            "auth: approle, role_id: {role_id}, secret_id_file: \"$FOLDER/id\", refresh: 200ms"
        );
        let config = config(&bao, &login, &provider, "bank:llm/openai#key")
            .provider(
                "second",
                &provider.upstream.base_url(),
                "secret: \"bank:else/openai#key\"",
            )
            .file("id", &secret_id);
        let gateway = Gateway::start(config).await;
        until_told(&gateway, &json!([])).await;
        Some(Self {
            bao,
            provider,
            gateway,
            before,
        })
    }

    /// What our tokens go by.
    async fn tokens(&self) -> BTreeSet<String> {
        &self.bao.accessors().await - &self.before
    }

    /// The second one's path is ours no more, and we have been told so.
    async fn take_away(&self, why: &str) {
        self.bao.allow(&["llm"]).await;
        let problem = format!("bank:else/openai#key {why}");
        let denied = json!([{ "provider": "second", "problem": problem }]);
        until_told(&self.gateway, &denied).await;
    }

    /// The other path is read all the same.
    async fn rotate(&self, key: &str) {
        self.bao.put("llm/openai", &json!({ "key": key })).await;
        self.provider.accept(key);
        self.provider.revoke("sk-1");
        let answer = self.gateway.chat(&ask()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_path_that_is_taken_from_us_has_one_login_more_and_the_token_before_is_given_back() {
    let Some(two) = TwoPaths::start().await else {
        return;
    };
    let first = two.tokens().await;
    assert_eq!(first.len(), 1);
    two.take_away("is not given to us: the store answered 403")
        .await;
    let second = soon("the first is given back", async {
        loop {
            let now = two.tokens().await;
            if now.len() == 1 {
                return now;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_ne!(second, first, "the path had one login more");
    // The path is read some times more meanwhile, and the other one many times.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        assert_eq!(two.tokens().await, second);
        sleep(Duration::from_millis(50)).await;
    }
    two.rotate("sk-2").await;
    two.bao.allow(&["llm", "else"]).await;
    until_told(&two.gateway, &json!([])).await;
    assert_eq!(two.tokens().await, second);
}

#[tokio::test]
async fn a_login_that_fails_leaves_the_token_that_is_good() {
    let Some(two) = TwoPaths::start().await else {
        return;
    };
    let first = two.tokens().await;
    std::fs::write(two.gateway.folder.file("id"), "nobody").unwrap();
    two.take_away("is not given to us: the store answered 400 to the login")
        .await;
    two.rotate("sk-2").await;
    assert_eq!(two.tokens().await, first);
}
