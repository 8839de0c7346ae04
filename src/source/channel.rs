//! How a source is reached: by whom we trust there, and who we are, as a [`Place`] says it. Both lie in
//! files, which are read for each question.

use std::path::Path;

use rustls::ClientConfig;

use super::{Auth, Place, SourceError};
use crate::secret::Secret;
use crate::upstream::{self, Client, Clients, Trust, Unread, aside, read_file};

/// The client for a place.
pub(super) struct Channel(upstream::Channel);

impl Channel {
    pub(super) fn new(place: &Place, clients: &Clients, secure: bool) -> Self {
        Self(upstream::Channel::new(trust(place), clients, secure))
    }

    pub(super) async fn client(&self) -> Result<Client, SourceError> {
        self.0.client().await.map_err(|why| unasked(&why))
    }
}

fn trust(place: &Place) -> Trust {
    Trust {
        ca: place.ca.clone(),
        identity: match &place.auth {
            Auth::Certificate { chain, key } => Some((chain.clone(), key.clone())),
            Auth::None | Auth::Token { .. } => None,
        },
    }
}

/// TLS as the place's files say it now, for a store that is not asked by HTTP.
pub(super) async fn tls(place: &Place) -> Result<ClientConfig, SourceError> {
    trust(place).tls().await.map_err(|why| unasked(&why))
}

/// The token in a file.
pub(super) async fn token(path: &Path) -> Result<Secret, SourceError> {
    let own = path.to_owned();
    let bytes = aside(move || read_file("the token file", &own)).await;
    let bytes = bytes.map_err(|why| unasked(&why))?;
    Secret::try_new(&bytes).map_err(|error| SourceError::Away {
        why: format!("cannot be asked: the token file {} {error}", path.display()),
        again: None,
    })
}

/// The token that a place has a file for.
pub(super) async fn token_of(auth: &Auth) -> Result<Option<Secret>, SourceError> {
    match auth {
        Auth::Token { file } => Ok(Some(token(file).await?)),
        Auth::None | Auth::Certificate { .. } => Ok(None),
    }
}

/// What is missing is on our side.
fn unasked(why: &Unread) -> SourceError {
    SourceError::Away {
        why: format!("cannot be asked: {why}"),
        again: None,
    }
}
