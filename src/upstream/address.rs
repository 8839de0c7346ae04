//! The URL of one request, from the configuration and what the target is asked for.
//!
//! Azure's forms: <https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle>. Google's:
//! <https://ai.google.dev/api/generate-content>, <https://docs.cloud.google.com/vertex-ai/docs/reference/rest>.
//! Amazon's: <https://docs.aws.amazon.com/bedrock/latest/APIReference> (all read 2026-11).

use std::fmt::Write as _;

use http::Uri;

use crate::chat::Surface;
use crate::dialect::Dialect;
use crate::snapshot::{Kind, Provider, Target};

/// What a target is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Answer { streamed: bool },
    Count,
    Vectors,
}

/// A model's name that cannot stand in a URL.
#[derive(Debug)]
pub(super) struct Unaddressable;

impl From<http::Error> for Unaddressable {
    fn from(_: http::Error) -> Self {
        Self
    }
}

/// Where a request of `surface`, written in `dialect`, goes at `target`.
///
/// # Errors
/// When a model's name cannot stand in a URL.
pub(super) fn of(
    target: &Target,
    surface: Surface,
    dialect: Dialect,
    ask: Ask,
) -> Result<Uri, Unaddressable> {
    let model = &*target.model;
    let path = match dialect {
        Dialect::OpenAi | Dialect::Responses => return openai(target, surface, dialect),
        Dialect::Anthropic if ask == Ask::Count => "/messages/count_tokens".into(),
        Dialect::Anthropic => "/messages".into(),
        Dialect::AnthropicInCloud | Dialect::Gemini | Dialect::Converse => {
            match &target.provider.kind {
                Kind::Vertex { project, location } => format!(
                    "/projects/{}/locations/{}/{}",
                    segment(project)?,
                    segment(location)?,
                    vertex(model, dialect, ask)?
                ),
                Kind::Bedrock { .. } => bedrock(model, dialect, ask)?,
                Kind::Gemini
                | Kind::Anthropic
                | Kind::OpenAi
                | Kind::OpenAiCompatible
                | Kind::AzureV1
                | Kind::AzureDeployments { .. } => {
                    format!(
                        "/{}{}",
                        gemini(model)?,
                        generating(ask, ":batchEmbedContents")
                    )
                }
            }
        }
    };
    Ok(target.provider.base_url.join(&path)?)
}

fn openai(target: &Target, surface: Surface, dialect: Dialect) -> Result<Uri, Unaddressable> {
    let path = match (dialect, surface) {
        (Dialect::Responses, _) => "/responses",
        (_, Surface::Completions) => "/completions",
        (_, Surface::Embeddings) => "/embeddings",
        _ => "/chat/completions",
    };
    let base = &target.provider.base_url;
    let Kind::AzureDeployments { api_version } = &target.provider.kind else {
        return Ok(base.join(path)?);
    };
    // Responses are the one surface here whose model stays in the body.
    let deployment = match dialect {
        Dialect::Responses => String::new(),
        _ => format!("/deployments/{}", segment(&target.model)?),
    };
    let path = format!("/openai{deployment}{path}?api-version={api_version}");
    Ok(base.join(&path)?)
}

