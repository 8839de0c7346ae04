//! Calls of our own to one of AWS's services, signed.

use std::sync::Arc;
use std::time::SystemTime;

use super::{AwsKeys, Credential, Credentials, Source};
use crate::outcome::{Class, Failure};
use crate::upstream::errand::Errand;
use crate::upstream::sign;

/// Signs for a service, with the keys of the standard chain.
#[derive(Clone)]
pub struct AwsSigner {
    credentials: Credentials,
    service: &'static str,
    region: Arc<str>,
}

/// What an errand was signed with.
pub struct SignedWith(Arc<AwsKeys>);

impl AwsSigner {
    pub fn new(credentials: Credentials, service: &'static str, region: Arc<str>) -> Self {
        Self {
            credentials,
            service,
            region,
        }
    }

    /// Puts the signature's headers on an errand that is otherwise ready.
    ///
    /// # Errors
    /// There are no keys: `Connect` when their source cannot be reached or has none, `Auth` when it
    /// refuses to issue any.
    pub async fn sign(&self, errand: &mut Errand<'_>) -> Result<SignedWith, Failure> {
        let Credential::Aws(keys) = self.credentials.issued(&self.source(), None).await? else {
            // The chain gives nothing else.
            let reason = "the AWS credential chain gave no keys";
            return Err(Failure::new(Class::Connect, reason));
        };
        sign::errand(errand, self.service, &self.region, &keys, SystemTime::now())?;
        Ok(SignedWith(keys))
    }

    /// What was signed like this was refused: others are fetched in the background, if there are any.
    pub fn doubt(&self, signed: &SignedWith) {
        let used = Credential::Aws(Arc::clone(&signed.0));
        self.credentials.doubt_of(self.source(), &used);
    }

    fn source(&self) -> Source {
        Source::Aws {
            region: Arc::clone(&self.region),
        }
    }
}
