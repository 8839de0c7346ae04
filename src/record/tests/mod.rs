//! Promises of the record; what the tests share is here.

mod golden;
mod recorder;
mod sinks;

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::snapshot::{BaseUrl, Kind, OnUnsupported, Percent, Provider, Timeouts};

fn target(provider: &str, model: &str) -> Arc<Target> {
    let id = format!("{provider}/{model}");
    let provider = Provider {
        name: provider.into(),
        kind: Kind::OpenAi,
        base_url: BaseUrl::try_new("http://localhost/v1").unwrap(),
        secret: None,
        ca: None,
        headers: http::HeaderMap::new(),
        responses: true,
    };
    Arc::new(Target::new(id, Arc::new(provider), model))
}

fn route() -> Arc<Route> {
    let second = Duration::from_secs(1);
    Arc::new(Route {
        name: "chat".into(),
        places: Vec::new(),
        timeouts: Timeouts {
            whole: second,
            first_token: second,
            answer: second,
            idle: second,
            stream: second,
        },
        reserve: Percent::try_new(40).unwrap(),
        max_attempts: 4,
        expose_model: false,
        warm: false,
        unsupported: OnUnsupported::Drop,
    })
}

fn key() -> Arc<Key> {
    Arc::new(Key {
        id: "chat-prod".into(),
        team: Some("support".into()),
        service: None,
        environment: None,
        routes: Some(BTreeSet::new()),
        default_route: None,
        passthrough: None,
        expires: None,
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

fn usage() -> Usage {
    Usage {
        prompt: Some(12),
        cached: Some(0),
        completion: Some(7),
        ..Usage::default()
    }
}
