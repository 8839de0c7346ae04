//! Promises of the record; what the tests share is here.

mod elsewhere;
mod golden;
mod recorder;
mod sinks;
mod traces;

use std::collections::BTreeSet;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::id::RequestId;
use super::*;
use crate::chat::{Surface, Usage};
use crate::outcome::{Class, Failure};
use crate::privacy::Said;
use crate::snapshot::{BaseUrl, Key, Kind, Provider, Route, Target};
use crate::trace::Trace;

pub(super) fn target(provider: &str, model: &str) -> Arc<Target> {
    let id = format!("{provider}/{model}");
    let provider = Provider {
        name: provider.into(),
        kind: Kind::OpenAi,
        base_url: BaseUrl::try_new("http://localhost/v1").unwrap(),
        secret: None,
        ca: None,
        headers: HeaderMap::new(),
        responses: true,
        capacity: crate::health::Capacity::default(),
        residency: Vec::new(),
    };
    Arc::new(Target::new(id, Arc::new(provider), model))
}

fn route() -> Arc<Route> {
    Arc::new(Route {
        name: "chat".into(),
        ..Route::to(target("openai", "m"))
    })
}

fn key() -> Arc<Key> {
    Arc::new(Key {
        team: Some("support".into()),
        routes: Some(BTreeSet::new()),
        ..Key::named("chat-prod")
    })
}

fn identity() -> Identity {
    Identity {
        team: Some("platform".into()),
        service: Some("chat".into()),
        environment: None,
        instance: Some("pod-1".into()),
    }
}

/// With this `traceparent`.
fn headers(traceparent: &str) -> HeaderMap {
    [(
        http::HeaderName::from_static("traceparent"),
        traceparent.parse().unwrap(),
    )]
    .into_iter()
    .collect()
}

fn usage() -> Usage {
    Usage {
        prompt: Some(12),
        cached: Some(0),
        completion: Some(7),
        ..Usage::default()
    }
}
