//! A provider's own headers, which go where its key goes.

use crate::support::{Config, Gateway, Reply, Upstream};

#[tokio::test]
async fn a_providers_own_headers_are_sent_to_it_alone() {
    let provider = Upstream::always(Reply::json("{}")).await;
    let url = provider.root_url();
    let keys =
        format!("kind: anthropic, secret: env:K, base_url: \"{url}\", headers: {{ x-team: chat }}");
    let config = Config::new().provider_of("first", &keys).env("K", "sk-ant");
    let gateway = Gateway::start(config).await;
    let newer = [("anthropic-version", "2026-10-21"), ("x-team", "theirs")];
    for (headers, version, team) in [
        (&[][..], "2023-06-01", "chat"),
        // What the caller says passes through.
        (&newer[..], "2026-10-21", "theirs"),
    ] {
        let body = r#"{"model":"chat"}"#;
        let answer = gateway.post("/v1/things", headers, body).await;
        assert_eq!(answer.status, 200);
        let seen = provider.requests().pop().unwrap();
        assert_eq!(seen.header("x-api-key"), Some("sk-ant"));
        assert_eq!(seen.header("anthropic-version"), Some(version));
        assert_eq!(seen.header("x-team"), Some(team));
        assert_eq!(
            answer.headers.iter().find(|(name, _)| name == "x-team"),
            None
        );
    }
}
