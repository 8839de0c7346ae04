//! Credentials that are issued for a while: each source of each cloud, how they are renewed, and
//! what happens when there are none.
//!
//! The requests pass through, so that only their signatures are looked at.

mod away;
mod aws;
mod google;
mod headers;
mod renewal;

use serde_json::json;

use crate::support::{Config, Gateway, Reply, Upstream};

/// Made for these tests and good for nothing else.
const PRIVATE_KEY: &str = include_str!("../../fixtures/service-account.pem");

/// What passes through to the first target of the route.
async fn pass(gateway: &Gateway) -> u16 {
    let body = r#"{"model":"chat"}"#;
    gateway.post("/v1/things", &[], body).await.status
}

fn vertex(provider: &Upstream, secret: &str) -> Config {
    let url = provider.root_url();
    Config::new().provider_of(
        "first",
        &format!(
            "kind: vertex, project: p, location: global, secret: \"{secret}\", base_url: \"{url}\""
        ),
    )
}

/// A service account whose tokens come from there.
fn service_account(endpoint: &Upstream) -> String {
    serde_json::to_string_pretty(&json!({
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "key-1",
        "private_key": PRIVATE_KEY,
        "client_email": "chat@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": format!("{}/token", endpoint.root_url()),
    }))
    .unwrap()
}

fn google_token(token: &str, seconds: u64) -> Reply {
    let token = json!({ "access_token": token, "expires_in": seconds, "token_type": "Bearer" });
    Reply::json(token.to_string())
}

fn bearers(provider: &Upstream) -> Vec<String> {
    let seen = provider.requests();
    let bearers = seen.iter().map(|seen| seen.header("authorization"));
    bearers.map(|it| it.unwrap().to_owned()).collect()
}
