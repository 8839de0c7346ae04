//! Stores of secrets, each in the protocol that it speaks.
//!
//! Only asking is here: what is read when, kept, and for how long used is `secret`'s to know. What an
//! error says is one word of the store's own: its texts may repeat what they were sent.

mod ask;
mod aws;
mod vault;

use std::sync::Arc;

use crate::secret::{Ambient, AwsPlace, Keyring, Store, StoreKind, StorePlace};
use crate::tasks::Tasks;
use crate::upstream::{Client, Clients, Credentials};

/// What stores are asked with.
#[derive(Clone)]
pub struct Stores {
    clients: Clients,
    ambient: Arc<Ambient>,
    /// Those of AWS. Apart from the providers', which know secrets from here.
    credentials: Credentials,
    tasks: Tasks,
}

impl Stores {
    /// Of a process with this environment.
    pub fn new(env: &[(String, String)], clients: Clients, tasks: Tasks) -> Self {
        let credentials = Credentials::new(
            Ambient::of(env),
            Keyring::default(),
            clients.clone(),
            tasks.clone(),
        );
        Self {
            clients,
            ambient: Arc::new(Ambient::of(env)),
            credentials,
            tasks,
        }
    }

    /// Whatever answers for the store at `place`. It ends with its last owner.
    pub fn open(&self, place: &StorePlace) -> Arc<dyn Store> {
        let client = self.clients.trusting(place.ca.as_ref());
        match &place.kind {
            StoreKind::Vault(place) => {
                Arc::new(vault::Vault::new(place.clone(), client, &self.tasks))
            }
            StoreKind::AwsSm(place) => self.aws(aws::Service::SecretsManager, place, client),
            StoreKind::AwsSsm(place) => self.aws(aws::Service::ParameterStore, place, client),
        }
    }

    fn aws(&self, service: aws::Service, place: &AwsPlace, client: Client) -> Arc<dyn Store> {
        let credentials = self.credentials.clone();
        Arc::new(aws::Aws::new(
            service,
            place,
            &self.ambient,
            credentials,
            client,
        ))
    }
}
