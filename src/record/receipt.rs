//! Whether a request's record is on the disk, for whoever holds its answer back until then.

use tokio::sync::watch;

/// How far a record has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Its request still runs.
    Open,
    /// It is on its way to the disk.
    Recorded,
    /// It is there, or will not be for now.
    Settled,
}

/// The answer's end of it.
#[derive(Debug, Clone)]
pub struct Receipt(watch::Receiver<Stage>);

/// The record's end of it. Dropped, the record is lost, and nobody waits for it any more.
#[derive(Debug)]
pub(super) struct Owed(watch::Sender<Stage>);

impl Receipt {
    pub(super) fn new() -> (Owed, Self) {
        let (owed, receipt) = watch::channel(Stage::Open);
        (Owed(owed), Self(receipt))
    }

    /// Whether the request is over, so that its record is on its way.
    pub fn is_recorded(&self) -> bool {
        *self.0.borrow() >= Stage::Recorded
    }

    /// Returns once the record is on the disk, or cannot be brought there for now. Cancel-safe.
    pub async fn settled(mut self) {
        // Gone without a word, it was lost, which has been told.
        let _ = self.0.wait_for(|stage| *stage == Stage::Settled).await;
    }
}

impl Owed {
    pub(super) fn recorded(&self) {
        self.0.send_replace(Stage::Recorded);
    }

    pub(super) fn settle(self) {
        self.0.send_replace(Stage::Settled);
    }
}
