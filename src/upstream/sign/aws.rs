//! AWS's Signature Version 4
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html> (read
//! 2026-11). Pure: the time is an argument.

use std::time::SystemTime;

use aws_credential_types::Credentials as SigningKeys;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use http::{Method, Uri};
use ring::digest;

use crate::outcome::{Class, Failure};
use crate::upstream::credentials::AwsKeys;
use crate::upstream::errand::Errand;

/// What AWS's signature covers, beside the headers.
#[derive(Debug)]
pub(super) struct ToSign<'a> {
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    /// All of its bytes, in pieces.
    pub(super) body: &'a [Bytes],
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

/// Signs a call of our own to a service.
///
/// # Errors
/// Its address is none, or it cannot be signed.
pub(in crate::upstream) fn errand(
    errand: &mut Errand<'_>,
    service: &str,
    region: &str,
    keys: &AwsKeys,
    now: SystemTime,
) -> Result<(), Failure> {
    let not_a_url = |_| Failure::new(Class::Connect, "the address is no URL");
    let to_sign = ToSign {
        service,
        region,
        method: &errand.method,
        uri: &errand.uri().map_err(not_a_url)?,
        body: std::slice::from_ref(&errand.body),
    };
    aws(&mut errand.headers, &to_sign, keys, now)
}

/// Adds the headers of AWS's Signature Version 4. Of those that are there only `content-type` and
/// `x-amz-target` are covered: what lies between may add and change others. The path is encoded once
/// more for the signature than on the wire, for every service but S3, which is told the body's digest
/// instead.
///
/// # Errors
/// When the request cannot be signed.
pub(super) fn aws(
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
        super::insert(headers, name, value);
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

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;
    use crate::secret::Secret;

    fn own(text: &str) -> Secret {
        Secret::try_new(text.as_bytes()).unwrap()
    }

    /// 2015-08-30 12:36:00 UTC, as in AWS's test suite.
    pub(in crate::upstream::sign) fn then() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_mins(24_015_636)
    }

    pub(in crate::upstream::sign) fn keys(session: Option<&str>) -> AwsKeys {
        AwsKeys {
            id: own("AKIDEXAMPLE"),
            secret: own("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session: session.map(own),
        }
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
}
