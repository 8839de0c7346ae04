//! Ids of calls as the API and the model's family take them.

use std::borrow::Cow;
use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

use crate::facts::{CallIds, Extras, Facts};

/// The longest id that the API takes.
const LONGEST: usize = 64;
/// Hex digits of a hash that keep rewritten ids apart.
const HASH: usize = 10;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `id`, rewritten if this model would refuse it: always to the same, so that a call and its result
/// still belong together, and the prefix of a conversation does not change from turn to turn.
pub(super) fn call_id<'a>(id: &'a str, facts: &Facts) -> Cow<'a, str> {
    match facts.call_ids {
        CallIds::Nine => nine(id),
        CallIds::Plain => {
            // The API takes these two; Claude does not, and others give them out themselves.
            let dotted = match facts.extras {
                Extras::Claude => false,
                Extras::None | Extras::Nova | Extras::OpenAi => true,
            };
            plain(id, dotted)
        }
    }
}

fn nine(id: &str) -> Cow<'_, str> {
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Borrowed(id);
    }
    let hash = digest(&SHA256, id.as_bytes());
    let digits = hash.as_ref().iter().take(9);
    Cow::Owned(
        digits
            .map(|byte| char::from(DIGITS[usize::from(*byte) % DIGITS.len()]))
            .collect(),
    )
}

fn plain(id: &str, dotted: bool) -> Cow<'_, str> {
    let fits = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || dotted && matches!(c, '.' | ':')
    };
    if (1..=LONGEST).contains(&id.len()) && id.chars().all(fits) {
        return Cow::Borrowed(id);
    }
    let kept = id.chars().take(LONGEST - HASH - 1);
    let mut rewritten: String = kept.map(|c| if fits(c) { c } else { '_' }).collect();
    rewritten.push('_');
    for byte in digest(&SHA256, id.as_bytes())
        .as_ref()
        .iter()
        .take(HASH / 2)
    {
        // Writing to a string does not fail.
        let _ = write!(rewritten, "{byte:02x}");
    }
    Cow::Owned(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_kept_if_it_fits_and_always_rewritten_to_the_same() {
        let long = "x".repeat(80);
        let long_as = format!("{}_", "x".repeat(53));
        for (id, dotted, begins) in [
            ("toolu_01-A", false, "toolu_01-A"),
            ("functions.now:0", true, "functions.now:0"),
            ("functions.now:0", false, "functions_now_0_"),
            ("a b", true, "a_b_"),
            ("ключ", true, "_____"),
            ("", true, "_"),
            (&long, true, &long_as),
        ] {
            let rewritten = plain(id, dotted);
            assert!(rewritten.starts_with(begins), "{id}: {rewritten}");
            assert!(rewritten.len() <= LONGEST);
            assert_eq!(rewritten, plain(id, dotted));
            assert_eq!(rewritten, plain(&rewritten, dotted), "{id}");
        }
        assert_ne!(plain("a.b", false), plain("a:b", false));
    }

    #[test]
    fn mistral_has_nine_letters_and_digits() {
        assert_eq!(nine("abc123XYZ"), "abc123XYZ");
        for id in ["", "tooluse_Z4oIdWzp6MUkuN99WX3jLk", "abc-12345"] {
            let rewritten = nine(id);
            assert_eq!(rewritten.len(), 9);
            assert_eq!(rewritten, nine(&rewritten), "{id}");
        }
    }
}
