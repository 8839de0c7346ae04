//! `FILE.sent`: the last line of an audit file that each sink elsewhere has said to have.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::super::sink::replace;
use crate::proof::{Digest, Head, sent_of};

/// The cursors of all sinks of one file. Clones are one.
#[derive(Debug, Clone)]
pub(in crate::record) struct Cursors(Arc<Mutex<Page>>);

#[derive(Debug)]
struct Page {
    path: PathBuf,
    sent: BTreeMap<String, Sent>,
}

/// One line of the file: the member `hash` tells it from that of another chain.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Sent {
    seq: u64,
    hash: Digest,
}

impl Cursors {
    /// As they were left. What cannot be read is told, and as good as none: everything is sent again.
    pub(in crate::record) fn of(file: &Path) -> Self {
        let path = sent_of(file);
        let sent = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        };
        let sent = sent.unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "how far the sinks have come is not known: the whole file is sent again");
            BTreeMap::new()
        });
        Self(Arc::new(Mutex::new(Page { path, sent })))
    }

    pub(super) fn get(&self, sink: &str) -> Option<Head> {
        let page = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let &Sent { seq, hash } = page.sent.get(sink)?;
        Some(Head { seq, hash })
    }

    /// The sink has everything up to here. Blocks.
    pub(super) fn set(&self, sink: &str, Head { seq, hash }: Head) -> io::Result<()> {
        let mut page = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        page.sent.insert(sink.to_owned(), Sent { seq, hash });
        page.write()
    }
}

impl Page {
    fn write(&self) -> io::Result<()> {
        replace(&self.path, &serde_json::to_vec(&self.sent)?, None)
    }
}
