//! Whether a document bears the signature of somebody we trust. Pure.
//!
//! Ed25519 over the document's bytes as they came. The signature's text is `KEY_ID BASE64`, or
//! `BASE64` alone, which any of the keys may have made.
//! <https://www.rfc-editor.org/rfc/rfc8032> (read 2026-11)

use std::fmt;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::source::PublicKey;

/// Why a document is not taken for one of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unsigned {
    Missing,
    /// The text that stands for a signature is none.
    Unreadable,
    /// It names a key that is not among ours.
    UnknownKey(String),
    /// No key of ours made it over these bytes.
    Wrong,
}

/// The longest name of a key that is repeated to an operator.
const LONGEST_ID: usize = 64;

/// Whether any of `keys` has signed `text`; anybody may have where there are none.
///
/// # Errors
/// Nobody of them has.
pub(super) fn verify(
    keys: &[PublicKey],
    text: &[u8],
    signature: Option<&[u8]>,
) -> Result<(), Unsigned> {
    if keys.is_empty() {
        return Ok(());
    }
    let (id, signature) = read(signature.ok_or(Unsigned::Missing)?)?;
    let mut named = keys
        .iter()
        .filter(|key| id.is_none_or(|id| *id == *key.id))
        .peekable();
    if let (None, Some(id)) = (named.peek(), id) {
        let id = id.chars().take(LONGEST_ID).collect();
        return Err(Unsigned::UnknownKey(id));
    }
    let made = |key: &PublicKey| {
        let key = UnparsedPublicKey::new(&ED25519, &key.key);
        key.verify(text, &signature).is_ok()
    };
    named.any(made).then_some(()).ok_or(Unsigned::Wrong)
}

/// The key's name, where there is one, and the signature.
fn read(text: &[u8]) -> Result<(Option<&str>, Vec<u8>), Unsigned> {
    let text = std::str::from_utf8(text).map_err(|_| Unsigned::Unreadable)?;
    let mut words = text.split_ascii_whitespace();
    let (id, signature) = match (words.next(), words.next(), words.next()) {
        (Some(signature), None, None) => (None, signature),
        (Some(id), Some(signature), None) => (Some(id), signature),
        (None, _, _) => return Err(Unsigned::Missing),
        (Some(_), _, _) => return Err(Unsigned::Unreadable),
    };
    let bytes = BASE64_STANDARD
        .decode(signature)
        .or_else(|_| BASE64_URL_SAFE.decode(signature))
        .map_err(|_| Unsigned::Unreadable)?;
    Ok((id, bytes))
}

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it bears no signature"),
            Self::Unreadable => f.write_str(
                "its signature cannot be read: it is `KEY_ID BASE64`, or the base64 alone",
            ),
            Self::UnknownKey(id) => {
                write!(
                    f,
                    "it is signed with `{id}`, which `source.verify` does not name"
                )
            }
            Self::Wrong => f.write_str("its signature is of no key that `source.verify` names"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    /// A key and what signs with it; each number is another.
    pub(in crate::central) fn key(number: u8) -> (PublicKey, Ed25519KeyPair) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap();
        let public = PublicKey {
            id: format!("k{number}").into(),
            key: pair.public_key().as_ref().try_into().unwrap(),
        };
        (public, pair)
    }

    pub(in crate::central) fn sign(pair: &Ed25519KeyPair, text: &[u8]) -> String {
        BASE64_STANDARD.encode(pair.sign(text))
    }

    #[test]
    fn any_key_of_ours_will_do_and_no_other() {
        let [(one, by_one), (two, by_two), (_, by_three)] = [key(1), key(2), key(3)];
        let both = [one.clone(), two.clone()];
        let text = b"routes: {}\n";
        let of = |pair, id: &str| format!("{id}{}\n", sign(pair, text));
        for (keys, signature, expected) in [
            (&[][..], None, Ok(())),
            (&[], Some("no signature at all".to_owned()), Ok(())),
            (&both, Some(of(&by_one, "")), Ok(())),
            (&both, Some(of(&by_two, "")), Ok(())),
            (&both, Some(of(&by_two, "k2 ")), Ok(())),
            (&both, Some(of(&by_two, "k1 ")), Err(Unsigned::Wrong)),
            (&both, Some(of(&by_three, "")), Err(Unsigned::Wrong)),
            (
                &both,
                Some(of(&by_three, "k3 ")),
                Err(Unsigned::UnknownKey("k3".into())),
            ),
            // Rotated: the old key is gone.
            (&both[1..], Some(of(&by_one, "")), Err(Unsigned::Wrong)),
            (&both, None, Err(Unsigned::Missing)),
            (&both, Some(" \n".into()), Err(Unsigned::Missing)),
            (&both, Some("*".into()), Err(Unsigned::Unreadable)),
            (&both, Some("a b c".into()), Err(Unsigned::Unreadable)),
            (&both, Some("AAAA".into()), Err(Unsigned::Wrong)),
        ] {
            let signature = signature.as_deref();
            let found = verify(keys, text, signature.map(str::as_bytes));
            assert_eq!(found, expected, "{signature:?}");
        }
        let signature = of(&by_one, "k1 ");
        let other = verify(&both, b"routes: {} \n", Some(signature.as_bytes()));
        assert_eq!(other, Err(Unsigned::Wrong), "of other bytes");
    }
}
