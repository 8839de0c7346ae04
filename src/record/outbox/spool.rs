//! Records that wait in memory: a chain of their own, which begins with the process, as nothing of them
//! outlives it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::watch;

use super::Line;
use crate::proof::{Chain, Head, Heads};

/// How many bytes may wait: about eight thousand records.
const LIMIT: usize = 8 << 20;

#[derive(Debug)]
pub(in crate::record) struct Spool {
    /// The sink, which its heads are told as.
    name: &'static str,
    state: Mutex<State>,
    arrived: watch::Sender<Option<Head>>,
    heads: Heads,
}

#[derive(Debug, Default)]
struct State {
    chain: Chain,
    lines: VecDeque<(Head, Bytes)>,
    bytes: usize,
}

impl Spool {
    pub(in crate::record) fn new(name: &'static str, heads: Heads) -> Self {
        Self {
            name,
            state: Mutex::default(),
            arrived: watch::Sender::new(None),
            heads,
        }
    }

    pub(in crate::record) fn arrived(&self) -> watch::Receiver<Option<Head>> {
        self.arrived.subscribe()
    }

    /// Takes records as long as there is room. Returns how many were lost: their numbers are missing, and
    /// no line.
    pub(in crate::record) fn put<'a>(&self, batch: impl Iterator<Item = (u64, &'a [u8])>) -> u64 {
        let mut lost = 0;
        let mut state = self.state();
        for (seq, bare) in batch {
            if state.bytes + bare.len() > LIMIT {
                lost += 1;
                continue;
            }
            let mut line = Vec::with_capacity(bare.len() + 256);
            state.chain.seal(bare, seq, &mut line);
            line.pop();
            if let Some(head) = state.chain.head() {
                state.bytes += line.len();
                state.lines.push_back((head, line.into()));
            }
        }
        let head = state.chain.head();
        drop(state);
        if let Some(head) = head.filter(|head| *self.arrived.borrow() != Some(*head)) {
            self.heads.tell(self.name, head, Timestamp::now());
            self.arrived.send_replace(Some(head));
        }
        lost
    }

    /// Whether so much waits that no request should come that is to be recorded. Half of the room is kept
    /// for those that run.
    pub(in crate::record) fn is_crowded(&self) -> bool {
        self.state().bytes > LIMIT / 2
    }

    /// The first lines, behind what was `sent`.
    pub(super) fn peek(&self, most: usize, sent: Option<Head>) -> VecDeque<Line> {
        let mut before = sent.map_or(0, |head| head.seq);
        let state = self.state();
        let lines = state.lines.iter().take(most);
        lines
            .map(|(head, text)| {
                let lost = head.seq.saturating_sub(before + 1);
                before = head.seq;
                Line {
                    head: *head,
                    text: text.clone(),
                    lost,
                }
            })
            .collect()
    }

    /// The first `count` lines were sent.
    pub(super) fn forget(&self, count: usize) {
        let mut state = self.state();
        let count = count.min(state.lines.len());
        let gone: usize = state.lines.drain(..count).map(|(_, text)| text.len()).sum();
        state.bytes -= gone;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It stays whole when a holder panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::Sealed;

    #[test]
    fn what_is_too_much_is_a_missing_number_and_the_chain_is_whole() {
        let spool = Spool::new("https", Heads::default());
        let large = format!("{{\"kind\":\"{}\"}}", "x".repeat(LIMIT / 4));
        let records = [large.as_bytes(); 5];
        assert_eq!(spool.put((1..).zip(records)), 2);
        assert!(spool.is_crowded());
        let first = spool.peek(10, None);
        assert_eq!(first.len(), 3);
        spool.forget(3);
        assert!(!spool.is_crowded());
        assert_eq!(spool.put((6..).zip(records).take(1)), 0);
        let sent = first.back().map(|line| line.head);
        let next = spool.peek(10, sent);
        assert_eq!((next[0].head.seq, next[0].lost), (6, 2));
        let sealed = Sealed::read(&next[0].text).unwrap();
        assert_eq!(sealed.prev, sent.map(|head| head.hash));
        assert_eq!(spool.arrived().borrow().unwrap(), next[0].head);
    }
}
