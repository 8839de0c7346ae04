//! Records that are read in this process instead of being written down.

use std::sync::mpsc::{self, Receiver, SyncSender};

use serde_json::Value;

use super::sink::Message;

/// Records that may wait to be read; what comes beyond them is lost, as at any sink.
const QUEUE: usize = 256;

/// The reading end of records that go to no sink.
#[derive(Debug)]
pub struct Kept(Receiver<Message>);

impl Kept {
    pub(super) fn new() -> (SyncSender<Message>, Self) {
        let (queue, lines) = mpsc::sync_channel(QUEUE);
        (queue, Self(lines))
    }

    /// The next record that nobody has taken, if there is one by now.
    pub fn take(&self) -> Option<Value> {
        std::iter::from_fn(|| self.0.try_recv().ok()).find_map(|message| match message {
            Message::Line(line, _) => serde_json::from_slice(&line).ok(),
            Message::Wake | Message::Close => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::record::{Arrival, Records};
    use crate::snapshot::Identity;
    use crate::telemetry::Metrics;

    #[test]
    fn a_record_is_there_once_its_request_is_over() {
        let (records, kept) = Records::kept(Identity::default(), Arc::new(Metrics::new()));
        let recorder = records.begin(Arrival::now());
        let id = recorder.id().to_owned();
        assert_eq!(kept.take(), None);
        drop(recorder);
        let record = kept.take().unwrap();
        assert_eq!(record["id"], id);
        assert_eq!(record["outcome"], "cancelled");
        assert_eq!(kept.take(), None);
    }
}