/// Behind the name of a model of Google's.
fn generating(ask: Ask, vectors: &'static str) -> &'static str {
    match ask {
        Ask::Answer { streamed: true } => ":streamGenerateContent?alt=sse",
        Ask::Answer { streamed: false } => ":generateContent",
        Ask::Count => ":countTokens",
        Ask::Vectors => vectors,
    }
}

/// A model of AI Studio: its name alone, or as the API lists it.
fn gemini(model: &str) -> Result<String, Unaddressable> {
    let (list, name) = match model.split_once('/') {
        Some((list @ ("models" | "tunedModels"), name)) => (list, name),
        _ => ("models", model),
    };
    Ok(format!("{list}/{}", segment(name)?))
}

/// A model under a location of Vertex: Google's or Anthropic's by its name alone, an endpoint or
/// another publisher's as the API writes it.
fn vertex(model: &str, dialect: Dialect, ask: Ask) -> Result<String, Unaddressable> {
    if dialect == Dialect::AnthropicInCloud {
        let models = "publishers/anthropic/models";
        return Ok(match ask {
            Ask::Count => format!("{models}/count-tokens:rawPredict"),
            Ask::Answer { streamed: true } => {
                format!("{models}/{}:streamRawPredict", segment(model)?)
            }
            Ask::Answer { streamed: false } | Ask::Vectors => {
                format!("{models}/{}:rawPredict", segment(model)?)
            }
        });
    }
    let place = match model.split('/').collect::<Vec<_>>().as_slice() {
        ["endpoints", id] => format!("endpoints/{}", segment(id)?),
        ["publishers", publisher, "models", name] => {
            format!(
                "publishers/{}/models/{}",
                segment(publisher)?,
                segment(name)?
            )
        }
        _ => format!("publishers/google/models/{}", segment(model)?),
    };
    Ok(format!("{place}{}", generating(ask, ":predict")))
}

/// A model of Bedrock, which may be an ARN: one segment, whatever is in it.
fn bedrock(model: &str, dialect: Dialect, ask: Ask) -> Result<String, Unaddressable> {
    let action = match (dialect, ask) {
        (_, Ask::Count) => "count-tokens",
        (_, Ask::Vectors) | (Dialect::AnthropicInCloud, Ask::Answer { streamed: false }) => {
            "invoke"
        }
        (Dialect::AnthropicInCloud, Ask::Answer { streamed: true }) => {
            "invoke-with-response-stream"
        }
        (_, Ask::Answer { streamed: true }) => "converse-stream",
        (_, Ask::Answer { streamed: false }) => "converse",
    };
    Ok(format!("/model/{}/{action}", segment(model)?))
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
fn segment(text: &str) -> Result<String, Unaddressable> {
    if matches!(text, "" | "." | "..") {
        return Err(Unaddressable);
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Ok(out)
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
            capacity: crate::health::Capacity::default(),
            residency: Vec::new(),
        };
        Target::new("p/m", Arc::new(provider), "a b/c")
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
            let streamed = Ask::Answer { streamed: true };
            let of = |surface, dialect| of(&target, surface, dialect, streamed).unwrap();
            assert_eq!(of(Surface::Chat, Dialect::OpenAi), chat);
            assert_eq!(of(Surface::Messages, Dialect::OpenAi), chat);
            assert_eq!(
                passed(&target.provider, "/files", Some("limit=2")).unwrap(),
                files
            );
        }
    }

    #[test]
    fn every_dialect_has_its_place() {
        let vertex = Kind::Vertex {
            project: "p".into(),
            location: "eu".into(),
        };
        let bedrock = Kind::Bedrock {
            region: "eu-central-1".into(),
        };
        let streamed = Ask::Answer { streamed: true };
        let plain = Ask::Answer { streamed: false };
        let classic = Kind::AzureDeployments {
            api_version: "v".into(),
        };
        for (kind, model, dialect, ask, path) in [
            (
                classic,
                "d",
                Dialect::Responses,
                plain,
                "/openai/responses?api-version=v",
            ),
            (
                Kind::Anthropic,
                "c",
                Dialect::Anthropic,
                streamed,
                "/messages",
            ),
            (
                Kind::Anthropic,
                "c",
                Dialect::Anthropic,
                Ask::Count,
                "/messages/count_tokens",
            ),
            (
                Kind::Gemini,
                "g-2.5",
                Dialect::Gemini,
                streamed,
                "/models/g-2.5:streamGenerateContent?alt=sse",
            ),
            (
                Kind::Gemini,
                "tunedModels/t",
                Dialect::Gemini,
                Ask::Count,
                "/tunedModels/t:countTokens",
            ),
            (
                Kind::Gemini,
                "a/b",
                Dialect::Gemini,
                Ask::Vectors,
                "/models/a%2Fb:batchEmbedContents",
            ),
            (
                vertex.clone(),
                "g",
                Dialect::Gemini,
                streamed,
                "/projects/p/locations/eu/publishers/google/models/g:streamGenerateContent?alt=sse",
            ),
            (
                vertex.clone(),
                "endpoints/7",
                Dialect::Gemini,
                plain,
                "/projects/p/locations/eu/endpoints/7:generateContent",
            ),
            (
                vertex.clone(),
                "publishers/meta/models/l",
                Dialect::Gemini,
                Ask::Vectors,
                "/projects/p/locations/eu/publishers/meta/models/l:predict",
            ),
            (
                vertex.clone(),
                "claude-x@1",
                Dialect::AnthropicInCloud,
                streamed,
                "/projects/p/locations/eu/publishers/anthropic/models/claude-x%401:streamRawPredict",
            ),
            (
                vertex,
                "claude-x@1",
                Dialect::AnthropicInCloud,
                Ask::Count,
                "/projects/p/locations/eu/publishers/anthropic/models/count-tokens:rawPredict",
            ),
            (
                bedrock.clone(),
                "arn:aws:b:::x/y",
                Dialect::Converse,
                streamed,
                "/model/arn%3Aaws%3Ab%3A%3A%3Ax%2Fy/converse-stream",
            ),
            (
                bedrock.clone(),
                "c",
                Dialect::AnthropicInCloud,
                streamed,
                "/model/c/invoke-with-response-stream",
            ),
            (
                bedrock.clone(),
                "c",
                Dialect::AnthropicInCloud,
                plain,
                "/model/c/invoke",
            ),
            (
                bedrock,
                "t",
                Dialect::Converse,
                Ask::Vectors,
                "/model/t/invoke",
            ),
        ] {
            let named = target(kind, "https://h");
            let named = Target::new("p/m", named.provider, model);
            let uri = of(&named, Surface::Chat, dialect, ask).unwrap();
            assert_eq!(uri.path_and_query().unwrap(), path);
        }
    }

    #[test]
    fn a_name_that_would_walk_the_path_is_no_name() {
        for model in ["..", ".", "models/.."] {
            let named = target(Kind::Gemini, "https://h");
            let named = Target::new("p/m", named.provider, model);
            assert!(
                of(&named, Surface::Chat, Dialect::Gemini, Ask::Count).is_err(),
                "{model}"
            );
        }
    }
}
