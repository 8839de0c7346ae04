//! The socket as hyper sees it: the same bytes, watched.
//!
//! A [`Guard`] does three things that hyper does not: it shows each byte read to the
//! [`Scanner`], fails a connection whose head takes too long (also while the version of HTTP is
//! still being told), and one whose client does not read, or hardly. What it learns about a request is
//! left in [`Seen`] for whoever answers that request. It never changes, holds back or copies bytes.
//!
//! Idle connections and stalled bodies are not its concern: hyper's own timeout ends the first,
//! [`crate::body::read`] the second.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::scan::Scanner;
use super::seen::Seen;

/// What a client must take on the whole while there is something to write, in bytes a second: less
/// than any model talks, more than a client takes that means to hold its connection for ever.
const PACE: u128 = 1024;

/// A byte stream with a scanner and two limits.
#[derive(Debug)]
pub(super) struct Guard<IO> {
    io: IO,
    scanner: Scanner,
    seen: Arc<Seen>,
    head: Limit,
    write: Limit,
    /// Bytes written since `write` runs.
    taken: u128,
}

impl<IO> Guard<IO> {
    /// The time for the first head starts here. `head` limits each head; in each span of `write`
    /// in which there is always more to write, the client must take what [`PACE`] says.
    pub(super) fn new(io: IO, seen: Arc<Seen>, head: Duration, write: Duration) -> Self {
        let mut guard = Self {
            io,
            scanner: Scanner::new(),
            seen,
            head: Limit::new(head),
            write: Limit::new(write),
            taken: 0,
        };
        guard.head.start();
        guard
    }

    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = wrote else {
            if self.write.start() {
                self.taken = 0;
            }
            ready!(self.write.poll_passed(cx));
            return Poll::Ready(Err(too_slow("the client does not read its answer")));
        };
        if let Ok(bytes) = written {
            self.seen.wrote(bytes);
            self.taken = self.taken.saturating_add(bytes as u128);
            if self.taken * 1000 >= PACE * self.write.span.as_millis() {
                self.write.stop();
            }
        }
        Poll::Ready(written)
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Guard<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Pending if this.scanner.head_is_open() => {
                ready!(this.head.poll_passed(cx));
                Poll::Ready(Err(too_slow(
                    "the client does not finish its request's head",
                )))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(read) => {
                if let Some(ending) = this.scanner.feed(&buf.filled()[before..]) {
                    // A scanner ends once, so the cell is still empty.
                    let _ = this.seen.ending.set(ending);
                }
                if this.scanner.head_is_open() {
                    this.head.start();
                } else {
                    this.head.stop();
                }
                Poll::Ready(read)
            }
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Guard<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.wrote(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        this.wrote(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Nothing is left to write: the client owes nothing.
        this.write.stop();
        this.seen.wrote(usize::MAX);
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

fn too_slow(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, message)
}

/// A span that something may take. It reads the clock only when started, and touches the
/// runtime's timer only when there is something to wait for: a request that comes whole costs
/// neither. The timer outlives a stop, so that a stop costs nothing; it fires early, and is moved
/// then.
#[derive(Debug)]
struct Limit {
    span: Duration,
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Limit {
    fn new(span: Duration) -> Self {
        Self {
            span,
            deadline: None,
            timer: None,
        }
    }

    /// Whether it did not run already; then nothing changes.
    fn start(&mut self) -> bool {
        let starts = self.deadline.is_none();
        if starts {
            self.deadline = Some(Instant::now() + self.span);
        }
        starts
    }

    fn stop(&mut self) {
        self.deadline = None;
    }

    /// Ready when the deadline has passed; pending when there is none.
    fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    use super::super::scan::{Violation, Why};
    use super::super::seen::AHEAD;
    use super::*;

    const HEAD: Duration = Duration::from_secs(10);
    const WRITE: Duration = Duration::from_secs(30);
    const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

    fn guarded() -> (Guard<DuplexStream>, DuplexStream, Arc<Seen>) {
        let (ours, theirs) = duplex(64);
        let seen = Arc::new(Seen::default());
        (
            Guard::new(ours, Arc::clone(&seen), HEAD, WRITE),
            theirs,
            seen,
        )
    }

    /// Reads until it fails, and says after how long that was.
    async fn fails_after(guard: &mut Guard<DuplexStream>) -> Duration {
        let start = Instant::now();
        let mut buffer = [0; 16];
        loop {
            match guard.read(&mut buffer).await {
                Ok(read) => assert_ne!(read, 0, "the client is still there"),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    return start.elapsed();
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_has_the_time_of_one_head() {
        let (mut guard, _client, _seen) = guarded();
        assert_eq!(fails_after(&mut guard).await.as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_head_gets_no_more_time_than_a_silent_one() {
        let (mut guard, mut client, _seen) = guarded();
        let drip = async {
            loop {
                client.write_all(b"G").await.unwrap();
                sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            after = fails_after(&mut guard) => assert_eq!(after.as_secs(), 10),
            () = drip => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_head_is_timed_from_its_first_byte_and_silence_before_it_is_not() {
        let (mut guard, mut client, _seen) = guarded();
        let mut buffer = [0; 64];
        for _ in 0..3 {
            client.write_all(GET).await.unwrap();
            assert_eq!(guard.read(&mut buffer).await.unwrap(), GET.len());
            let idle = timeout(Duration::from_secs(59), guard.read(&mut buffer));
            assert!(idle.await.is_err(), "an idle connection is let be");
        }
        client.write_all(b"G").await.unwrap();
        assert_eq!(fails_after(&mut guard).await.as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_fails_the_write_and_one_that_reads_slowly_does_not() {
        let (mut guard, mut client, _seen) = guarded();
        let slow = async {
            for _ in 0..2000 {
                sleep(Duration::from_millis(60)).await;
                let mut piece = [0; 64];
                client.read_exact(&mut piece).await.unwrap();
            }
        };
        let answer = vec![b'x'; 64 + 2000 * 64];
        let (wrote, ()) = tokio::join!(guard.write_all(&answer), slow);
        wrote.unwrap();
        guard.flush().await.unwrap();
        sleep(Duration::from_hours(1)).await;
        let start = Instant::now();
        let error = guard.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_a_few_bytes_now_and_then_does_not_hold_its_connection() {
        let (mut guard, mut client, _seen) = guarded();
        let start = Instant::now();
        let drip = async {
            loop {
                sleep(Duration::from_secs(1)).await;
                client.read_exact(&mut [0; 64]).await.unwrap();
            }
        };
        let answer = vec![b'x'; 1 << 20];
        tokio::select! {
            wrote = guard.write_all(&answer) => {
                assert_eq!(wrote.unwrap_err().kind(), io::ErrorKind::TimedOut);
            }
            () = drip => {}
        }
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_of_an_answer_is_taken_than_the_client_makes_room_for() {
        let (mut guard, mut client, seen) = guarded();
        let room = async || {
            timeout(Duration::ZERO, poll_fn(|cx| seen.poll_room(cx)))
                .await
                .is_ok()
        };
        assert!(room().await);
        seen.took(AHEAD - 1);
        assert!(room().await);
        seen.took(64);
        let mut waiting = std::pin::pin!(poll_fn(|cx| seen.poll_room(cx)));
        assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
        guard.write_all(&[b'x'; 64]).await.unwrap();
        timeout(Duration::from_secs(1), waiting)
            .await
            .expect("it is woken");
        seen.took(AHEAD);
        assert!(!room().await);
        client.read_exact(&mut [0; 64]).await.unwrap();
        guard.flush().await.unwrap();
        assert!(room().await, "all is written");
    }

    #[tokio::test]
    async fn a_fault_is_told_of_its_own_request_and_not_of_the_one_before() {
        let (mut guard, mut client, seen) = guarded();
        let bad = b"POST / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n";
        client.write_all(&[GET, bad].concat()).await.unwrap();
        assert!(guard.read(&mut [0; 64]).await.unwrap() > GET.len());
        assert_eq!(seen.next_request(), None);
        let bad = Some(Why::Violation(Violation::Encoding));
        assert_eq!(seen.next_request(), bad);
        assert_eq!(seen.next_request(), bad, "nor is anything after it served");
    }
}
