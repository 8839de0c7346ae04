//! For the tests of decoders: a stream that is cut in two at every one of its bytes.

use crate::outcome::Failure;
use std::fmt::Debug;

/// Cuts a stream at every byte and checks that it makes no difference: neither to what `feed` gives
/// nor to the state behind it, so that what follows is the same too. Only the frame around a cut is
/// read anew, or the time would grow with the square of the stream.
pub(super) fn at_every_byte<D: Clone + Debug, T: Debug + PartialEq>(
    name: &str,
    mut decoder: D,
    frames: &[&[u8]],
    feed: impl Fn(&mut D, &[u8], &mut Vec<T>) -> Result<(), Failure>,
) {
    let say = |decoder: &mut D, pieces: &[&[u8]]| {
        let (mut pieces, mut said) = (pieces.iter(), Vec::new());
        let result = pieces.try_for_each(|piece| feed(decoder, piece, &mut said));
        (said, result)
    };
    let mut at = 0;
    for frame in frames {
        let before = decoder.clone();
        let whole = say(&mut decoder, &[frame]);
        let goes_on = whole.1.is_ok();
        let state = format!("{decoder:?}");
        for cut in 1..frame.len() {
            let (head, tail) = frame.split_at(cut);
            let mut torn = before.clone();
            let halves = say(&mut torn, &[head, tail]);
            assert_eq!(halves, whole, "{name} cut at {}", at + cut);
            assert!(
                !goes_on || format!("{torn:?}") == state,
                "{name} cut at {}: {torn:?}\n{state}",
                at + cut
            );
        }
        if !goes_on {
            return;
        }
        at += frame.len();
    }
}

/// The frames of a stream of server-sent events, each with the blank line that ends it.
pub(super) fn frames(stream: &[u8]) -> Vec<&[u8]> {
    let (mut frames, mut from) = (Vec::new(), 0);
    for at in 1..=stream.len() {
        let so_far = &stream[from..at];
        if so_far.ends_with(b"\n\n") || so_far.ends_with(b"\r\n\r\n") || at == stream.len() {
            frames.push(so_far);
            from = at;
        }
    }
    frames
}
