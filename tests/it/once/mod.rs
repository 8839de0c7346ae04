//! A request that comes twice is one call: the provider is asked once, and both get the same bytes.

mod dedupe;
mod ended;
mod keys;
mod retries;

use crate::support::twice::is_free;
use crate::support::{Answer, Gateway};

/// Whether so many have joined in this way.
async fn joins(gateway: &Gateway, kind: &str, count: usize) -> bool {
    let line = format!("pillion_joins_total{{kind=\"{kind}\"}} {count}");
    gateway.has_metric(|told| told == line).await
}

/// What the one that came second is, beside the one that came first.
async fn is_joined(gateway: &Gateway, first: &Answer, second: &Answer) {
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.text(), second.text());
    assert!(first.complete && second.complete);
    assert_eq!(first.header("x-pillion-joined"), None);
    assert_eq!(second.header("x-pillion-joined"), Some("true"));
    for name in ["content-type", "content-length", "x-pillion-target"] {
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
    assert_ne!(first.id(), second.id());
    let paid = gateway.audit(first.id()).await;
    assert_eq!((paid.outcome(), paid.classes()), ("ok", vec!["ok"]));
    is_free(gateway, second).await;
}
