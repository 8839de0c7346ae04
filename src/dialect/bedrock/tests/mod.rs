//! Converse, in both directions: tables of requests, and answers cut wherever they can be.

mod answers;
mod invoke;
mod recordings;
mod requests;

use crate::chat::Event;
use crate::dialect::bedrock::Decoder;
use crate::outcome::Failure;
use crate::wire::eventstream::tests::message;

/// One event, as Bedrock frames it: with padding behind its members.
fn event(kind: &str, payload: &str) -> Vec<u8> {
    let padded = format!("{},\"p\":\"abcdef\"}}", payload.strip_suffix('}').unwrap());
    message(
        &[
            (":event-type", kind),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ],
        padded.replace("{,", "{").as_bytes(),
    )
}

fn exception(kind: &str, payload: &str) -> Vec<u8> {
    message(
        &[
            (":exception-type", kind),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ],
        payload.as_bytes(),
    )
}

/// What a stream says that arrives in these chunks and is then closed.
fn decode(chunks: &[&[u8]]) -> Result<Vec<Event>, Failure> {
    let (mut decoder, mut out) = (Decoder::new(7), Vec::new());
    for chunk in chunks {
        decoder.feed(chunk, &mut out)?;
    }
    decoder.end(&mut out)?;
    assert!(decoder.done());
    Ok(out)
}

/// What the stream says, after checking that it says the same however it is cut.
fn decode_every_way(stream: &[u8]) -> Result<Vec<Event>, Failure> {
    let expected = decode(&[stream]);
    for cut in 0..=stream.len() {
        assert_eq!(
            decode(&[&stream[..cut], &stream[cut..]]),
            expected,
            "cut at {cut}"
        );
    }
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(decode(&single), expected, "byte by byte");
    expected
}
