//! What a request is signed with, kept current: keys that are held, and those that are issued for a
//! while.
//!
//! One of the second sort is fetched by one task whoever asks for it, renewed before it expires, and
//! used while it is good although its renewal fails. Never here: what a header looks like, which is
//! `sign`'s to know, or a lock that is held while something is waited for.

mod ask;
mod aws;
mod google;
mod signer;
mod state;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::timeout;

use super::client::Clients;
use crate::outcome::{Class, Failure};
use crate::secret::{Ambient, Keyring, Reference, Secret};
use crate::snapshot::{Kind, Provider};
use crate::tasks::Tasks;

use self::state::{Issued, State, Step};

pub use self::signer::{AwsSigner, SignedWith};

/// How long it may take to fetch one, all of a chain's sources together.
const FETCH: Duration = Duration::from_secs(10);

/// What a request is signed with. It has no `Debug`: it holds what it says.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// The provider needs none.
    None,
    /// A key, in the header that the provider's kind has for it.
    Key(Arc<Secret>),
    /// A token in `authorization`, whatever the kind.
    Bearer(Arc<Secret>),
    /// What AWS's signature is made with.
    Aws(Arc<AwsKeys>),
}

#[derive(PartialEq, Eq)]
pub(super) struct AwsKeys {
    pub(super) id: Secret,
    pub(super) secret: Secret,
    /// Belongs to keys that expire.
    pub(super) session: Option<Secret>,
}

impl Credential {
    /// The one secret that it is, if it is one.
    fn key(&self) -> Option<&Arc<Secret>> {
        match self {
            Self::Key(secret) | Self::Bearer(secret) => Some(secret),
            Self::None | Self::Aws(_) => None,
        }
    }

    /// What must not be seen in an answer.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let (first, second) = match self {
            Self::None => (None, None),
            Self::Key(secret) | Self::Bearer(secret) => (Some(&**secret), None),
            Self::Aws(keys) => (Some(&keys.secret), keys.session.as_ref()),
        };
        first.into_iter().chain(second)
    }
}

/// The credentials of every provider. Clones are one. Outlives a reload.
#[derive(Clone)]
pub struct Credentials {
    entries: Arc<RwLock<HashMap<Source, Entry>>>,
    places: Arc<Places>,
    tasks: Tasks,
}

/// Where credentials come from.
struct Places {
    ambient: Ambient,
    keyring: Keyring,
    clients: Clients,
}

/// Who issues one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Source {
    /// The standard chain; its own service for identities is that of a region.
    Aws { region: Arc<str> },
    /// Application default credentials.
    Google,
    /// Google, to the holder of the document there.
    Document(Reference),
}

type Entry = Arc<watch::Sender<State>>;

/// Held by the task that fetches; whoever waits goes on when it is dropped, however that ends.
struct Renewing(Entry);

impl Drop for Renewing {
    fn drop(&mut self) {
        self.0.send_modify(|state| state.renewing = false);
    }
}

impl Credentials {
    pub fn new(ambient: Ambient, keyring: Keyring, clients: Clients, tasks: Tasks) -> Self {
        Self {
            entries: Arc::default(),
            places: Arc::new(Places {
                ambient,
                keyring,
                clients,
            }),
            tasks,
        }
    }

    /// Those that `ambient` leads to alone: for what is asked before any secret is known.
    pub fn of_environment(ambient: Ambient, clients: &Clients) -> Self {
        let tasks = clients.tasks().clone();
        Self::new(ambient, Keyring::default(), clients.clone(), tasks)
    }

    /// What `provider` is to be asked with now. Cancel-safe: what is being fetched goes on.
    ///
    /// # Errors
    /// There is none: `Connect` when its source cannot be reached or has none, `Auth` when the
    /// source refuses to issue one.
    pub(super) async fn of(&self, provider: &Provider) -> Result<Credential, Failure> {
        match self.held(provider)? {
            Held::Credential(credential) => Ok(credential),
            Held::Issued(source, document) => self.issued(&source, document.as_ref()).await,
        }
    }

