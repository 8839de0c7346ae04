//! A string of Redis or Valkey.

use pillion::source::{LARGEST, SourceError};
use tokio::task::JoinSet;

use super::followed::Keeper;
use super::{error, is_away, is_signed, keeps_up, new, open, place, same, signed, with_token};
use crate::support::tls::behind_tls;
use crate::support::{Folder, Redis};

fn url(redis: &Redis, key: &str) -> String {
    format!("redis://127.0.0.1:{}/3/{key}", redis.port)
}

impl Keeper for Redis {
    fn keys(&self) -> String {
        format!("url: \"{}\"", url(self, "pillion/prod.yaml"))
    }

    async fn put(&mut self, text: &str) {
        self.ask(&["SET", "pillion/prod.yaml", text]).await;
    }

    fn stop(&mut self) {
        Self::stop(self);
    }

    fn kill(&mut self) {
        Self::kill(self);
    }

    async fn again(&mut self) {
        Self::again(self).await;
    }
}

#[tokio::test]
async fn a_string_is_asked_for_through_an_outage() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let mut source = open(&place(&url(&redis, "pillion/prod.yaml")));
    keeps_up(&mut *source, async |text| {
        match text {
            Some(text) => redis.ask(&["SET", "pillion/prod.yaml", text]).await,
            None => redis.ask(&["DEL", "pillion/prod.yaml"]).await,
        };
    })
    .await;

    let end = LARGEST.to_string();
    redis
        .ask(&["SETRANGE", "pillion/prod.yaml", &end, "x"])
        .await;
    let refused = error(&mut *source).await;
    assert!(matches!(refused, SourceError::Unusable(_)), "{refused:?}");
    redis.ask(&["DEL", "pillion/prod.yaml"]).await;
    redis.ask(&["HSET", "pillion/prod.yaml", "a", "1"]).await;
    let refused = error(&mut *source).await;
    assert!(matches!(refused, SourceError::Unusable(_)), "{refused:?}");

    redis.kill();
    assert!(is_away(&error(&mut *source).await));
    redis.again().await;
    assert_eq!(error(&mut *source).await, SourceError::Missing);
    redis.ask(&["SET", "pillion/prod.yaml", "a: 2\n"]).await;
    same(&mut *source).await;
}

#[tokio::test]
async fn a_signature_has_a_key_of_its_own() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let mut source = open(&signed(place(&url(&redis, "prod.yaml"))));
    is_signed(&mut *source, async |end, text| {
        redis.ask(&["SET", &format!("prod.yaml{end}"), text]).await;
    })
    .await;
}

#[tokio::test]
async fn a_password_is_of_the_url_or_of_a_file() {
    let Some(redis) = Redis::start_with(Some("canary-4711")).await else {
        return;
    };
    redis.ask(&["SET", "prod", "a: 1\n"]).await;
    let whole = format!("{}/prod", redis.url());
    assert_eq!(new(&mut *open(&place(&whole))).await.text, "a: 1\n");
    let folder = Folder::new();
    let file = folder.file("token");
    std::fs::write(&file, "wrong").unwrap();
    let mut source = open(&with_token(place(&url(&redis, "prod")), file.clone()));
    for mut refused in [open(&place(&url(&redis, "prod")))] {
        let refused = error(&mut *refused).await;
        assert!(matches!(refused, SourceError::Refused(_)), "{refused:?}");
    }
    let refused = error(&mut *source).await;
    assert!(matches!(refused, SourceError::Refused(_)), "{refused:?}");
    std::fs::write(&file, "canary-4711\n").unwrap();
    assert_eq!(new(&mut *source).await.text, "a: 1\n");
}

#[tokio::test]
async fn tls_is_of_the_authority_that_is_named() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    redis.ask(&["SET", "prod", "a: 1\n"]).await;
    let mut tasks = JoinSet::new();
    let (port, authority) = behind_tls("localhost", redis.port, &mut tasks).await;
    let folder = Folder::new();
    let mut place = place(&format!("rediss://localhost:{port}/3/prod"));
    assert!(is_away(&error(&mut *open(&place)).await));
    let ca = folder.file("ca.pem");
    std::fs::write(&ca, authority).unwrap();
    place.ca = Some(ca);
    assert_eq!(new(&mut *open(&place)).await.text, "a: 1\n");
}
