//! Keys that a store keeps: how they are come by, how they change, and what is seen of them while the
//! store is gone.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::crowd::crowd;
use crate::support::fixture::{ask, ask_stream, plain, streamed};
use crate::support::store::{Bao, Moto, ROOT};
use crate::support::tls::behind_tls;
use crate::support::{Centre, Config, Folder, Gateway, Reply, Upstream, pillion, soon};

/// A provider that answers whoever comes with one of the keys that it accepts.
struct Picky {
    upstream: Upstream,
    accepted: Arc<Mutex<HashSet<String>>>,
}

impl Picky {
    async fn accepting(key: &str) -> Self {
        let accepted = Arc::new(Mutex::new(HashSet::from([key.to_owned()])));
        let known = Arc::clone(&accepted);
        let upstream = Upstream::choosing(move |seen| {
            let key = seen.header("authorization").unwrap_or_default();
            let key = key.strip_prefix("Bearer ").unwrap_or_default();
            if !known.lock().unwrap().contains(key) {
                return Reply::error(401, "x", Some("invalid_api_key"), "not this one")
                    .header("x-echo", key);
            }
            let reply = if seen.json()["stream"] == true {
                Reply::sse(streamed(&["Hello!"]))
            } else {
                Reply::json(plain("Hello!"))
            };
            reply
                .header("x-echo", key)
                .header("openai-processing-ms", key)
        })
        .await;
        Self { upstream, accepted }
    }

    fn accept(&self, key: &str) {
        self.accepted.lock().unwrap().insert(key.to_owned());
    }

    fn revoke(&self, key: &str) {
        self.accepted.lock().unwrap().remove(key);
    }

    fn refused(&self) -> usize {
        let accepted = self.accepted.lock().unwrap();
        let is_refused = |seen: &crate::support::upstream::Seen| {
            let key = seen.header("authorization").unwrap_or_default();
            !accepted.contains(key.trim_start_matches("Bearer "))
        };
        self.upstream
            .requests()
            .iter()
            .filter(|seen| is_refused(seen))
            .count()
    }
}

/// The store `bank`, with `login`, and a provider whose key is `reference` there.
fn config(bao: &Bao, login: &str, provider: &Picky, reference: &str) -> Config {
    config_at(&bao.url(), login, provider, reference)
}

fn config_at(url: &str, login: &str, provider: &Picky, reference: &str) -> Config {
    Config::new()
        .root(&format!(
            "secret_stores:\n  bank: {{ kind: vault, address: \"{url}\", {login} }}"
        ))
        .provider(
            "first",
            &provider.upstream.base_url(),
            &format!("secret: \"{reference}\""),
        )
}

const BY_TOKEN: &str = "auth: token, token_file: \"$FOLDER/token\"";

fn by_token(bao: &Bao, provider: &Picky, more: &str) -> Config {
    let login = format!("{BY_TOKEN}{more}");
    config(bao, &login, provider, "bank:llm/openai#key").file("token", &format!("{ROOT}\n"))
}

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

async fn readyz(gateway: &Gateway) -> Value {
    gateway.ask_admin("/readyz").await.json()
}

