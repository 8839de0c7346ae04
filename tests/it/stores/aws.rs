//! AWS Secrets Manager and its Parameter Store.

use serde_json::json;

use super::Picky;
use crate::support::fixture::ask;
use crate::support::store::Moto;
use crate::support::{Config, Gateway};

#[tokio::test]
async fn aws_keeps_secrets_and_parameters() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let secrets = Picky::accepting("sk-1").await;
    let parameters = Picky::accepting("sk-p1").await;
    let whole = Picky::accepting("sk-whole").await;
    let create = "secretsmanager.CreateSecret";
    let body =
        json!({ "Name": "llm/openai", "SecretString": json!({ "key": "sk-1" }).to_string() });
    moto.ask("secretsmanager", create, &body).await;
    let body = json!({ "Name": "llm/bare", "SecretString": "sk-whole" });
    moto.ask("secretsmanager", create, &body).await;
    let put = json!({ "Name": "/llm/openai", "Type": "SecureString", "Value": "sk-p1" });
    moto.ask("ssm", "AmazonSSM.PutParameter", &put).await;
    let by = |url: &str, reference: &str| {
        format!("kind: openai-compatible, base_url: \"{url}\", secret: \"{reference}\"")
    };
    let config = Config::new()
        .root("secret_stores:\n  sm: { kind: aws-sm, region: eu-central-1 }\n  params: { kind: aws-ssm }")
        .keys_of("a", &by(&secrets.upstream.base_url(), "sm:llm/openai#key"))
        .keys_of("b", &by(&parameters.upstream.base_url(), "params:/llm/openai"))
        .keys_of("c", &by(&whole.upstream.base_url(), "sm:llm/bare"))
        .route("a", "{ targets: [a/m] }")
        .route("b", "{ targets: [b/m] }")
        .route("c", "{ targets: [c/m] }")
        .env("AWS_ACCESS_KEY_ID", "AKIA1")
        .env("AWS_SECRET_ACCESS_KEY", "secret-canary")
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &moto.url())
        .env("AWS_ENDPOINT_URL", &moto.url());
    let gateway = Gateway::start(config).await;
    let to = |route: &str| ask().replace("\"chat\"", &format!("\"{route}\""));
    for route in ["a", "b", "c"] {
        let answer = gateway.chat(&to(route)).await;
        assert_eq!(answer.status, 200, "{route}: {}", answer.text());
    }
    let body =
        json!({ "SecretId": "llm/openai", "SecretString": json!({ "key": "sk-2" }).to_string() });
    moto.ask("secretsmanager", "secretsmanager.PutSecretValue", &body)
        .await;
    let put = json!({ "Name": "/llm/openai", "Type": "SecureString", "Value": "sk-p2", "Overwrite": true });
    moto.ask("ssm", "AmazonSSM.PutParameter", &put).await;
    for (route, provider, old, new) in [
        ("a", &secrets, "sk-1", "sk-2"),
        ("b", &parameters, "sk-p1", "sk-p2"),
    ] {
        provider.accept(new);
        provider.revoke(old);
        let answer = gateway.chat(&to(route)).await;
        assert_eq!(answer.status, 200, "{route}: {}", answer.text());
        assert_eq!(gateway.audit(answer.id()).await.classes(), ["auth", "ok"]);
    }
    assert!(!gateway.log().contains("secret-canary"));
}
