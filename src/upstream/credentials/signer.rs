//! AWS's keys for calls of our own to one of its services.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::timeout;

use super::state::{State, Step};
use super::{Credential, FETCH, aws};
use crate::outcome::{Class, Failure};
use crate::secret::Ambient;
use crate::upstream::client::Clients;
use crate::upstream::errand::Errand;
use crate::upstream::sign::{self, ToSign};

/// Signs what its one owner sends, with the keys of the standard chain; they are renewed before
/// their end, and used to it while that fails.
pub struct AwsSigner {
    ambient: Ambient,
    clients: Clients,
    service: &'static str,
    region: Arc<str>,
    state: State,
}

impl AwsSigner {
    pub fn new(
        ambient: Ambient,
        clients: Clients,
        service: &'static str,
        region: Arc<str>,
    ) -> Self {
        Self {
            ambient,
            clients,
            service,
            region,
            state: State::default(),
        }
    }

    /// Puts the signature's headers on an errand that is otherwise ready.
    ///
    /// # Errors
    /// There are no keys: `Connect` when their source cannot be reached or has none, `Auth` when it
    /// refuses to issue any.
    pub async fn sign(&mut self, errand: &mut Errand<'_>) -> Result<(), Failure> {
        let credential = self.keys().await?;
        let Credential::Aws(keys) = &credential else {
            return Err(none());
        };
        let not_a_url = |_| Failure::new(Class::Connect, "the address is no URL");
        let uri = errand.uri().map_err(not_a_url)?;
        let to_sign = ToSign {
            service: self.service,
            region: &self.region,
            method: &errand.method,
            uri: &uri,
            body: std::slice::from_ref(&errand.body),
        };
        sign::aws(&mut errand.headers, &to_sign, keys, SystemTime::now())
    }

    /// What was signed with was refused: the next time there are other keys, if there are any.
    pub fn forget(&mut self) {
        self.state = State::default();
    }

    async fn keys(&mut self) -> Result<Credential, Failure> {
        match self.state.step(SystemTime::now(), None) {
            Step::Use(credential) => return Ok(credential),
            Step::Fail(failure) => return Err(failure),
            Step::Renew | Step::UseAndRenew(_) | Step::Wait => {}
        }
        let fetching = Box::pin(aws::fetch(&self.ambient, &self.clients, &self.region));
        let late = |_| Failure::new(Class::Connect, "the credentials did not come in time");
        let fetched = timeout(FETCH, fetching).await.map_err(late);
        let now = SystemTime::now();
        self.state.fetched(fetched.and_then(|fetched| fetched), now);
        match self.state.step(now, None) {
            Step::Use(credential) | Step::UseAndRenew(credential) => Ok(credential),
            Step::Fail(failure) => Err(failure),
            Step::Renew | Step::Wait => Err(none()),
        }
    }
}

fn none() -> Failure {
    Failure::new(Class::Connect, "no AWS credentials can be had")
}
