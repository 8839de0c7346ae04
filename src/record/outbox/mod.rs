//! Records on their way to a sink elsewhere: what waits there, in which order, and how far it has come.
//!
//! Beside an audit file that file is what waits: it is read again from where the sink has come to, which is
//! kept in `FILE.sent`, so that nothing is lost by an outage or a restart. Without one, records wait in
//! memory, up to a bound, as a chain of their own. A record counts as sent once the sink has said so: one
//! may arrive twice, as the same line. Never here: how a sink is reached.

mod cursor;
mod follow;
mod spool;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::proof::Head;

pub(super) use self::cursor::Cursors;
pub(super) use self::follow::Follow;
pub(super) use self::spool::Spool;

/// How much is sent at once.
const MOST_LINES: usize = 500;
const MOST_BYTES: usize = 1 << 20;

/// What waits for one sink.
#[derive(Debug)]
pub struct Outbox {
    /// The sink.
    pub name: &'static str,
    /// The last line that may be sent.
    arrived: watch::Receiver<Option<Head>>,
    /// The last one that was.
    sent: Option<Head>,
    store: Store,
    /// Fetched, and not sent yet.
    ready: VecDeque<Line>,
    /// Whether the last parcel was full, so that there may be another one.
    is_behind: bool,
    /// How many lines a parcel may have.
    most: usize,
}

/// Where it waits.
#[derive(Debug)]
pub(super) enum Store {
    Memory(std::sync::Arc<Spool>),
    File(Box<Follow>),
    /// The file is being read, or that has panicked.
    Away,
}

/// One line, with what it ends in.
#[derive(Debug, Clone)]
pub struct Line {
    pub head: Head,
    /// Without its line feed.
    pub text: Bytes,
    /// How many numbers are missing before it, though the chain goes on.
    pub lost: u64,
}

/// Lines that are sent together; never none.
#[derive(Debug, Clone)]
pub struct Parcel {
    pub lines: Vec<Line>,
}

/// Why nothing could be fetched.
#[derive(Debug)]
pub struct Unfetched(pub(super) String);

impl Outbox {
    pub(super) fn new(
        name: &'static str,
        arrived: watch::Receiver<Option<Head>>,
        sent: Option<Head>,
        store: Store,
    ) -> Self {
        Self {
            name,
            arrived,
            sent,
            store,
            ready: VecDeque::new(),
            is_behind: false,
            most: MOST_LINES,
        }
    }

    /// Waits until there is something to send, and then until that is much, or has waited for `gather`.
    /// Returns whether there is: once `end` is cancelled it gathers no more, and ends when all was sent.
    /// Cancel-safe.
    pub async fn filled(&mut self, gather: Duration, end: &CancellationToken) -> bool {
        let sent = self.sent;
        let some = arrives(self.arrived.clone(), move |it| it != sent);
        if end.run_until_cancelled(some).await.is_none() && self.is_empty() {
            return false;
        }
        if !self.is_behind && self.ready.is_empty() {
            let from = sent.map_or(0, |head| head.seq);
            let much = from.saturating_add(MOST_LINES as u64);
            let is_much = move |it: Option<Head>| it.is_some_and(|head| head.seq >= much);
            let plenty = arrives(self.arrived.clone(), is_much);
            let gathering = timeout(gather, plenty);
            // Whichever comes first.
            let _ = end.run_until_cancelled(gathering).await;
        }
        true
    }

    /// The next lines that are to be sent, the same ones until they are [taken](Self::taken).
    ///
    /// # Errors
    /// They cannot be read now.
    pub async fn parcel(&mut self) -> Result<Parcel, Unfetched> {
        if self.ready.is_empty() {
            self.fetch().await?;
        }
        let mut bytes = 0;
        let mut lines = Vec::new();
        for line in self.ready.iter().take(self.most) {
            bytes += line.text.len();
            if bytes > MOST_BYTES && !lines.is_empty() {
                break;
            }
            lines.push(line.clone());
        }
        Ok(Parcel { lines })
    }

    /// The sink has what was in the parcel.
    pub async fn taken(&mut self, parcel: &Parcel) {
        let count = parcel.lines.len();
        self.ready.drain(..count.min(self.ready.len()));
        self.sent = parcel.lines.last().map(|line| line.head).or(self.sent);
        self.is_behind = !self.ready.is_empty() || count >= MOST_LINES;
        self.most = (self.most * 2).min(MOST_LINES);
        match &mut self.store {
            Store::Memory(spool) => spool.forget(count),
            Store::File(_) => {
                if let Some(head) = self.sent {
                    self.with_file(move |follow| follow.keep(head)).await;
                }
            }
            Store::Away => {}
        }
    }

    /// The next parcel is to be smaller than this one was; returns whether it can be.
    pub fn halve(&mut self, parcel: &Parcel) -> bool {
        let count = parcel.lines.len();
        self.most = (count / 2).max(1);
        count > 1
    }

    /// How many records wait, by their numbers.
    pub fn waiting(&self) -> u64 {
        let arrived = self.arrived.borrow().map_or(0, |head| head.seq);
        arrived.saturating_sub(self.sent.map_or(0, |head| head.seq))
    }

    fn is_empty(&self) -> bool {
        *self.arrived.borrow() == self.sent
    }

    async fn fetch(&mut self) -> Result<(), Unfetched> {
        match &mut self.store {
            Store::Memory(spool) => self.ready = spool.peek(MOST_LINES, self.sent),
            Store::File(_) => {
                let upto = *self.arrived.borrow();
                let read = self.with_file(move |follow| follow.read(upto, MOST_LINES, MOST_BYTES));
                self.ready = read.await.unwrap_or_else(|| Err(gone()))?.into();
            }
            Store::Away => {}
        }
        if self.ready.is_empty() {
            return Err(gone());
        }
        Ok(())
    }

    /// Does what may hang, on a thread aside.
    async fn with_file<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Follow) -> T + Send + 'static,
    ) -> Option<T> {
        match std::mem::replace(&mut self.store, Store::Away) {
            Store::File(mut follow) => {
                let aside = tokio::task::spawn_blocking(move || {
                    let done = work(&mut follow);
                    (follow, done)
                });
                let (follow, done) = aside.await.ok()?;
                self.store = Store::File(follow);
                Some(done)
            }
            other => {
                self.store = other;
                None
            }
        }
    }
}

/// Returns once so much has arrived.
async fn arrives(
    mut arrived: watch::Receiver<Option<Head>>,
    enough: impl Fn(Option<Head>) -> bool + Send,
) {
    if arrived.wait_for(|head| enough(*head)).await.is_err() {
        // Nobody is left who could write: what there is was told before.
        std::future::pending::<()>().await;
    }
}

fn gone() -> Unfetched {
    Unfetched("the records that are to be sent cannot be found".into())
}

impl fmt::Display for Unfetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
