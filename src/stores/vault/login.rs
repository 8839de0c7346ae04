//! One login, by whichever method the configuration names, and one renewal.

use std::sync::Arc;

use http::{HeaderName, Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::lease::Lease;
use super::wire::{AppRoleLogin, Granted, JwtLogin, LookedUp};
use crate::secret::{Secret, SecretError, VaultAuth, VaultPlace};
use crate::stores::ask::{self, ANSWER, LONGEST, Wiped};
use crate::upstream::{Channel, Errand};

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Asked for by listeners that guard against forged requests.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// A token, and what it is good for.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) token: Arc<Secret>,
    pub(super) lease: Lease,
}

/// Who is asked, and as whom.
pub(super) struct Door {
    pub(super) place: VaultPlace,
    pub(super) channel: Channel,
}

impl Door {
    /// # Errors
    /// The store refuses us, is away, or a file is not there.
    pub(super) async fn log_in(&self) -> Result<Grant, SecretError> {
        match &self.place.auth {
            VaultAuth::Token { file } => self.look_up(ask::file(file).await?.trim()).await,
            VaultAuth::AppRole {
                role_id,
                secret_id_file,
            } => {
                let secret_id = ask::file(secret_id_file).await?;
                self.post_login(&AppRoleLogin {
                    role_id,
                    secret_id: secret_id.trim(),
                })
                .await
            }
            VaultAuth::Jwt { role, token_file } => {
                let jwt = ask::file(token_file).await?;
                self.post_login(&JwtLogin {
                    role,
                    jwt: jwt.trim(),
                })
                .await
            }
        }
    }

    /// The same token with a longer life.
    ///
    /// # Errors
    /// It was refused, or the store is away.
    pub(super) async fn renew(&self, grant: &Grant) -> Result<Grant, SecretError> {
        let body = Zeroizing::new(b"{}".to_vec());
        let (status, answer) = self
            .ask(
                Method::POST,
                "auth/token/renew-self",
                Some(&grant.token),
                body,
            )
            .await?;
        let granted: Granted = read(status, &answer)?;
        let (ttl, renewable) = (granted.auth.lease_duration, granted.auth.renewable);
        Ok(Grant {
            token: Arc::clone(&grant.token),
            lease: grant.lease.renewed(ttl, renewable, Instant::now()),
        })
    }

    /// Whether the store issues its tokens to us. One from a file is somebody else's.
    pub(super) fn issues(&self) -> bool {
        match &self.place.auth {
            VaultAuth::Token { .. } => false,
            VaultAuth::AppRole { .. } | VaultAuth::Jwt { .. } => true,
        }
    }

    /// Revokes a token that is not needed any more. One that cannot be given back ends by itself.
    pub(super) async fn give_back(&self, token: &Secret) {
        let asked = self.ask(
            Method::POST,
            "auth/token/revoke-self",
            Some(token),
            Zeroizing::new(b"{}".to_vec()),
        );
        match asked.await {
            Ok((status, _)) if status.is_success() => {}
            Ok((status, _)) => {
                tracing::debug!(
                    status = status.as_u16(),
                    "a store does not take a token back"
                );
            }
            Err(why) => tracing::debug!(%why, "a token was not given back to its store"),
        }
    }

    /// A token that somebody else has got: how long it lives, it says itself.
    async fn look_up(&self, token: &str) -> Result<Grant, SecretError> {
        let token = Arc::new(secret(token)?);
        let (status, answer) = self
            .ask(
                Method::GET,
                "auth/token/lookup-self",
                Some(&token),
                Zeroizing::default(),
            )
            .await?;
        let found: LookedUp = read(status, &answer)?;
        let lease = Lease::new(found.data.ttl, found.data.renewable, Instant::now());
        Ok(Grant { token, lease })
    }

    async fn post_login(&self, login: &impl Serialize) -> Result<Grant, SecretError> {
        let body = serde_json::to_vec(login).unwrap_or_default();
        let path = format!("auth/{}/login", self.place.auth_mount);
        let (status, answer) = self
            .ask(Method::POST, &path, None, Zeroizing::new(body))
            .await?;
        let Granted { auth } = read(status, &answer)?;
        Ok(Grant {
            token: Arc::new(secret(&auth.client_token)?),
            lease: Lease::new(auth.lease_duration, auth.renewable, Instant::now()),
        })
    }

    /// An answer, whatever its status.
    ///
    /// # Errors
    /// There is none.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<(StatusCode, Wiped), SecretError> {
        let url = format!("{}/v1/{path}", self.place.address);
        let mut errand = Errand {
            method,
            body: ask::body(body),
            ..Errand::get(&url, LONGEST, ANSWER)
        }
        .header(REQUEST, "true");
        if let Some(token) = token {
            errand = errand.header(TOKEN, token.expose());
        }
        if let Some(namespace) = &self.place.namespace {
            errand = errand.header(NAMESPACE, namespace);
        }
        let client = self.channel.client().await;
        let client = client.map_err(|why| ask::unread(&why))?;
        let reply = errand.run(&client).await;
        let reply = reply.map_err(|undone| ask::undone(&undone))?;
        Ok((reply.status, Wiped::new(reply.body)))
    }
}

fn secret(token: &str) -> Result<Secret, SecretError> {
    Secret::try_new(token.as_bytes()).map_err(|_| ask::away("the login gave what is no token"))
}

fn read<'a, T: Deserialize<'a>>(status: StatusCode, body: &'a Wiped) -> Result<T, SecretError> {
    if !status.is_success() {
        return Err(ask::refusal(status, Some("to the login")));
    }
    serde_json::from_slice(body.bytes())
        .map_err(|_| ask::away("the store answered what is no login"))
}
