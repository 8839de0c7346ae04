//! Credentials that are issued for a while: each source of each cloud, how they are renewed, and
//! what happens when there are none.
//!
//! The requests pass through, so that only their signatures are looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::fixture::{ask, plain};
use crate::support::upstream::Seen;
use crate::support::{Config, Gateway, Reply, Upstream, soon};

/// Made for these tests and good for nothing else.
const PRIVATE_KEY: &str = include_str!("../fixtures/service-account.pem");

/// What passes through to the first target of the route.
async fn pass(gateway: &Gateway) -> u16 {
    let body = r#"{"model":"chat"}"#;
    gateway.post("/v1/things", &[], body).await.status
}

fn bedrock(provider: &Upstream) -> Config {
    let url = provider.root_url();
    Config::new().provider_of(
        "first",
        &format!("kind: bedrock, region: eu-central-1, secret: aws, base_url: \"{url}\""),
    )
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

/// Keys as a container's endpoint and a machine's metadata give them, good for an hour.
fn aws_keys(id: &str) -> String {
    let end = Timestamp::now() + Duration::from_hours(1);
    json!({
        "Code": "Success",
        "AccessKeyId": id,
        "SecretAccessKey": "secret-canary",
        "Token": "session-canary",
        "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    })
    .to_string()
}

fn assert_signed(seen: &Seen, id: &str) {
    let day = Timestamp::now().strftime("%Y%m%d").to_string();
    let signature = seen.header("authorization").unwrap();
    let start = format!("AWS4-HMAC-SHA256 Credential={id}/");
    assert!(signature.starts_with(&start), "{signature}");
    let scope = "/eu-central-1/bedrock/aws4_request, SignedHeaders=";
    assert!(signature.contains(scope), "{signature}");
    assert!(seen.header("x-amz-date").unwrap().starts_with(&day));
    assert_eq!(seen.header("x-amz-security-token"), Some("session-canary"));
    assert!(!seen.head.contains("secret-canary"), "{}", seen.head);
}

#[tokio::test]
async fn a_containers_endpoint_is_asked_with_its_token() {
    let endpoint = Upstream::always(Reply::json(aws_keys("ASIACONTAINER"))).await;
    let provider = Upstream::always(Reply::json("{}")).await;
    let config = bedrock(&provider)
        .file("token", "container-token\n")
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "$FOLDER/token")
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &format!("{}/v1/credentials", endpoint.root_url()),
        )
        // Neither what is beside us nor loopback is asked for through a proxy.
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let gateway = Gateway::start(config).await;
    for _ in 0..3 {
        assert_eq!(pass(&gateway).await, 200);
    }
    assert_signed(&provider.request(0).await, "ASIACONTAINER");
    let asked = endpoint.request(0).await;
    assert!(asked.head.starts_with("GET /v1/credentials HTTP/1.1"));
    assert_eq!(asked.header("authorization"), Some("container-token"));
    assert_eq!((endpoint.hits(), provider.hits()), (1, 3));
    let log = gateway.log();
    assert!(!log.contains("canary") && !log.contains("container-token"));
}

#[tokio::test]
async fn a_web_identity_is_exchanged_for_a_roles_keys() {
    let sts = Upstream::always(Reply::json(format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>secret-canary</SecretAccessKey>\
         <SessionToken>session-canary</SessionToken><Expiration>{}</Expiration>\
         </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
        Timestamp::now() + Duration::from_hours(1)
    )))
    .await;
    let provider = Upstream::always(Reply::json("{}")).await;
    let config = bedrock(&provider)
        .file("token", "a.b.c\n")
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", "$FOLDER/token")
        .env("AWS_ROLE_ARN", "arn:aws:iam::1:role/chat")
        .env("AWS_ROLE_SESSION_NAME", "chat-0")
        .env("AWS_ENDPOINT_URL_STS", &sts.root_url());
    let gateway = Gateway::start(config).await;
    assert_eq!(pass(&gateway).await, 200);
    assert_signed(&provider.request(0).await, "ASIAROLE");
    let asked = sts.request(0).await;
    assert!(asked.head.starts_with("POST / HTTP/1.1"), "{}", asked.head);
    assert_eq!(
        asked.text(),
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15\
         &RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fchat&RoleSessionName=chat-0\
         &WebIdentityToken=a.b.c"
    );
}

