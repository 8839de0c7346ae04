//! Plain answers of every dialect, for callers of every surface, of streams as well: what is shown is
//! JSON, or frames.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pillion::chat::Surface;
use pillion::dialect::Dialect;
use pillion::dialect::request::Cloud;
use pillion_fuzz::{frames, shown, within};
use serde::de::IgnoredAny;

const DIALECTS: [(Dialect, Cloud); 6] = [
    (Dialect::OpenAi, Cloud::None),
    (Dialect::Responses, Cloud::None),
    (Dialect::Anthropic, Cloud::None),
    (Dialect::AnthropicInCloud, Cloud::Bedrock),
    (Dialect::Gemini, Cloud::None),
    (Dialect::Converse, Cloud::Bedrock),
];

const SURFACES: [Surface; 5] = [
    Surface::Chat,
    Surface::Completions,
    Surface::Embeddings,
    Surface::Responses,
    Surface::Messages,
];

/// Whether callers of `surface` get answers of `dialect`.
fn is_served(surface: Surface, dialect: Dialect) -> bool {
    match surface {
        Surface::Chat | Surface::Messages => dialect != Dialect::Responses,
        Surface::Completions | Surface::Embeddings => dialect == Dialect::OpenAi,
        _ => true,
    }
}

fuzz_target!(|data: &[u8]| {
    let body = bytes::Bytes::copy_from_slice(data);
    for surface in SURFACES {
        for (dialect, cloud) in DIALECTS {
            if is_served(surface, dialect) {
                for stream in [false, true] {
                    show(surface, dialect, cloud, stream, &body);
                }
            }
        }
    }
});

fn show(surface: Surface, dialect: Dialect, cloud: Cloud, stream: bool, body: &bytes::Bytes) {
    if stream && surface == Surface::Embeddings {
        return;
    }
    let reader = shown::reader(surface, dialect, cloud);
    let ours = !reader.is_same();
    let request = shown::request(surface, stream);
    let Ok((shown, _)) = within(body.len(), 1024, || reader.whole(&request, body)) else {
        return;
    };
    if stream {
        frames::check(surface, &shown, ours, true);
    } else {
        let read = serde_json::from_slice::<IgnoredAny>(&shown);
        assert!(
            read.is_ok(),
            "{dialect:?}: {}",
            String::from_utf8_lossy(&shown)
        );
    }
}
