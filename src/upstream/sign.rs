//! A credential, put on a request: the place that exposes it.
//!
//! Pure: the time is an argument. Who gets which header: OpenAI, Azure, Anthropic
//! <https://platform.claude.com/docs/en/api/overview>, Gemini <https://ai.google.dev/api>, Vertex,
//! and Bedrock with AWS's Signature Version 4
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
//! (read 2026-11).

use std::time::SystemTime;

use aws_credential_types::Credentials as SigningKeys;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use ring::digest;
use zeroize::Zeroizing;

use super::body::Outgoing;
use super::credentials::{AwsKeys, Credential};
use crate::outcome::{Class, Failure};
use crate::secret::Secret;
use crate::snapshot::{Kind, Provider};

/// Puts on `request`, whose body is final, the provider's own headers where it has none of their
/// names, and `credential`.
///
/// # Errors
/// When it cannot be signed.
pub(super) fn sign(
    request: &mut Request<Outgoing>,
    provider: &Provider,
    credential: &Credential,
    now: SystemTime,
) -> Result<(), Failure> {
    for (name, value) in &provider.headers {
        request
            .headers_mut()
            .entry(name)
            .or_insert_with(|| value.clone());
    }
    match credential {
        Credential::None => {}
        Credential::Key(secret) => key(request.headers_mut(), &provider.kind, secret),
        Credential::Bearer(token) => bearer(request.headers_mut(), token),
        Credential::Aws(keys) => {
            let Kind::Bedrock { region } = &provider.kind else {
                let reason = "only Bedrock is asked with AWS's keys";
                return Err(Failure::new(Class::Auth, reason));
            };
            let mut headers = std::mem::take(request.headers_mut());
            let to_sign = ToSign {
                service: "bedrock",
                region,
                method: request.method(),
                uri: request.uri(),
                body: request.body().pieces(),
            };
            let signed = aws(&mut headers, &to_sign, keys, now);
            *request.headers_mut() = headers;
            signed?;
        }
    }
    Ok(())
}

fn key(headers: &mut HeaderMap, kind: &Kind, secret: &Secret) {
    let name = match kind {
        Kind::OpenAi | Kind::OpenAiCompatible | Kind::Vertex { .. } | Kind::Bedrock { .. } => {
            return bearer(headers, secret);
        }
        Kind::AzureV1 | Kind::AzureDeployments { .. } => HeaderName::from_static("api-key"),
        Kind::Anthropic => HeaderName::from_static("x-api-key"),
        Kind::Gemini => HeaderName::from_static("x-goog-api-key"),
    };
    self::secret(headers, name, secret);
}

/// A secret alone, under this name.
pub(super) fn secret(headers: &mut HeaderMap, name: HeaderName, secret: &Secret) {
    insert(headers, name, secret.expose());
}

pub(super) fn bearer(headers: &mut HeaderMap, token: &Secret) {
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    insert(headers, AUTHORIZATION, &text);
}

fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    // A secret is visible ASCII by its construction, which every header value may be.
    if let Ok(mut value) = HeaderValue::from_str(text) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}

/// What AWS's signature covers, beside the headers.
#[derive(Debug)]
pub(crate) struct ToSign<'a> {
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    /// All of its bytes, in pieces.
    pub(crate) body: &'a [Bytes],
}

/// What a service of AWS is asked for, where the path does not say it.
pub(crate) const AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// The domain of the services in a region: China has one of its own.
pub(crate) fn suffix(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    }
}

