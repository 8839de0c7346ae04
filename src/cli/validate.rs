//! `pillion validate`: what `run` would say of a configuration, without running it.
//!
//! It reads under the environment that it is called in, as `run` does, and opens no connection unless
//! `--resolve` asks for it.

mod told;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use self::told::tell;
use super::BAD_CONFIGURATION;
use crate::config::{self, Bootstrap, CentralText, Document, Format, Loaded, Problem, Sources};
use crate::secret::Reference;
use crate::snapshot::Snapshot;
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

#[cfg(test)]
mod tests;
