//! What a call is known by in the fleet, and what is written there. Nothing of a request can be read
//! from it: names are digests, and answers are sealed with a key that only the request itself yields.
//!
//! Pure: what is random is an argument.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{Context, SHA256};

use super::failure;
use crate::once::Identity;
use crate::outcome::Failure;

/// Tells a claim from an answer and a failure, at the beginning of a value.
const CLAIM: u8 = b'c';
const ANSWER: u8 = b'a';
pub(super) const FAILED: u8 = b'f';
/// Behind it: by what two requests of one key are told apart.
const CHECK: usize = 16;

type Digest = [u8; 32];

/// A call's name, and what goes with it.
#[derive(Clone)]
pub(super) struct Name {
    pub(super) key: String,
    /// There while another that is the same is taken for the same.
    pub(super) window: String,
    check: [u8; CHECK],
    seal: Digest,
}

/// What is found under a name.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// The call runs.
    Claim,
    Answer(Answer),
    /// Why there is no answer, and for those who have waited there is to be none.
    Failure(Failure),
    /// Another request has the name.
    Other,
    /// Nothing that can be read.
    Nothing,
}

/// An answer as it went out.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Name {
    /// Of a request. Instances that share `realm` share their calls.
    pub(super) fn of(realm: &str, identity: &Identity) -> Self {
        let surface = identity.surface.name();
        let asked = digest(&[
            b"asked",
            surface.as_bytes(),
            identity.rules.as_bytes(),
            &identity.body,
        ]);
        let caller = [realm.as_bytes(), identity.caller.as_bytes()];
        let name = match &identity.key {
            Some(key) => digest(&[b"key", caller[0], caller[1], key.as_bytes()]),
            None => digest(&[b"same", caller[0], caller[1], &asked]),
        };
        let key = format!("pillion:once:{}", hex(&name));
        let mut check = [0; CHECK];
        check.copy_from_slice(&digest(&[b"check", &asked])[..CHECK]);
        Self {
            window: format!("{key}:window"),
            key,
            check,
            seal: digest(&[b"seal", caller[0], caller[1], &asked]),
        }
    }

    /// The claim of the one who drew this token.
    pub(super) fn claim(&self, token: u128) -> Bytes {
        let mut value = vec![CLAIM];
        value.extend_from_slice(&self.check);
        value.extend_from_slice(&token.to_be_bytes());
        value.into()
    }

    /// `None` for an answer that cannot be written down. A nonce must not come again.
    pub(super) fn answer(&self, answer: &Answer, nonce: [u8; NONCE_LEN]) -> Option<Bytes> {
        let headers: Vec<(&str, &str)> = answer
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let mut plain = serde_json::to_vec(&(answer.status.as_u16(), headers)).ok()?;
        plain.push(b'\n');
        plain.extend_from_slice(&answer.body);
        self.sealed(ANSWER, plain, nonce)
    }

    /// The same of a failure.
    pub(super) fn failure(&self, failure: &Failure, nonce: [u8; NONCE_LEN]) -> Option<Bytes> {
        self.sealed(FAILED, failure::write(failure)?, nonce)
    }

    fn sealed(&self, kind: u8, mut sealed: Vec<u8>, nonce: [u8; NONCE_LEN]) -> Option<Bytes> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.seal).ok()?);
        let nonce_of = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce_of, Aad::empty(), &mut sealed)
            .ok()?;
        let mut value = vec![kind];
        value.extend_from_slice(&self.check);
        value.extend_from_slice(&nonce);
        value.append(&mut sealed);
        Some(value.into())
    }

    pub(super) fn read(&self, value: &[u8]) -> Found {
        let Some((kind, rest)) = value.split_first() else {
            return Found::Nothing;
        };
        match rest.split_at_checked(CHECK) {
            Some((check, _)) if check != self.check => Found::Other,
            Some(_) if *kind == CLAIM => Found::Claim,
            Some((_, sealed)) => {
                let opened = self.open(sealed);
                let found = opened.and_then(|opened| match *kind {
                    ANSWER => Some(Found::Answer(answer(&opened)?)),
                    FAILED => Some(Found::Failure(failure::read(&opened)?)),
                    _ => None,
                });
                found.unwrap_or(Found::Nothing)
            }
            None => Found::Nothing,
        }
    }

    fn open(&self, sealed: &[u8]) -> Option<Bytes> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.seal).ok()?);
        let mut opened = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key
            .open_in_place(nonce, Aad::empty(), &mut opened)
            .ok()?
            .len();
        opened.truncate(length);
        Some(opened.into())
    }
}

