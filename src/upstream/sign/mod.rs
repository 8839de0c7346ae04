//! A credential, put on a request: the place that exposes it.
//!
//! Pure: the time is an argument. Who gets which header: OpenAI, Azure, Anthropic
//! <https://platform.claude.com/docs/en/api/overview>, Gemini <https://ai.google.dev/api>, Vertex
//! (read 2026-11), and Bedrock with AWS's signature.

mod aws;

use std::time::SystemTime;

use http::Request;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::body::Outgoing;
use super::credentials::Credential;
use crate::outcome::{Class, Failure};
use crate::secret::Secret;
use crate::snapshot::{Kind, Provider};

pub(super) use self::aws::errand;
pub(crate) use self::aws::{AMZ_TARGET, suffix};
use self::aws::{ToSign, aws};

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

    use bytes::Bytes;
    use http::Method;
    use http::header::CONTENT_TYPE;

    use super::aws::tests::{keys, then};
    use super::*;
    use crate::dialect::openai::Pieces;
    use crate::outcome::Said;
    use crate::snapshot::BaseUrl;

    fn secret(text: &str) -> Arc<Secret> {
        Arc::new(Secret::try_new(text.as_bytes()).unwrap())
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
