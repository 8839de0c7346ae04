//! The framing of Amazon's event streams: the same messages wherever the chunks end.

#![no_main]

#[path = "common.rs"]
mod common;

use libfuzzer_sys::fuzz_target;
use pillion::outcome::Failure;
use pillion::wire::eventstream::Framer;

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let (mut framer, mut messages) = (Framer::default(), Vec::new());
    for chunk in chunks {
        let fed = framer.feed(chunk, |message| {
            messages.push(message.payload.to_vec());
            Ok::<(), Failure>(())
        });
        if fed.is_err() {
            return (messages, false);
        }
    }
    let ended = framer.finish().is_ok();
    (messages, ended)
}

fuzz_target!(|data: &[u8]| {
    let (whole, chunks) = common::pieces(data);
    assert_eq!(read(std::iter::once(whole)), read(chunks));
});
