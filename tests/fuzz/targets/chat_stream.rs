//! A stream of chat completions: the same answer wherever the chunks end, and none that goes on behind its end.

#![no_main]

#[path = "common.rs"]
mod common;

use libfuzzer_sys::fuzz_target;
use pillion::chat::{Answer, Event};
use pillion::dialect::openai::events::Decoder;

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Answer, bool) {
    let (mut decoder, mut events, mut answer) = (Decoder::new(1), Vec::new(), Answer::default());
    let mut fine = true;
    for chunk in chunks {
        fine = decoder.feed(chunk, &mut events).is_ok();
        if !fine {
            break;
        }
    }
    fine = fine && decoder.end(&mut events).is_ok();
    let finishes = events.iter().filter(|event| matches!(event, Event::Finish(_))).count();
    assert!(finishes <= 1);
    assert_eq!(finishes == 1, matches!(events.last(), Some(Event::Finish(_))));
    assert!(!fine || finishes == 1, "an end without a finish");
    answer.extend(events);
    (answer, fine)
}

fuzz_target!(|data: &[u8]| {
    let (whole, chunks) = common::pieces(data);
    assert_eq!(read(std::iter::once(whole)), read(chunks));
});
