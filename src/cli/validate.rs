//! `pillion validate`: what `run` would say of a configuration, without running it.
//!
//! It reads under the environment that it is called in, as `run` does, and opens no connection unless
//! `--resolve` asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::BAD_CONFIGURATION;
use crate::config::{self, Bootstrap, CentralText, Document, Format, Loaded, Problem, Sources};
use crate::price::{Month, Price};
use crate::secret::Reference;
use crate::snapshot::{self, Condition, Route, Select, Snapshot};
use crate::source::Place;

/// Check configurations offline: every problem at once, or the routes that were found.
///
/// A file is whole, or one of two that belong together. A sidecar's own file has a `source`, and
/// says `listen`, `admin`, `identity`, `cache_dir`, `workers` and how the process runs. A central
/// document has one of `version`, `audience`, `allow_rollback_from`, `rollout`, `local_overrides`, which
/// no other file may have, and none of the former; it has the routes, providers and keys.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// YAML, TOML or JSON, by extension
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The central document to check a sidecar's own files with, as if their `source` held it
    #[arg(long, value_name = "FILE")]
    central: Option<PathBuf>,
    /// Also fetch the central document of a `source`, and read the secrets that the providers name
    #[arg(long)]
    resolve: bool,
}

/// What a file turned out to be.
enum Found {
    /// It says everything, by itself or together with its central document.
    Whole(Loaded),
    /// A central document.
    Central(Loaded),
    /// A sidecar's own, which follows one that is not at hand.
    Own(Bootstrap, Place),
}

impl Validate {
    /// `fetch` gives the document of a source under an environment, or says why it cannot; `read_secrets`
    /// says which of a configuration's secrets cannot be read there, and why. They are asked with
    /// `--resolve` only.
    ///
    /// # Errors
    /// Those of `out`.
    pub(super) fn run(
        self,
        fetch: impl Fn(&Place, &[(String, String)]) -> Result<CentralText, String>,
        read_secrets: impl Fn(&Snapshot, &[(String, String)]) -> io::Result<Unread>,
        out: &mut impl Write,
    ) -> io::Result<ExitCode> {
        let mut fine = true;
        for file in &self.files {
            let name = file.display().to_string();
            let sources = Sources::from_process(file.to_owned(), Vec::new());
            let mut found = self.look(file, &sources, &fetch);
            if let (true, Ok(Found::Whole(loaded) | Found::Central(loaded))) =
                (self.resolve, &found)
            {
                let unread = read_secrets(&loaded.snapshot, &sources.env)?;
                let problems = unread_secrets(&name, loaded, &unread);
                if !problems.is_empty() {
                    found = Err(problems);
                }
            }
            match found {
                Ok(found) => tell(&name, &found, out)?,
                Err(problems) => {
                    fine = false;
                    for problem in problems {
                        writeln!(out, "{problem}")?;
                    }
                }
            }
        }
        Ok(if fine {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(BAD_CONFIGURATION)
        })
    }

    fn look(
        &self,
        file: &Path,
        sources: &Sources,
        fetch: &impl Fn(&Place, &[(String, String)]) -> Result<CentralText, String>,
    ) -> Result<Found, Vec<Problem>> {
        if let Some(central) = config::central_text(&sources.document)? {
            let alone = Sources {
                document: Document::Text {
                    format: Format::Yaml,
                    text: String::new(),
                },
                central: Some(central),
                ..sources.clone()
            };
            return config::load(&alone).map(Found::Central);
        }
        if let Some(file) = &self.central {
            let central = CentralText::read(&file.clone().into())?;
            let both = Sources {
                central: Some(central),
                ..sources.clone()
            };
            return config::load(&both).map(Found::Whole);
        }
        let mut start = config::bootstrap(sources)?;
        match start.source.take() {
            Some(place) if self.resolve => {
                let central = fetch(&place, &sources.env).map_err(|why| {
                    vec![Problem {
                        path: "source.url".to_owned(),
                        at: None,
                        file: file.display().to_string(),
                        message: format!("{} {why}", place.url),
                        hint: None,
                    }]
                })?;
                let both = Sources {
                    central: Some(central),
                    ..sources.clone()
                };
                config::load(&both).map(Found::Whole)
            }
            Some(place) => Ok(Found::Own(start, place)),
            None => config::load(sources).map(Found::Whole),
        }
    }
}

