//! Names of functions as Gemini takes them: `[A-Za-z_][A-Za-z0-9_.:-]{0,127}`.
//!
//! What does not fit is renamed, to the same name in every request, and named as before in the answer.

use std::borrow::Cow;

use crate::chat::Conversation;

/// The longest name.
const LONGEST: usize = 128;

/// The name under which Gemini is told of `name`.
pub(super) fn theirs(name: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && name.len() <= LONGEST && name.chars().all(fits) {
        return Cow::Borrowed(name);
    }
    // Two names that differ only in what is replaced must stay two: their hash tells them apart.
    let hash = format!("_{:016x}", fnv(name));
    let mut theirs = String::from(if starts { "" } else { "_" });
    let room = LONGEST - hash.len() - theirs.len();
    let readable = name.chars().take(room);
    theirs.extend(readable.map(|c| if fits(c) { c } else { '_' }));
    Cow::Owned(theirs + &hash)
}

/// The tools that go by another name there, as (ours, theirs): for
/// [`Decoder::with_names`](super::Decoder::with_names).
pub fn renamed(conversation: &Conversation) -> Vec<(String, String)> {
    let tools = conversation.tools.iter();
    let renamed = tools.filter_map(|tool| match theirs(&tool.name) {
        Cow::Borrowed(_) => None,
        Cow::Owned(theirs) => Some((tool.name.clone(), theirs)),
    });
    renamed.collect()
}

/// FNV-1a: the same on every machine and in every version.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fits_stays_and_every_other_becomes_one_that_does() {
        for name in ["get_weather", "_x", "a.b:c-d", &"n".repeat(128)] {
            assert_eq!(theirs(name), name);
        }
        let names = [
            "1st",
            "2nd",
            "a b",
            "a_b ",
            "жар",
            "-x",
            "",
            &"n".repeat(129),
        ];
        let mut seen = Vec::new();
        for name in names {
            let theirs = theirs(name).into_owned();
            assert_ne!(theirs, name);
            assert_eq!(super::theirs(&theirs), theirs, "{name}");
            assert!(!seen.contains(&theirs), "{name}");
            seen.push(theirs);
        }
        assert_eq!(theirs("1st"), "_1st_44990518176bc8cb");
    }
}