    /// Fetches in the background what `provider` will need, unless it is there and fresh.
    pub fn prepare(&self, provider: &Provider) {
        if let Ok(Held::Issued(source, document)) = self.held(provider) {
            let entry = self.entry(&source);
            match begin(&entry, document.as_ref()) {
                Step::Renew | Step::UseAndRenew(_) => self.fetch(source, entry),
                Step::Use(_) | Step::Wait | Step::Fail(_) => {}
            }
        }
    }

    /// Whether there is another credential than `used`, which was refused. The source is asked.
    pub(super) async fn renewed(&self, provider: &Provider, used: &Credential) -> bool {
        let Some(reference) = &provider.secret else {
            return false;
        };
        let keyring = &self.places.keyring;
        match (self.held(provider), used.key()) {
            (Ok(Held::Credential(now)), _) if now != *used => return true,
            (Ok(Held::Credential(_)), Some(key)) => return keyring.refresh(reference, key).await,
            // What a token was issued for may be another document now.
            (Ok(Held::Issued(..)), _) if reference.is_held() => keyring.read_again(reference).await,
            (Ok(_) | Err(_), _) => {}
        }
        match self.held(provider) {
            Ok(Held::Credential(now)) => now != *used,
            Ok(Held::Issued(source, _)) => {
                let entry = self.doubt_of(source, used);
                settled(&entry).await;
                entry.borrow().differs(used)
            }
            Err(_) => false,
        }
    }

    /// Fetches another credential in the background, now that `used` was refused.
    pub(super) fn doubt(&self, provider: &Provider, used: &Credential) {
        match (self.held(provider), &provider.secret, used.key()) {
            (Ok(Held::Issued(source, _)), _, _) => drop(self.doubt_of(source, used)),
            (Ok(Held::Credential(_)), Some(reference), Some(key)) => {
                let (places, reference) = (Arc::clone(&self.places), reference.clone());
                let key = Arc::clone(key);
                self.tasks.spawn(async move {
                    places.keyring.refresh(&reference, &key).await;
                });
            }
            (Ok(_) | Err(_), _, _) => {}
        }
    }

    fn doubt_of(&self, source: Source, used: &Credential) -> Entry {
        let entry = self.entry(&source);
        let now = SystemTime::now();
        if entry.send_if_modified(|state| state.doubt(used, now)) {
            self.fetch(source, Arc::clone(&entry));
        }
        entry
    }

    /// Why nothing could be had of who issues for `provider`, when it was last asked; an older one
    /// may be in use.
    pub fn problem(&self, provider: &Provider) -> Option<String> {
        let Ok(Held::Issued(source, _)) = self.held(provider) else {
            return None;
        };
        let failure = self.entry(&source).borrow().failure()?.reason.clone();
        Some(format!("{source}: {failure}"))
    }

    /// The credential itself, or who issues it, and on the strength of which document.
    fn held(&self, provider: &Provider) -> Result<Held, Failure> {
        let Some(reference) = &provider.secret else {
            return Ok(Held::Credential(Credential::None));
        };
        let region = match &provider.kind {
            Kind::Bedrock { region } => Some(region),
            Kind::OpenAi
            | Kind::OpenAiCompatible
            | Kind::AzureV1
            | Kind::AzureDeployments { .. }
            | Kind::Anthropic
            | Kind::Gemini
            | Kind::Vertex { .. } => None,
        };
        // Forgotten since the plan was made, by a reload or because nothing has confirmed it for too
        // long. Nothing leaves unsigned.
        let unknown = || Failure::new(Class::Connect, "the provider's key cannot be had");
        let current = || self.places.keyring.current(reference).ok_or_else(unknown);
        Ok(match (reference, region) {
            (Reference::Aws, region) => {
                let region = region.cloned().unwrap_or_else(|| "us-east-1".into());
                Held::Issued(Source::Aws { region }, None)
            }
            (Reference::Google, _) => Held::Issued(Source::Google, None),
            (Reference::Document(_), _) => {
                let document = current()?;
                if google::is_document(&document) {
                    Held::Issued(Source::Document(reference.clone()), Some(document))
                } else {
                    Held::Credential(Credential::Bearer(document))
                }
            }
            (Reference::Env(_) | Reference::File(_) | Reference::Stored(_), Some(_)) => {
                Held::Credential(Credential::Bearer(current()?))
            }
            (Reference::Env(_) | Reference::File(_) | Reference::Stored(_), None) => {
                Held::Credential(Credential::Key(current()?))
            }
        })
    }