/// Adds the headers of AWS's Signature Version 4. Of those that are there only `content-type` and
/// `x-amz-target` are covered: what lies between may add and change others. The path is encoded once
/// more for the signature than on the wire, for every service but S3, which is told the body's digest
/// instead.
///
/// # Errors
/// When the request cannot be signed.
pub(crate) fn aws(
    headers: &mut HeaderMap,
    to_sign: &ToSign<'_>,
    keys: &AwsKeys,
    now: SystemTime,
) -> Result<(), Failure> {
    let unsigned = || Failure::new(Class::Auth, "the request cannot be signed");
    let identity = SigningKeys::new(
        keys.id.expose(),
        keys.secret.expose(),
        keys.session.as_ref().map(|it| it.expose().to_owned()),
        None,
        "pillion",
    )
    .into();
    let mut settings = SigningSettings::default();
    if to_sign.service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(to_sign.region)
        .name(to_sign.service)
        .time(now)
        .settings(settings)
        .build()
        .map_err(|_| unsigned())?
        .into();
    let covered = [CONTENT_TYPE, AMZ_TARGET].map(|name| {
        let value = headers.get(&name).and_then(|value| value.to_str().ok());
        value.map(|value| (name, value))
    });
    let covered = covered.iter().flatten();
    let covered = covered.map(|(name, value)| (name.as_str(), *value));
    let signable = SignableRequest::new(
        to_sign.method.as_str(),
        to_sign.uri.to_string(),
        covered,
        SignableBody::Precomputed(sha256(to_sign.body)),
    )
    .map_err(|_| unsigned())?;
    let signed = aws_sigv4::http_request::sign(signable, &params).map_err(|_| unsigned())?;
    for (name, value) in signed.output().headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsigned())?;
        insert(headers, name, value);
    }
    Ok(())
}

fn sha256(pieces: &[Bytes]) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    for piece in pieces {
        hash.update(piece);
    }
    let mut digits = String::with_capacity(64);
    for byte in hash.finish().as_ref() {
        for half in [byte >> 4, byte & 0xf] {
            digits.extend(char::from_digit(half.into(), 16));
        }
    }
    digits
}

/// Whether `value` gives a part of the credential away.
pub(super) fn leaks(value: &HeaderValue, credential: &Credential) -> bool {
    credential
        .secrets()
        .any(|secret| memchr::memmem::find(value.as_bytes(), secret.expose().as_bytes()).is_some())
}

