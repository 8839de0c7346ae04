//! AWS Secrets Manager, and the Parameter Store of Systems Manager.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>,
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html> (read
//! 2026-11). JSON in version 1.1 of AWS's protocol, with the keys of the standard chain. What is asked
//! for is `AWSCURRENT`, and the newest version of a parameter, decrypted.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::ask::{self, ANSWER, LONGEST, Wiped};
use crate::outcome::Class;
use crate::secret::{Ambient, Asking, AwsPlace, Found, SecretError, Store};
use crate::upstream::{AMZ_TARGET, AwsSigner, Channel, Credentials, Errand, aws_suffix};

/// Keys that are good no more: others are fetched, beside a reading that is tried again anyway.
const NOT_OURS: [&str; 4] = [
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "InvalidClientTokenId",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    SecretsManager,
    ParameterStore,
}

impl Service {
    /// As it is called in addresses and signatures.
    fn name(self) -> &'static str {
        match self {
            Self::SecretsManager => "secretsmanager",
            Self::ParameterStore => "ssm",
        }
    }

    fn target(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::SecretsManager => "secretsmanager.GetSecretValue",
            Self::ParameterStore => "AmazonSSM.GetParameter",
        })
    }

    /// The variable that names another endpoint.
    fn variable(self) -> &'static str {
        match self {
            Self::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            Self::ParameterStore => "AWS_ENDPOINT_URL_SSM",
        }
    }

    fn question(self, path: &str) -> Vec<u8> {
        let question = match self {
            Self::SecretsManager => json!({ "SecretId": path }),
            Self::ParameterStore => json!({ "Name": path, "WithDecryption": true }),
        };
        question.to_string().into_bytes()
    }

    fn read(self, answer: &Wiped) -> Result<Found, SecretError> {
        let found = match self {
            Self::SecretsManager => secret(answer.bytes()),
            Self::ParameterStore => parameter(answer.bytes()),
        };
        found.ok_or_else(|| ask::away("the store answered what is no secret"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue<'a> {
    #[serde(borrow)]
    version_id: Cow<'a, str>,
    #[serde(borrow)]
    secret_string: Option<Cow<'a, str>>,
    /// In base64.
    #[serde(borrow)]
    secret_binary: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GotParameter<'a> {
    #[serde(borrow)]
    parameter: Parameter<'a>,
}

/// One that was deleted and written anew begins at version 1 again.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter<'a> {
    #[serde(borrow)]
    value: Cow<'a, str>,
    version: u64,
    #[serde(borrow)]
    last_modified_date: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(rename = "__type", borrow)]
    kind: Cow<'a, str>,
}

pub(super) struct Aws {
    service: Service,
    /// Absent where nothing says in which region.
    way: Option<Way>,
}

/// Where the service is, and how it is asked.
struct Way {
    url: String,
    signer: AwsSigner,
    channel: Channel,
}

impl Aws {
    /// With a `channel` to its URL.
    pub(super) fn new(
        service: Service,
        place: &AwsPlace,
        ambient: &Ambient,
        credentials: &Credentials,
        channel: impl FnOnce(&str) -> Channel,
    ) -> Self {
        let region = place.region.clone();
        let region = region.or_else(|| ambient.aws_region().map(Into::into));
        let own = place.address.as_deref();
        let own = own.map(|url| url.trim_end_matches('/'));
        let endpoint = own.or_else(|| ambient.aws_endpoint(service.variable()));
        let way = region.map(|region: Arc<str>| {
            let name = service.name();
            let url = match endpoint {
                Some(endpoint) => format!("{endpoint}/"),
                None => format!("https://{name}.{region}.{}/", aws_suffix(&region)),
            };
            Way {
                channel: channel(&url),
                signer: AwsSigner::new(credentials.clone(), name, region),
                url,
            }
        });
        Self { service, way }
    }

