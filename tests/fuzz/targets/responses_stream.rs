//! A stream of Responses that goes on as it came: the same bytes wherever the chunks end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pillion::chat::Surface;
use pillion::dialect::Dialect;
use pillion::dialect::request::Cloud;
use pillion_fuzz::{chunked, shown};

fuzz_target!(|data: &[u8]| {
    let (size, data) = chunked(data);
    shown::on(
        data,
        size,
        Surface::Responses,
        Dialect::Responses,
        Cloud::None,
    );
});
