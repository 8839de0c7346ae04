//! A stream of Messages that goes on as it came, from Anthropic and out of Bedrock's frames: the same
//! bytes wherever the chunks end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pillion::chat::Surface;
use pillion::dialect::Dialect;
use pillion::dialect::request::Cloud;
use pillion_fuzz::{amazon, chunked, shown};

fuzz_target!(|data: &[u8]| {
    let (size, data) = chunked(data);
    let surface = Surface::Messages;
    shown::on(data, size, surface, Dialect::Anthropic, Cloud::None);
    let data = amazon::invoked(data);
    shown::on(
        &data,
        size,
        surface,
        Dialect::AnthropicInCloud,
        Cloud::Bedrock,
    );
});
