//! The framing of Amazon's event streams: the same messages wherever the chunks end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pillion::wire::eventstream::{Framer, Invalid};
use pillion_fuzz::{amazon, chunked, within};

type Messages = Vec<(Option<String>, Vec<u8>)>;

fn read(data: &[u8], size: usize) -> (Messages, Result<(), Invalid>) {
    let (mut framer, mut messages) = (Framer::default(), Vec::new());
    for chunk in data.chunks(size) {
        let fed = framer.feed(chunk, |message| {
            let kind = message.text(":event-type").map(str::to_owned);
            messages.push((kind, message.payload.to_vec()));
            Ok::<(), Invalid>(())
        });
        if fed.is_err() {
            return (messages, fed);
        }
    }
    let ended = framer.finish();
    (messages, ended)
}

fuzz_target!(|data: &[u8]| {
    let (size, data) = chunked(data);
    // As it is, and with its checksums put right: those are not found by chance.
    for data in [data, &amazon::mended(data)] {
        within(data.len(), 64, || {
            assert_eq!(read(data, data.len().max(1)), read(data, size));
        });
    }
});
