//! An answer's body for several readers: kept from its first byte for as long as there is room.
//!
//! Pulled, like any answer: it advances as the fastest reader takes it. Once it is too long to be
//! kept whole, it can no longer be joined; what all have read is let go, and a reader that is too
//! far ahead waits for the slowest.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Body as _;
use smallvec::SmallVec;

use super::fan::Fan;
use super::lock;
use super::table::Ticket;
use crate::body::Body;
use crate::limit::Room;

/// The longest answer that is kept whole, and how far two readers may be apart.
pub(super) const LONGEST: usize = 8 << 20;
/// All the tapes that run, together.
pub(super) const TOGETHER: usize = 64 << 20;
/// What a chunk takes beside its bytes.
const CHUNK: usize = 64;

pub(super) struct Tape {
    reel: Mutex<Reel>,
    fan: Arc<Fan>,
    /// Of the whole, where it was known from the start.
    pub(super) length: Option<u64>,
}

struct Reel {
    /// Absent once it has ended.
    source: Option<Body>,
    chunks: VecDeque<Bytes>,
    /// How many chunks were let go, before the first that is here.
    gone: usize,
    /// What the chunks take.
    size: usize,
    readers: SmallVec<[Place; 2]>,
    room: Room,
    /// What it has taken of the room: all of its size while it runs, and then nothing.
    taken: usize,
    /// Whether all of it is here, from the first chunk.
    whole: bool,
    /// Closed when it no longer is.
    ticket: Weak<Ticket>,
}

/// How far a reader is: the number of the chunk that it gets next.
#[derive(Debug, Clone, Copy)]
struct Place {
    number: u64,
    next: usize,
}

impl Tape {
    /// `readers` will come for it, from the beginning.
    pub(super) fn new(source: Body, readers: &[u64], room: Room, ticket: &Arc<Ticket>) -> Self {
        let length = source.size_hint().exact();
        let readers = readers.iter().map(|number| Place {
            number: *number,
            next: 0,
        });
        let fan = Arc::new(Fan::default());
        let mut reel = Reel {
            source: Some(source),
            chunks: VecDeque::new(),
            gone: 0,
            size: 0,
            readers: readers.collect(),
            room,
            taken: 0,
            whole: true,
            ticket: Arc::downgrade(ticket),
        };
        if length.is_some() {
            // What is whole already need not wait for a reader.
            let waker = fan.waker();
            let _ = reel.pull(&mut Context::from_waker(&waker));
        }
        Self {
            reel: Mutex::new(reel),
            fan,
            length,
        }
    }

    /// One more reader, from the beginning: false when that is no longer to be had.
    pub(super) fn enter(&self, number: u64) -> bool {
        let mut reel = lock(&self.reel);
        if reel.whole {
            reel.readers.push(Place { number, next: 0 });
        }
        reel.whole
    }

    pub(super) fn leave(&self, number: u64) {
        {
            let mut reel = lock(&self.reel);
            reel.readers.retain(|reader| reader.number != number);
            reel.let_go();
        }
        self.fan.remove(number);
        // It may have been the one that pulled, or the one that was waited for.
        self.fan.wake_all();
    }

    /// The next chunk for this reader; `None` at the end.
    pub(super) fn poll_next(&self, number: u64, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut reel = lock(&self.reel);
        loop {
            if let Some(chunk) = reel.take(number) {
                drop(reel);
                // It comes by itself; the others have a chunk to fetch, or may go on.
                self.fan.remove(number);
                self.fan.wake_all();
                return Poll::Ready(Some(chunk));
            }
            if reel.source.is_none() {
                drop(reel);
                // For the others too it may be news.
                self.fan.remove(number);
                self.fan.wake_all();
                return Poll::Ready(None);
            }
            self.fan.set(number, cx.waker());
            if reel.size >= LONGEST && !reel.whole {
                return Poll::Pending;
            }
            let waker = self.fan.waker();
            if reel.pull(&mut Context::from_waker(&waker)).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Whether all of it has come.
    pub(super) fn is_over(&self) -> bool {
        lock(&self.reel).source.is_none()
    }

    /// Whether this reader has had all of it.
    pub(super) fn is_read(&self, number: u64) -> bool {
        let reel = lock(&self.reel);
        let end = reel.gone + reel.chunks.len();
        let mut readers = reel.readers.iter();
        reel.source.is_none() && readers.all(|reader| reader.number != number || reader.next == end)
    }

    /// What it takes of the memory.
    pub(super) fn size(&self) -> usize {
        lock(&self.reel).size
    }
}

impl Reel {
    /// The chunk that this reader gets next, if it is there.
    fn take(&mut self, number: u64) -> Option<Bytes> {
        let reader = self.readers.iter_mut().find(|r| r.number == number)?;
        let chunk = self
            .chunks
            .get(reader.next.checked_sub(self.gone)?)?
            .clone();
        reader.next += 1;
        self.let_go();
        Some(chunk)
    }

    /// Takes what the source has ready: `Ready` when there is more than before, or the end.
    fn pull(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Taken out while it is polled: one that panics has ended.
        let Some(mut source) = self.source.take() else {
            return Poll::Ready(());
        };
        loop {
            match Pin::new(&mut source).poll_frame(cx) {
                Poll::Pending => {
                    self.source = Some(source);
                    return Poll::Pending;
                }
                // Our bodies tell a break in their own words, and none of those that come here fails.
                Poll::Ready(None | Some(Err(_))) => break,
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(chunk) = frame.into_data() else {
                        continue;
                    };
                    self.add(chunk);
                    if !source.is_end_stream() {
                        self.source = Some(source);
                        return Poll::Ready(());
                    }
                    break;
                }
            }
        }
        self.give_back(self.taken);
        Poll::Ready(())
    }

    fn give_back(&mut self, size: usize) {
        let size = size.min(self.taken);
        self.taken -= size;
        self.room.give_back(size);
    }

    fn add(&mut self, chunk: Bytes) {
        let size = chunk.len() + CHUNK;
        self.size += size;
        self.chunks.push_back(chunk);
        self.taken += size;
        if !self.room.take(size) || self.size > LONGEST {
            self.whole = false;
            if let Some(ticket) = self.ticket.upgrade() {
                ticket.close();
            }
        }
    }

    /// Lets go of what nobody is to read any more: all that the slowest has read, once no others
    /// may come.
    fn let_go(&mut self) {
        if self.whole {
            return;
        }
        let end = self.gone + self.chunks.len();
        let needed = self.readers.iter().map(|r| r.next).min().unwrap_or(end);
        while self.gone < needed
            && let Some(chunk) = self.chunks.pop_front()
        {
            let size = chunk.len() + CHUNK;
            self.gone += 1;
            self.size -= size;
            self.give_back(size);
        }
    }
}

impl Drop for Reel {
    fn drop(&mut self) {
        self.give_back(self.taken);
    }
}
