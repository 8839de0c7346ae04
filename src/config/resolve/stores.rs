//! Stores of secrets: which keys a kind and a way to log in need.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::node::Table;
use crate::config::problem::Report;
use crate::secret::{
    AwsPlace, RESERVED, StoreKind, StorePlace, StorePlaces, VaultAuth, VaultPlace, is_store,
};

use super::providers::is_loopback;

/// Where a pod's own token is.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The keys that mean nothing for most kinds, and those for which they do.
const KEYS_OF_KINDS: &[(&str, &[&str])] = &[
    ("auth", &["vault"]),
    ("auth_mount", &["vault"]),
    ("mount", &["vault"]),
    ("namespace", &["vault"]),
    ("role", &["vault"]),
    ("role_id", &["vault"]),
    ("secret_id_file", &["vault"]),
    ("token_file", &["vault"]),
    ("region", &["aws-sm", "aws-ssm"]),
];

/// The same for the ways to log in to a Vault.
const KEYS_OF_AUTHS: &[(&str, &[&str])] = &[
    ("role", &["kubernetes", "jwt"]),
    ("role_id", &["approle"]),
    ("secret_id_file", &["approle"]),
    ("token_file", &["token", "kubernetes", "jwt"]),
    ("auth_mount", &["approle", "kubernetes", "jwt"]),
];

pub(super) fn resolve(root: &Table, report: &mut Report) -> StorePlaces {
    let mut stores = StorePlaces::new();
    let max_stale = root.duration("secret_max_stale").unwrap_or_default();
    for (name, table) in root.map("secret_stores") {
        if RESERVED.contains(&name) {
            let message = "has a name that means something else before a `:` or alone";
            report.problem_with_hint(&table.path, message, "call it otherwise");
        } else if !is_store(name) {
            let message = "has a name with more in it than letters, digits, `-` and `_`";
            report.problem(&table.path, message);
        }
        if let Some(store) = store(table, max_stale, report) {
            stores.insert(name.into(), Arc::new(store));
        }
    }
    stores
}

fn store(table: &Table, max_stale: Duration, report: &mut Report) -> Option<StorePlace> {
    let word = table.text("kind")?;
    only_for("kind", &word, KEYS_OF_KINDS, table, report);
    let kind = match &*word {
        "vault" => StoreKind::Vault(vault(table, report)?),
        "aws-sm" => StoreKind::AwsSm(aws(table)),
        // The checker has let no further word through.
        _ => StoreKind::AwsSsm(aws(table)),
    };
    if let Some(address) = table.url("address")
        && !address.is_https()
        && !is_loopback(address.host())
    {
        let message = format!("secrets come from `{}` in clear text", address.host());
        report.warning(&table.at("address"), message);
    }
    let ca = table.text("ca").map(|file| PathBuf::from(&*file));
    let refresh = table.duration("refresh")?;
    Some(StorePlace {
        kind,
        ca,
        refresh,
        max_stale,
    })
}

fn vault(table: &Table, report: &mut Report) -> Option<VaultPlace> {
    need(table, "address", "kind: vault", report);
    need(table, "auth", "kind: vault", report);
    let auth = table.text("auth")?;
    only_for("auth", &auth, KEYS_OF_AUTHS, table, report);
    let mut needed = |key| {
        need(table, key, &format!("auth: {auth}"), report);
        table.text(key)
    };
    let file = |text: Arc<str>| PathBuf::from(&*text);
    let method = match &*auth {
        "token" => VaultAuth::Token {
            file: file(needed("token_file")?),
        },
        "approle" => {
            let (role_id, secret_id) = (needed("role_id"), needed("secret_id_file"));
            VaultAuth::AppRole {
                role_id: role_id?,
                secret_id_file: file(secret_id?),
            }
        }
        word => {
            let own = (word == "kubernetes" && !table.has("token_file"))
                .then(|| Arc::from(SERVICE_ACCOUNT));
            let (role, token) = (needed("role"), own.or_else(|| needed("token_file")));
            VaultAuth::Jwt {
                role: role?,
                token_file: file(token?),
            }
        }
    };
    Some(VaultPlace {
        address: table.url("address")?.to_string().into(),
        mount: segments(table, "mount", report).unwrap_or_else(|| "secret".into()),
        namespace: segments(table, "namespace", report),
        auth: method,
        auth_mount: segments(table, "auth_mount", report).unwrap_or(auth),
    })
}

fn aws(table: &Table) -> AwsPlace {
    AwsPlace {
        region: table.text("region"),
        address: table.url("address").map(|url| url.to_string().into()),
    }
}

/// What stands in a path, or in a header: no more than steps and the slashes between them.
fn segments(table: &Table, key: &str, report: &mut Report) -> Option<Arc<str>> {
    let text = table.text(key)?;
    let bare = text.trim_matches('/');
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let is_step = |step: &str| !matches!(step, "" | "." | "..") && step.bytes().all(fits);
    if !bare.split('/').all(is_step) {
        let message = format!("`{text}` is not a path such as `kv` or `team/kv`");
        report.problem(&table.at(key), message);
        return None;
    }
    Some(bare.into())
}

fn only_for(what: &str, word: &str, keys: &[(&str, &[&str])], table: &Table, report: &mut Report) {
    for (key, words) in keys {
        if table.has(key) && !words.contains(&word) {
            let message = format!("is for `{what}: {}` only", words.join("`, `"));
            report.problem(&table.at(key), message);
        }
    }
}

fn need(table: &Table, key: &str, who: &str, report: &mut Report) {
    if !table.has(key) {
        report.problem(&table.at(key), format!("is missing; `{who}` needs it"));
    }
}
