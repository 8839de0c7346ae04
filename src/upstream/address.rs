//! The URL of one request, from the configuration and the caller's path.
//!
//! Azure's forms: <https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle> (read 2026-11).

use std::fmt::Write as _;

use http::Uri;

use crate::chat::Surface;
use crate::snapshot::{Kind, Provider, Target};

/// Where a request of `surface` goes at `target`.
///
/// # Errors
/// When a model's name cannot stand in a URL.
pub(super) fn of(target: &Target, surface: Surface) -> Result<Uri, http::Error> {
    let path = match surface {
        Surface::Chat => "/chat/completions",
        Surface::Completions => "/completions",
        Surface::Embeddings => "/embeddings",
        Surface::Responses => "/responses",
        Surface::Messages => "/messages",
        Surface::CountTokens => "/messages/count_tokens",
        Surface::Models | Surface::Passthrough => "/models",
    };
    let base = &target.provider.base_url;
    match &target.provider.kind {
        Kind::OpenAi
        | Kind::OpenAiCompatible
        | Kind::AzureV1
        | Kind::Anthropic
        | Kind::Gemini
        | Kind::Vertex { .. }
        | Kind::Bedrock { .. } => base.join(path),
        Kind::AzureDeployments { api_version } => base.join(&format!(
            "/openai/deployments/{}{path}?api-version={api_version}",
            segment(&target.model)
        )),
    }
}

/// Where a pass-through path goes: `path` is what followed `/v1`, with its query if there was one.
///
/// # Errors
/// When the path cannot stand in a URL.
pub(super) fn passed(
    provider: &Provider,
    path: &str,
    query: Option<&str>,
) -> Result<Uri, http::Error> {
    let mut query = query.map_or_else(String::new, |query| format!("?{query}"));
    let prefix = match &provider.kind {
        Kind::OpenAi
        | Kind::OpenAiCompatible
        | Kind::AzureV1
        | Kind::Anthropic
        | Kind::Gemini
        | Kind::Vertex { .. }
        | Kind::Bedrock { .. } => "",
        Kind::AzureDeployments { api_version } => {
            let joint = if query.is_empty() { '?' } else { '&' };
            query = format!("{query}{joint}api-version={api_version}");
            "/openai"
        }
    };
    provider.base_url.join(&format!("{prefix}{path}{query}"))
}

/// `text` as one path segment: everything but unreserved characters percent-encoded.
fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::snapshot::BaseUrl;

    fn target(kind: Kind, base: &str) -> Target {
        let base_url = BaseUrl::try_new(base).unwrap();
        let provider = Provider {
            name: "p".into(),
            kind,
            base_url,
            secret: None,
            ca: None,
            headers: http::HeaderMap::new(),
            responses: true,
        };
        Target {
            id: "p/m".into(),
            provider: Arc::new(provider),
            model: "a b/c".into(),
            context: None,
            stream_usage: true,
        }
    }

    #[test]
    fn each_kind_has_its_form() {
        let classic = Kind::AzureDeployments {
            api_version: "2024-10-21".into(),
        };
        for (kind, base, chat, files) in [
            (
                Kind::OpenAi,
                "https://api.openai.com/v1",
                "https://api.openai.com/v1/chat/completions",
                "https://api.openai.com/v1/files?limit=2",
            ),
            (
                Kind::AzureV1,
                "https://x.openai.azure.com/openai/v1",
                "https://x.openai.azure.com/openai/v1/chat/completions",
                "https://x.openai.azure.com/openai/v1/files?limit=2",
            ),
            (
                classic,
                "https://x.openai.azure.com",
                "https://x.openai.azure.com/openai/deployments/a%20b%2Fc/chat/completions?api-version=2024-10-21",
                "https://x.openai.azure.com/openai/files?limit=2&api-version=2024-10-21",
            ),
        ] {
            let target = target(kind, base);
            assert_eq!(of(&target, Surface::Chat).unwrap(), chat);
            assert_eq!(
                passed(&target.provider, "/files", Some("limit=2")).unwrap(),
                files
            );
        }
    }
}
