//! Whole streams and answers through the decoder, cut at every byte.

mod broken;
mod events;
mod plain;
mod read;
mod recordings;
mod show;
mod streams;
mod write;

use super::*;
use crate::outcome::Failure;

fn wanted(usage: bool) -> Wanted {
    Wanted {
        shape: Shape::Chat,
        choices: 1,
        model: Some("mine".into()),
        usage,
        moderation: false,
        seed: 1,
    }
}

/// What comes out of a stream that arrives in these chunks and then ends.
fn decode(wanted: &Wanted, chunks: &[&[u8]]) -> Result<String, Failure> {
    let mut decoder = Decoder::new(wanted.clone());
    chunks.iter().try_for_each(|chunk| decoder.feed(chunk))?;
    decoder.end()?;
    Ok(String::from_utf8(decoder.output()).unwrap())
}

/// The same, checked to be the same wherever the stream is cut.
fn decode_every_way(wanted: &Wanted, stream: &str) -> Result<String, Failure> {
    let bytes = stream.as_bytes();
    let whole = decode(wanted, &[bytes]);
    for cut in 0..=bytes.len() {
        assert_eq!(
            decode(wanted, &[&bytes[..cut], &bytes[cut..]]),
            whole,
            "cut at {cut}"
        );
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(wanted, &single), whole, "byte by byte");
    whole
}

/// A frame of one choice, as a server sends it.
fn frame(choice: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"theirs\",\"choices\":[{choice}]}}\n\n"
    )
}

/// A frame of one choice, as the caller sees it.
fn shown(choice: &str) -> String {
    frame(choice).replace("theirs", "mine")
}

const DONE: &str = "data: [DONE]\n\n";
const STOP: &str = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
