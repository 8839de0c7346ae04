//! Tokens that come to their end, or are refused before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{bearers, google_token, pass, vertex};
use crate::support::fixture::ask;
use crate::support::{Gateway, Reply, Upstream, soon};

#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_the_old_one_used_until_then() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    // The second time the server is out of order.
    let server = Upstream::choosing(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
        0 => google_token("ya29.old", 8),
        1 => Reply::status(503),
        _ => google_token("ya29.new", 3599),
    })
    .await;
    let provider = Upstream::always(Reply::json("{}")).await;
    let host = server.root_url().replace("http://", "");
    let config = vertex(&provider, "google").env("GCE_METADATA_HOST", &host);
    let gateway = Gateway::start(config).await;
    soon("the new token is used", async {
        while bearers(&provider).last().map(String::as_str) != Some("Bearer ya29.new") {
            assert_eq!(pass(&gateway).await, 200);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(bearers(&provider)[0], "Bearer ya29.old");
    let asked = server.requests();
    let after = |number: usize| asked[number].at.duration_since(asked[0].at);
    assert!(after(1) >= Duration::from_secs(3), "{:?}", after(1));
    assert!(after(2) < Duration::from_secs(8), "{:?}", after(2));
    let said = "Google's metadata server answered 503";
    assert!(gateway.log().contains(said), "{}", gateway.log());
}

#[tokio::test]
async fn a_token_that_is_refused_is_asked_for_anew_and_the_target_once_more() {
    let count = Arc::new(AtomicUsize::new(0));
    let server = Upstream::choosing(move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        google_token(&format!("ya29.{number}"), 3599)
    })
    .await;
    let provider = Upstream::always(Reply::error(401, "x", None, "no")).await;
    let host = server.root_url().replace("http://", "");
    let config = vertex(&provider, "google").env("GCE_METADATA_HOST", &host);
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.status, 502);
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.classes(), ["auth", "auth"]);
    assert_eq!(bearers(&provider), ["Bearer ya29.0", "Bearer ya29.1"]);
}

#[tokio::test]
async fn what_passes_through_and_is_refused_has_another_token_the_next_time() {
    let count = Arc::new(AtomicUsize::new(0));
    let server = Upstream::choosing(move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        google_token(&format!("ya29.{number}"), 3599)
    })
    .await;
    let provider = Upstream::choosing(|seen| {
        if seen.header("authorization") == Some("Bearer ya29.0") {
            return Reply::status(401);
        }
        Reply::json("{}")
    })
    .await;
    let host = server.root_url().replace("http://", "");
    let config = vertex(&provider, "google").env("GCE_METADATA_HOST", &host);
    let gateway = Gateway::start(config).await;
    assert_eq!(pass(&gateway).await, 401);
    soon("the new token is used", async {
        while pass(&gateway).await != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(bearers(&provider).last().unwrap(), "Bearer ya29.1");
    assert_eq!(server.hits(), 2);
}
