//! How a store is reached by HTTP: whom we trust there, and who we are. Both lie in files, which are
//! read anew each time, on a thread aside: they are replaced.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use zeroize::Zeroizing;

use super::{Auth, Place, SourceError};
use crate::secret::Secret;
use crate::upstream::{Client, Clients, Identity, Papers};

/// No file of certificates or with a token comes near this.
const LARGEST: u64 = 1 << 20;

/// Where the files of a place's TLS are.
#[derive(Clone)]
struct Files {
    ca: Option<PathBuf>,
    /// The certificate's chain and its key.
    identity: Option<(PathBuf, PathBuf)>,
}

/// Gives the client for a place: another one when its files have changed, so that no connection
/// goes on under what they said before.
pub(super) struct Channel {
    clients: Clients,
    /// Absent where the usual authorities are all.
    files: Option<Files>,
    made: Option<(Arc<Papers>, Client)>,
}

impl Channel {
    pub(super) fn new(place: &Place, clients: &Clients, secure: bool) -> Self {
        Self {
            clients: clients.clone(),
            files: Files::of(place).filter(|_| secure),
            made: None,
        }
    }

    pub(super) async fn client(&mut self) -> Result<Client, SourceError> {
        let Some(files) = &self.files else {
            return Ok(self.clients.far());
        };
        let known = self.made.as_ref().map(|(papers, _)| Arc::clone(papers));
        match files.clone().changed(known).await? {
            None => {}
            Some((papers, config)) => {
                let client = self.clients.speaking(config);
                self.made = Some((Arc::new(papers), client));
            }
        }
        let client = self.made.as_ref().map(|(_, client)| client.clone());
        Ok(client.unwrap_or_else(|| self.clients.far()))
    }
}

impl Files {
    /// `None` where there are none.
    fn of(place: &Place) -> Option<Self> {
        let identity = match &place.auth {
            Auth::Certificate { chain, key } => Some((chain.clone(), key.clone())),
            Auth::None | Auth::Token { .. } => None,
        };
        let ca = place.ca.clone();
        (ca.is_some() || identity.is_some()).then_some(Self { ca, identity })
    }

    /// What TLS is now to be, unless the files are as they are known.
    async fn changed(
        self,
        known: Option<Arc<Papers>>,
    ) -> Result<Option<(Papers, ClientConfig)>, SourceError> {
        aside(move || {
            let papers = self.read()?;
            if known.as_deref() == Some(&papers) {
                return Ok(None);
            }
            let config = papers
                .config()
                .map_err(|error| unasked(&error.to_string()))?;
            Ok(Some((papers, config)))
        })
        .await
    }

    fn read(&self) -> Result<Papers, SourceError> {
        let plain = |what, path: &Path| Ok::<_, SourceError>(read(what, path)?.to_vec());
        Ok(Papers {
            authorities: match &self.ca {
                Some(path) => Some(plain("the CA file", path)?),
                None => None,
            },
            identity: match &self.identity {
                Some((chain, key)) => Some(Identity {
                    chain: plain("the client certificate", chain)?,
                    key: read("the key of the client certificate", key)?,
                }),
                None => None,
            },
        })
    }
}

/// TLS as the place's files say it now, for a store that is not asked by HTTP.
pub(super) async fn tls(place: &Place) -> Result<ClientConfig, SourceError> {
    let files = Files::of(place);
    aside(move || {
        let papers = files
            .map(|files| files.read())
            .transpose()?
            .unwrap_or_default();
        papers.config().map_err(|error| unasked(&error.to_string()))
    })
    .await
}

/// The token in a file.
pub(super) async fn token(path: &Path) -> Result<Secret, SourceError> {
    let path = path.to_owned();
    aside(move || {
        let bytes = read("the token file", &path)?;
        let unfit = |error| unasked(&format!("the token file {} {error}", path.display()));
        Secret::try_new(&bytes).map_err(unfit)
    })
    .await
}

/// The token that a place has a file for.
pub(super) async fn token_of(auth: &Auth) -> Result<Option<Secret>, SourceError> {
    match auth {
        Auth::Token { file } => Ok(Some(token(file).await?)),
        Auth::None | Auth::Certificate { .. } => Ok(None),
    }
}

/// A mount that hangs must not stop the requests.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|_| Err(unasked("the process ends")))
}

fn read(what: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let unreadable = |error: &io::Error| {
        unasked(&format!(
            "{what} {} cannot be read: {}",
            path.display(),
            error.kind()
        ))
    };
    let found = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !found.is_file() || found.len() > LARGEST {
        return Err(unasked(&format!(
            "{what} {} is no such file",
            path.display()
        )));
    }
    // Room for all at once: growing would leave copies behind that nobody zeroes.
    let room = usize::try_from(found.len()).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    file.take(LARGEST)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    Ok(bytes)
}

/// What is missing is on our side.
fn unasked(why: &str) -> SourceError {
    SourceError::Away {
        why: format!("cannot be asked: {why}"),
        again: None,
    }
}
