//! A stream of Responses that goes on as it came: the same bytes wherever the chunks end.

#![no_main]

#[path = "common.rs"]
mod common;

use libfuzzer_sys::fuzz_target;
use pillion::dialect::responses::Splicer;

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, bool) {
    let (mut splicer, mut out) = (Splicer::new(Some("route".into())), Vec::new());
    for chunk in chunks {
        let fed = splicer.feed(chunk);
        out.extend(splicer.output());
        if fed.is_err() {
            return (out, false);
        }
    }
    let ended = splicer.end().is_ok();
    out.extend(splicer.output());
    assert!(!ended || splicer.done());
    (out, ended)
}

fuzz_target!(|data: &[u8]| {
    let (whole, chunks) = common::pieces(data);
    assert_eq!(read(std::iter::once(whole)), read(chunks));
});
