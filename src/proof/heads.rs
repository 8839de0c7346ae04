//! How far this process's chains have come, for whoever tells others.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::{Digest, Head};

/// A chain's head, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The audit file, or `stdout`.
    pub file: String,
    pub seq: u64,
    pub hash: Digest,
    pub time: String,
}

/// The newest head of each sink. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Heads(Arc<Mutex<Vec<Told>>>);

impl Heads {
    pub fn all(&self) -> Vec<Told> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }

    pub fn tell(&self, file: &str, head: Head, now: Timestamp) {
        let told = Told {
            file: file.to_owned(),
            seq: head.seq,
            hash: head.hash,
            time: format!("{now:.3}"),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|one| one.file == file) {
            Some(one) => *one = told,
            None => all.push(told),
        }
    }
}