#[tokio::test]
async fn a_profile_takes_its_role_with_another_ones_keys() {
    let sts = Upstream::always(Reply::json(format!(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIAPROFILE</AccessKeyId><SecretAccessKey>secret-canary</SecretAccessKey>\
         <SessionToken>session-canary</SessionToken><Expiration>{}</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>",
        Timestamp::now() + Duration::from_hours(1)
    )))
    .await;
    let provider = Upstream::always(Reply::json("{}")).await;
    let config = bedrock(&provider)
        .file(
            "config",
            "[profile chat]\nrole_arn = arn:aws:iam::1:role/chat\nsource_profile = keys\n",
        )
        .file(
            "credentials",
            "[keys]\naws_access_key_id = AKIABASE\naws_secret_access_key = base-canary\n",
        )
        .env("AWS_PROFILE", "chat")
        .env("AWS_CONFIG_FILE", "$FOLDER/config")
        .env("AWS_SHARED_CREDENTIALS_FILE", "$FOLDER/credentials")
        .env("AWS_ENDPOINT_URL_STS", &sts.root_url());
    let gateway = Gateway::start(config).await;
    assert_eq!(pass(&gateway).await, 200);
    assert_signed(&provider.request(0).await, "ASIAPROFILE");
    let asked = sts.request(0).await;
    assert!(asked.text().starts_with("Action=AssumeRole&"));
    let signature = asked.header("authorization").unwrap();
    assert!(signature.contains("Credential=AKIABASE/"), "{signature}");
    assert!(signature.contains("/sts/aws4_request"), "{signature}");
}

#[tokio::test]
async fn a_machines_metadata_are_asked_by_their_second_version() {
    let machine = Upstream::choosing(|seen| {
        let path = seen.head.split(' ').nth(1).unwrap();
        let with_token = seen.header("x-aws-ec2-metadata-token") == Some("machine-token");
        match path {
            "/latest/api/token" if seen.head.starts_with("PUT ") => Reply::json("machine-token"),
            "/latest/meta-data/iam/security-credentials/" if with_token => Reply::json("chat\n"),
            "/latest/meta-data/iam/security-credentials/chat" if with_token => {
                Reply::json(aws_keys("ASIAMACHINE"))
            }
            _ => Reply::status(401),
        }
    })
    .await;
    let provider = Upstream::always(Reply::json("{}")).await;
    let config = bedrock(&provider).env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &machine.root_url());
    let gateway = Gateway::start(config).await;
    assert_eq!(pass(&gateway).await, 200);
    assert_signed(&provider.request(0).await, "ASIAMACHINE");
    let asked = machine.request(0).await;
    assert_eq!(
        asked.header("x-aws-ec2-metadata-token-ttl-seconds"),
        Some("21600")
    );
    assert_eq!(machine.hits(), 3);
}

#[tokio::test]
async fn the_environments_keys_come_first_and_an_api_key_is_a_bearer() {
    let provider = Upstream::always(Reply::json("{}")).await;
    let config = bedrock(&provider)
        .env("AWS_ACCESS_KEY_ID", "AKIAENV")
        .env("AWS_SECRET_ACCESS_KEY", "secret-canary")
        .env("AWS_SESSION_TOKEN", "session-canary")
        .env("AWS_PROFILE", "absent");
    let gateway = Gateway::start(config).await;
    assert_eq!(pass(&gateway).await, 200);
    assert_signed(&provider.request(0).await, "AKIAENV");

    let url = provider.root_url();
    let keys = format!("kind: bedrock, region: eu-central-1, secret: env:K, base_url: \"{url}\"");
    let config = Config::new()
        .provider_of("first", &keys)
        .env("K", "api-key");
    let gateway = Gateway::start(config).await;
    assert_eq!(pass(&gateway).await, 200);
    let seen = provider.request(1).await;
    assert_eq!(seen.header("authorization"), Some("Bearer api-key"));
    assert_eq!(seen.header("x-amz-date"), None);
}

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
