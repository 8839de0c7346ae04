//! Ids of other providers' making, in the form that servers of this dialect take.

use std::borrow::Cow;
use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

use crate::facts::CallIds;

/// The longest id of a call that every server takes, and the longest `safety_identifier`.
const LONGEST_CALL: usize = 40;
const LONGEST_USER: usize = 128;
/// What of the hash stands behind what is left of an id.
const HASH: usize = 10;

/// The id of a call: itself where it may be, else always the same one made from it. Calls and their
/// results are given theirs one by one, and still agree.
pub(super) fn call(id: &str, form: CallIds) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match form {
        CallIds::Plain => {
            if id.len() <= LONGEST_CALL && !id.is_empty() && id.bytes().all(plain) {
                return Cow::Borrowed(id);
            }
            let kept = id.bytes().take(LONGEST_CALL - HASH - 1);
            let mut made: String = kept
                .map(|byte| if plain(byte) { char::from(byte) } else { '_' })
                .collect();
            made.push('_');
            made.push_str(&hash(id)[..HASH]);
            Cow::Owned(made)
        }
        CallIds::Nine => {
            if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Cow::Borrowed(id);
            }
            Cow::Owned(hash(id)[..9].to_owned())
        }
    }
}

/// Who the user is: too long a name becomes its hash, which tells users apart as well.
pub(super) fn user(user: &str) -> Cow<'_, str> {
    if user.len() <= LONGEST_USER {
        Cow::Borrowed(user)
    } else {
        Cow::Owned(hash(user))
    }
}

fn hash(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in digest(&SHA256, text.as_bytes()).as_ref() {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_taken_stays_and_any_other_is_made_of_it() {
        for (id, form, stays) in [
            ("call_abc-1", CallIds::Plain, true),
            ("", CallIds::Plain, false),
            ("a.b", CallIds::Plain, false),
            ("a:b", CallIds::Plain, false),
            ("\u{e9}", CallIds::Plain, false),
            (
                "toolu_vrtx_0123456789012345678901234567890",
                CallIds::Plain,
                false,
            ),
            ("abcDEF123", CallIds::Nine, true),
            ("call_abc1", CallIds::Nine, false),
        ] {
            let made = call(id, form);
            assert_eq!(made == id, stays, "{id}");
            assert_eq!(made, call(id, form), "always the same");
            assert_eq!(call(&made, form), made, "a made one stays");
        }
        let made = |id| call(id, CallIds::Plain);
        assert_ne!(made("a.b"), made("a:b"));
        assert_eq!(made(&"x".repeat(41)).len(), LONGEST_CALL);
    }

    #[test]
    fn a_long_name_becomes_its_hash() {
        assert_eq!(user("u"), "u");
        assert_eq!(user(&"u".repeat(129)).len(), 64);
    }
}
