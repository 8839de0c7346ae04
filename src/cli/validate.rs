//! `pillion validate`: what `run` would say of a configuration, without running it.
//!
//! It reads under the environment that it is called in, as `run` does, and opens no connection but to
//! stores of secrets, when it is asked to.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::BAD_CONFIGURATION;
use crate::config::{self, Loaded, Problem, Sources};
use crate::secret::Reference;
use crate::snapshot::{Place, Route, Select, Snapshot};

/// Check configurations offline: every problem at once, or the routes that were found.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// YAML, TOML or JSON, by extension
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also read the secrets that the providers name
    #[arg(long)]
    resolve: bool,
}

impl Validate {
    /// `read_secrets` says which of a configuration's secrets cannot be read under an environment, and
    /// why; it is asked with `--resolve` only.
    ///
    /// # Errors
    /// Those of `out`.
    pub(super) fn run(
        self,
        read_secrets: impl Fn(&Snapshot, &[(String, String)]) -> io::Result<Unread>,
        out: &mut impl Write,
    ) -> io::Result<ExitCode> {
        let mut fine = true;
        for file in self.files {
            let name = file.display().to_string();
            let sources = Sources::from_process(file, Vec::new());
            let mut result = config::load(&sources);
            if let (true, Ok(loaded)) = (self.resolve, &result) {
                let unread = read_secrets(&loaded.snapshot, &sources.env)?;
                let problems = unread_secrets(&name, loaded, &unread);
                if !problems.is_empty() {
                    result = Err(problems);
                }
            }
            match result {
                Ok(loaded) => tell(&name, &loaded, out)?,
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

fn tell(file: &str, loaded: &Loaded, out: &mut impl Write) -> io::Result<()> {
    for warning in &loaded.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let snapshot = &loaded.snapshot;
    writeln!(out, "ok: {file} ({})", snapshot.version)?;
    for route in snapshot.routes.values() {
        let places: Vec<_> = route.places.iter().map(place).collect();
        write!(out, "  {}: {}", route.name, places.join(", "))?;
        let aliases = aliases(loaded, route);
        if !aliases.is_empty() {
            let aliases: Vec<_> = aliases.into_iter().collect();
            write!(out, " (accepts {})", aliases.join(", "))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn place(place: &Place) -> String {
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
        let command = Validate {
            files: files.iter().map(PathBuf::from).collect(),
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
        let code = command.run(refuse, &mut out).unwrap();
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
