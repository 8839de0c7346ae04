//! Whether a request's record is on the disk, for whoever holds its answer back until then.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// A disk that hangs does not hold an answer any longer, where records are not required.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

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
pub struct Receipt {
    stage: watch::Receiver<Stage>,
    patience: Option<Duration>,
}

/// The record's end of it. Dropped, the record is lost, and nobody waits for it any more.
#[derive(Debug)]
pub(super) struct Owed(watch::Sender<Stage>);

impl Receipt {
    /// One that is waited for no longer than so.
    pub(super) fn new(patience: Option<Duration>) -> (Owed, Self) {
        let (owed, stage) = watch::channel(Stage::Open);
        (Owed(owed), Self { stage, patience })
    }

    /// Whether the request is over, so that its record is on its way.
    pub fn is_recorded(&self) -> bool {
        *self.stage.borrow() >= Stage::Recorded
    }

    /// Returns once the record is on the disk, or cannot be brought there for now. Cancel-safe.
    pub async fn settled(mut self) {
        // Gone without a word, it was lost, which has been told.
        let settled = self.stage.wait_for(|stage| *stage == Stage::Settled);
        match self.patience {
            Some(patience) => drop(timeout(patience, settled).await),
            None => drop(settled.await),
        }
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

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_is_waited_for_in_vain_for_so_long_alone() {
        let start = Instant::now();
        let (_owed, receipt) = Receipt::new(Some(PATIENCE));
        receipt.settled().await;
        assert!(start.elapsed() >= PATIENCE);
        let (_owed, required) = Receipt::new(None);
        let long = timeout(100 * PATIENCE, required.settled()).await;
        assert!(long.is_err());
    }
}
