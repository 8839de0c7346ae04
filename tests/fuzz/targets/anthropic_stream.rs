//! A stream of Anthropic's Messages, translated: the same events wherever the chunks end, the order that they promise, and frames that
//! callers of every surface can read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pillion::chat::Event;
use pillion::dialect::Dialect;
use pillion::dialect::anthropic::Decoder;
use pillion::dialect::request::Cloud;
use pillion_fuzz::{Step, chunked, events, shown};

fuzz_target!(|data: &[u8]| {
    let (size, data) = chunked(data);
    events(data, size, || {
        let mut decoder = Decoder::new(1);
        move |step: Step<'_>, out: &mut Vec<Event>| match step {
            Step::Chunk(chunk) => decoder.feed(chunk, out),
            Step::End => decoder.end(out),
            Step::Cut => decoder.cut(out),
        }
    });
    shown::everywhere(data, size, Dialect::Anthropic, Cloud::None);
});
