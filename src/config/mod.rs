//! The operator's text → [`Snapshot`] and [`Process`], or every problem of it at once.
//!
//! Layers, later wins: built-in defaults, the sidecar's own text (YAML, TOML or JSON), `PILLION_`
//! variables, flags, the central document of its `source`, and of the former what this leaves to the
//! sidecar. The merged tree is checked against one table of keys (`keys`), then resolved key by key
//! (`resolve`, pure).
//! Never here: reading a secret, opening a socket, or a configuration that is half right.

mod authority;
mod check;
mod effective;
mod injector;
mod keys;
mod layers;
mod node;
mod overrides;
mod path;
mod pattern;
mod problem;
mod release;
mod resolve;
mod scalar;
mod schema;
mod shape;
mod shared_state;
mod sources;
mod stack;
mod text;

use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use ring::digest;

pub use effective::Effective;
pub use injector::injector;
pub use problem::Problem;
pub use release::{Release, Rollback, Rollout};
pub use schema::schema;
pub use shared_state::SharedState;
pub use sources::{CentralText, Document, Local, Sources};
pub use text::Format;

use crate::collect::{Collector, Kind};
use crate::facts::Families;
use crate::record::AuditFile;
use crate::simulate::SimulatedProvider;
use crate::snapshot::{Identity, Percent, Snapshot};
use crate::source::{Place, SourceUrl};
use authority::Standing;
use path::Path;
use problem::Report;
use sources::read_file;
use stack::{Given, Merged};

/// A configuration without problems.
#[derive(Debug)]
pub struct Loaded {
    pub snapshot: Snapshot,
    pub process: Process,
    /// What the central document says of itself; empty where there is none.
    pub release: Release,
    /// What it was made of, to be shown.
    pub effective: Effective,
    pub warnings: Vec<Problem>,
}

/// What is known before there is any central document.
#[derive(Debug)]
pub struct Bootstrap {
    /// Where the central document is. `None`: there is none, and [`load`] gives all there is.
    pub source: Option<Place>,
    /// Where this sidecar tells how it stands.
    pub report: Option<SourceUrl>,
    /// Where the last good central document is kept.
    pub cache_dir: Option<PathBuf>,
    /// By what the sidecar itself says. `listen`, `admin`, `workers` and `simulate` stay as they are;
    /// of the rest a central document may say more, so what serves runs by that of [`Loaded`].
    pub process: Process,
    pub identity: Identity,
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
    /// Where this sidecar keeps what is to outlive it.
    pub cache_dir: Option<PathBuf>,
    pub audit: AuditConfig,
    /// Where spans are told; nowhere without it.
    pub traces: Option<TracesConfig>,
    pub simulate: Vec<SimulatedProvider>,
}

impl Process {
    /// The keys that say otherwise than in `other`.
    pub fn differs(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            listen,
            admin,
            workers,
            drain,
            lame_duck,
            h2c,
            concurrency,
            queue,
            connections,
            shared_state,
            cache_dir,
            audit,
            traces,
            simulate,
        } = self;
        let all = [
            ("listen", *listen != other.listen),
            ("admin", *admin != other.admin),
            ("workers", *workers != other.workers),
            ("drain", *drain != other.drain),
            ("lame_duck", *lame_duck != other.lame_duck),
            ("h2c", *h2c != other.h2c),
            ("concurrency", *concurrency != other.concurrency),
            ("queue", *queue != other.queue),
            ("connections", *connections != other.connections),
            ("shared_state", *shared_state != other.shared_state),
            ("cache_dir", *cache_dir != other.cache_dir),
            ("audit", *audit != other.audit),
            ("traces", *traces != other.traces),
            ("simulate", *simulate != other.simulate),
        ];
        let differ = all.into_iter().filter(|(_, differs)| *differs);
        differ.map(|(key, _)| key).collect()
    }
}

/// Where audit records go: to one of them at least.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditConfig {
    pub stdout: bool,
    /// Whether that is so because nobody has said where they go.
    pub unsaid: bool,
    pub file: Option<AuditFile>,
    /// Those elsewhere, one of a kind.
    pub collectors: Vec<(Kind, Collector)>,
    /// Whether requests are refused while records cannot be kept.
    pub required: bool,
}

