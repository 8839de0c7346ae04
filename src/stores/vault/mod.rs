//! A Vault or an OpenBao: version 2 of its key-value engine.
//!
//! <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2> (read 2026-11). What lies there
//! has no lease and tells nobody when it changes, so it is read again. A token that is not good any
//! more is answered 403, as is a path that is not ours: after one login more, the one is told from the
//! other.

mod denials;
mod lease;
mod login;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Method, StatusCode};
use zeroize::Zeroizing;

use super::ask::{self, Wiped};
use crate::secret::{Asking, Found, SecretError, Store, VaultPlace};
use crate::tasks::Tasks;
use crate::upstream::{self, Channel};

use self::denials::Denials;
use self::login::Door;
use self::session::{Held, Session};
use self::wire::Read;

pub(super) struct Vault {
    door: Arc<Door>,
    session: Session,
    denials: Mutex<Denials>,
}

impl Vault {
    pub(super) fn new(place: VaultPlace, channel: Channel, tasks: &Tasks) -> Self {
        let door = Arc::new(Door { place, channel });
        Self {
            session: Session::begin(Arc::clone(&door), tasks),
            door,
            denials: Mutex::default(),
        }
    }

    async fn found(&self, path: &str) -> Result<Found, SecretError> {
        let held = self.session.token().await?;
        let (mut status, mut answer) = self.ask(path, &held).await?;
        if status == StatusCode::FORBIDDEN {
            if self.calls_for_another(path, &held) {
                let another = self.session.another(held.number).await?;
                (status, answer) = self.ask(path, &another).await?;
            }
            if status == StatusCode::FORBIDDEN {
                self.denials().stand(path);
            }
        }
        match status {
            status if status.is_success() => read(&answer),
            StatusCode::NOT_FOUND => Err(SecretError::Missing),
            status => Err(ask::refusal(status, None)),
        }
    }

    /// Whether there is another token by now, or one is to be got.
    fn calls_for_another(&self, path: &str, held: &Held) -> bool {
        let age = held.since.elapsed();
        self.session.is_past(held) || self.denials().call_for_another(path, held, age)
    }

    async fn ask(&self, path: &str, held: &Held) -> Result<(StatusCode, Wiped), SecretError> {
        let place = format!("{}/data/{}", self.door.place.mount, escaped(path));
        let asked = self
            .door
            .ask(Method::GET, &place, Some(&held.token), Zeroizing::default());
        let (status, answer) = asked.await?;
        if status.is_success() || status == StatusCode::NOT_FOUND {
            self.denials().opened(path, held);
        }
        Ok((status, answer))
    }

    fn denials(&self) -> MutexGuard<'_, Denials> {
        self.denials.lock().unwrap_or_else(PoisonError::into_inner)
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
    upstream::escaped(path.trim_matches('/'), b"-._~/")
}
