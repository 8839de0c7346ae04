//! What a Vault is sent and answers, as far as it is read here.
//!
//! <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>, `/auth/approle`, `/auth/jwt`,
//! `/auth/kubernetes` and `/auth/token` beside it (read 2026-11).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// `data/PATH` of the key-value engine. The `data` within is null where the version was deleted.
#[derive(Deserialize)]
pub(super) struct Read<'a> {
    #[serde(borrow)]
    pub(super) data: Version<'a>,
}

#[derive(Deserialize)]
pub(super) struct Version<'a> {
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) metadata: Metadata<'a>,
}

/// A path that is written anew after it was removed with all its versions begins at 1 again.
#[derive(Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub(super) created_time: Cow<'a, str>,
    pub(super) version: u64,
}

/// What a login and a renewal answer.
#[derive(Deserialize)]
pub(super) struct Granted<'a> {
    #[serde(borrow)]
    pub(super) auth: Auth<'a>,
}

#[derive(Deserialize)]
pub(super) struct Auth<'a> {
    #[serde(borrow)]
    pub(super) client_token: Cow<'a, str>,
    /// In seconds; 0 of a token that does not end.
    pub(super) lease_duration: u64,
    pub(super) renewable: bool,
}

/// What `lookup-self` says of a token that somebody else has got.
#[derive(Deserialize)]
pub(super) struct LookedUp {
    pub(super) data: Token,
}

#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) ttl: u64,
    #[serde(default)]
    pub(super) renewable: bool,
}

#[derive(Serialize)]
pub(super) struct AppRoleLogin<'a> {
    pub(super) role_id: &'a str,
    pub(super) secret_id: &'a str,
}

#[derive(Serialize)]
pub(super) struct JwtLogin<'a> {
    pub(super) role: &'a str,
    pub(super) jwt: &'a str,
}
