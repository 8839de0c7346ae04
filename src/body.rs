//! Bodies: the one type that leaves the process, and reading a request's with limits.
//!
//! hyper limits neither the size of a request's body nor how long it may take; [`read`] does
//! both. What it refuses is not just dropped: a client that is still sending would have its
//! connection reset and never see the answer, so the rest is read and thrown away meanwhile.
//! Never here: what a body says. Trailers are dropped, whatever they are.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{EXPECT, HeaderMap};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use tokio::time::{Instant, timeout};

use crate::error::GatewayError;
use crate::tasks::Tasks;

/// What any part of the process may fail with while a body is under way.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A response's body, erased once.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body that is whole already.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Why a request's body could not be had.
#[derive(Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Too large, too slow, or no body at all; the connection is to close after the answer.
    Refused(GatewayError),
    /// The client went away in the middle of it. There is no one to answer.
    Gone,
}

/// Without a byte for so long, a body has stalled.
const STALL: Duration = Duration::from_secs(10);
/// After this long, a body must on the whole have come at [`PACE`].
const GRACE: Duration = Duration::from_secs(30);
/// Bytes a second. 32 MiB at this pace take nine hours, but whoever sends that much sends faster.
const PACE: u64 = 1024;
/// The most that is allocated for a body on the strength of its announced length alone.
const TRUSTED: usize = 1024 * 1024;

/// Reads a body of at most `limit` bytes. One that comes in a single piece is not copied.
///
/// Cancel-safe in that the body is then dropped, which ends its connection.
///
/// # Errors
/// [`ReadError::Refused`] with 413 (at once, when the length announces it), 408 or 400; then the
/// rest of the body is being thrown away by a task of `tasks`. [`ReadError::Gone`].
pub async fn read<B>(
    headers: &HeaderMap,
    mut body: B,
    limit: usize,
    tasks: &Tasks,
) -> Result<Bytes, ReadError>
where
    B: http_body::Body<Data = Bytes, Error: Error + 'static> + Send + Unpin + 'static,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        discard(headers, body, tasks);
        return Err(ReadError::Refused(too_large(limit)));
    }
    match read_whole(&mut body, announced, limit).await {
        Err(ReadError::Refused(error)) => {
            tasks.spawn(throw_away(body));
            Err(ReadError::Refused(error))
        }
        read => read,
    }
}

/// Lets a request's body go that no one has begun to read, so that the client sees why. To be
/// called, with the headers of that request, wherever it is refused; the answer is to say that
/// the connection closes.
pub fn discard<B>(headers: &HeaderMap, body: B, tasks: &Tasks)
where
    B: http_body::Body<Error: Error> + Send + Unpin + 'static,
{
    // A client that waits for `100 Continue` must not be told to go on, as the first look at the
    // body would do; and it has sent nothing that needs to be thrown away.
    if !body.is_end_stream() && !headers.contains_key(EXPECT) {
        tasks.spawn(throw_away(body));
    }
}

async fn read_whole<B>(body: &mut B, announced: usize, limit: usize) -> Result<Bytes, ReadError>
where
    B: http_body::Body<Data = Bytes, Error: Error + 'static> + Unpin,
{
    let mut pace = Pace::new();
    let Some(first) = next(body, &mut pace).await? else {
        return Ok(Bytes::new());
    };
    if first.len() <= limit && body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(announced.clamp(first.len(), TRUSTED.max(first.len())));
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        if bytes.len() > limit - whole.len() {
            return Err(ReadError::Refused(too_large(limit)));
        }
        whole.extend_from_slice(&bytes);
        piece = next(body, &mut pace).await?;
    }
    Ok(whole.freeze())
}

/// The next piece of data; `None` at the end.
async fn next<B>(body: &mut B, pace: &mut Pace) -> Result<Option<Bytes>, ReadError>
where
    B: http_body::Body<Data = Bytes, Error: Error + 'static> + Unpin,
{
    loop {
        let frame = match timeout(STALL, body.frame()).await {
            Err(_elapsed) => return Err(ReadError::Refused(too_slow())),
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => return Err(broken(&error)),
            Ok(Some(Ok(frame))) => frame,
        };
        if let Ok(bytes) = frame.into_data() {
            if pace.is_too_slow(bytes.len()) {
                return Err(ReadError::Refused(too_slow()));
            }
            return Ok(Some(bytes));
        }
    }
}

/// How fast a body comes on the whole.
struct Pace {
    start: Instant,
    bytes: u64,
}

impl Pace {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            bytes: 0,
        }
    }

    fn is_too_slow(&mut self, more: usize) -> bool {
        self.bytes = self.bytes.saturating_add(more as u64);
        let elapsed = self.start.elapsed();
        elapsed >= GRACE && self.bytes < elapsed.as_secs().saturating_mul(PACE)
    }
}

