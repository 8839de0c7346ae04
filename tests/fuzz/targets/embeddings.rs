//! Embeddings at targets of other dialects. The first line is the caller's request, the others are
//! what the target answers to each body: what is written is JSON, with a vector for each input.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use pillion::chat::embedding;
use pillion::dialect::Dialect;
use pillion::dialect::embed::Embedder;
use pillion::dialect::request::Cloud;
use pillion_fuzz::within;
use serde::de::IgnoredAny;
use serde_json::Value;

const TARGETS: [(Dialect, Cloud, &str); 4] = [
    (Dialect::Gemini, Cloud::None, "gemini-embedding-001"),
    (Dialect::Gemini, Cloud::Vertex, "gemini-embedding-001"),
    (
        Dialect::Converse,
        Cloud::Bedrock,
        "amazon.titan-embed-text-v2:0",
    ),
    (Dialect::Converse, Cloud::Bedrock, "cohere.embed-v4:0"),
];

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|&byte| byte == b'\n');
    let Some(Ok(request)) = lines.next().map(std::str::from_utf8) else {
        return;
    };
    let Ok(request) = embedding::read(request) else {
        return;
    };
    let answers: Vec<Bytes> = lines.map(Bytes::copy_from_slice).collect();
    for (dialect, cloud, model) in TARGETS {
        let embedder = Embedder::of(dialect, cloud, model).expect("it makes vectors");
        within(data.len(), 512, || {
            let told = embedder.bodies(&request, model);
            if let Ok((bodies, _)) = &told {
                for body in bodies {
                    let read = serde_json::from_slice::<IgnoredAny>(body);
                    assert!(read.is_ok(), "{}", String::from_utf8_lossy(body));
                }
            }
            assert_eq!(told, embedder.bodies(&request, model));
        });
        let answer = within(data.len(), 512, || {
            embedder.answer(&answers, &request, "route")
        });
        if let Ok((list, _)) = answer {
            let list: Value = serde_json::from_slice(&list).expect("the list is JSON");
            let vectors = list["data"].as_array().map_or(0, Vec::len);
            assert_eq!(vectors, request.inputs.len());
        }
    }
});
