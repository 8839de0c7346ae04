//! The one place that spawns. Drain waits for what it holds.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A handle to every task of the process; clones count as one.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    idle: Notify,
}

/// Held by a task for as long as it runs, also when it panics.
struct Running(Arc<Shared>);

impl Tasks {
    /// Runs `work` beside everything else. It ends by itself or with the process.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.shared.running.fetch_add(1, Ordering::Relaxed);
        let running = Running(Arc::clone(&self.shared));
        // Held by the task as it is, the work would lie there twice: as what is captured, and as what
        // is awaited. A connection's is large, and there are many. And without its type there is one kind of
        // task in the binary, for all that is ever spawned.
        let work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(work);
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that spawns"
        )]
        tokio::spawn(async move {
            let _running = running;
            work.await;
        });
    }

    /// Returns once nothing runs. Cancel-safe.
    pub async fn idle(&self) {
        loop {
            let woken = self.shared.idle.notified();
            if self.shared.running.load(Ordering::Acquire) == 0 {
                return;
            }
            woken.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}
