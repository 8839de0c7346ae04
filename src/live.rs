//! The current value of what an operator may replace while requests run.

use std::sync::Arc;

use tokio::sync::watch;

/// A value that is replaced whole. Clones see the same value.
#[derive(Debug)]
pub struct Live<T> {
    receiver: watch::Receiver<Arc<T>>,
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self {
            receiver: self.receiver.clone(),
        }
    }
}

/// The one hand that may replace it.
#[derive(Debug)]
pub struct Publisher<T> {
    sender: watch::Sender<Arc<T>>,
}

impl<T> Live<T> {
    pub fn new(value: Arc<T>) -> (Publisher<T>, Self) {
        let (sender, receiver) = watch::channel(value);
        (Publisher { sender }, Self { receiver })
    }

    /// The value now. A request asks once and keeps what it got to its last byte.
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.receiver.borrow())
    }
}

impl<T> Publisher<T> {
    pub fn publish(&self, value: Arc<T>) {
        self.sender.send_replace(value);
    }
}
