//! Where the central document is, and what one says of its own release.

use std::sync::Arc;

use crate::config::node::Table;
use crate::config::problem::{Report, Writer};
use crate::config::{Release, Rollback, Rollout};
use crate::source::{Auth, Place, PublicKey, Reports, SourceUrl};

/// `None` without a `source`, and after a problem with it.
pub(in crate::config) fn source(root: &Table, report: &mut Report) -> Option<Place> {
    let table = root.table("source")?;
    let auth = auth(table, report);
    Some(Place {
        url: table.source_url("url")?,
        refresh: table.duration("refresh")?,
        auth: auth?,
        ca: table.text("ca").map(|file| file.as_ref().into()),
        verify: verify(table, report),
    })
}

/// Where this sidecar tells how it stands.
pub(in crate::config) fn reports_to(root: &Table, report: &mut Report) -> Option<SourceUrl> {
    let table = root.table("source")?;
    let url = table.source_url("report")?;
    match Reports::suits(&url) {
        Ok(()) => Some(url),
        Err(why) => {
            report.problem(&table.at("report"), why);
            None
        }
    }
}

/// Who we are to a source, or to a collector.
pub(super) fn auth(source: &Table, report: &mut Report) -> Option<Auth> {
    let Some(table) = source.table("auth") else {
        return Some(Auth::None);
    };
    let file = |key| table.text(key).map(|file| file.as_ref().into());
    match (table.has("token_file"), table.has("cert"), table.has("key")) {
        (true, false, false) => Some(Auth::Token {
            file: file("token_file")?,
        }),
        (false, true, true) => Some(Auth::Certificate {
            chain: file("cert")?,
            key: file("key")?,
        }),
        (true, _, _) => {
            let message = "has a certificate beside `token_file`; one of them is shown";
            report.problem(&table.path, message);
            None
        }
        (false, false, false) => {
            let message = "has neither `token_file` nor `cert` and `key`";
            report.problem(&table.path, message);
            None
        }
        (false, has_cert, _) => {
            let (missing, there) = if has_cert {
                ("key", "cert")
            } else {
                ("cert", "key")
            };
            let message = format!("is missing; `{there}` needs it");
            report.problem(&table.at(missing), message);
            None
        }
    }
}

/// One key, or those of a rotation.
fn verify(source: &Table, report: &mut Report) -> Vec<PublicKey> {
    let mut keys: Vec<PublicKey> = Vec::new();
    for table in source
        .table("verify")
        .into_iter()
        .chain(source.tables("verify"))
    {
        let (Some(id), Some(key)) = (table.text("key_id"), table.hash("public_key")) else {
            continue;
        };
        if keys.iter().any(|known| known.id == id) {
            let message = format!("`{id}` names both keys");
            report.problem(&table.at("key_id"), message);
        }
        keys.push(PublicKey { id, key });
    }
    keys
}

pub(super) fn release(root: &Table, report: &mut Report) -> Release {
    let source = root.table("source");
    let is_signed = source.is_some_and(|source| source.has("verify"));
    if is_signed && !root.has("version") {
        let hint = "it must not be played back once there is a newer one";
        let message = "is missing in a document that `source.verify` wants signed";
        missing(root, "version", message, hint, report);
    }
    if let Some(ours) = source.and_then(|source| source.text("audience")) {
        suit(root, &ours, report);
    }
    Release {
        version: root.integer("version"),
        rollback: rollback(root, is_signed, report),
        rollout: root.table("rollout").and_then(|table| {
            Some(Rollout {
                percent: table.percent("percent")?,
                salt: table.text("salt").unwrap_or_else(|| Arc::from("")),
            })
        }),
    }
}

/// What has been signed can be played back for ever, so it must say how far back it goes.
fn rollback(root: &Table, is_signed: bool, report: &mut Report) -> Rollback {
    let is_any = root.flag("allow_rollback").unwrap_or(false);
    match root.integer("allow_rollback_from") {
        Some(version) => Rollback::From(version),
        None if is_any && is_signed => {
            report.problem_with_hint(
                &root.at("allow_rollback"),
                "has no bound, which a signed document must have",
                "write `allow_rollback_from: N`, the version that it is to be taken over",
            );
            Rollback::Never
        }
        None if is_any => Rollback::Any,
        None => Rollback::Never,
    }
}

/// Whether the document is for us.
fn suit(root: &Table, ours: &str, report: &mut Report) {
    if !root.has("audience") {
        let message = format!("is missing, and this sidecar takes what is for `{ours}` alone");
        let hint = "`source.audience` says so";
        missing(root, "audience", message, hint, report);
        return;
    }
    let one = root.text("audience");
    let listed = root.texts("audience").map(|(_, name)| name);
    let named: Vec<Arc<str>> = one.into_iter().chain(listed).collect();
    // Where none can be read, that has been told.
    if !named.is_empty() && named.iter().all(|name| **name != *ours) {
        let message = format!("does not name `{ours}`, which is this sidecar's `source.audience`");
        report.problem_with_hint(&root.at("audience"), message, "it is for somebody else");
    }
}

/// A problem of the central document, also where the sidecar's own text is the last one.
fn missing(root: &Table, key: &str, message: impl Into<String>, hint: &str, report: &mut Report) {
    report.problem_of(
        Writer::Central,
        &root.at(key),
        message,
        Some(hint.to_owned()),
    );
}
