//! Connections to somebody whom we trust by what files say now, and who may know us by a certificate in
//! others.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::sync::Mutex;

use super::client::{Client, Clients};
use super::files::{self, Unread, aside};
use super::tls::{Identity, Papers};

/// Where the files are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    /// Authorities that are trusted beside the usual ones.
    pub(crate) ca: Option<PathBuf>,
    /// The certificate's chain and its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// Gives the client for a place: another one when its files have changed, so that no connection goes
/// on under what they said before.
pub(crate) struct Channel {
    clients: Clients,
    /// Absent where the usual authorities are all.
    files: Option<Trust>,
    /// Held by the thread that reads the files: where they hang, that is one.
    made: Arc<Mutex<Option<Made>>>,
}

struct Made {
    papers: Papers,
    client: Client,
}

impl Channel {
    /// To a place that is asked by TLS, if it is `secure`: else no file is read.
    pub(crate) fn new(trust: Trust, clients: &Clients, secure: bool) -> Self {
        let is_needed = secure && (trust.ca.is_some() || trust.identity.is_some());
        Self {
            clients: clients.clone(),
            files: is_needed.then_some(trust),
            made: Arc::default(),
        }
    }

    /// Cancel-safe: a reading that is under way is waited for by who comes next.
    ///
    /// # Errors
    /// Which file is of no use.
    pub(crate) async fn client(&self) -> Result<Client, Unread> {
        let Some(files) = self.files.clone() else {
            return Ok(self.clients.far());
        };
        let mut made = Arc::clone(&self.made).lock_owned().await;
        let clients = self.clients.clone();
        aside(move || {
            let papers = files.read()?;
            if let Some(known) = made.as_ref().filter(|known| known.papers == papers) {
                return Ok(known.client.clone());
            }
            let client = clients.speaking(config(&papers)?);
            *made = Some(Made {
                papers,
                client: client.clone(),
            });
            Ok(client)
        })
        .await
    }
}

impl Trust {
    /// TLS as the files say it now, for who is not asked by HTTP.
    ///
    /// # Errors
    /// Which file is of no use.
    pub(crate) async fn tls(self) -> Result<ClientConfig, Unread> {
        aside(move || config(&self.read()?)).await
    }

    fn read(&self) -> Result<Papers, Unread> {
        let mut papers = Papers::default();
        if let Some(path) = &self.ca {
            papers.authorities = Some(files::read("the CA file", path)?.to_vec());
        }
        if let Some((chain, key)) = &self.identity {
            papers.identity = Some(Identity {
                chain: files::read("the client certificate", chain)?.to_vec(),
                key: files::read("the key of the client certificate", key)?,
            });
        }
        Ok(papers)
    }
}

fn config(papers: &Papers) -> Result<ClientConfig, Unread> {
    papers.config().map_err(|error| Unread(error.to_string()))
}
