//! A Vault: each way to log in to it, what it is trusted by, and the token that it gives.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{BY_TOKEN, Picky, by_token, config, config_at, readyz, until_told};
use crate::support::fixture::ask;
use crate::support::store::{Bao, ROOT};
use crate::support::tls::behind_tls;
use crate::support::{Gateway, Reply, Upstream, soon};

/// A token as somebody issues it whom the store trusts, and the key that it is known by.
struct Issuer {
    pair: EcdsaKeyPair,
    public: String,
}

impl Issuer {
    fn new() -> Self {
        let made = rcgen::KeyPair::generate().unwrap();
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = made.serialize_der();
        Self {
            pair: EcdsaKeyPair::from_pkcs8(algorithm, &document, &random).unwrap(),
            public: made.public_key_pem(),
        }
    }

    fn token(&self, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let head = json!({ "alg": "ES256", "typ": "JWT" });
        let text = format!("{}.{}", part(&head), part(claims));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), text.as_bytes())
            .unwrap();
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

#[tokio::test]
async fn a_vault_is_logged_in_to_by_each_of_its_methods() {
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    bao.put("llm/openai", &json!({ "key": "sk-1", "other": "sk-2" }))
        .await;
    let (role_id, secret_id) = bao.role(&json!({ "token_policies": "llm" })).await;

    let issuer = Issuer::new();
    bao.write("sys/auth/ci", &json!({ "type": "jwt" })).await;
    let keys = json!({ "jwt_validation_pubkeys": [issuer.public] });
    bao.write("auth/ci/config", &keys).await;
    let role = json!({ "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["pillion"], "token_policies": "llm" });
    bao.write("auth/ci/role/chat", &role).await;
    let now = jiff::Timestamp::now().as_second();
    let end = now + 3600;
    let jwt = issuer.token(&json!({ "sub": "chat", "aud": "pillion", "iat": now, "exp": end }));

    let account =
        json!({ "namespace": "prod", "serviceaccount": { "name": "chat", "uid": "u-1" } });
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "status": { "authenticated": true, "audiences": ["pillion"],
            "user": { "username": "system:serviceaccount:prod:chat", "uid": "u-1", "groups": ["system:serviceaccounts"] } }
    });
    let kubernetes = Upstream::always(Reply::json(review.to_string())).await;
    bao.write("sys/auth/kubernetes", &json!({ "type": "kubernetes" }))
        .await;
    let authority = rcgen::generate_simple_self_signed(["kubernetes".to_owned()]);
    let authority = authority.unwrap().cert.pem();
    let host = json!({ "kubernetes_host": kubernetes.root_url(), "disable_local_ca_jwt": true, "token_reviewer_jwt": jwt, "kubernetes_ca_cert": authority });
    bao.write("auth/kubernetes/config", &host).await;
    let role = json!({ "bound_service_account_names": ["chat"], "bound_service_account_namespaces": ["prod"], "token_policies": "llm" });
    bao.write("auth/kubernetes/role/chat", &role).await;
    let pod = issuer.token(&json!({
        "sub": "system:serviceaccount:prod:chat", "aud": ["pillion"], "iat": now, "exp": end,
        "iss": "https://kubernetes.default.svc", "kubernetes.io": account
    }));

    let approle = format!("auth: approle, role_id: {role_id}, secret_id_file: \"$FOLDER/token\"");
    for (login, file) in [
        (BY_TOKEN, ROOT),
        (&*approle, &*secret_id),
        (
            "auth: jwt, auth_mount: ci, role: chat, token_file: \"$FOLDER/token\"",
            &*jwt,
        ),
        (
            "auth: kubernetes, role: chat, token_file: \"$FOLDER/token\"",
            &*pod,
        ),
    ] {
        let config = config(&bao, login, &provider, "bank:llm/openai#key").file("token", file);
        let gateway = Gateway::start(config).await;
        let answer = gateway.chat(&ask()).await;
        assert_eq!(answer.status, 200, "{login}: {}", answer.text());
        assert_eq!(readyz(&gateway).await["secrets"], json!([]), "{login}");
        let log = gateway.log();
        assert!(!log.contains(file) && !log.contains("sk-1"), "{login}");
    }
    assert!(kubernetes.hits() > 0);
}

#[tokio::test]
async fn a_namespace_is_asked_in_its_own_engine() {
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-team").await;
    bao.put("llm/openai", &json!({ "key": "sk-root" })).await;
    bao.write("sys/namespaces/team", &json!({})).await;
    let engine = json!({ "type": "kv", "options": { "version": "2" } });
    bao.write_in(Some("team"), "sys/mounts/kv", &engine).await;
    let fields = json!({ "data": { "key": "sk-team" } });
    bao.write_in(Some("team"), "kv/data/llm/openai", &fields)
        .await;
    let gateway = Gateway::start(by_token(&bao, &provider, ", namespace: team, mount: kv")).await;
    assert_eq!(gateway.chat(&ask()).await.status, 200);
}

#[tokio::test]
async fn an_authority_that_comes_late_or_is_replaced_is_trusted_then() {
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
    let mut tasks = JoinSet::new();
    let (port, authority) = behind_tls("localhost", bao.port(), &mut tasks).await;
    let (_, stranger) = behind_tls("localhost", bao.port(), &mut tasks).await;
    let login = format!("{BY_TOKEN}, ca: \"$FOLDER/ca.pem\"");
    let url = format!("https://localhost:{port}");
    let config = config_at(&url, &login, &provider, "bank:llm/openai#key").file("token", ROOT);
    let gateway = Gateway::start(config).await;
    let file = gateway.folder.file("ca.pem");
    for (content, problem) in [(None, "the CA file"), (Some(stranger), "cannot be reached")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        soon("the store is not trusted", async {
            while !readyz(&gateway).await["secrets"]
                .to_string()
                .contains(problem)
            {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    std::fs::write(&file, authority).unwrap();
    until_told(&gateway, &json!([])).await;
    assert_eq!(gateway.chat(&ask()).await.status, 200);
}

#[tokio::test]
async fn a_token_is_renewed_and_one_that_was_revoked_is_replaced() {
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
    let settings = json!({ "token_policies": "llm", "token_ttl": "3s", "token_max_ttl": "1h" });
    let (role_id, secret_id) = bao.role(&settings).await;
    let before = bao.accessors().await;
    let login = format!(
        "auth: approle, role_id: {role_id}, secret_id_file: \"$FOLDER/id\", refresh: 200ms"
    );
    let config = config(&bao, &login, &provider, "bank:llm/openai#key").file("id", &secret_id);
    let gateway = Gateway::start(config).await;
    // Three lives of a token.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(9) {
        assert_eq!(gateway.chat(&ask()).await.status, 200);
        sleep(Duration::from_millis(100)).await;
    }
    let ours = &bao.accessors().await - &before;
    assert_eq!(ours.len(), 1, "it was renewed");
    assert_eq!(readyz(&gateway).await["secrets"], json!([]));
    bao.write("sys/leases/revoke-prefix/auth/approle", &json!({}))
        .await;
    // There may be another one by now.
    assert!(ours.is_disjoint(&bao.accessors().await));
    bao.put("llm/openai", &json!({ "key": "sk-2" })).await;
    provider.accept("sk-2");
    provider.revoke("sk-1");
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(bao.tokens().await, before.len() + 1, "one login more");
}
