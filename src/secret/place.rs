//! Where a store of secrets is and who we are to it, as `secret_stores` in the configuration says it.
//!
//! Never here: a secret. What a login needs lies in files, which are named.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The stores of a configuration by their names.
pub type StorePlaces = BTreeMap<Arc<str>, Arc<StorePlace>>;

/// One store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePlace {
    pub kind: StoreKind,
    /// A PEM file of authorities trusted beside the usual ones.
    pub ca: Option<PathBuf>,
    /// How often each path is read again.
    pub refresh: Duration,
    /// For so long what it gave is used after it last said so.
    pub max_stale: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    Vault(VaultPlace),
    /// Secrets Manager.
    AwsSm(AwsPlace),
    /// The Parameter Store of Systems Manager.
    AwsSsm(AwsPlace),
}

/// A Vault, or an OpenBao, with version 2 of its key-value engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultPlace {
    /// Ends where `/v1` would.
    pub address: Arc<str>,
    /// Where the engine is mounted.
    pub mount: Arc<str>,
    pub namespace: Option<Arc<str>>,
    pub auth: VaultAuth,
    /// Where that method is mounted.
    pub auth_mount: Arc<str>,
}

/// How we log in. Files are read anew each time: they are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultAuth {
    /// Somebody else has logged in, and left the token in this file.
    Token { file: PathBuf },
    AppRole {
        role_id: Arc<str>,
        secret_id_file: PathBuf,
    },
    /// By a token of somebody whom the store trusts; also that of a Kubernetes service account.
    Jwt { role: Arc<str>, token_file: PathBuf },
}

/// A service of AWS, asked with the keys of the standard chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsPlace {
    /// That of the environment where it is absent.
    pub region: Option<Arc<str>>,
    /// Instead of the region's own endpoint.
    pub address: Option<Arc<str>>,
}
