//! The framing of server-sent events: the same events wherever the chunks end.

#![no_main]

#[path = "common.rs"]
mod common;

use libfuzzer_sys::fuzz_target;
use pillion::wire::sse::{Framer, TooLong};

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let (mut framer, mut events) = (Framer::default(), Vec::new());
    let mut keep = |event: pillion::wire::sse::Event<'_>| {
        events.push(event.data.to_vec());
        Ok::<(), TooLong>(())
    };
    for chunk in chunks {
        if framer.feed(chunk, &mut keep).is_err() {
            return (events, false);
        }
    }
    let ended = framer.finish(&mut keep).is_ok();
    (events, ended)
}

fuzz_target!(|data: &[u8]| {
    let (whole, chunks) = common::pieces(data);
    assert_eq!(read(std::iter::once(whole)), read(chunks));
});
