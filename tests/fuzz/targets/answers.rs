//! Plain answers of every dialect, for callers of every surface: what is shown is JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pillion::chat::{Request, Surface};
use pillion::dialect::answer::Reader;
use pillion::dialect::request::Cloud;
use pillion::dialect::{Dialect, Shown};

const DIALECTS: [(Dialect, Cloud); 7] = [
    (Dialect::OpenAi, Cloud::None),
    (Dialect::Responses, Cloud::None),
    (Dialect::Anthropic, Cloud::None),
    (Dialect::AnthropicInCloud, Cloud::Vertex),
    (Dialect::AnthropicInCloud, Cloud::Bedrock),
    (Dialect::Gemini, Cloud::None),
    (Dialect::Converse, Cloud::Bedrock),
];

fn request(surface: Surface, stream: bool) -> Request {
    let body = format!(r#"{{"model":"route","stream":{stream},"messages":[],"input":"x"}}"#);
    Request::read(surface, body.into()).expect("it is a request")
}

fuzz_target!(|data: &[u8]| {
    let body = bytes::Bytes::copy_from_slice(data);
    for surface in [Surface::Chat, Surface::Responses, Surface::Messages] {
        for (dialect, cloud) in DIALECTS {
            if dialect == Dialect::Responses && surface != Surface::Responses {
                continue;
            }
            for stream in [false, true] {
                let reader = Reader {
                    surface,
                    dialect,
                    cloud,
                    shown: Shown {
                        model: "route".into(),
                        target: "provider/model".into(),
                        created: 1,
                        usage: true,
                        seed: 1,
                    },
                    expose_model: false,
                    names: Vec::new(),
                };
                let shown = reader.whole(&request(surface, stream), &body);
                if let (Ok((shown, _)), false) = (shown, stream) {
                    let read = serde_json::from_slice::<serde::de::IgnoredAny>(&shown);
                    assert!(read.is_ok(), "{dialect:?}: {}", String::from_utf8_lossy(&shown));
                }
            }
        }
    }
});
