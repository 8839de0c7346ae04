//! What Bedrock was really asked and really answered. The recordings are not ours to keep, so they
//! are read from the folder that `PILLION_RECORDINGS` names, and the tests pass without it.

mod answers;
mod errors;
mod requests;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{decode, event};
use crate::outcome::Class;

/// Errors, and streams that fail.
const ERRORS: &[(&str, Class)] = &[
    ("bedrock-err-400-context", Class::ContextLength),
    ("bedrock-err-400-model", Class::TargetMissing),
    ("bedrock-err-403-auth", Class::Auth),
    ("bedrock-invoke-anthropic-err", Class::InvalidRequest),
    ("bedrock-stream-err-400", Class::TargetMissing),
    ("x-bedrock-stream-error-frame", Class::Broken),
    ("x-bedrock-stream-modelstreamerror", Class::Broken),
    ("x-bedrock-stream-throttling-midstream", Class::RateLimited),
];

fn samples() -> Option<Vec<(String, Value)>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test finds the recordings by the environment"
    )]
    let Ok(folder) = std::env::var("PILLION_RECORDINGS") else {
        eprintln!("skipped: PILLION_RECORDINGS names no folder");
        return None;
    };
    let folder = Path::new(&folder).join("anthropic-gemini-bedrock/samples");
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let named = paths.into_iter().filter_map(|path| {
        let name = path.file_stem()?.to_str()?.to_owned();
        let ours = name.starts_with("bedrock-") || name.starts_with("x-bedrock-");
        let text = std::fs::read(&path).unwrap();
        (ours && path.extension()? == "json")
            .then(|| (name, serde_json::from_slice(&text).unwrap()))
    });
    let samples: Vec<_> = named.collect();
    assert!(!samples.is_empty(), "no recordings in {}", folder.display());
    Some(samples)
}

fn expected_error(name: &str) -> Option<Class> {
    let found = ERRORS.iter().find(|(own, _)| *own == name);
    found.map(|(_, class)| *class)
}
