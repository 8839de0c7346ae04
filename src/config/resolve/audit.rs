//! Where audit records go.

use http::{HeaderMap, HeaderName};

use super::{central, headers};
use crate::collect::{Collector, Kind};
use crate::config::AuditConfig;
use crate::config::node::Table;
use crate::config::problem::Report;
use crate::record::{AuditFile, Fsync};

/// Those beside stdout, by the keys that say where they are.
const SINKS: [&str; 3] = ["file", "https", "otlp"];

pub(super) fn resolve(root: &Table, report: &mut Report) -> AuditConfig {
    let Some(table) = root.table("audit") else {
        return AuditConfig {
            stdout: true,
            unsaid: true,
            ..AuditConfig::default()
        };
    };
    let named = |word: &str| table.texts("to").any(|(_, to)| &*to == word);
    let to = |word: &str| {
        if table.has("to") {
            named(word)
        } else {
            table.has(word)
        }
    };
    for key in SINKS {
        if named(key) && !table.has(key) {
            report.problem(&table.at(key), "is missing; `to` names it");
        }
        if table.has(key) && !to(key) {
            report.warning(&table.at(key), "has no effect: `to` does not name it");
        }
    }
    let required = table.flag("required") == Some(true);
    if required && !SINKS.iter().any(|key| to(key) && table.has(key)) {
        let message = "needs a `file`, or a collector, that records go to";
        report.problem(&table.at("required"), message);
    }
    let file = table.text("file").map(|path| audit_file(&path, table));
    // What is wrong with one that is not used is told all the same.
    let collectors: Vec<Collector> = [("https", Kind::Lines), ("otlp", Kind::Otlp)]
        .into_iter()
        .filter_map(|(key, kind)| collector(table.table(key)?, kind, report))
        .filter(|collector| to(collector.kind.name()))
        .collect();
    let unsaid = !table.has("to") && !SINKS.iter().any(|key| table.has(key));
    AuditConfig {
        stdout: unsaid || named("stdout"),
        unsaid,
        file: file.filter(|_| to("file")),
        collectors,
        required,
    }
}

fn audit_file(path: &str, table: &Table) -> AuditFile {
    let usual = AuditFile::at(path.into());
    let fsync = table.text("fsync");
    AuditFile {
        fsync: fsync
            .and_then(|word| Fsync::from_name(&word))
            .unwrap_or_default(),
        rotate: table.integer("rotate").unwrap_or(usual.rotate),
        retention: table.duration("retention").unwrap_or(usual.retention),
        compress: table.flag("compress").unwrap_or(usual.compress),
        required: table.flag("required").unwrap_or(usual.required),
        group: table.text("group").map(|group| group.as_ref().to_owned()),
        path: usual.path,
    }
}

fn collector(table: &Table, kind: Kind, report: &mut Report) -> Option<Collector> {
    let auth = central::auth(table, report);
    let url = table.source_url("url");
    let is_certificate = matches!(auth, Some(crate::source::Auth::Certificate { .. }));
    match url.as_ref().map(crate::source::SourceUrl::web) {
        Some(Err(why)) => report.problem(&table.at("url"), why),
        Some(Ok((false, ..))) if is_certificate => {
            let message = "shows a certificate, for which its URL must be one of TLS";
            report.problem(&table.at("auth"), message);
        }
        Some(Ok(_)) | None => {}
    }
    Some(Collector {
        kind,
        url: url?,
        token_header: token_header(table, report),
        auth: auth?,
        ca: table.text("ca").map(|file| file.as_ref().into()),
        headers: own_headers(table, report),
        gzip: table.flag("gzip").unwrap_or(false),
        every: table.duration("every")?,
    })
}

fn token_header(table: &Table, report: &mut Report) -> Option<HeaderName> {
    let auth = table.table("auth")?;
    let text = auth.text("header")?;
    if !auth.has("token_file") {
        report.problem(
            &auth.at("header"),
            "has no token to carry: `token_file` is missing",
        );
    }
    let name = HeaderName::from_bytes(text.as_bytes()).ok();
    let name = name.filter(|name| !headers::OF_THE_REQUEST.contains(name));
    if name.is_none() {
        report.problem(&auth.at("header"), "is no header that a token can go into");
    }
    name
}

fn own_headers(table: &Table, report: &mut Report) -> HeaderMap {
    let mut own = HeaderMap::new();
    for (at, name, value) in table.named_texts("headers") {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            report.problem(&at, "is not a header's name");
            continue;
        };
        if headers::CREDENTIALS.contains(&name) {
            let hint = "a token is read from `auth.token_file`";
            report.problem_with_hint(&at, "carries a credential", hint);
        } else if headers::OF_THE_REQUEST.contains(&name) {
            report.problem(&at, "is set by Pillion for each request");
        } else if let Some(mut value) = headers::value_of(&value) {
            value.set_sensitive(true);
            own.insert(name, value);
        } else {
            report.problem(&at, "holds what no header can: write printable ASCII");
        }
    }
    own
}
