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
    /// How many there have been.
    count: u64,
}

impl Recent {
    pub(super) fn put(&self, records: Vec<Vec<u8>>) {
        if records.is_empty() {
            return;
        }
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        newest.count += records.len() as u64;
        let passed_over = records.len().saturating_sub(KEPT);
        for record in records.into_iter().skip(passed_over) {
            newest.bytes += record.len();
            newest.records.push_back(record.into());
        }
        while newest.records.len() > KEPT || newest.bytes > BYTES {
            let Some(oldest) = newest.records.pop_front() else {
                break;
            };
            newest.bytes -= oldest.len();
        }
    }

    /// The newest first.
    pub(super) fn all(&self) -> Vec<Arc<[u8]>> {
        self.since(0).1
    }

    /// How many there have been, and those behind the first `seen` of them, the newest first.
    pub(super) fn since(&self, seen: u64) -> (u64, Vec<Arc<[u8]>>) {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unseen = usize::try_from(newest.count.saturating_sub(seen)).unwrap_or(usize::MAX);
        let unseen = newest.records.iter().rev().take(unseen);
        (newest.count, unseen.cloned().collect())
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

    #[test]
    fn who_has_seen_some_gets_the_others() {
        let recent = Recent::default();
        let put = |text: &str| recent.put(vec![text.as_bytes().to_vec()]);
        let seen = |seen| {
            let (count, unseen) = recent.since(seen);
            let text = |record: &Arc<[u8]>| String::from_utf8_lossy(record).into_owned();
            (count, unseen.iter().map(text).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(seen(0), (0, String::new()));
        put("a");
        put("b");
        put("c");
        for (before, unseen) in [(0, "c b a"), (1, "c b"), (3, ""), (9, "")] {
            assert_eq!(seen(before), (3, unseen.to_owned()), "{before}");
        }
    }
}