/// Takes the credential out of what a provider says of a request: it may have quoted it.
pub(super) fn hide(mut failure: Failure, credential: &Credential) -> Failure {
    if let Some(said) = &mut failure.said {
        let fields = [
            Some(&mut said.message),
            said.kind.as_mut(),
            said.param.as_mut(),
            said.code.as_mut(),
        ];
        for field in fields.into_iter().flatten() {
            for secret in credential.secrets() {
                if field.contains(secret.expose()) {
                    *field = field.replace(secret.expose(), "[redacted]");
                }
            }
        }
    }
    failure
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::outcome::Said;
    use std::time::Duration;

    use super::*;
    use crate::dialect::openai::Pieces;
    use crate::snapshot::BaseUrl;

    fn secret(text: &str) -> Arc<Secret> {
        Arc::new(Secret::try_new(text.as_bytes()).unwrap())
    }

    fn own(text: &str) -> Secret {
        Secret::try_new(text.as_bytes()).unwrap()
    }

    /// 2015-08-30 12:36:00 UTC, as in AWS's test suite.
    fn then() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_mins(24_015_636)
    }

    fn keys(session: Option<&str>) -> AwsKeys {
        AwsKeys {
            id: own("AKIDEXAMPLE"),
            secret: own("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session: session.map(own),
        }
    }

    fn provider(kind: Kind) -> Provider {
        let own = [("x-team", "chat"), ("anthropic-version", "2023-06-01")];
        let own = own.map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        Provider {
            name: "p".into(),
            kind,
            base_url: BaseUrl::try_new("http://127.0.0.1:1").unwrap(),
            secret: None,
            ca: None,
            headers: own.into_iter().collect(),
            responses: false,
            capacity: crate::health::Capacity::default(),
            residency: Vec::new(),
        }
    }

    fn request(url: &str, body: &[&'static str]) -> Request<Outgoing> {
        let pieces: Pieces = body
            .iter()
            .map(|it| Bytes::from_static(it.as_bytes()))
            .collect();
        let mut request = Request::new(Outgoing::from(pieces));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.parse().unwrap();
        let kind = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        request
    }

    #[test]
    fn each_kind_knows_us_by_its_own_header() {
        let azure = Kind::AzureDeployments {
            api_version: "2024-10-21".into(),
        };
        let vertex = Kind::Vertex {
            project: "p".into(),
            location: "global".into(),
        };
        let bedrock = Kind::Bedrock {
            region: "eu-central-1".into(),
        };
        let (key, bearer) = (
            Credential::Key(secret("k")),
            Credential::Bearer(secret("k")),
        );
        for (kind, credential, name, value) in [
            (Kind::OpenAi, &key, "authorization", "Bearer k"),
            (Kind::OpenAiCompatible, &key, "authorization", "Bearer k"),
            (Kind::AzureV1, &key, "api-key", "k"),
            (azure, &key, "api-key", "k"),
            (Kind::Anthropic, &key, "x-api-key", "k"),
            (Kind::Gemini, &key, "x-goog-api-key", "k"),
            (vertex, &bearer, "authorization", "Bearer k"),
            (bedrock, &bearer, "authorization", "Bearer k"),
        ] {
            let mut request = request("http://h/", &[]);
            sign(&mut request, &provider(kind.clone()), credential, then()).unwrap();
            let headers = request.headers();
            assert_eq!(headers[name], value, "{kind:?}");
            assert!(headers[name].is_sensitive(), "{kind:?}");
            assert_eq!(headers.len(), 4, "{kind:?}: {headers:?}");
        }
        let mut bare = request("http://h/", &[]);
        sign(
            &mut bare,
            &provider(Kind::OpenAiCompatible),
            &Credential::None,
            then(),
        )
        .unwrap();
        assert_eq!(bare.headers().len(), 3);
    }

    #[test]
    fn a_providers_own_headers_never_replace_any() {
        let mut request = request("http://h/", &[]);
        let newer = HeaderValue::from_static("2026-10-21");
        request.headers_mut().insert("anthropic-version", newer);
        let key = Credential::Key(secret("k"));
        sign(&mut request, &provider(Kind::Anthropic), &key, then()).unwrap();
        assert_eq!(request.headers()["anthropic-version"], "2026-10-21");
        assert_eq!(request.headers()["x-team"], "chat");
    }

    #[test]
    fn aws_keys_sign_for_bedrock_alone() {
        let credential = Credential::Aws(Arc::new(keys(None)));
        let mut request = request("http://h/", &[]);
        let refused = sign(&mut request, &provider(Kind::OpenAi), &credential, then());
        assert_eq!(refused.unwrap_err().class, Class::Auth);
        assert!(request.headers().get(AUTHORIZATION).is_none());
    }

    /// `get-vanilla` of AWS's own test suite for Signature Version 4.
    #[test]
    fn a_signature_is_that_of_awss_test_suite() {
        let to_sign = ToSign {
            service: "service",
            region: "us-east-1",
            method: &Method::GET,
            uri: &Uri::from_static("https://example.amazonaws.com/"),
            body: &[],
        };
        let mut headers = HeaderMap::new();
        aws(&mut headers, &to_sign, &keys(None), then()).unwrap();
        assert_eq!(headers["x-amz-date"], "20150830T123600Z");
        assert_eq!(
            headers[AUTHORIZATION],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }

    /// As botocore 1.43 signs the same request.
    #[test]
    fn what_a_service_is_asked_for_is_signed() {
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-amz-json-1.1");
        headers.insert(CONTENT_TYPE, kind);
        let target = HeaderValue::from_static("secretsmanager.GetSecretValue");
        headers.insert(AMZ_TARGET, target);
        let to_sign = ToSign {
            service: "secretsmanager",
            region: "eu-central-1",
            method: &Method::POST,
            uri: &Uri::from_static("https://secretsmanager.eu-central-1.amazonaws.com/"),
            body: &[Bytes::from_static(b"{\"SecretId\":\"llm/openai\"}")],
        };
        aws(&mut headers, &to_sign, &keys(None), then()).unwrap();
        assert_eq!(
            headers[AUTHORIZATION],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/secretsmanager/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
             Signature=5c372beace8332b057b25249f2a93c6c9a5032d1f7a69e205fff4c93ad7c062d"
        );
    }

    /// `GET Bucket Lifecycle` of S3's own page on signatures
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, read 2026-11).
    #[test]
    fn a_signature_for_s3_is_that_of_its_page() {
        let to_sign = ToSign {
            service: "s3",
            region: "us-east-1",
            method: &Method::GET,
            uri: &Uri::from_static("https://examplebucket.s3.amazonaws.com/?lifecycle"),
            body: &[],
        };
        let keys = AwsKeys {
            id: own("AKIAIOSFODNN7EXAMPLE"),
            secret: own("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            session: None,
        };
        // 2013-05-24 00:00:00 UTC.
        let then = SystemTime::UNIX_EPOCH + Duration::from_hours(380_376);
        let mut headers = HeaderMap::new();
        aws(&mut headers, &to_sign, &keys, then).unwrap();
        assert_eq!(
            headers["x-amz-content-sha256"],
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            headers[AUTHORIZATION],
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
             Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
    }

    /// Reckoned by hand from the specification, with the path encoded once more.
    #[test]
    fn a_path_is_signed_as_it_is_sent_and_encoded_once_more() {
        const NAMED: &str = "/model/anthropic.claude-3-haiku-20240307-v1:0/converse";
        const ARN: &str = "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Aapplication-inference-profile%2Fabc/converse-stream";
        for (path, session, signature) in [
            (
                NAMED,
                None,
                "36b9a6a794609351d746ff12e27d3b76287cc45adcb9679415d88367ae12e663",
            ),
            (
                NAMED,
                Some("the/session+token=="),
                "14548f46b3a686ccc8881ea5a217f7201469de6be40717a83bd03f759d92cd68",
            ),
            (
                ARN,
                None,
                "e175fb35ee1db9143751a49d2dfc1180d84524e38af99bbacbd1d950368deb23",
            ),
            (
                ARN,
                Some("the/session+token=="),
                "6681094669750c7bbede076ba0347f55a4ff750d0e622e23477e61d26763ef45",
            ),
        ] {
            let url = format!("https://bedrock-runtime.eu-central-1.amazonaws.com{path}");
            // Two pieces are one body.
            let mut request = request(&url, &["{\"messages\":", "", "[]}"]);
            request
                .headers_mut()
                .insert("traceparent", HeaderValue::from_static("00-a-b-01"));
            let kind = Kind::Bedrock {
                region: "eu-central-1".into(),
            };
            let credential = Credential::Aws(Arc::new(keys(session)));
            sign(&mut request, &provider(kind), &credential, then()).unwrap();
            assert_eq!(request.uri().path(), path);
            let headers = request.headers();
            let token = headers.get("x-amz-security-token");
            assert_eq!(token.map(|it| it.to_str().unwrap()), session);
            let signed = if session.is_some() {
                "content-type;host;x-amz-date;x-amz-security-token"
            } else {
                "content-type;host;x-amz-date"
            };
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/bedrock/aws4_request, \
                 SignedHeaders={signed}, Signature={signature}"
            );
            assert_eq!(headers[AUTHORIZATION], expected, "{path}");
        }
    }

    #[test]
    fn a_header_that_gives_a_part_of_the_credential_away_is_known() {
        let credential = Credential::Aws(Arc::new(keys(Some("session-canary"))));
        for (value, leak) in [
            ("x session-canary y", true),
            ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", true),
            ("AKIDEXAMPLE", false),
        ] {
            assert_eq!(leaks(&HeaderValue::from_static(value), &credential), leak);
        }
    }

    #[test]
    fn what_a_provider_quotes_of_the_credential_is_not_passed_on() {
        let secret = Secret::try_new(b"correct-horse").unwrap();
        let credential = Credential::Key(Arc::new(secret));
        let mut failure = Failure::new(Class::InvalidRequest, "400");
        failure.said = Some(Box::new(Said {
            message: "bad key correct-horse, really correct-horse".into(),
            code: Some("correct-horse".into()),
            ..Said::default()
        }));
        let said = hide(failure, &credential).said.unwrap();
        assert_eq!(said.message, "bad key [redacted], really [redacted]");
        assert_eq!(said.code.as_deref(), Some("[redacted]"));
    }
}
