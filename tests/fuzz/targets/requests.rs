//! Requests of every surface, told to a target of every dialect: what is written is JSON, and what
//! cannot be told is refused.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pillion::chat::{Request, Surface};
use pillion::dialect::request::{Cloud, Manner, Meaning, encode};
use pillion::dialect::{Dialect, Receiver};
use pillion::facts::{Facts, Families};

/// A dialect, the cloud it is spoken in, and models whose rules differ.
const TARGETS: [(Dialect, Cloud, &str); 11] = [
    (Dialect::OpenAi, Cloud::None, "gpt-5-mini"),
    (Dialect::Responses, Cloud::None, "gpt-5-mini"),
    (Dialect::Anthropic, Cloud::None, "claude-sonnet-4-5"),
    (Dialect::Anthropic, Cloud::None, "claude-sonnet-5-5"),
    (Dialect::Anthropic, Cloud::None, "claude-opus-4-8"),
    (Dialect::AnthropicInCloud, Cloud::Vertex, "claude-sonnet-4-5"),
    (Dialect::AnthropicInCloud, Cloud::Bedrock, "anthropic.claude-sonnet-4-5"),
    (Dialect::Gemini, Cloud::None, "gemini-2.5-flash"),
    (Dialect::Gemini, Cloud::Vertex, "gemini-3-flash-preview"),
    (Dialect::Converse, Cloud::Bedrock, "anthropic.claude-sonnet-4-5"),
    (Dialect::Converse, Cloud::Bedrock, "mistral.mistral-large"),
];

static FACTS: LazyLock<Vec<std::sync::Arc<Facts>>> = LazyLock::new(|| {
    let families = Families::built_in();
    TARGETS.iter().map(|(_, _, model)| families.of(model)).collect()
});

const SURFACES: [Surface; 4] = [
    Surface::Chat,
    Surface::Responses,
    Surface::Messages,
    Surface::CountTokens,
];

fuzz_target!(|data: &[u8]| {
    for surface in SURFACES {
        let Ok(request) = Request::read(surface, data.to_vec().into()) else {
            continue;
        };
        let meaning = Meaning::default();
        for ((dialect, cloud, model), facts) in TARGETS.iter().zip(FACTS.iter()) {
            let to = Receiver {
                id: "provider/model",
                model,
                facts,
            };
            let manner = Manner {
                dialect: *dialect,
                cloud: *cloud,
                stream_usage: true,
                newer_names: true,
                version: None,
                betas: Some("a,b"),
            };
            if let Ok((pieces, _)) = encode(&request, &meaning, to, manner) {
                let body = pieces.concat();
                let read = serde_json::from_slice::<serde::de::IgnoredAny>(&body);
                assert!(read.is_ok(), "{dialect:?}: {}", String::from_utf8_lossy(&body));
            }
        }
    }
});
