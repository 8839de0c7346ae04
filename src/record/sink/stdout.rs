//! Records on stdout: a chain of its own, which begins with the process.

use jiff::Timestamp;

use super::batch::Batch;
use super::console::Output;
use crate::proof::{Chain, Heads};

/// What its heads are told as.
const NAME: &str = "stdout";

#[derive(Debug)]
pub(super) struct Stdout {
    chain: Chain,
    heads: Heads,
    output: Output,
    lines: Vec<u8>,
}

impl Stdout {
    pub(super) fn new(output: Output, heads: Heads) -> Self {
        Self {
            chain: Chain::default(),
            heads,
            output,
            lines: Vec::new(),
        }
    }

    /// Returns how many were lost.
    pub(super) fn write(&mut self, batch: &Batch) -> u64 {
        if batch.count() == 0 {
            return 0;
        }
        self.lines.clear();
        let before = self.chain;
        for (seq, bare) in batch.numbered() {
            self.chain.seal(bare, seq, &mut self.lines);
        }
        if self.output.write(&self.lines).is_err() {
            // Nobody may be reading any more: that is no reason to stop the traffic.
            self.chain = before;
            return batch.count();
        }
        if let Some(head) = self.chain.head() {
            self.heads.tell(NAME, head, Timestamp::now());
        }
        0
    }
}
