//! The newest records, for who looks from outside. They hold names, numbers and classes, as every record.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are kept: some hundred KiB.
const KEPT: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<Arc<[u8]>>>);

impl Recent {
    pub(super) fn put(&self, records: Vec<Vec<u8>>) {
        if records.is_empty() {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_over = records.len().saturating_sub(KEPT);
        let newest = records.into_iter().skip(passed_over);
        kept.extend(newest.map(Arc::from));
        let too_many = kept.len().saturating_sub(KEPT);
        kept.drain(..too_many);
    }

    /// The newest first.
    pub(super) fn all(&self) -> Vec<Arc<[u8]>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_whatever_comes_at_once() {
        let recent = Recent::default();
        let record = |number: usize| number.to_string().into_bytes();
        recent.put(vec![record(0)]);
        recent.put((1..=2 * KEPT).map(record).collect());
        recent.put((2 * KEPT + 1..=2 * KEPT + 3).map(record).collect());
        let all = recent.all();
        assert_eq!(all.len(), KEPT);
        assert_eq!(*all[0], *record(2 * KEPT + 3));
        assert_eq!(*all[KEPT - 1], *record(KEPT + 4));
    }
}
