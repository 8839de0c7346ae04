//! A Vault or an OpenBao: version 2 of its key-value engine.
//!
//! <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2> (read 2026-11). What lies there
//! has no lease and tells nobody when it changes, so it is read again. A token that is not good any
//! more is answered 403, as is a path that is not ours: after one login more, the one is told from the
//! other.

mod lease;
mod login;
mod session;
mod wire;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, StatusCode};
use zeroize::Zeroizing;

use super::ask::{self, Wiped};
use crate::secret::{Asking, Found, SecretError, Store, VaultPlace};
use crate::tasks::Tasks;
use crate::upstream::Client;

use self::login::Door;
use self::session::{Held, Session};
use self::wire::Read;

pub(super) struct Vault {
    door: Arc<Door>,
    session: Session,
    /// The last token that something was read with.
    proved: AtomicU64,
}

impl Vault {
    pub(super) fn new(place: VaultPlace, client: Client, tasks: &Tasks) -> Self {
        let door = Arc::new(Door { place, client });
        Self {
            session: Session::begin(Arc::clone(&door), tasks),
            door,
            proved: AtomicU64::new(0),
        }
    }

    async fn found(&self, path: &str) -> Result<Found, SecretError> {
        let held = self.session.token().await?;
        let (mut status, mut answer) = self.ask(path, &held).await?;
        // A token that nothing has been read with comes straight from its login: another one would
        // see no more.
        if status == StatusCode::FORBIDDEN && self.is_proved(&held) {
            let another = self.session.another(held.number).await?;
            (status, answer) = self.ask(path, &another).await?;
        }
        match status {
            status if status.is_success() => read(&answer),
            StatusCode::NOT_FOUND => Err(SecretError::Missing),
            status => Err(ask::refusal(status, None)),
        }
    }

    async fn ask(&self, path: &str, held: &Held) -> Result<(StatusCode, Wiped), SecretError> {
        let path = format!("{}/data/{}", self.door.place.mount, escaped(path));
        let asked = self
            .door
            .ask(Method::GET, &path, Some(&held.token), Zeroizing::default());
        let (status, answer) = asked.await?;
        if status.is_success() || status == StatusCode::NOT_FOUND {
            self.proved.fetch_max(held.number, Ordering::Relaxed);
        }
        Ok((status, answer))
    }

    fn is_proved(&self, held: &Held) -> bool {
        self.proved.load(Ordering::Relaxed) >= held.number
    }
}

impl Store for Vault {
    fn read<'a>(&'a self, path: &'a str) -> Asking<'a> {
        Box::pin(self.found(path))
    }
}

fn read(answer: &Wiped) -> Result<Found, SecretError> {
    let read: Read = serde_json::from_slice(answer.bytes())
        .map_err(|_| ask::away("the store answered what is no secret"))?;
    let (data, metadata) = (read.data.data, read.data.metadata);
    let object = data.filter(|data| data.get().starts_with('{'));
    let object = object.ok_or(SecretError::Missing)?;
    let version = format!("{}@{}", metadata.version, metadata.created_time);
    let object = Zeroizing::new(object.get().to_owned());
    Ok(Found::fields(version.into(), object))
}

/// A path as it stands in a URL.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.trim_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_version_is_known_by_its_number_and_its_time() {
        let answer = br#"{"request_id":"x","lease_id":"","renewable":false,"lease_duration":0,"data":{"data":{"key":"sk-1"},"metadata":{"created_time":"2026-11-26T10:00:00.1Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":3}},"auth":null}"#;
        let found = read(&Wiped::new(Bytes::from_static(answer)));
        let found = found.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(&*found.version, "3@2026-11-26T10:00:00.1Z");
        let deleted = br#"{"data":{"data":null,"metadata":{"created_time":"t","deletion_time":"t","version":3}}}"#;
        let error = read(&Wiped::new(Bytes::from_static(deleted))).err();
        assert_eq!(error, Some(SecretError::Missing));
        for broken in ["", "{}", r#"{"data":{"key":"sk-1"}}"#] {
            let error = read(&Wiped::new(Bytes::from_static(broken.as_bytes()))).err();
            assert!(matches!(error, Some(SecretError::Away(_))), "{broken}");
        }
    }

    #[test]
    fn a_path_cannot_become_another() {
        for (path, url) in [
            ("llm/openai", "llm/openai"),
            ("/llm/openai/", "llm/openai"),
            ("a?b=c#d%2e", "a%3Fb%3Dc%23d%252e"),
        ] {
            assert_eq!(escaped(path), url);
        }
    }
}
