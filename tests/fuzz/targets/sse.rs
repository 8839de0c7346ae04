//! The framing of server-sent events: the same events wherever the chunks end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pillion::wire::sse::{Event, Framer, Kind, TooLong};
use pillion_fuzz::{chunked, within};

fn read(data: &[u8], size: usize) -> (Vec<(Kind, Vec<u8>)>, bool) {
    let (mut framer, mut events) = (Framer::default(), Vec::new());
    let mut keep = |event: Event<'_>| {
        events.push((event.kind, event.data.to_vec()));
        Ok::<(), TooLong>(())
    };
    for chunk in data.chunks(size) {
        if framer.feed(chunk, &mut keep).is_err() {
            return (events, false);
        }
    }
    let ended = framer.finish(&mut keep).is_ok();
    (events, ended)
}

fuzz_target!(|data: &[u8]| {
    let (size, data) = chunked(data);
    // Each event that is kept here is at least nine bytes there.
    within(data.len(), 64, || {
        assert_eq!(read(data, data.len().max(1)), read(data, size));
    });
});
