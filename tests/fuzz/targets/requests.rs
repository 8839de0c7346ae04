//! Requests of every surface, told to a target of every dialect: what is written is JSON, the same
//! each time, and where nothing is translated still a request, of the target's model.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use pillion::chat::{Request, Surface};
use pillion::dialect::request::{Cloud, Manner, Meaning, encode};
use pillion::dialect::{Dialect, Receiver};
use pillion::facts::{Facts, Families};
use pillion_fuzz::within;
use serde::de::IgnoredAny;

/// A dialect, the cloud it is spoken in, and models whose rules differ.
const TARGETS: [(Dialect, Cloud, &str); 12] = [
    (Dialect::OpenAi, Cloud::None, "gpt-5-mini"),
    (Dialect::OpenAi, Cloud::None, "llama-3.3"),
    (Dialect::Responses, Cloud::None, "gpt-5-mini"),
    (Dialect::Anthropic, Cloud::None, "claude-sonnet-4-5"),
    (Dialect::Anthropic, Cloud::None, "claude-sonnet-5-5"),
    (Dialect::Anthropic, Cloud::None, "claude-opus-4-8"),
    (
        Dialect::AnthropicInCloud,
        Cloud::Vertex,
        "claude-sonnet-4-5",
    ),
    (
        Dialect::AnthropicInCloud,
        Cloud::Bedrock,
        "anthropic.claude-sonnet-4-5",
    ),
    (Dialect::Gemini, Cloud::None, "gemini-2.5-flash"),
    (Dialect::Gemini, Cloud::Vertex, "gemini-3-flash-preview"),
    (
        Dialect::Converse,
        Cloud::Bedrock,
        "anthropic.claude-sonnet-4-5",
    ),
    (Dialect::Converse, Cloud::Bedrock, "mistral.mistral-large"),
];

static FACTS: LazyLock<Vec<Arc<Facts>>> = LazyLock::new(|| {
    let families = Families::built_in();
    TARGETS
        .iter()
        .map(|(_, _, model)| families.of(model))
        .collect()
});

const SURFACES: [Surface; 6] = [
    Surface::Chat,
    Surface::Completions,
    Surface::Embeddings,
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
        for (target, facts) in TARGETS.iter().zip(FACTS.iter()) {
            for newer in [false, true] {
                within(data.len(), 256, || {
                    tell(&request, &meaning, target, facts, newer)
                });
            }
        }
    }
});

fn tell(
    request: &Request,
    meaning: &Meaning,
    (dialect, cloud, model): &(Dialect, Cloud, &str),
    facts: &Facts,
    newer: bool,
) {
    let to = Receiver {
        id: "provider/model",
        model,
        facts,
    };
    let manner = Manner {
        dialect: *dialect,
        cloud: *cloud,
        stream_usage: newer,
        openai: newer,
        version: newer.then_some("2026-10-21"),
        betas: Some("interleaved-thinking-2025-05-14,unheard-of"),
    };
    let Ok((pieces, dropped)) = encode(request, meaning, to, manner) else {
        return;
    };
    let body = pieces.concat();
    let read = serde_json::from_slice::<IgnoredAny>(&body);
    assert!(
        read.is_ok(),
        "{dialect:?}: {}",
        String::from_utf8_lossy(&body)
    );
    let again = encode(request, &Meaning::default(), to, manner);
    let again = again.map(|(pieces, dropped)| (pieces.concat(), dropped));
    assert!(
        again.is_ok_and(|again| again == (body.clone(), dropped)),
        "told otherwise"
    );
    if dialect.is_of(request.surface) && *dialect != Dialect::AnthropicInCloud {
        let read = Request::read(request.surface, body.into());
        assert!(
            read.is_ok_and(|read| read.model == *model),
            "it asks another model"
        );
    }
}
