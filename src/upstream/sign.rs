//! The provider's key, put on a request: the one place that exposes it.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::snapshot::Kind;

/// Sets the header by which a provider of this kind knows us.
pub(super) fn sign(headers: &mut HeaderMap, kind: &Kind, secret: &Secret) {
    let (name, text) = match kind {
        Kind::OpenAi | Kind::OpenAiCompatible | Kind::Vertex { .. } | Kind::Bedrock { .. } => (
            AUTHORIZATION,
            Zeroizing::new(format!("Bearer {}", secret.expose())),
        ),
        Kind::AzureV1 | Kind::AzureDeployments { .. } => (
            HeaderName::from_static("api-key"),
            Zeroizing::new(secret.expose().to_owned()),
        ),
        Kind::Anthropic => (
            HeaderName::from_static("x-api-key"),
            Zeroizing::new(secret.expose().to_owned()),
        ),
        Kind::Gemini => (
            HeaderName::from_static("x-goog-api-key"),
            Zeroizing::new(secret.expose().to_owned()),
        ),
    };
    // A secret is visible ASCII by its construction, which every header value may be.
    if let Ok(mut value) = HeaderValue::from_str(&text) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}

/// Whether `value` gives the secret away.
pub(super) fn leaks(value: &HeaderValue, secret: &Secret) -> bool {
    memchr::memmem::find(value.as_bytes(), secret.expose().as_bytes()).is_some()
}