/// The configuration of a file that says everything, by itself, together with `central`, or as a central
/// document for everybody.
///
/// # Errors
/// Every problem of it; or it follows a central document that is not at hand.
pub(super) fn whole(
    file: &Path,
    central: Option<PathBuf>,
    sources: &Sources,
) -> Result<Loaded, Vec<Problem>> {
    let command = Validate {
        files: Vec::new(),
        central,
        resolve: false,
    };
    let nowhere = |_: &Place, _: &[(String, String)]| Err("is not asked".to_owned());
    match command.look(file, sources, &nowhere)? {
        Found::Whole(loaded) | Found::Central(loaded) => Ok(loaded),
        Found::Own(_, place) => Err(vec![Problem {
            path: "source.url".to_owned(),
            at: None,
            file: file.display().to_string(),
            message: format!("the routes are at {}", place.url),
            hint: Some("name that document by `--central FILE`".to_owned()),
        }]),
    }
}

/// Secrets that cannot be read, each with why.
pub(super) type Unread = Vec<(Reference, String)>;

fn unread_secrets(file: &str, loaded: &Loaded, unread: &Unread) -> Vec<Problem> {
    let providers = loaded.snapshot.providers.values();
    providers
        .filter_map(|provider| {
            let reference = provider.secret.as_ref()?;
            let (_, why) = unread.iter().find(|(it, _)| it == reference)?;
            Some(Problem {
                path: format!("providers.{}.secret", provider.name),
                at: None,
                file: file.to_owned(),
                message: format!("{reference} {why}"),
                hint: None,
            })
        })
        .collect()
}

fn tell(file: &str, found: &Found, out: &mut impl Write) -> io::Result<()> {
    let warnings = match found {
        Found::Whole(loaded) | Found::Central(loaded) => &loaded.warnings,
        Found::Own(start, _) => &start.warnings,
    };
    for warning in warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if let Found::Whole(loaded) | Found::Central(loaded) = found {
        let month = Month::of(Timestamp::now());
        for (target, price) in unpriced(&loaded.snapshot, month) {
            let (until, hint) = match price {
                None => (
                    String::new(),
                    "add `price: { input: …, output: … }`, for a million tokens".to_owned(),
                ),
                Some(price) => (
                    format!(" in {month}"),
                    format!("add that month to `rates.{}`", price.currency),
                ),
            };
            writeln!(
                out,
                "warning: {file}: models.\"{target}\".price: is not known{until}: what `{target}` costs will not be told; {hint}"
            )?;
        }
    }
    match found {
        Found::Whole(loaded) => {
            writeln!(out, "ok: {file} ({})", loaded.snapshot.version)?;
            routes(loaded, out)
        }
        Found::Central(loaded) => {
            // What stands behind the dot is of the own file, of which there is none here.
            let version = loaded.snapshot.version.split('.').next();
            let version = version.unwrap_or_default();
            writeln!(out, "ok: {file} ({version}), a central document")?;
            routes(loaded, out)
        }
        Found::Own(_, place) => {
            writeln!(
                out,
                "ok: {file}, whose routes and keys are at {}",
                place.url
            )
        }
    }
}

/// The targets of the routes whose price is not known in that month, each once; with their price where only
/// a rate is missing.
fn unpriced(snapshot: &Snapshot, month: Month) -> BTreeMap<&str, Option<&Price>> {
    let targets = snapshot.routes.values().flat_map(|route| route.targets());
    let prices = targets.map(|target| (&*target.id, target.price.as_ref()));
    prices
        .filter(|(_, price)| price.is_none_or(|price| !price.is_known(month)))
        .collect()
}