fn answer(opened: &Bytes) -> Option<Answer> {
    let head = memchr::memchr(b'\n', opened)?;
    let (status, pairs): (u16, Vec<(String, String)>) =
        serde_json::from_slice(&opened[..head]).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(
            HeaderName::try_from(name).ok()?,
            HeaderValue::try_from(value).ok()?,
        );
    }
    Some(Answer {
        status: StatusCode::from_u16(status).ok()?,
        headers,
        body: opened.slice(head + 1..),
    })
}

/// Of several parts, each of which keeps its borders.
pub(super) fn digest(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Into a string it cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Surface;
    use crate::outcome::Class;

    fn identity(caller: &str, key: Option<&str>, surface: Surface, body: &'static str) -> Identity {
        Identity {
            caller: caller.into(),
            key: key.map(Into::into),
            surface,
            body: body.into(),
            rules: "".into(),
            dedupe: None,
        }
    }

    fn answer() -> Answer {
        let mut headers = HeaderMap::new();
        headers.append("content-type", "text/event-stream".parse().unwrap());
        headers.append("set", "a".parse().unwrap());
        headers.append("set", "b".parse().unwrap());
        Answer {
            status: StatusCode::OK,
            headers,
            body: "data: canary\n\n".into(),
        }
    }

    #[test]
    fn a_name_is_the_callers_and_of_one_key_or_one_body() {
        let one = |key, body| Name::of("realm", &identity("a", key, Surface::Chat, body));
        let keyed = one(Some("k"), "canary");
        assert_eq!(keyed.key, one(Some("k"), "other").key);
        let plain = one(None, "canary");
        for other in [
            keyed.key.clone(),
            one(Some("l"), "canary").key,
            one(None, "other").key,
            Name::of("realm", &identity("b", None, Surface::Chat, "canary")).key,
            Name::of("realm", &identity("a", None, Surface::Responses, "canary")).key,
            Name::of("other", &identity("a", None, Surface::Chat, "canary")).key,
        ] {
            assert_ne!(plain.key, other);
        }
        assert!(!format!("{}{}", keyed.key, plain.window).contains("canary"));
    }

    #[test]
    fn an_answer_can_be_read_by_the_same_request_alone() {
        let asked = identity("a", Some("k"), Surface::Chat, "one");
        let name = Name::of("", &asked);
        let value = name.answer(&answer(), [7; NONCE_LEN]).unwrap();
        assert_eq!(name.read(&value), Found::Answer(answer()));
        assert!(memchr::memmem::find(&value, b"canary").is_none());
        assert!(memchr::memmem::find(&value, b"event-stream").is_none());
        let other = Name::of("", &identity("a", Some("k"), Surface::Chat, "two"));
        assert_eq!(other.read(&value), Found::Other);
        // The same body, another caller: it could not be found there, nor opened.
        let other = Name::of("", &identity("b", Some("k"), Surface::Chat, "one"));
        assert_eq!(other.read(&value), Found::Nothing);
        let why = Failure::new(Class::ServerError, "canary");
        let failed = name.failure(&why, [8; NONCE_LEN]).unwrap();
        assert_eq!(name.read(&failed), Found::Failure(why));
        assert_eq!(failed[0], FAILED);
        assert!(memchr::memmem::find(&failed, b"canary").is_none());
        // One is not taken for the other.
        let mut other = failed.to_vec();
        other[0] = ANSWER;
        assert_eq!(name.read(&other), Found::Nothing);
        let mut broken = value.to_vec();
        broken[40] ^= 1;
        for broken in [&broken[..], &value[..20], b"", b"x", &[b'x'; 99]] {
            assert!(matches!(name.read(broken), Found::Nothing | Found::Other));
        }
    }

    #[test]
    fn a_claim_says_whose_request_it_is() {
        let name = |body| Name::of("", &identity("a", Some("k"), Surface::Chat, body));
        let claim = name("one").claim(1);
        assert_eq!(name("one").read(&claim), Found::Claim);
        assert_eq!(name("two").read(&claim), Found::Other);
        assert_ne!(name("one").claim(2), claim);
    }
}
