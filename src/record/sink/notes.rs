//! `FILE.heads`: what is noted of the chain, a line each.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::opening::{self, replace};
use crate::proof::{Note, What, heads_of};

/// How much may wait for the disk: some hundred notes.
const PENDING_LIMIT: usize = 64 << 10;
/// From this size on, the older half of the heads is forgotten.
const LARGE: u64 = 4 << 20;

/// Where notes go. Clones are one.
#[derive(Debug, Clone)]
pub(super) struct Notes(Arc<Mutex<Page>>);

#[derive(Debug)]
struct Page {
    path: PathBuf,
    /// The audit file, as notes name it.
    file: String,
    instance: Option<String>,
    group: Option<u32>,
    durable: bool,
    pending: Vec<u8>,
    /// Whether the file ends within a line.
    torn: bool,
}

impl Notes {
    pub(super) fn new(
        file: &Path,
        instance: Option<&str>,
        group: Option<u32>,
        durable: bool,
    ) -> Self {
        Self(Arc::new(Mutex::new(Page {
            path: heads_of(file),
            file: file.display().to_string(),
            instance: instance.map(str::to_owned),
            group,
            durable,
            pending: Vec::new(),
            torn: true,
        })))
    }

    /// Notes it; what cannot be written now waits for the next [`flush`](Self::flush).
    pub(super) fn note(&self, what: What) {
        self.with(|page| {
            let instance = page.instance.as_deref();
            let note = Note::new(&page.file, instance, what, Timestamp::now());
            let before = page.pending.len();
            if before < PENDING_LIMIT && serde_json::to_writer(&mut page.pending, &note).is_ok() {
                page.pending.push(b'\n');
            } else {
                page.pending.truncate(before);
            }
        });
    }

    /// Returns whether all is written.
    pub(super) fn flush(&self) -> bool {
        self.with(|page| match page.flush() {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(path = %page.path.display(), %error, "notes wait");
                false
            }
        })
    }

    /// Forgets the older heads of a large file; what else was noted stays.
    pub(super) fn prune(&self) -> io::Result<()> {
        self.with(Page::prune)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Page) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Page {
    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut file = opening::open(&self.path, self.group)?;
        // A process that was killed may have left half a line too.
        if self.torn && file.metadata()?.len() > 0 && !ends_a_line(&self.path)? {
            file.write_all(b"\n")?;
        }
        self.torn = true;
        file.write_all(&self.pending)?;
        self.torn = false;
        self.pending.clear();
        if self.durable {
            file.sync_data()?;
        }
        Ok(())
    }

    fn prune(&mut self) -> io::Result<()> {
        if !fs::metadata(&self.path).is_ok_and(|file| file.len() > LARGE) {
            return Ok(());
        }
        let text = fs::read_to_string(&self.path)?;
        let mut kept = String::new();
        for (at, line) in text.match_indices('\n').scan(0, |start, (end, _)| {
            let line = &text[*start..=end];
            *start = end + 1;
            Some((end, line))
        }) {
            if at > text.len() / 2 || !line.starts_with("{\"kind\":\"pillion.audit.head\"") {
                kept += line;
            }
        }
        replace(&self.path, kept.as_bytes(), self.group)
    }
}

fn ends_a_line(path: &Path) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::{Digest, Head, Why};

    #[test]
    fn of_many_heads_the_newer_half_stays_and_all_that_explains_something() {
        let name = format!("pillion-notes-{:016x}", fastrand::u64(..));
        let file = std::env::temp_dir().join(name);
        let notes = Notes::new(&file, None, None, false);
        notes.note(What::Anew { why: "told".into() });
        let hash = Digest::try_new(&[b'a'; 64]).unwrap();
        let head = |seq| What::head(Head { seq, hash }, Why::Checkpoint);
        notes.note(head(1));
        assert!(notes.flush());
        let path = heads_of(&file);
        let text = fs::read_to_string(&path).unwrap();
        let (_, one) = text.split_once('\n').unwrap();
        let many = one.repeat(usize::try_from(LARGE).unwrap() / one.len());
        fs::write(&path, text.clone() + &many).unwrap();
        notes.note(head(2));
        assert!(notes.flush());
        notes.prune().unwrap();
        let pruned = fs::read_to_string(&path).unwrap();
        let half = usize::midpoint(text.len(), many.len());
        assert!(pruned.len() < half + 2 * text.len(), "{}", pruned.len());
        let first = pruned.lines().next().unwrap();
        assert!(first.contains("pillion.audit.anew"), "{first}");
        assert!(pruned.lines().last().unwrap().contains("\"seq\":2"));
        fs::remove_file(path).unwrap();
    }
}