fn routes(loaded: &Loaded, out: &mut impl Write) -> io::Result<()> {
    for route in loaded.snapshot.routes.values() {
        let places: Vec<_> = route.places.iter().map(place).collect();
        write!(out, "  {}: {}", route.name, places.join(", "))?;
        let aliases = aliases(loaded, route);
        if !aliases.is_empty() {
            let aliases: Vec<_> = aliases.into_iter().collect();
            write!(out, " (accepts {})", aliases.join(", "))?;
        }
        writeln!(out)?;
        for rule in &route.rules {
            let conditions: Vec<_> = rule.when.iter().map(Condition::to_string).collect();
            let only = if rule.only { ", only" } else { "" };
            let places: Vec<_> = rule.places.iter().map(place).collect();
            let places = if places.is_empty() {
                "the same".to_owned()
            } else {
                places.join(", ")
            };
            let (name, when) = (&rule.name, conditions.join(", "));
            write!(out, "    {name} ({when}): {places}{only}")?;
            match &rule.residency {
                Some(residency) => writeln!(out, ", within {residency}")?,
                None => writeln!(out)?,
            }
        }
    }
    Ok(())
}

fn place(place: &snapshot::Place) -> String {
    let members = place.members.iter();
    match (&*place.members, place.select) {
        ([one], _) => one.target.id.to_string(),
        (_, Select::Weighted) => {
            let each = members.map(|m| format!("{} {}", m.weight, m.target.id));
            format!("[{}]", each.collect::<Vec<_>>().join(" | "))
        }
        (_, select @ (Select::Fastest | Select::Cheapest)) => {
            let each: Vec<_> = members.map(|m| &*m.target.id).collect();
            format!("[{} of {}]", select.name(), each.join(" | "))
        }
    }
}

