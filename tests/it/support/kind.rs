//! Every kind of provider, as a configuration has it.

use super::wire::Wire;
use super::{Config, Surface, Upstream};

/// A provider and a model of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Chat completions alone.
    Compatible,
    /// With Responses of its own.
    OpenAi,
    Anthropic,
    Gemini,
    Vertex,
    /// Claude there.
    VertexClaude,
    Bedrock,
    BedrockClaude,
}

pub(crate) const KINDS: [Kind; 8] = [
    Kind::Compatible,
    Kind::OpenAi,
    Kind::Anthropic,
    Kind::Gemini,
    Kind::Vertex,
    Kind::VertexClaude,
    Kind::Bedrock,
    Kind::BedrockClaude,
];

impl Kind {
    pub(crate) fn model(self) -> &'static str {
        match self {
            Self::Compatible => "qwen3-32b",
            Self::OpenAi => "gpt-5-mini",
            Self::Anthropic => "claude-haiku-4-5",
            Self::Gemini | Self::Vertex => "gemini-2.5-flash",
            Self::VertexClaude => "claude-haiku-4-5@20251001",
            Self::Bedrock => "amazon.nova-lite-v1:0",
            Self::BedrockClaude => "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
        }
    }

    /// Its name as a provider, and a target of it.
    pub(crate) fn target(self, name: &str) -> String {
        format!("{name}/{}", self.model())
    }

    /// What it is asked in by callers of `surface`.
    pub(crate) fn wire(self, surface: Surface) -> Wire {
        match self {
            Self::OpenAi if surface == Surface::Responses => Wire::Responses,
            Self::Compatible | Self::OpenAi => Wire::Chat,
            Self::Anthropic | Self::VertexClaude => Wire::Anthropic,
            Self::Gemini | Self::Vertex => Wire::Gemini,
            Self::BedrockClaude if surface == Surface::Messages => Wire::Invoke,
            Self::Bedrock | Self::BedrockClaude => Wire::Converse,
        }
    }

    /// Whether it speaks what callers of `surface` speak.
    pub(crate) fn speaks(self, surface: Surface) -> bool {
        match self.wire(surface) {
            Wire::Chat => surface == Surface::Chat,
            Wire::Responses => surface == Surface::Responses,
            Wire::Anthropic | Wire::Invoke => surface == Surface::Messages,
            Wire::Gemini | Wire::Converse => false,
        }
    }

    /// All of the provider's keys.
    fn keys(self, upstream: &Upstream) -> String {
        let root = upstream.root_url();
        let secret = "secret: \"file:$FOLDER/secret\"";
        match self {
            Self::Compatible => format!("kind: openai-compatible, base_url: \"{root}/v1\""),
            Self::OpenAi => format!("kind: openai, {secret}, base_url: \"{root}/v1\""),
            Self::Anthropic => format!("kind: anthropic, {secret}, base_url: \"{root}/v1\""),
            Self::Gemini => format!("kind: gemini, {secret}, base_url: \"{root}/v1beta\""),
            Self::Vertex | Self::VertexClaude => format!(
                "kind: vertex, project: p, location: europe-west4, {secret}, base_url: \"{root}/v1\""
            ),
            Self::Bedrock | Self::BedrockClaude => {
                format!("kind: bedrock, region: eu-central-1, {secret}, base_url: \"{root}\"")
            }
        }
    }
}

impl Config {
    /// One more provider of this kind, without a target of the route.
    pub(crate) fn kind_alone(self, name: &str, kind: Kind, upstream: &Upstream) -> Self {
        self.file("secret", "secret-canary\n")
            .keys_of(name, &kind.keys(upstream))
    }

    /// One more provider of this kind, and its model as the route's next target.
    pub(crate) fn kind(self, name: &str, kind: Kind, upstream: &Upstream) -> Self {
        self.kind_alone(name, kind, upstream)
            .target(&kind.target(name))
    }
}
