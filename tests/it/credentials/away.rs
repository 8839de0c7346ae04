//! Sources that are gone, come back, or refuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::{bearers, google_token, pass, service_account, vertex};
use crate::support::fixture::{ask, plain};
use crate::support::{Config, Gateway, Reply, Upstream, soon};

#[tokio::test]
async fn a_dead_source_of_credentials_is_a_target_that_cannot_be_reached() {
    let dead = Config::new().env("AWS_EC2_METADATA_DISABLED", "true");
    let reason = "no source of the AWS credential chain has any";
    for (config, reason) in [
        (dead, reason),
        (
            Config::new().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1"),
            "the metadata service of AWS cannot be reached: Connection refused (os error 111)",
        ),
        (
            Config::new().env("AWS_PROFILE", "absent"),
            "the AWS profile `absent` is in neither of the shared files",
        ),
    ] {
        let backup = Upstream::always(Reply::json(plain("from the backup"))).await;
        let config = config
            .provider_of(
                "first",
                "kind: bedrock, region: eu-central-1, secret: aws, base_url: \"http://127.0.0.1:1\"",
            )
            .provider("second", &backup.base_url(), "");
        let gateway = Gateway::start(config).await;
        let answer = gateway.chat(&ask()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let record = gateway.audit(answer.id()).await;
        let (last, before) = record.classes().split_last().map_or_else(
            || panic!("there are attempts"),
            |(last, before)| ((*last).to_owned(), before.join(" ")),
        );
        assert_eq!(last, "ok");
        assert!(before.starts_with("connect"), "{before}");
        assert_eq!(record.reasons()[0], reason);
        // The process is ready all the same, and says what is wrong.
        let ready = gateway.ask_admin("/readyz").await;
        assert_eq!(ready.status, 200);
        let detail = json!([{ "provider": "first", "problem": format!("aws: {reason}") }]);
        assert_eq!(ready.json()["secrets"], detail);
    }
}

#[tokio::test]
async fn a_provider_whose_source_comes_back_is_asked_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let server = Upstream::choosing(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::status(500),
        _ => google_token("ya29.late", 3599),
    })
    .await;
    let provider = Upstream::always(Reply::json("{}")).await;
    let host = server.root_url().replace("http://", "");
    let config = vertex(&provider, "google").env("GCE_METADATA_HOST", &host);
    let gateway = Gateway::start(config).await;
    assert_eq!(pass(&gateway).await, 502);
    soon("the source is asked again", async {
        while pass(&gateway).await != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(bearers(&provider), ["Bearer ya29.late"]);
}

#[tokio::test]
async fn a_source_that_refuses_is_our_fault_and_nothing_secret_is_said() {
    let endpoint = Upstream::always(
        Reply::status(400)
            .body(r#"{"error":"invalid_grant","error_description":"canary@p is disabled"}"#),
    )
    .await;
    let provider = Upstream::always(Reply::json("{}")).await;
    let config =
        vertex(&provider, "file:$FOLDER/sa.json").file("sa.json", &service_account(&endpoint));
    let gateway = Gateway::start(config).await;
    let answer = gateway.post("/v1/things", &[], r#"{"model":"chat"}"#).await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert_eq!(answer.code(), "upstream_authentication_error");
    let record = gateway.audit(answer.id()).await;
    assert_eq!(
        record.reasons(),
        ["Google's token endpoint answered 400 invalid_grant"]
    );
    let told = format!("{}{}", gateway.log(), answer.text());
    assert!(!told.contains("canary"), "{told}");
    assert_eq!(provider.hits(), 0);
}
