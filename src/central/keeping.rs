//! Writing the live document down, beside everything else: the newest one, whatever else came while
//! the one before was written. A disk that hangs or is full keeps nobody from following.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::copies::Copies;
use super::following::Following;
use crate::source::Document;

/// A write that takes longer is told.
const LATE: Duration = Duration::from_secs(5);
/// Between two looks whether another process is done with writing there, and for how long that goes on.
const BUSY: Duration = Duration::from_millis(50);
const LONGEST_BUSY: Duration = Duration::from_secs(4);

/// What is to be written.
#[derive(Clone)]
pub(super) struct Good {
    pub(super) document: Document,
    pub(super) version: Option<u64>,
    /// When it was told to be kept.
    pub(super) sent: Instant,
    /// When the source last had it.
    pub(super) confirmed: SystemTime,
}

/// Writes what comes, for as long as anything may come.
pub(super) async fn keep(
    copies: Copies,
    mut newest: watch::Receiver<Option<Good>>,
    following: Arc<Following>,
) {
    while newest.changed().await.is_ok() {
        let Some(good) = newest.borrow_and_update().clone() else {
            continue;
        };
        let mut writing = Box::pin(write(&copies, &good));
        let in_time = timeout(LATE, &mut writing).await;
        if in_time.is_err() {
            following.not_kept(&io::ErrorKind::TimedOut.into());
        }
        let written = match in_time {
            Ok(written) => written,
            // One at a time.
            Err(_) => writing.await,
        };
        if let Err(error) = written {
            following.not_kept(&error);
        }
    }
}

/// As soon as no other process writes there.
async fn write(copies: &Copies, good: &Good) -> io::Result<()> {
    let until = Instant::now() + LONGEST_BUSY;
    loop {
        let (copies, good) = (copies.clone(), good.clone());
        let writing =
            spawn_blocking(move || copies.keep(&good.document, good.version, good.confirmed));
        match writing.await.map_err(io::Error::other)? {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {
                sleep(BUSY).await;
            }
            written => return written,
        }
    }
}
