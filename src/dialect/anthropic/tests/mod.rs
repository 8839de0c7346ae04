//! Conversations into requests, and answers into events: by tables, and by what was recorded.

mod decode;
mod recordings;

use super::Decoder;
use crate::chat::Event;
use crate::outcome::Failure;

/// The events of a stream that arrives in these chunks and then ends.
fn decode_in(chunks: &[&[u8]]) -> (Vec<Event>, Result<(), Failure>) {
    let (mut decoder, mut out) = (Decoder::new(7), Vec::new());
    let result = chunks
        .iter()
        .try_for_each(|chunk| decoder.feed(chunk, &mut out))
        .and_then(|()| decoder.end(&mut out));
    assert_eq!(decoder.done(), result.is_ok());
    (out, result)
}

/// The same, checked to be the same wherever the stream is cut.
fn decode_every_way(stream: &[u8]) -> (Vec<Event>, Result<(), Failure>) {
    let whole = decode_in(&[stream]);
    for cut in 0..=stream.len() {
        let halves = decode_in(&[&stream[..cut], &stream[cut..]]);
        assert_eq!(halves, whole, "cut at {cut}");
    }
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(decode_in(&single), whole, "byte by byte");
    whole
}
