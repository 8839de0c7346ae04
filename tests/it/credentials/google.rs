//! The sources of Google's tokens.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{bearers, google_token, pass, service_account, vertex};
use crate::support::{Gateway, Reply, Upstream};

#[tokio::test]
async fn a_service_account_signs_for_its_token() {
    let endpoint = Upstream::always(google_token("ya29.one", 3599)).await;
    let provider = Upstream::always(Reply::json("{}")).await;
    let document = service_account(&endpoint);
    let by_file = vertex(&provider, "file:$FOLDER/sa.json").file("sa.json", &document);
    let by_default = vertex(&provider, "google")
        .file("sa.json", &document)
        .env("GOOGLE_APPLICATION_CREDENTIALS", "$FOLDER/sa.json");
    let by_variable = vertex(&provider, "env:SA").env("SA", &document);
    for (number, config) in [by_file, by_default, by_variable].into_iter().enumerate() {
        let gateway = Gateway::start(config).await;
        assert_eq!(pass(&gateway).await, 200);
        let asked = endpoint.request(number).await;
        assert!(asked.head.starts_with("POST /token HTTP/1.1"));
        let start = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
        let assertion = asked.text().strip_prefix(start).unwrap();
        let claims = assertion.split('.').nth(1).unwrap();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["iss"], "chat@p.iam.gserviceaccount.com");
        assert!(!gateway.log().contains("ya29"));
    }
    assert_eq!(bearers(&provider), ["Bearer ya29.one"; 3]);
}

#[tokio::test]
async fn a_users_refresh_token_and_a_plain_token_are_credentials_too() {
    let endpoint = Upstream::always(google_token("ya29.user", 3599)).await;
    let provider = Upstream::always(Reply::json("{}")).await;
    let user = json!({
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": "shh",
        "refresh_token": "1//r",
        "token_uri": format!("{}/token", endpoint.root_url()),
    });
    for (content, bearer) in [
        (user.to_string(), "Bearer ya29.user"),
        ("ya29.plain\n".to_owned(), "Bearer ya29.plain"),
    ] {
        let config = vertex(&provider, "file:$FOLDER/secret").file("secret", &content);
        let gateway = Gateway::start(config).await;
        assert_eq!(pass(&gateway).await, 200);
        assert_eq!(bearers(&provider).last().unwrap(), bearer);
    }
    assert_eq!(
        endpoint.request(0).await.text(),
        "grant_type=refresh_token&client_id=id&client_secret=shh&refresh_token=1%2F%2Fr"
    );
    assert_eq!(endpoint.hits(), 1);
}

#[tokio::test]
async fn the_metadata_server_is_asked_once_however_many_wait() {
    let server = Upstream::always(google_token("ya29.machine", 3599)).await;
    let provider = Upstream::always(Reply::json("{}")).await;
    let host = server.root_url().replace("http://", "");
    let config = vertex(&provider, "google").env("GCE_METADATA_HOST", &host);
    let gateway = Gateway::start(config).await;
    let (one, two, three) = tokio::join!(pass(&gateway), pass(&gateway), pass(&gateway));
    assert_eq!([one, two, three], [200; 3]);
    assert_eq!(bearers(&provider), ["Bearer ya29.machine"; 3]);
    let asked = server.request(0).await;
    assert_eq!(asked.header("metadata-flavor"), Some("Google"));
    let path = "/computeMetadata/v1/instance/service-accounts/default/token?scopes=";
    assert!(asked.head.contains(path), "{}", asked.head);
    assert_eq!(server.hits(), 1);
}