/// Waits until this is what is wrong with secrets.
async fn until_told(gateway: &Gateway, problems: &Value) {
    soon("it is told of secrets", async {
        while readyz(gateway).await["secrets"] != *problems {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn metrics(gateway: &Gateway) -> String {
    gateway.ask_admin("/metrics").await.text().to_owned()
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
    let before = bao.tokens().await;
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
    assert_eq!(bao.tokens().await - before, 1, "it was renewed");
    assert_eq!(readyz(&gateway).await["secrets"], json!([]));
    bao.write("sys/leases/revoke-prefix/auth/approle", &json!({}))
        .await;
    assert_eq!(bao.tokens().await, before);
    bao.put("llm/openai", &json!({ "key": "sk-2" })).await;
    provider.accept("sk-2");
    provider.revoke("sk-1");
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(bao.tokens().await - before, 1, "one login more");
}

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

#[tokio::test]
async fn aws_keeps_secrets_and_parameters() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let secrets = Picky::accepting("sk-1").await;
    let parameters = Picky::accepting("sk-p1").await;
    let whole = Picky::accepting("sk-whole").await;
    let create = "secretsmanager.CreateSecret";
    let body =
        json!({ "Name": "llm/openai", "SecretString": json!({ "key": "sk-1" }).to_string() });
    moto.ask("secretsmanager", create, &body).await;
    let body = json!({ "Name": "llm/bare", "SecretString": "sk-whole" });
    moto.ask("secretsmanager", create, &body).await;
    let put = json!({ "Name": "/llm/openai", "Type": "SecureString", "Value": "sk-p1" });
    moto.ask("ssm", "AmazonSSM.PutParameter", &put).await;
    let by = |url: &str, reference: &str| {
        format!("kind: openai-compatible, base_url: \"{url}\", secret: \"{reference}\"")
    };
    let config = Config::new()
        .root("secret_stores:\n  sm: { kind: aws-sm, region: eu-central-1 }\n  params: { kind: aws-ssm }")
        .keys_of("a", &by(&secrets.upstream.base_url(), "sm:llm/openai#key"))
        .keys_of("b", &by(&parameters.upstream.base_url(), "params:/llm/openai"))
        .keys_of("c", &by(&whole.upstream.base_url(), "sm:llm/bare"))
        .route("a", "{ targets: [a/m] }")
        .route("b", "{ targets: [b/m] }")
        .route("c", "{ targets: [c/m] }")
        .env("AWS_ACCESS_KEY_ID", "AKIA1")
        .env("AWS_SECRET_ACCESS_KEY", "secret-canary")
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &moto.url())
        .env("AWS_ENDPOINT_URL", &moto.url());
    let gateway = Gateway::start(config).await;
    let to = |route: &str| ask().replace("\"chat\"", &format!("\"{route}\""));
    for route in ["a", "b", "c"] {
        let answer = gateway.chat(&to(route)).await;
        assert_eq!(answer.status, 200, "{route}: {}", answer.text());
    }
    let body =
        json!({ "SecretId": "llm/openai", "SecretString": json!({ "key": "sk-2" }).to_string() });
    moto.ask("secretsmanager", "secretsmanager.PutSecretValue", &body)
        .await;
    let put = json!({ "Name": "/llm/openai", "Type": "SecureString", "Value": "sk-p2", "Overwrite": true });
    moto.ask("ssm", "AmazonSSM.PutParameter", &put).await;
    for (route, provider, old, new) in [
        ("a", &secrets, "sk-1", "sk-2"),
        ("b", &parameters, "sk-p1", "sk-p2"),
    ] {
        provider.accept(new);
        provider.revoke(old);
        let answer = gateway.chat(&to(route)).await;
        assert_eq!(answer.status, 200, "{route}: {}", answer.text());
        assert_eq!(gateway.audit(answer.id()).await.classes(), ["auth", "ok"]);
    }
    assert!(!gateway.log().contains("secret-canary"));
}

/// A central document that has the provider's key in this store.
fn central(bao: &Bao, provider: &Picky, folder: &Folder, more: &str) -> String {
    let token = folder.file("token").display().to_string();
    let document = by_token(bao, provider, "").central(more);
    document.replace("$FOLDER/token", &token)
}

#[tokio::test]
async fn another_store_is_asked_as_soon_as_the_configuration_names_it() {
    let (Some(first), Some(second)) = (Bao::start().await, Bao::start().await) else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    first.put("llm/openai", &json!({ "key": "sk-1" })).await;
    second.put("llm/openai", &json!({ "key": "sk-2" })).await;
    let folder = Folder::new();
    let centre = Centre::with(central(&first, &provider, &folder, "version: 1")).await;
    let source = format!("url: \"{}\", refresh: 100ms", centre.url());
    let config = Config::following(&source).file("token", ROOT);
    let document = central(&second, &provider, &folder, "version: 2");
    let gateway = Gateway::begin(&config, folder).await.serving().await;
    assert_eq!(gateway.chat(&ask()).await.status, 200);
    provider.accept("sk-2");
    centre.says(document.clone());
    soon("the other store's key is used", async {
        loop {
            assert_eq!(gateway.chat(&ask()).await.status, 200);
            let last = provider.upstream.requests().pop().unwrap();
            if last.header("authorization") == Some("Bearer sk-2") {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // With the store gone, a document waits for it no longer than it is told, and is live then.
    second.stop();
    let renamed = document.replace("version: 2", "version: 3");
    centre.says(renamed.replace("bank:llm/openai", "bank:llm/other"));
    soon("the document is live", async {
        while readyz(&gateway).await["config"]["source"]["version"] != 3 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let detail = readyz(&gateway).await;
    let problem = detail["secrets"][0]["problem"].as_str().unwrap();
    assert!(problem.starts_with("bank:llm/other#key "), "{detail}");
}

#[tokio::test]
async fn with_resolve_the_stores_of_a_central_document_are_asked() {
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
    let folder = Folder::new();
    let document = central(&bao, &provider, &folder, "version: 1");
    let centre = Centre::with(document.clone()).await;
    let source = format!("url: \"{}\"", centre.url());
    let config = Config::following(&source).file("token", ROOT);
    let file = config.write(&folder);
    let validate = ["validate", "--resolve", file.to_str().unwrap()];
    let (code, said) = pillion(&validate).await;
    assert_eq!(code, 0, "{said}");
    centre.says(document.replace("bank:llm/openai", "bank:llm/nothing"));
    let (code, said) = pillion(&validate).await;
    assert_eq!(code, 78, "{said}");
    let problem = "providers.first.secret: bank:llm/nothing#key does not exist";
    assert!(said.contains(problem), "{said}");
}

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
