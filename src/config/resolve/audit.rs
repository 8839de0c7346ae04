//! Where audit records go.

use super::collector::collector;
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
    let collectors: Vec<(Kind, Collector)> = [("https", Kind::Lines), ("otlp", Kind::Otlp)]
        .into_iter()
        .filter_map(|(key, kind)| Some((kind, collector(table.table(key)?, report)?)))
        .filter(|(kind, _)| to(kind.name()))
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