/// Sorted, so that the output repeats.
fn aliases<'a>(loaded: &'a Loaded, route: &Route) -> BTreeSet<&'a str> {
    let aliases = loaded.snapshot.aliases.iter();
    aliases
        .filter(|(_, meant)| meant.name == route.name)
        .map(|(alias, _)| &**alias)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(files: &[&str], resolve: bool) -> (String, ExitCode) {
        run_with(files, None, resolve)
    }

    fn run_with(files: &[&str], central: Option<&str>, resolve: bool) -> (String, ExitCode) {
        let command = Validate {
            files: files.iter().map(PathBuf::from).collect(),
            central: central.map(PathBuf::from),
            resolve,
        };
        let mut out = Vec::new();
        let refuse = |snapshot: &Snapshot, _: &[(String, String)]| {
            let named = snapshot
                .providers
                .values()
                .filter_map(|it| it.secret.clone());
            Ok(named.map(|it| (it, "is not there".to_owned())).collect())
        };
        let nowhere = |_: &Place, _: &[_]| Err("cannot be reached".to_owned());
        let code = command.run(nowhere, refuse, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), code)
    }

    #[test]
    fn a_good_file_is_told_with_its_routes() {
        let (said, code) = run(&["examples/support-chat.yaml"], false);
        assert_eq!(code, ExitCode::SUCCESS, "{said}");
        assert!(said.contains("ok: examples/support-chat.yaml"), "{said}");
        assert!(said.contains("  support-chat: openai/"), "{said}");
        assert!(said.contains("(accepts gpt-4o, gpt-4o-mini)"), "{said}");
    }

    #[test]
    fn a_target_without_a_price_is_warned_of() {
        let (said, code) = run(&["examples/local-and-external.yaml"], false);
        assert_eq!(code, ExitCode::SUCCESS, "{said}");
        let warning = "models.\"local/qwen3:32b\".price: is not known";
        assert!(said.contains(warning), "{said}");
        assert!(!said.contains("models.\"openai/"), "{said}");
    }

    #[test]
    fn a_rate_that_begins_later_is_missed_until_then() {
        let name = format!("pillion-rates-{:016x}.yaml", fastrand::u64(..));
        let file = std::env::temp_dir().join(name);
        let text = "allow_anonymous: true
currency: KZT
rates: { KZT: { 9999-01: 480 } }
providers: { openai: { kind: openai, secret: env:KEY } }
routes: { r: { targets: [openai/gpt-5-mini] } }
";
        std::fs::write(&file, text).unwrap();
        let (said, code) = run(&[file.to_str().unwrap()], false);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(code, ExitCode::SUCCESS, "{said}");
        let hint = "add that month to `rates.KZT`";
        assert!(
            said.contains("models.\"openai/gpt-5-mini\".price: is not known in 2"),
            "{said}"
        );
        assert!(said.contains(hint), "{said}");
    }

    #[test]
    fn a_group_is_told_with_what_chooses_in_it() {
        for (file, told) in [
            (
                "examples/support-chat.yaml",
                "  summaries: [9 azure/gpt-5-mini | 1 openai/gpt-5-mini], openai/gpt-5\n",
            ),
            (
                "examples/reliability.yaml",
                "  summaries: [cheapest of openai/gpt-5-nano | openai/gpt-5-mini], claude/",
            ),
            (
                "examples/reliability.yaml",
                "  support-chat: [fastest of openai/gpt-5-mini | claude/claude-haiku-4-5], openai/",
            ),
        ] {
            let (said, _) = run(&[file], false);
            assert!(said.contains(told), "{said}");
        }
    }

    #[test]
    fn the_rules_of_a_route_are_told_with_it() {
        let (said, _) = run(&["examples/rules.yaml"], false);
        for told in [
            "    stays (tag.residency: kz): inside/qwen3-32b, within kz\n",
            "    gold (tag.tier: gold or platinum): openai/gpt-5, claude/claude-sonnet-5\n",
            "    night (time: 22:00 to 07:00 +05:00): inside/qwen3-32b\n",
        ] {
            assert!(said.contains(told), "{said}");
        }
    }

    #[test]
    fn the_two_that_belong_together_are_told_apart_and_checked_together() {
        const OWN: &str = "examples/central/local.yaml";
        const CENTRAL: &str = "examples/central/central.yaml";
        let (said, code) = run(&[OWN, CENTRAL], false);
        assert_eq!(code, ExitCode::SUCCESS, "{said}");
        for told in [
            "ok: examples/central/local.yaml, whose routes and keys are at https://config.internal/pillion/prod.yaml\n",
            "), a central document\n",
            "  summaries: inside/qwen3-32b, openai/gpt-5-nano\n",
        ] {
            assert!(said.contains(told), "{said}");
        }
        let (said, code) = run_with(&[OWN], Some(CENTRAL), false);
        assert_eq!(code, ExitCode::SUCCESS, "{said}");
        assert!(
            said.contains("  support-chat: openai/gpt-5-mini, "),
            "{said}"
        );
        // It is another team's.
        assert!(!said.contains("summaries"), "{said}");
        // What is not its own to say does not count, and it is told so.
        let (said, code) = run_with(&["examples/support-chat.yaml"], Some(CENTRAL), false);
        assert_eq!(code, ExitCode::SUCCESS, "{said}");
        let loosened = ": providers: is dropped: it is for the central document to say; ";
        assert!(said.contains(loosened), "{said}");
        assert!(!said.contains("support-chat: "), "{said}");
        let (said, code) = run_with(&[OWN], Some(CENTRAL), true);
        assert_eq!(code, ExitCode::from(BAD_CONFIGURATION));
        assert!(said.contains("providers.claude.secret: "), "{said}");
        assert!(!said.contains("providers.inside"), "{said}");
        // Without the document at hand, the one at the source is what counts.
        let (said, code) = run(&[OWN], true);
        assert_eq!(code, ExitCode::from(BAD_CONFIGURATION));
        let unreachable = "examples/central/local.yaml: source.url: https://config.internal/pillion/prod.yaml cannot be reached\n";
        assert_eq!(said, unreachable);
    }

    #[test]
    fn a_file_that_is_not_there_is_a_bad_configuration() {
        let (said, code) = run(&["examples/support-chat.yaml", "/no/such.yaml"], false);
        assert_eq!(code, ExitCode::from(BAD_CONFIGURATION));
        assert!(said.contains("/no/such.yaml: cannot be read: "), "{said}");
        assert!(said.contains("ok: examples/support-chat.yaml"), "{said}");
    }

    #[test]
    fn secrets_are_read_only_when_asked() {
        let (said, code) = run(&["examples/support-chat.yaml"], true);
        assert_eq!(code, ExitCode::from(BAD_CONFIGURATION));
        let problem = "providers.openai.secret: env:OPENAI_API_KEY is not there";
        assert!(said.contains(problem), "{said}");
        assert!(!said.contains("ok:"), "{said}");
    }
}
