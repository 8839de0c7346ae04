//! Google's access tokens: for a service account, for a user's refresh token, or from the metadata
//! server.
//!
//! <https://cloud.google.com/docs/authentication/application-default-credentials>,
//! <https://developers.google.com/identity/protocols/oauth2/service-account> and
//! <https://cloud.google.com/compute/docs/access/authenticate-workloads> (read 2026-11).

mod assertion;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::ask::{self, Question};
use super::state::Issued;
use super::{Credential, Secret};
use crate::outcome::{Class, Failure};
use crate::secret::Ambient;
use crate::snapshot::BaseUrl;
use crate::upstream::client::Clients;
use crate::upstream::egress::is_loopback;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const METADATA_HOST: &str = "metadata.google.internal";
/// As Google's own libraries renew: the metadata server has a new one from four minutes on.
const WINDOW: Duration = Duration::from_secs(225);

/// The files that a token may be had for.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Document<'a> {
    ServiceAccount {
        #[serde(borrow)]
        client_email: Cow<'a, str>,
        #[serde(borrow)]
        private_key: Cow<'a, str>,
        #[serde(borrow)]
        private_key_id: Option<Cow<'a, str>>,
        #[serde(borrow)]
        token_uri: Option<Cow<'a, str>>,
    },
    AuthorizedUser {
        #[serde(borrow)]
        client_id: Cow<'a, str>,
        #[serde(borrow)]
        client_secret: Cow<'a, str>,
        #[serde(borrow)]
        refresh_token: Cow<'a, str>,
        #[serde(borrow)]
        token_uri: Option<Cow<'a, str>>,
    },
}

/// RFC 6749 §5.1.
#[derive(Deserialize)]
struct Token<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    expires_in: u64,
}

/// Whether a secret is a document rather than a token.
pub(super) fn is_document(secret: &Secret) -> bool {
    secret.expose().starts_with('{')
}

/// A token by the application default credentials.
pub(super) async fn fetch(ambient: &Ambient, clients: &Clients) -> Result<Issued, Failure> {
    if let Some(path) = ambient.file("GOOGLE_APPLICATION_CREDENTIALS") {
        let text = ask::file(path).await.ok_or_else(|| {
            let reason = "the file that GOOGLE_APPLICATION_CREDENTIALS names cannot be read";
            Failure::new(Class::Connect, reason)
        })?;
        return token(&text, clients).await;
    }
    if let Some(path) = well_known(ambient)
        && let Some(text) = ask::file(&path).await
    {
        return token(&text, clients).await;
    }
    metadata(ambient, clients).await
}

/// A token for the holder of a document.
pub(super) async fn exchange(document: Arc<Secret>, clients: &Clients) -> Result<Issued, Failure> {
    let issued = token(document.expose(), clients).await?;
    Ok(Issued {
        document: Some(document),
        ..issued
    })
}

/// Where `gcloud auth application-default login` puts its file.
fn well_known(ambient: &Ambient) -> Option<PathBuf> {
    let folder = match ambient.file("CLOUDSDK_CONFIG") {
        Some(folder) => folder.to_owned(),
        None => ambient.in_home(".config/gcloud")?,
    };
    Some(folder.join("application_default_credentials.json"))
}

async fn token(document: &str, clients: &Clients) -> Result<Issued, Failure> {
    const WHOM: &str = "Google's token endpoint";
    let document: Document = serde_json::from_str(document).map_err(|_| {
        let reason =
            "Google's credentials are neither a `service_account` nor an `authorized_user`";
        Failure::new(Class::Connect, reason)
    })?;
    let assertion;
    let (fields, uri) = match &document {
        Document::ServiceAccount {
            client_email,
            private_key,
            private_key_id,
            token_uri,
        } => {
            assertion = assertion::sign(
                client_email,
                private_key_id.as_deref(),
                private_key,
                SystemTime::now(),
            )
            .ok_or_else(|| {
                let reason = "the private key of Google's service account cannot be used";
                Failure::new(Class::Connect, reason)
            })?;
            let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
            let fields = vec![("grant_type", grant), ("assertion", &*assertion)];
            (fields, token_uri)
        }
        Document::AuthorizedUser {
            client_id,
            client_secret,
            refresh_token,
            token_uri,
        } => {
            let fields = vec![
                ("grant_type", "refresh_token"),
                ("client_id", client_id),
                ("client_secret", client_secret),
                ("refresh_token", refresh_token),
            ];
            (fields, token_uri)
        }
    };
    let uri = uri.as_deref().unwrap_or(TOKEN_URI);
    let url = BaseUrl::try_new(uri).ok().filter(|url| {
        // What is posted there is as good as the token.
        url.is_https() || is_loopback(url.host())
    });
    if url.is_none() {
        let reason = "the `token_uri` of Google's credentials is not https";
        return Err(Failure::new(Class::Connect, reason));
    }
    let body = Question::form(WHOM, uri, &fields)
        .ask(&clients.far())
        .await?;
    read(WHOM, &body)
}

async fn metadata(ambient: &Ambient, clients: &Clients) -> Result<Issued, Failure> {
    const WHOM: &str = "Google's metadata server";
    let host = ambient.get("GCE_METADATA_HOST").unwrap_or(METADATA_HOST);
    let url = format!(
        "http://{host}/computeMetadata/v1/instance/service-accounts/default/token?scopes={SCOPE}"
    );
    let question = Question::get(WHOM, &url).header("metadata-flavor", "Google");
    let body = question.ask(&clients.beside()).await?;
    read(WHOM, &body)
}

fn read(whom: &str, body: &[u8]) -> Result<Issued, Failure> {
    let token: Option<Token> = serde_json::from_slice(body).ok();
    let issued = token.and_then(|token| {
        let secret = Secret::try_new(token.access_token.as_bytes()).ok()?;
        let life = Duration::from_secs(token.expires_in);
        Some(Issued {
            credential: Credential::Bearer(Arc::new(secret)),
            expires: Some(SystemTime::now().checked_add(life)?),
            window: WINDOW,
            document: None,
        })
    });
    issued.ok_or_else(|| ask::unreadable(whom))
}
