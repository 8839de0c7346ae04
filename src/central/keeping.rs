//! Writing the live document down, beside everything else: the newest one, whatever else came while
//! the one before was written. A disk that hangs or is full keeps nobody from following.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::copies::Copies;
use super::following::Following;
use crate::source::Document;

/// A write that takes longer is told.
const LATE: Duration = Duration::from_secs(5);

/// What is to be written.
#[derive(Clone)]
pub(super) struct Good {
    pub(super) document: Document,
    pub(super) version: Option<u64>,
}

/// Writes what comes, for as long as anything may come.
pub(super) async fn keep(
    copies: Copies,
    mut newest: watch::Receiver<Option<Good>>,
    following: Arc<Following>,
) {
    while newest.changed().await.is_ok() {
        let Some(Good { document, version }) = newest.borrow_and_update().clone() else {
            continue;
        };
        let copies = copies.clone();
        let mut writing = tokio::task::spawn_blocking(move || copies.keep(&document, version));
        let in_time = timeout(LATE, &mut writing).await;
        if in_time.is_err() {
            following.not_kept(&io::ErrorKind::TimedOut.into());
        }
        let written = match in_time {
            Ok(written) => written,
            // One at a time.
            Err(_) => writing.await,
        };
        if let Err(error) = written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            following.not_kept(&error);
        }
    }
}
