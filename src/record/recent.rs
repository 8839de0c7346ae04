//! The newest records, for who looks from outside.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are kept: some hundred KiB,
const KEPT: usize = 256;
/// and of those with content as many as have so many bytes.
const BYTES: usize = 4 << 20;

#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Newest>);

#[derive(Debug, Default)]
struct Newest {
    records: VecDeque<Arc<[u8]>>,
    bytes: usize,
}

impl Recent {
    pub(super) fn put(&self, records: Vec<Vec<u8>>) {
        if records.is_empty() {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_over = records.len().saturating_sub(KEPT);
        for record in records.into_iter().skip(passed_over) {
            kept.bytes += record.len();
            kept.records.push_back(record.into());
        }
        while kept.records.len() > KEPT || kept.bytes > BYTES {
            let Some(oldest) = kept.records.pop_front() else {
                break;
            };
            kept.bytes -= oldest.len();
        }
    }

    /// The newest first.
    pub(super) fn all(&self) -> Vec<Arc<[u8]>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.records.iter().rev().cloned().collect()
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
        let long = vec![b'x'; BYTES / 4];
        recent.put(vec![long.clone(); 6]);
        assert_eq!(recent.all().len(), 4);
        recent.put(vec![record(1)]);
        assert_eq!(recent.all().len(), 4);
        recent.put(vec![vec![b'x'; BYTES / 2]]);
        assert_eq!(recent.all().len(), 3);
    }
}
