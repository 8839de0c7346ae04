//! Where the central document is, and what one says of its own release.

use std::sync::Arc;

use crate::config::node::Table;
use crate::config::problem::Report;
use crate::config::{Release, Rollout};
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

fn auth(source: &Table, report: &mut Report) -> Option<Auth> {
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
            let message = "has a certificate beside `token_file`; the source is shown one of them";
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

pub(super) fn release(root: &Table) -> Release {
    Release {
        version: root.integer("version"),
        allow_rollback: root.flag("allow_rollback").unwrap_or(false),
        rollout: root.table("rollout").and_then(|table| {
            Some(Rollout {
                percent: table.percent("percent")?,
                salt: table.text("salt").unwrap_or_else(|| Arc::from("")),
            })
        }),
    }
}