/// Where the spans of requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracesConfig {
    pub collector: Collector,
    /// Of the traces that begin here, so many are kept.
    pub sample: Percent,
}

/// What a process begins with.
#[derive(Debug)]
pub enum Begun {
    Whole(Box<Loaded>),
    /// There is a source that must be asked.
    Waiting(Box<Bootstrap>),
}

/// [`load`], or [`bootstrap`] where the sources name a central one. Without one, they are read once.
///
/// # Errors
/// As theirs.
pub fn begin(sources: &Sources) -> Result<Begun, Vec<Problem>> {
    let given = Given::read(sources)?;
    let merged = given.merge()?;
    if authority::has_source(&merged.tree) {
        return Ok(Begun::Waiting(Box::new(bootstrap(sources)?)));
    }
    Ok(Begun::Whole(Box::new(whole(given, merged, sources)?)))
}

/// # Errors
/// Every problem that the sources have, in the order of the texts; at least one. A file that cannot
/// be read is one.
pub fn load(sources: &Sources) -> Result<Loaded, Vec<Problem>> {
    let given = Given::read(sources)?;
    let mut merged = given.merge()?;
    if merged.standing == Standing::Waiting {
        bootstrap(sources)?;
        let at = Path::root().key("source");
        let message = "has the routes and the keys, and was not asked for them";
        merged.report.problem(&at, message);
        return Err(merged.report.into_parts().0);
    }
    whole(given, merged, sources)
}

fn whole(given: Given, merged: Merged, sources: &Sources) -> Result<Loaded, Vec<Problem>> {
    let Merged {
        tree,
        mut report,
        standing,
        dropped: _,
    } = merged;
    let root = check::check(&tree, keys::ROOT, &mut report);
    authority::know_overrides(&root, &mut report);
    let families = families(&root, &mut report);
    let facts = resolve::Facts {
        version: given.version().into(),
        families: &families,
        now: sources.now,
        variable: &|name| sources.variable(name),
        zone: &|name| jiff::tz::db().get(name).ok(),
        standing,
    };
    let (snapshot, process, release) = resolve::resolve(&root, &facts, &mut report);
    let (problems, warnings) = report.into_parts();
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Loaded {
        snapshot,
        process,
        release,
        effective: Effective(given),
        warnings,
    })
}

/// What must be known to ask for a central document, from everything but that document.
///
/// # Errors
/// Every problem of it; without a `source`, every problem that [`load`] finds.
pub fn bootstrap(sources: &Sources) -> Result<Bootstrap, Vec<Problem>> {
    let given = Given::read(&Sources {
        central: None,
        ..sources.clone()
    })?;
    let Merged {
        tree,
        mut report,
        standing,
        dropped: _,
    } = given.merge()?;
    let root = check::check(&tree, keys::ROOT, &mut report);
    let variable = |name: &str| sources.variable(name);
    let (process, identity) = resolve::process_alone(&root, &variable, standing, &mut report);
    let source = resolve::source(&root, &mut report);
    let reports_to = resolve::reports_to(&root, &mut report);
    let (problems, warnings) = report.into_parts();
    if !problems.is_empty() {
        return Err(match standing {
            Standing::Alone => load(sources).err().unwrap_or(problems),
            Standing::Waiting | Standing::Led | Standing::Free => problems,
        });
    }
    Ok(Bootstrap {
        source,
        report: reports_to,
        cache_dir: root.text("cache_dir").map(|folder| folder.as_ref().into()),
        process,
        identity,
        warnings,
    })
}

/// The text of `document` as a central document, if it says of itself that it is one: by `version`,
/// `rollout` and the like, and no `source` of its own.
///
/// # Errors
/// It cannot be read.
pub fn central_text(document: &Document) -> Result<Option<CentralText>, Vec<Problem>> {
    let text = CentralText::read(document)?;
    let is_central = stack::keys_of(&text).is_ok_and(|keys| authority::is_central(&keys));
    Ok(is_central.then_some(text))
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
