//! The sources of AWS's chain.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::pass;
use crate::support::upstream::Seen;
use crate::support::{Config, Gateway, Reply, Upstream};

fn bedrock(provider: &Upstream) -> Config {
    let url = provider.root_url();
    Config::new().provider_of(
        "first",
        &format!("kind: bedrock, region: eu-central-1, secret: aws, base_url: \"{url}\""),
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
