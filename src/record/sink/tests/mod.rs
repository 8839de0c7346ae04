//! What becomes of the audit file.

mod lines;
mod queue;
mod rotation;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::AuditFile;
use super::batch::Batch;
use super::file::FileSink;
use crate::proof::verify::{Report, Verifier};
use crate::proof::{Heads, heads_of, lines, segments};

/// A folder that goes with its owner, and an audit file in it.
struct Place {
    folder: PathBuf,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let unique = fastrand::u64(..);
        let folder = std::env::temp_dir().join(format!("pillion-audit-{unique:016x}"));
        fs::create_dir(&folder).unwrap();
        let file = folder.join("audit.jsonl");
        Self { folder, file }
    }

    fn policy(&self) -> AuditFile {
        AuditFile::at(self.file.clone())
    }

    fn open(&self) -> FileSink {
        open(self.policy())
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap_or_default()
    }

    fn notes(&self) -> String {
        fs::read_to_string(heads_of(&self.file)).unwrap_or_default()
    }

    /// All of its files, against their own notes and heads.
    fn verified(&self) -> Report {
        verified(&self.file, &self.notes())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn verified(file: &Path, notes: &str) -> Report {
    let mut verifier = Verifier::new(false);
    verifier.heads("heads", notes.as_bytes());
    let older = segments(file).unwrap().into_iter().map(|it| it.path);
    for path in older.chain([file.to_owned()]).filter(|it| it.exists()) {
        let name = path.display().to_string();
        let mut from = lines(&path).unwrap();
        verifier.read(&name, false, &mut *from).unwrap();
    }
    verifier.finish()
}

fn open(policy: AuditFile) -> FileSink {
    FileSink::open(policy, Some("pod-1"), Heads::default(), Instant::now()).unwrap()
}

/// One record.
fn one(seq: u64) -> Batch {
    some(seq, 1)
}

/// Records from number `first` on.
fn some(first: u64, count: usize) -> Batch {
    let bare = r#"{"kind":"pillion.audit","instance":"pod-1"}"#;
    Batch::of(first, &vec![bare; count])
}

/// The numbers in a text of records.
fn seqs(text: &str) -> Vec<u64> {
    let seq = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["seq"].as_u64().unwrap()
    };
    text.lines().map(seq).collect()
}

/// Waits until the thread beside has done it.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < patience, "{what}");
        std::thread::yield_now();
    }
}
