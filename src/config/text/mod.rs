//! The operator's text, read in the format its name gives.
//!
//! Each format answers the same two questions: what it says (a figment provider) and where it says
//! so ([`Positions`]), with a duplicate key or a syntax error as a [`Problem`]. Never here: which
//! keys there are.

mod json;
mod toml;
mod yaml;

use figment::Figment;
use figment::providers::{Format as _, Json, Toml};

use super::path::{Path, Position, Positions};
use super::problem::Problem;

pub(super) use yaml::Document;

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Yaml,
    Toml,
    Json,
}

impl Format {
    /// By the file's extension; `None` for one that is not ours.
    pub fn of(file: &std::path::Path) -> Option<Self> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// What a text says and where.
pub(super) struct Parsed {
    pub(super) figment: Figment,
    pub(super) positions: Positions,
    /// What is wrong with a text that can be read nonetheless: duplicate keys.
    pub(super) problems: Vec<Problem>,
}

/// # Errors
/// The problems of a text that cannot be read as a whole.
pub(super) fn parse(format: Format, file: &str, text: &str) -> Result<Parsed, Vec<Problem>> {
    let mut marks = Marks {
        file,
        positions: Positions::new(),
        problems: Vec::new(),
        twin: false,
    };
    let figment = match format {
        Format::Yaml => match yaml::read(text, &mut marks) {
            Some(document) => Figment::from(document),
            None => return Err(marks.problems),
        },
        Format::Toml => {
            toml::mark(text, &mut marks).ok_or_else(|| marks.take())?;
            Figment::from(Toml::string(text))
        }
        Format::Json => {
            json::mark(text, &mut marks).ok_or_else(|| marks.take())?;
            Figment::from(Json::string(text))
        }
    };
    Ok(Parsed {
        figment,
        positions: marks.positions,
        problems: marks.problems,
    })
}

/// A layer that we wrote ourselves, in YAML.
pub(super) fn built_in(text: &str) -> Figment {
    parse(Format::Yaml, "built in", text).map_or_else(|_| Figment::new(), |parsed| parsed.figment)
}

/// What the second pass over a text has found so far.
struct Marks<'a> {
    file: &'a str,
    positions: Positions,
    problems: Vec<Problem>,
    /// Within the value of a key that is written twice: its paths are those of the first.
    twin: bool,
}

impl Marks<'_> {
    /// A key or an item begins here. False when the key had been written before.
    fn begins(&mut self, path: &Path, position: Position) -> bool {
        if self.twin {
            return true;
        }
        if let Some(first) = self.positions.get(path) {
            let message = format!("is written twice; the first is on line {}", first.line);
            self.problem(path, position, message, None);
            return false;
        }
        self.positions.insert(path.clone(), position);
        true
    }

    fn problem(
        &mut self,
        path: &Path,
        position: Position,
        message: impl Into<String>,
        hint: Option<&str>,
    ) {
        self.problems.push(Problem {
            path: path.to_string(),
            at: Some((position.line, position.column)),
            file: self.file.to_owned(),
            message: message.into(),
            hint: hint.map(str::to_owned),
        });
    }

    fn take(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }
}