    async fn found(&self, path: &str) -> Result<Found, SecretError> {
        let way = self.way.as_ref();
        let way = way.ok_or_else(|| ask::away("no region is configured for the store"))?;
        let mut errand = Errand {
            method: Method::POST,
            body: ask::body(Zeroizing::new(self.service.question(path))),
            ..Errand::get(&way.url, LONGEST, ANSWER)
        };
        errand.headers.insert(CONTENT_TYPE, JSON);
        errand.headers.insert(AMZ_TARGET, self.service.target());
        let client = way.channel.client().await;
        let client = client.map_err(|why| ask::unread(&why))?;
        let signed = way.signer.sign(&mut errand).await;
        let signed = signed.map_err(|failure| match failure.class {
            Class::Auth => SecretError::Refused(failure.reason.into()),
            _ => SecretError::Away(failure.reason.into()),
        })?;
        let reply = errand.run(&client).await;
        let reply = reply.map_err(|undone| ask::undone(&undone))?;
        let (status, answer) = (reply.status, Wiped::new(reply.body));
        if status.is_success() {
            return self.service.read(&answer);
        }
        let word = word(answer.bytes());
        if word.is_some_and(|word| NOT_OURS.contains(&word)) {
            way.signer.doubt(&signed);
        }
        Err(match word {
            Some(
                "ResourceNotFoundException" | "ParameterNotFound" | "ParameterVersionNotFound",
            ) => SecretError::Missing,
            // They come with 400, as what is forbidden does.
            Some(word) if word.contains("Throttling") || word == "InternalServiceError" => {
                ask::away(&format!("the store answered {word}"))
            }
            word => ask::refusal(status, word),
        })
    }
}

impl Store for Aws {
    fn read<'a>(&'a self, path: &'a str) -> Asking<'a> {
        Box::pin(self.found(path))
    }
}

fn secret(answer: &[u8]) -> Option<Found> {
    let value: SecretValue = serde_json::from_slice(answer).ok()?;
    let text = match (value.secret_string, value.secret_binary) {
        (Some(text), _) => Zeroizing::new(text.into_owned()),
        (None, Some(binary)) => {
            let bytes = BASE64_STANDARD.decode(binary.as_bytes()).ok()?;
            Zeroizing::new(String::from_utf8(bytes).ok()?)
        }
        (None, None) => return None,
    };
    Some(Found::text((&*value.version_id).into(), text))
}

fn parameter(answer: &[u8]) -> Option<Found> {
    let got: GotParameter = serde_json::from_slice(answer).ok()?;
    let Parameter {
        value,
        version,
        last_modified_date,
    } = got.parameter;
    let modified = last_modified_date.map_or("", RawValue::get);
    let version = format!("{version}@{modified}");
    Some(Found::text(
        version.into(),
        Zeroizing::new(value.into_owned()),
    ))
}

/// The word by which an error is known; its text may repeat what was sent.
fn word(answer: &[u8]) -> Option<&str> {
    let refusal: Refusal = serde_json::from_slice(answer).ok()?;
    let Cow::Borrowed(kind) = refusal.kind else {
        return None;
    };
    let word = kind.rsplit('#').next().unwrap_or(kind);
    let is_word = |b: u8| b.is_ascii_alphanumeric();
    (word.len() <= 60 && word.bytes().all(is_word)).then_some(word)
}

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn read(service: Service, answer: &'static str) -> Option<Arc<str>> {
        let found = service.read(&Wiped::new(Bytes::from_static(answer.as_bytes())));
        found.ok().map(|found| found.version)
    }

    #[test]
    fn a_version_is_known_by_what_never_comes_twice() {
        for (service, answer, version) in [
            (
                Service::SecretsManager,
                r#"{"ARN":"a","Name":"n","VersionId":"v-1","SecretString":"sk-\u0031","VersionStages":["AWSCURRENT"],"CreatedDate":1.5}"#,
                Some("v-1"),
            ),
            (
                Service::SecretsManager,
                r#"{"VersionId":"v-2","SecretBinary":"c2stMQ=="}"#,
                Some("v-2"),
            ),
            (Service::SecretsManager, r#"{"VersionId":"v-3"}"#, None),
            (
                Service::ParameterStore,
                r#"{"Parameter":{"Name":"/n","Type":"SecureString","Value":"sk-1","Version":7,"LastModifiedDate":1764.25}}"#,
                Some("7@1764.25"),
            ),
            (Service::ParameterStore, r#"{"Parameter":{}}"#, None),
            (Service::ParameterStore, "", None),
        ] {
            assert_eq!(read(service, answer).as_deref(), version, "{answer}");
        }
    }

    #[test]
    fn only_the_word_of_an_error_is_read() {
        for (answer, expected) in [
            (
                r#"{"__type":"ResourceNotFoundException","Message":"canary"}"#,
                Some("ResourceNotFoundException"),
            ),
            (
                r#"{"__type":"com.amazonaws.ssm#ParameterNotFound"}"#,
                Some("ParameterNotFound"),
            ),
            (r#"{"__type":"a canary that sings"}"#, None),
            ("canary", None),
        ] {
            assert_eq!(word(answer.as_bytes()), expected, "{answer}");
        }
    }
}
