//! Personal data: what finds it, and what each route does about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Process;
use crate::config::node::Table;
use crate::config::problem::Report;
use crate::privacy::{Class, Classes, Detectors};
use crate::snapshot::{Condition, Content, Privacy, Route, Rule, Unscannable};

/// The classes that a configuration may name.
pub(super) struct Known {
    pub(super) detectors: Arc<Detectors>,
    /// The operator's own, also those with a pattern that is none: that is told once.
    own: Vec<String>,
}

impl Known {
    pub(super) fn of(root: &Table, report: &mut Report) -> Self {
        let Some(table) = root.table("privacy") else {
            return Self {
                detectors: Arc::default(),
                own: Vec::new(),
            };
        };
        let patterns: Vec<_> = table
            .map("detectors")
            .filter_map(|(name, detector)| Some((name, detector.text("pattern")?)))
            .collect();
        let pairs = patterns.iter().map(|(name, pattern)| (*name, &**pattern));
        let detectors = Detectors::new(pairs).unwrap_or_else(|problems| {
            for bad in problems {
                let at = table.at("detectors").key(&bad.name);
                report.problem(&at, bad.why);
            }
            Detectors::default()
        });
        let own = table.names("detectors").into_iter();
        Self {
            detectors: Arc::new(detectors),
            own: own.map(str::to_owned).collect(),
        }
    }

    /// The classes that the list under `key` names.
    pub(super) fn classes(&self, table: &Table, key: &str, report: &mut Report) -> Vec<Class> {
        let mut classes = Vec::new();
        for (at, name) in table.texts(key) {
            match self.detectors.class(&name) {
                Some(class) => classes.push(class),
                None if self.own.iter().any(|own| **own == *name) => {}
                None => {
                    let message = format!("no class of personal data is named `{name}`");
                    report.unknown(&at, message, &name, self.detectors.names());
                }
            }
        }
        classes
    }
}

/// What is recorded of a route's requests and answers: as the route says, else as all do.
pub(super) fn content(root: &Table, route: &Table) -> Content {
    let own = route.text("content");
    let said = own.or_else(|| root.table("audit")?.text("content"));
    match said.as_deref() {
        Some("masked") => Content::Masked,
        _ => Content::Nothing,
    }
}

/// Whole exchanges are long lines.
pub(super) fn warn_of_content(
    root: &Table,
    process: &Process,
    routes: &BTreeMap<Arc<str>, Arc<Route>>,
    report: &mut Report,
) {
    let mut routes = routes.values();
    if process.audit.stdout && routes.any(|route| route.content == Content::Masked) {
        let message = "goes to stdout, and routes have content recorded: what reads a container's output may cut such long lines; a `file` or a collector does not";
        report.warning(&root.at("audit"), message);
    }
}

/// What a route does about personal data.
pub(super) fn resolve(
    route: &Table,
    rules: &[Rule],
    known: &Known,
    report: &mut Report,
) -> Privacy {
    let told = rules.iter().flat_map(|rule| &rule.when);
    let told = told.filter_map(|condition| match condition {
        Condition::Pii(classes) => Some(classes),
        _ => None,
    });
    let mut privacy = Privacy {
        told: told
            .flatten()
            .filter_map(|name| known.detectors.class(name))
            .collect(),
        ..Privacy::default()
    };
    let Some(table) = route.table("privacy") else {
        return privacy;
    };
    let mut taken: BTreeMap<Class, &str> = BTreeMap::new();
    for action in ["observe", "mask", "block"] {
        let classes = known.classes(table, action, report);
        for class in &classes {
            let before = taken.insert(*class, action);
            if let Some(before) = before.filter(|before| *before != action) {
                let name = known.detectors.name(*class);
                let message = format!("`{name}` is in `{before}` already");
                let hint = "one thing is done about a class";
                report.problem_with_hint(&table.at(action), message, hint);
            }
        }
        let classes: Classes = classes.into_iter().collect();
        match action {
            "observe" => privacy.observe = classes,
            "mask" => privacy.mask = classes,
            _ => privacy.block = classes,
        }
    }
    privacy.unmask = table.flag("unmask").unwrap_or(true);
    privacy.unscannable = match table.text("unscannable").as_deref() {
        Some("pass") => Unscannable::Pass,
        _ => Unscannable::Refuse,
    };
    privacy
}
