//! The operator's text → [`Snapshot`] and [`Process`], or every problem of it at once.
//!
//! Layers, later wins: built-in defaults, the text (YAML, TOML or JSON), `PILLION_` variables,
//! flags. The merged tree is checked against one table of keys (`keys`), then resolved key by key
//! (`resolve`, pure). Files and the environment are read in this file and nowhere below it.
//! Never here: reading a secret, opening a socket, or a configuration that is half right.

mod check;
mod keys;
mod layers;
mod node;
mod path;
mod problem;
mod resolve;
mod scalar;
mod schema;
mod shape;
mod shared_state;
mod text;

use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use figment::Figment;
use jiff::Timestamp;
use ring::digest;

pub use problem::Problem;
pub use schema::schema;
pub use shared_state::SharedState;
pub use text::Format;

use crate::facts::Families;
use crate::simulate::SimulatedProvider;
use crate::snapshot::Snapshot;
use problem::{Origins, Report};

/// A larger file is no configuration; reading it would only cost memory.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Where a configuration comes from. [`load`] reads the same sources to the same result each time.
/// It has no `Debug`: secrets are in an environment.
#[derive(Clone)]
pub struct Sources {
    pub document: Document,
    /// The whole environment: `PILLION_` variables are a layer, any may be named in `identity`.
    pub env: Vec<(String, String)>,
    /// Dotted key and value, such as `("listen", "127.0.0.1:0")`.
    pub flags: Vec<(String, String)>,
    pub in_kubernetes: bool,
    /// Decides which keys have expired.
    pub now: Timestamp,
}

/// The operator's text.
#[derive(Clone)]
pub enum Document {
    /// Read anew by each [`load`].
    File(PathBuf),
    Text {
        format: Format,
        text: String,
    },
}

impl Sources {
    /// A document under the environment of this process, which is read once, here.
    pub fn from_process(document: impl Into<Document>, flags: Vec<(String, String)>) -> Self {
        // A variable that is not UTF-8 can be no value of ours.
        let env: Vec<_> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            document: document.into(),
            in_kubernetes: env
                .iter()
                .any(|(name, _)| name == "KUBERNETES_SERVICE_HOST"),
            env,
            flags,
            now: Timestamp::now(),
        }
    }

    /// A text alone, under no environment.
    pub fn from_text(format: Format, text: impl Into<String>) -> Self {
        Self {
            document: Document::Text {
                format,
                text: text.into(),
            },
            env: Vec::new(),
            flags: Vec::new(),
            in_kubernetes: false,
            now: Timestamp::now(),
        }
    }
}

impl From<PathBuf> for Document {
    fn from(file: PathBuf) -> Self {
        Self::File(file)
    }
}

/// A configuration without problems.
#[derive(Debug)]
pub struct Loaded {
    pub snapshot: Snapshot,
    pub process: Process,
    pub warnings: Vec<Problem>,
}

/// What is fixed when the process starts; a change of it needs a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    /// Worker threads; at least 1.
    pub workers: usize,
    pub drain: Duration,
    pub lame_duck: Duration,
    pub h2c: bool,
    /// Requests that are served at once; at least 1.
    pub concurrency: usize,
    /// Requests that may wait until one of those has ended; at least 1.
    pub queue: usize,
    /// Connections of applications that may be open at once; at least 1.
    pub connections: usize,
    /// Where the instances of a fleet tell each other what they know; each is alone without it.
    pub shared_state: Option<SharedState>,
    /// For how long a secret of a store is used after the store last confirmed it.
    pub secret_max_stale: Duration,
    pub audit: AuditConfig,
    pub simulate: Vec<SimulatedProvider>,
}

/// Where audit records go: to one of the two, or to both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfig {
    pub stdout: bool,
    pub file: Option<PathBuf>,
}

/// # Errors
/// Every problem that the sources have, in the order of the text; at least one. A file that cannot
/// be read is one.
pub fn load(sources: &Sources) -> Result<Loaded, Vec<Problem>> {
    let (name, format, text) = read(&sources.document)?;
    let parsed = text::parse(format, &name, &text)?;
    let defaults = layers::defaults(sources.in_kubernetes);
    let environment = layers::environment(&sources.env);
    let flags = layers::flags(&sources.flags);
    let figment = Figment::from(text::built_in(keys::PROFILES))
        .merge(defaults.provider())
        .merge(parsed.figment)
        .merge(environment.provider())
        .merge(flags.provider());
    let tree = layers::merged(&figment).map_err(|why| vec![Problem::of_text(&name, why)])?;

    let mut overrides = environment.sets;
    overrides.extend(flags.sets);
    let mut report = Report::new(Origins {
        file: name,
        positions: parsed.positions,
        overrides,
    });
    report.extend(parsed.problems, environment.problems);
    report.extend(flags.problems, Vec::new());
    let root = check::check(&tree, keys::ROOT, &mut report);
    let families = families(&root, &mut report);
    let facts = resolve::Facts {
        version: version(&text).into(),
        families: &families,
        now: sources.now,
        variable: &|name| {
            let found = sources.env.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        },
    };
    let (snapshot, process) = resolve::resolve(&root, &facts, &mut report);
    let (problems, warnings) = report.into_parts();
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Loaded {
        snapshot,
        process,
        warnings,
    })
}

/// What the operator's own file says of model families.
fn families(root: &node::Table, report: &mut Report) -> Families {
    let Some(file) = root.text("model_families") else {
        return Families::default();
    };
    let read = read_file(FilePath::new(&*file)).map_err(|error| format!("cannot be read: {error}"));
    let families = read.and_then(|text| {
        Families::read(&text).map_err(|problem| format!("is no file of families: {problem}"))
    });
    families.unwrap_or_else(|why| {
        report.problem(&root.at("model_families"), why);
        Families::default()
    })
}

/// The text's name, format and content.
fn read(document: &Document) -> Result<(String, Format, String), Vec<Problem>> {
    let (name, format, text) = match document {
        Document::Text { format, text } => ("<text>".to_owned(), *format, text.clone()),
        Document::File(file) => {
            let name = file.display().to_string();
            let refuse = |why: String| vec![Problem::of_text(&name, why)];
            let format = Format::of(file).ok_or_else(|| {
                refuse("has none of the extensions .yaml, .yml, .toml, .json".into())
            })?;
            let text =
                read_file(file).map_err(|error| refuse(format!("cannot be read: {error}")))?;
            (name, format, text)
        }
    };
    // Some editors mark UTF-8 with these three bytes; they are no part of the text.
    let text = text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text);
    Ok((name, format, text))
}

fn read_file(file: &FilePath) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?
        .take(LARGEST + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    Ok(text)
}

/// The first 12 digits, as they stand in records, metrics and logs.
fn version(text: &str) -> String {
    let mut hash = sha256(text.as_bytes());
    hash.truncate(12);
    hash
}

/// SHA-256 in hexadecimal digits, as `hash` of a key is written.
pub fn sha256(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    let mut digits = String::with_capacity(64);
    for byte in hash.as_ref() {
        for half in [byte >> 4, byte & 0xf] {
            digits.extend(char::from_digit(half.into(), 16));
        }
    }
    digits
}

#[cfg(test)]
mod tests;
