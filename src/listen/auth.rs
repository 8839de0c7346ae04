//! Who is calling: the token of a request, and the key it is a token of.
//!
//! Tokens are kept as their SHA-256 alone. Every refusal is the same [`GatewayError::InvalidToken`]
//! to the caller; which one it was is said in the log, the token never.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use crate::error::GatewayError;
use crate::snapshot::{Callers, Key, Snapshot};

/// Where a token may be. All of them are ours to read and never to be sent on.
pub const TOKEN_HEADERS: [HeaderName; 4] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// The key that the request's token belongs to, as of `now`.
///
/// # Errors
/// [`GatewayError::InvalidToken`], and nothing else.
pub fn identify(
    snapshot: &Snapshot,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Arc<Key>, GatewayError> {
    let known = match &snapshot.callers {
        Callers::Anyone(key) => return Ok(Arc::clone(key)),
        Callers::Keys(known) => known,
    };
    let found = token(headers).and_then(|token| {
        let hash = digest(&SHA256, token);
        // The map finds by an ordinary comparison, which may tell of the hash but not of the
        // token; what it found is compared again without telling.
        let (stored, key) = known.get_key_value(hash.as_ref()).ok_or("unknown")?;
        if !bool::from(stored.as_slice().ct_eq(hash.as_ref())) {
            return Err("unknown");
        }
        match key.refused(&snapshot.identity, now) {
            Some(why) => Err(why),
            None => Ok(Arc::clone(key)),
        }
    });
    found.map_err(|reason| {
        tracing::debug!(reason, "a token was refused");
        GatewayError::InvalidToken
    })
}

/// The one token that the request bears, in whatever header and however often.
fn token(headers: &HeaderMap) -> Result<&[u8], &'static str> {
    let mut found = None;
    for name in &TOKEN_HEADERS {
        for value in headers.get_all(name) {
            let token = match name {
                &AUTHORIZATION => bearer(value.as_bytes()).ok_or("not a bearer token")?,
                _ => value.as_bytes(),
            };
            if found.is_some_and(|other| other != token) {
                return Err("one of several");
            }
            found = Some(token);
        }
    }
    found.filter(|token| !token.is_empty()).ok_or("missing")
}

/// All that follows `Bearer `. The name of the scheme may be in any case (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::snapshot::Identity;

    fn key(id: &str, environment: Option<&str>, expires: Option<&str>) -> Arc<Key> {
        Arc::new(Key {
            environment: environment.map(Into::into),
            expires: expires.map(|text| text.parse().unwrap()),
            ..Key::named(id)
        })
    }

    fn snapshot(environment: Option<&str>, callers: Callers) -> Snapshot {
        Snapshot {
            identity: Identity {
                environment: environment.map(Into::into),
                ..Identity::default()
            },
            ..Snapshot::of(callers)
        }
    }

    fn keys() -> Callers {
        let entry = |token: &str, key| {
            let hash = digest(&SHA256, token.as_bytes());
            (hash.as_ref().try_into().unwrap(), key)
        };
        let plain = key("plain", None, None);
        Callers::Keys(HashMap::from([
            entry("old", Arc::clone(&plain)),
            entry("new", plain),
            entry(" spaced", key("spaced", None, None)),
            entry("prod", key("prod", Some("prod"), None)),
            entry("dev", key("dev", Some("dev"), None)),
            entry("late", key("late", None, Some("2026-06-30T00:00:00Z"))),
            entry("later", key("later", None, Some("2026-06-30T00:00:01Z"))),
        ]))
    }

    fn who(snapshot: &Snapshot, fields: &[(&'static str, &'static str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let now = "2026-06-30T00:00:00Z".parse().unwrap();
        match identify(snapshot, &headers, now) {
            Ok(key) => Some(key.id.to_string()),
            Err(error) => {
                assert_eq!(error, GatewayError::InvalidToken);
                None
            }
        }
    }

    #[test]
    fn a_token_is_its_key_wherever_it_stands_and_no_other_text_is() {
        let snapshot = snapshot(Some("prod"), keys());
        for (fields, id) in [
            (&[("authorization", "Bearer old")][..], Some("plain")),
            (&[("authorization", "bearer new")], Some("plain")),
            (&[("authorization", "Bearer  spaced")], Some("spaced")),
            (&[("x-api-key", "old")], Some("plain")),
            (&[("api-key", "old")], Some("plain")),
            (&[("x-goog-api-key", "old")], Some("plain")),
            (
                &[("authorization", "Bearer old"), ("x-api-key", "old")],
                Some("plain"),
            ),
            (
                &[("authorization", "Bearer old"), ("x-api-key", "new")],
                None,
            ),
            (&[("x-api-key", "old"), ("x-api-key", "new")], None),
            (
                &[("authorization", "Basic old"), ("x-api-key", "old")],
                None,
            ),
            (&[("authorization", "Bearer old"), ("x-api-key", "")], None),
            (&[], None),
            (&[("authorization", "Bearer ")], None),
            (&[("authorization", "Bearer")], None),
            (&[("authorization", "old")], None),
            (&[("authorization", "Bearer Old")], None),
            (&[("authorization", "Bearer ol")], None),
            (&[("x-api-key", "Bearer old")], None),
            (&[("authorization", "Bearer prod")], Some("prod")),
            (&[("authorization", "Bearer dev")], None),
            (&[("authorization", "Bearer late")], None),
            (&[("authorization", "Bearer later")], Some("later")),
        ] {
            assert_eq!(who(&snapshot, fields).as_deref(), id, "{fields:?}");
        }
    }

    #[test]
    fn without_an_environment_here_every_key_fits() {
        let snapshot = snapshot(None, keys());
        assert_eq!(
            who(&snapshot, &[("api-key", "dev")]).as_deref(),
            Some("dev")
        );
    }

    #[test]
    fn anyone_is_anyone_whatever_they_bear() {
        let snapshot = snapshot(None, Callers::Anyone(key("anyone", None, None)));
        for fields in [&[][..], &[("authorization", "Basic x"), ("api-key", "y")]] {
            assert_eq!(who(&snapshot, fields).as_deref(), Some("anyone"));
        }
    }
}
