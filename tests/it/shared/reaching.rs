//! A Redis that wants a password, and one behind TLS.

use std::time::Duration;

use tokio::task::JoinSet;

use super::CALLS;
use crate::support::fixture::{ask, plain};
use crate::support::redis::is_up;
use crate::support::tls::behind_tls;
use crate::support::twice::{CHAT, KEY};
use crate::support::{Config, Gateway, Redis, Reply, Upstream, soon};

#[tokio::test]
async fn a_redis_with_a_password_wants_it() {
    let Some(redis) = Redis::start_with(Some("canary-4711")).await else {
        return;
    };
    let first = Upstream::always(Reply::json(plain("x"))).await;
    let with = |url: &str| Config::of(&[&first]).root(&format!("shared_state: {url}"));
    let knows = Gateway::start(with(&redis.url())).await;
    is_up(&knows, true).await;
    let wrong = redis.url().replace("4711", "0815");
    let guesses = Gateway::start(with(&wrong)).await;
    soon("it is refused", async {
        while !guesses.log().contains("WRONGPASS") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    is_up(&guesses, false).await;
    let answer = guesses.post(CHAT, &[KEY], &ask()).await;
    assert_eq!(answer.status, 200);
    for gateway in [&knows, &guesses] {
        assert!(!gateway.log().contains("canary"), "{}", gateway.log());
    }
}

#[tokio::test]
async fn a_redis_behind_tls_is_reached_by_those_who_trust_it() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let first = Upstream::always(Reply::json(plain("x"))).await;
    let mut tasks = JoinSet::new();
    let (port, authority) = behind_tls("localhost", redis.port, &mut tasks).await;
    let config = Config::of(&[&first]).root(&format!("shared_state: rediss://localhost:{port}/3"));
    let trusting = config
        .clone()
        .file("ca.pem", &authority)
        .env("SSL_CERT_FILE", "$FOLDER/ca.pem");
    let trusting = Gateway::start(trusting).await;
    is_up(&trusting, true).await;
    trusting.post(CHAT, &[KEY], &ask()).await;
    redis.has(CALLS, "a").await;
    let other = Gateway::start(config).await;
    soon("it is not trusted", async {
        while !other.log().contains("the shared state is away") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(other.post(CHAT, &[KEY], &ask()).await.status, 200);
    assert_eq!(first.hits(), 2);
}
