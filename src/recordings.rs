//! Exchanges that really were, for the tests that read them. They are not ours to keep, so they are
//! read from the folder that `PILLION_RECORDINGS` names, and the tests pass without it.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Exchanges with OpenAI and the servers that speak as it does.
pub(crate) const OPENAI: &str = "openai/samples";
/// Exchanges with everybody else.
pub(crate) const OTHERS: &str = "anthropic-gemini-bedrock/samples";

/// The exchanges in `folder` whose name is one of `ours`, in the order of their names. `None` where
/// there are no recordings at all.
pub(crate) fn samples(folder: &str, ours: impl Fn(&str) -> bool) -> Option<Vec<(String, Value)>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test finds the recordings by the environment"
    )]
    let Ok(root) = std::env::var("PILLION_RECORDINGS") else {
        eprintln!("skipped: PILLION_RECORDINGS names no folder");
        return None;
    };
    let folder = Path::new(&root).join(folder);
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let named = paths.iter().filter_map(|path| {
        let name = path.file_stem()?.to_str()?;
        let is_one = path.extension()? == "json" && ours(name);
        is_one.then(|| {
            let text = std::fs::read(path).unwrap();
            (name.to_owned(), serde_json::from_slice(&text).unwrap())
        })
    });
    let samples: Vec<_> = named.collect();
    assert!(!samples.is_empty(), "no recordings in {}", folder.display());
    Some(samples)
}