/// Reads and forgets what is left of a refused body: so much, or for so long, and a client that
/// still sends then is cut off. What is enough for any honest body, and no more work than that.
async fn throw_away<B: http_body::Body<Error: Error> + Unpin>(mut body: B) {
    const MOST: usize = 64 * 1024 * 1024;
    const LONGEST: Duration = Duration::from_secs(5);
    let reading = async {
        let mut left = MOST;
        while let Some(Ok(frame)) = body.frame().await {
            let size = frame.data_ref().map_or(0, bytes::Buf::remaining);
            match left.checked_sub(size) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    // Its end by the clock is as good as any other.
    let _ = timeout(LONGEST, reading).await;
}

fn too_large(limit: usize) -> GatewayError {
    GatewayError::Refused {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: "request_too_large",
        message: format!("The body is larger than the {limit} bytes allowed here.").into(),
    }
}

fn too_slow() -> GatewayError {
    GatewayError::Refused {
        status: StatusCode::REQUEST_TIMEOUT,
        code: "request_timeout",
        message: "The body did not arrive in time.".into(),
    }
}

/// hyper tells bad chunks from a lost connection only by the kind of the I/O error within.
fn broken(error: &(dyn Error + 'static)) -> ReadError {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let malformed = causes
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| {
            matches!(
                cause.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
            )
        });
    if !malformed {
        return ReadError::Gone;
    }
    ReadError::Refused(GatewayError::Invalid {
        code: "bad_request",
        param: None,
        message: "The body is not well-formed HTTP.".into(),
    })
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, ready};

    use http::header::HeaderValue;
    use http_body::{Frame, SizeHint};
    use tokio::time::{Sleep, sleep};

    use super::*;

    /// A body of equal pieces, each after the same wait, and what it ends with.
    struct Drip {
        pieces: usize,
        piece: Bytes,
        wait: Duration,
        timer: Pin<Box<Sleep>>,
        end: Option<io::ErrorKind>,
        announced: Option<u64>,
        polled: Arc<AtomicUsize>,
    }

    fn drip(pieces: usize, size: usize, wait: Duration) -> Drip {
        Drip {
            pieces,
            piece: vec![b'x'; size].into(),
            wait,
            timer: Box::pin(sleep(wait)),
            end: None,
            announced: None,
            polled: Arc::default(),
        }
    }

    impl http_body::Body for Drip {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            self.polled.fetch_add(1, Ordering::Relaxed);
            ready!(self.timer.as_mut().poll(cx));
            self.timer = Box::pin(sleep(self.wait));
            let Some(left) = self.pieces.checked_sub(1) else {
                return Poll::Ready(self.end.take().map(|kind| Err(kind.into())));
            };
            self.pieces = left;
            Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
        }

        fn is_end_stream(&self) -> bool {
            self.announced.is_some() && self.pieces == 0
        }

        fn size_hint(&self) -> SizeHint {
            self.announced
                .map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    const NONE: Duration = Duration::ZERO;

    async fn outcome(body: Drip, limit: usize) -> Result<usize, u16> {
        let tasks = Tasks::default();
        let read = read(&HeaderMap::new(), body, limit, &tasks).await;
        tasks.idle().await;
        match read {
            Ok(bytes) => Ok(bytes.len()),
            Err(ReadError::Refused(error)) => Err(error.wire().0.as_u16()),
            Err(ReadError::Gone) => Err(0),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_had_whole_up_to_its_limit() {
        for (pieces, size, limit, expected) in [
            (0, 0, 0, Ok(0)),
            (1, 10, 10, Ok(10)),
            (1, 11, 10, Err(413)),
            (5, 2, 10, Ok(10)),
            (6, 2, 10, Err(413)),
            (3, 1_000_000, 3_000_000, Ok(3_000_000)),
        ] {
            let body = drip(pieces, size, NONE);
            assert_eq!(outcome(body, limit).await, expected, "{pieces} of {size}");
            let mut announced = drip(pieces, size, NONE);
            announced.announced = Some((pieces * size) as u64);
            assert_eq!(outcome(announced, limit).await, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_of_one_piece_is_that_piece() {
        let mut body = drip(1, 10, NONE);
        body.announced = Some(10);
        let sent = body.piece.as_ptr();
        let tasks = Tasks::default();
        let read = read(&HeaderMap::new(), body, 10, &tasks).await.unwrap();
        assert_eq!(read.as_ptr(), sent);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_but_neither_stall_nor_drip() {
        let secs = Duration::from_secs;
        for (pieces, size, wait, expected) in [
            (10, 10, secs(2), Ok(100)),
            (3, 10, secs(11), Err(408)),
            (100, 1, secs(1), Err(408)),
            (100, 1024, secs(1), Ok(102_400)),
            (100, 1023, secs(1), Err(408)),
        ] {
            let body = drip(pieces, size, wait);
            assert_eq!(
                outcome(body, 1 << 20).await,
                expected,
                "{size} per {wait:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_is_told_from_one_that_sends_nonsense() {
        for (kind, expected) in [
            (io::ErrorKind::UnexpectedEof, Err(0)),
            (io::ErrorKind::ConnectionReset, Err(0)),
            (io::ErrorKind::InvalidInput, Err(400)),
            (io::ErrorKind::InvalidData, Err(400)),
        ] {
            let mut body = drip(1, 10, NONE);
            body.end = Some(kind);
            assert_eq!(outcome(body, 100).await, expected, "{kind}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_body_is_thrown_away_within_bounds_and_never_asked_for() {
        let tasks = Tasks::default();
        for (pieces, size, wait, looks) in [
            (3, 10, NONE, 1..=8),
            (1_000_000, 1 << 20, NONE, 64..=200),
            (1_000_000, 1, Duration::from_secs(1), 4..=20),
        ] {
            let body = drip(pieces, size, wait);
            let polled = Arc::clone(&body.polled);
            let start = Instant::now();
            discard(&HeaderMap::new(), body, &tasks);
            tasks.idle().await;
            assert!(looks.contains(&polled.load(Ordering::Relaxed)));
            assert!(start.elapsed() <= Duration::from_secs(5));
        }
        let expects = HeaderMap::from_iter([(EXPECT, HeaderValue::from_static("100-continue"))]);
        let mut body = drip(1, 10, NONE);
        body.announced = Some(10);
        let polled = Arc::clone(&body.polled);
        assert!(read(&expects, body, 5, &tasks).await.is_err());
        tasks.idle().await;
        assert_eq!(polled.load(Ordering::Relaxed), 0);
    }
}
