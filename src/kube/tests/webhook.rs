//! Requests, and what they may take.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::Full;
use tokio::time::Instant;

use super::*;
use crate::tasks::Tasks;

/// A body that is said to be so large, and does not come.
struct Stuck(u64);

impl http_body::Body for Stuck {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

/// The status of an answer, and after how many seconds it came.
async fn asked<B>(body: B, room: &Room) -> (StatusCode, u64)
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let start = Instant::now();
    let request = Request::post("/inject").body(body).unwrap();
    let mint = || -> io::Result<PodToken> { Ok(token()) };
    let (settings, tasks) = (settings(), Tasks::default());
    let answer = respond(request, &settings, mint, true, room, &tasks).await;
    (answer.status(), start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn large_reviews_wait_for_room_and_ordinary_ones_do_not_wait_for_them() {
    let room = &Room::default();
    let stuck = || asked(Stuck(1 << 20), room);
    let no_review = |size| asked(Full::new(Bytes::from(vec![b'x'; size])), room);
    let (first, second, large, ordinary) =
        tokio::join!(stuck(), stuck(), no_review(1 << 20), no_review(1 << 10));
    assert_eq!(first, (StatusCode::REQUEST_TIMEOUT, 2));
    assert_eq!(second, first);
    assert_eq!(large, (StatusCode::BAD_REQUEST, 2));
    assert_eq!(ordinary, (StatusCode::BAD_REQUEST, 0));
    let much = no_review((3 << 20) + 1).await;
    assert_eq!(much, (StatusCode::PAYLOAD_TOO_LARGE, 0));
}
