mod encode;
mod read;
mod recordings;
mod request;
mod splice;
mod whole;

use crate::chat::Usage;
use crate::dialect::responses::Splicer;
use crate::outcome::Failure;

/// A stream taken in pieces, and ended: what went out, and how it ended.
fn spliced(pieces: &[&[u8]]) -> (String, Result<Usage, Failure>) {
    let mut splicer = Splicer::new(Some("alias".into()));
    let mut out = Vec::new();
    let mut taken = Ok(());
    for piece in pieces {
        taken = splicer.feed(piece);
        out.extend(splicer.output());
        if taken.is_err() {
            break;
        }
    }
    let taken = taken.and_then(|()| splicer.end());
    out.extend(splicer.output());
    let result = taken.map(|()| splicer.usage());
    assert!(result.is_err() || splicer.done());
    (String::from_utf8(out).unwrap(), result)
}

/// The frames of a stream, each with its blank line.
fn frames_of(stream: &str) -> Vec<&str> {
    stream.split_inclusive("\n\n").collect()
}
