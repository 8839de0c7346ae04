//! Stores of secrets, each in the protocol that it speaks.
//!
//! Only asking is here: what is read when, kept, and for how long used is `secret`'s to know. What an
//! error says is one word of the store's own: its texts may repeat what they were sent.

mod ask;
mod aws;
mod vault;

use std::sync::Arc;

use crate::secret::{Ambient, AwsPlace, Store, StoreKind, StorePlace};
use crate::tasks::Tasks;
use crate::upstream::{Channel, Clients, Credentials, Trust};

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
        let ambient = Ambient::of(env);
        Self {
            credentials: Credentials::of_environment(ambient.clone(), &clients),
            ambient: Arc::new(ambient),
            clients,
            tasks,
        }
    }

    /// Whatever answers for the store at `place`. It ends with its last owner.
    pub fn open(&self, place: &StorePlace) -> Arc<dyn Store> {
        let channel = |url: &str| {
            let trust = Trust {
                ca: place.ca.clone(),
                identity: None,
            };
            Channel::new(trust, &self.clients, url.starts_with("https://"))
        };
        let aws = |service: aws::Service, place: &AwsPlace| {
            let (ambient, credentials) = (&self.ambient, &self.credentials);
            Arc::new(aws::Aws::new(service, place, ambient, credentials, channel))
        };
        match &place.kind {
            StoreKind::Vault(place) => {
                let channel = channel(&place.address);
                Arc::new(vault::Vault::new(place.clone(), channel, &self.tasks))
            }
            StoreKind::AwsSm(place) => aws(aws::Service::SecretsManager, place),
            StoreKind::AwsSsm(place) => aws(aws::Service::ParameterStore, place),
        }
    }
}