    async fn issued(
        &self,
        source: &Source,
        document: Option<&Arc<Secret>>,
    ) -> Result<Credential, Failure> {
        let entry = self.entry(source);
        loop {
            match begin(&entry, document) {
                Step::Use(credential) => return Ok(credential),
                Step::UseAndRenew(credential) => {
                    self.fetch(source.clone(), entry);
                    return Ok(credential);
                }
                Step::Fail(failure) => return Err(failure),
                Step::Renew => self.fetch(source.clone(), Arc::clone(&entry)),
                Step::Wait => {}
            }
            settled(&entry).await;
        }
    }

    fn entry(&self, source: &Source) -> Entry {
        let known = self
            .entries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(source)
            .cloned();
        known.unwrap_or_else(|| {
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(entries.entry(source.clone()).or_default())
        })
    }

    /// Fetches for an entry that was marked as being renewed.
    fn fetch(&self, source: Source, entry: Entry) {
        let renewing = Renewing(entry);
        let places = Arc::clone(&self.places);
        self.tasks.spawn(async move {
            let late = || Failure::new(Class::Connect, "the credentials did not come in time");
            let fetched = timeout(FETCH, Box::pin(places.fetch(&source))).await;
            let fetched = fetched.unwrap_or_else(|_| Err(late()));
            renewing.0.send_modify(|state| {
                tell(&source, state, fetched.as_ref().err());
                state.fetched(fetched, SystemTime::now());
            });
        });
    }
}

/// What a provider's reference comes to.
enum Held {
    Credential(Credential),
    Issued(Source, Option<Arc<Secret>>),
}

/// What is to be done; whoever is told to renew has marked it so.
fn begin(entry: &Entry, document: Option<&Arc<Secret>>) -> Step {
    let now = SystemTime::now();
    let mut step = Step::Wait;
    entry.send_if_modified(|state| {
        step = state.step(now, document);
        let renews = matches!(step, Step::Renew | Step::UseAndRenew(_));
        state.renewing |= renews;
        renews
    });
    step
}

/// Waits until nobody fetches. The sender is ours, so there is no other end.
async fn settled(entry: &Entry) {
    let _ = entry.subscribe().wait_for(|state| !state.renewing).await;
}

/// Says the first of several failures, and that they are over.
fn tell(source: &Source, before: &State, failure: Option<&Failure>) {
    match (before.failure().is_some(), failure) {
        (false, Some(failure)) => {
            let in_use = before.has_one();
            tracing::warn!(%source, reason = %failure.reason, in_use, "no credentials can be had");
        }
        (true, None) => tracing::info!(%source, "credentials can be had again"),
        (true, Some(_)) | (false, None) => {}
    }
}

impl Places {
    async fn fetch(&self, source: &Source) -> Result<Issued, Failure> {
        match source {
            Source::Aws { region } => aws::fetch(&self.ambient, &self.clients, region).await,
            Source::Google => google::fetch(&self.ambient, &self.clients).await,
            Source::Document(reference) => {
                let document = self.keyring.current(reference).ok_or_else(|| {
                    Failure::new(Class::Connect, "the provider's key cannot be had")
                })?;
                google::exchange(document, &self.clients).await
            }
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Aws { .. } => Reference::Aws.fmt(f),
            Self::Google => Reference::Google.fmt(f),
            Self::Document(reference) => reference.fmt(f),
        }
    }
}
