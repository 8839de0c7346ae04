//! The settings of `pillion inject` → [`Settings`], or every problem of them at once.
//!
//! A text of its own, with a table of keys of its own, read and checked as a configuration is. Flags go
//! before it.

use std::path::Path as FilePath;

use super::check;
use super::keys::INJECTOR;
use super::layers::{self, COMMAND_LINE};
use super::node::{Node, Table};
use super::path::Path;
use super::problem::{Origins, Problem, Report, Writer};
use super::sources::{Document, Text};
use super::stack::{self, Read};
use crate::kube::{
    Entry, FIXED, KubernetesVersion, Native, Profile, Quantity, Sdk, Settings, Usual, Variable,
    source, text,
};

/// What `file` and the flags say, each a key of the root and its value.
///
/// # Errors
/// Every problem of them; at least one.
pub fn injector(
    file: Option<&FilePath>,
    flags: &[(&'static str, String)],
) -> Result<Settings, Vec<Problem>> {
    let read = file.map(|file| {
        let text = Text::read(&Document::File(file.to_owned()))?;
        stack::read(&text, Writer::Own)
    });
    let mut origins = Origins::default();
    let (mut tree, problems) = match read.transpose()? {
        Some(Read {
            tree,
            written,
            problems,
        }) => {
            origins.written.push(written);
            (tree, problems)
        }
        None => Default::default(),
    };
    for (name, value) in flags {
        if let Some(key) = INJECTOR.iter().find(|key| key.name == *name) {
            tree.insert((*name).to_owned(), layers::from_text(&key.shape, value));
            let at = Path::root().key(*name);
            origins.overrides.insert(at, COMMAND_LINE.to_owned());
        }
    }
    let mut report = Report::new(origins);
    report.extend(problems, Vec::new());
    let root = check::check(&tree, INJECTOR, &mut report);
    let settings = settings(&root, &mut report);
    let (problems, _) = report.into_parts();
    if problems.is_empty() {
        Ok(settings)
    } else {
        Err(problems)
    }
}

fn settings(root: &Table, report: &mut Report) -> Settings {
    let version = meant(
        root,
        "kubernetes_version",
        KubernetesVersion::try_new,
        report,
    );
    let usual = profile(root, Profile::usual(), version, report);
    let profiles = root.map("profiles").map(|(name, table)| {
        (
            name.to_owned(),
            profile(table, usual.clone(), version, report),
        )
    });
    Settings {
        profiles: profiles.collect(),
        usual,
        version,
    }
}

/// `usual`, but for what `table` says.
fn profile(
    table: &Table,
    usual: Profile,
    version: Option<KubernetesVersion>,
    report: &mut Report,
) -> Profile {
    let mut profile = usual;
    let to = &mut profile;
    set(&mut to.image, meant(table, "image", text, report));
    set(&mut to.audience, meant(table, "audience", text, report));
    let resources = &mut to.resources;
    set(
        &mut resources.cpu_request,
        meant(table, "cpu_request", Quantity::try_new, report),
    );
    set(
        &mut resources.memory_request,
        meant(table, "memory_request", Quantity::try_new, report),
    );
    set(
        &mut resources.memory_limit,
        meant(table, "memory_limit", Quantity::memory_limit, report),
    );
    set_some(
        &mut resources.cpu_limit,
        meant(table, "cpu_limit", Quantity::try_new, report),
    );
    set_some(
        &mut to.pull_policy,
        table
            .text("image_pull_policy")
            .map(|word| word.as_ref().to_owned()),
    );
    set_some(&mut to.source, meant(table, "source", source, report));
    set_some(&mut to.team, meant(table, "team", text, report));
    set_some(
        &mut to.environment,
        meant(table, "environment", text, report),
    );
    let mut entry = |key, usual: Usual| meant(table, key, |it| Entry::try_new(it, usual), report);
    set_some(&mut to.config_map, entry("config_map", Usual::Config));
    set_some(&mut to.ca, entry("ca", Usual::Ca));
    set_some(&mut to.token_secret, entry("token_secret", Usual::Token));
    if table.has("env_sdks") {
        let words = table.texts("env_sdks");
        to.sdks = words.filter_map(|(_, word)| Sdk::of(&word)).collect();
    }
    match table.node("native_sidecar") {
        Some(Node::Bool(true)) => to.native = Native::Always,
        Some(Node::Bool(false)) => to.native = Native::Never,
        Some(node) => set(
            &mut to.native,
            node.text().and_then(|word| Native::of(&word)),
        ),
        None => {}
    }
    if let Err(why) = to.native.decide(version) {
        report.problem(&table.at("native_sidecar"), why);
    }
    for (at, name, node) in table.nodes("env") {
        check_name(&at, name, report);
        let variable = match node {
            Node::Text(value) => Some(Variable::Text(value.as_ref().to_owned())),
            node => node.table().and_then(|it| {
                let entry = meant(it, "secret", |it| Entry::try_new(it, Usual::Value), report);
                entry.map(Variable::Secret)
            }),
        };
        to.env
            .extend(variable.map(|variable| (name.to_owned(), variable)));
    }
    profile
}

fn check_name(at: &Path, name: &str, report: &mut Report) {
    let is_name = !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_name {
        report.problem(at, format!("`{name}` is no name of a variable"));
    } else if FIXED.contains(&name) {
        let message =
            format!("`{name}` is set by the injector, as the pod's other settings depend on it");
        report.problem(at, message);
    }
}

/// What the text of a key comes to; `None` where it is absent, or wrong, which is then told.
fn meant<T>(
    table: &Table,
    key: &str,
    meaning: impl FnOnce(&str) -> Result<T, String>,
    report: &mut Report,
) -> Option<T> {
    let text = table.text(key)?;
    match meaning(&text) {
        Ok(meant) => Some(meant),
        Err(why) => {
            report.problem(&table.at(key), why);
            None
        }
    }
}

fn set<T>(to: &mut T, meant: Option<T>) {
    if let Some(meant) = meant {
        *to = meant;
    }
}

fn set_some<T>(to: &mut Option<T>, meant: Option<T>) {
    if meant.is_some() {
        *to = meant;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, flags: &[(&'static str, String)]) -> Result<Settings, Vec<String>> {
        let folder = std::env::temp_dir();
        let name = format!(
            "pillion-injector-{}-{:?}.yaml",
            std::process::id(),
            std::thread::current().id()
        );
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        let read = injector(Some(&file), flags);
        let name = format!("{}:", file.display());
        std::fs::remove_file(&file).unwrap();
        read.map_err(|problems| {
            let said = problems
                .iter()
                .map(|problem| problem.to_string().replace(&name, ""));
            said.collect()
        })
    }

    #[test]
    fn a_profile_is_what_is_usual_but_for_what_it_says() {
        let flag = ("image", "here/pillion:2".to_owned());
        let settings = read(
            "kubernetes_version: \"1.28\"
image: there/pillion:1
source: https://config.internal/prod.yaml
environment: prod
env: { PILLION_LOG: debug, PILLION_SHARED_STATE: { secret: redis/url } }
profiles:
  batch: { memory_limit: 256Mi, env_sdks: [openai], env: { PILLION_LOG: info }, native_sidecar: false }
",
            &[flag],
        );
        let settings = settings.unwrap();
        assert_eq!(settings.usual.image, "here/pillion:2");
        assert_eq!(settings.usual.sdks.len(), 2);
        let batch = &settings.profiles["batch"];
        assert_eq!(batch.image, "here/pillion:2");
        assert_eq!(batch.environment.as_deref(), Some("prod"));
        assert_eq!(batch.sdks, [Sdk::OpenAi]);
        assert_eq!(batch.resources.memory_limit.to_string(), "256Mi");
        assert_eq!(batch.env.len(), 2);
        assert!(matches!(&batch.env["PILLION_LOG"], Variable::Text(level) if level == "info"));
        assert!(injector(None, &[]).is_ok(), "nothing needs to be said");
        let example = FilePath::new("examples/inject/settings.yaml");
        assert!(injector(Some(example), &[]).is_ok());
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let said = read(
            "imge: a
kubernetes_version: 1.20
native_sidecar: sometimes
memory_limit: lots
source: redis://:canary@redis/0/prod
profiles: { a: { config_map: A/b, env: { 1A: x, PILLION_LISTEN: y } } }
",
            &[
                ("native_sidecar", "true".to_owned()),
                ("kubernetes_version", "1.20".to_owned()),
            ],
        );
        let said = said.unwrap_err().join("\n");
        for part in [
            "1:1: imge: is not a key here; did you mean `image`?",
            "command line: native_sidecar: a native sidecar needs Kubernetes 1.29",
            "4:1: memory_limit: `lots` is not an amount",
            "5:1: source: names a user",
            "6:18: profiles.a.config_map: `A/b` is not",
            "profiles.a.env.1A: `1A` is no name",
            "profiles.a.env.PILLION_LISTEN: `PILLION_LISTEN` is set by the injector",
        ] {
            assert!(said.contains(part), "{part} is missing in\n{said}");
        }
        assert!(!said.contains("canary"));
    }
}
