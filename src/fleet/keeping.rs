//! The body of an answer that goes out and is written down for the fleet, if it comes to its end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::Response;
use http::response::Parts;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::lease::Lease;
use super::name::Answer;
use crate::body::{Body, BoxError};
use crate::record::Ended;

/// The longest body that is, and all that go out at a time together.
const LONGEST: usize = 1 << 20;
pub(super) const TOGETHER: usize = 32 << 20;

impl Lease {
    /// The answer, as it was. How its call ended is known by its last byte.
    pub fn over(self, response: Response<Body>) -> Response<Body> {
        if matches!(self.ending.ended(), Some(Ended::Failed(_))) {
            return response;
        }
        let (head, body) = response.into_parts();
        let Parts {
            status, headers, ..
        } = &head;
        let mut keeping = Keeping {
            source: body,
            kept: Some(Kept {
                lease: self,
                answer: Answer {
                    status: *status,
                    headers: headers.clone(),
                    body: Bytes::new(),
                },
                body: BytesMut::new(),
                taken: 0,
            }),
        };
        if keeping.source.is_end_stream() {
            keeping.end();
        }
        Response::from_parts(head, keeping.boxed_unsync())
    }
}

struct Keeping {
    // Dropped before the lease, which asks how the call has ended.
    source: Body,
    /// Absent once it is over, or too long.
    kept: Option<Kept>,
}

struct Kept {
    lease: Lease,
    answer: Answer,
    body: BytesMut,
    /// Of the room.
    taken: usize,
}

impl Keeping {
    fn add(&mut self, chunk: &[u8]) {
        let Some(kept) = &mut self.kept else {
            return;
        };
        let fits = kept.lease.stake.fleet.room.take(chunk.len());
        kept.taken += chunk.len();
        if kept.taken > LONGEST || !fits {
            self.kept = None;
        } else {
            kept.body.extend_from_slice(chunk);
        }
    }

    fn end(&mut self) {
        let Some(mut kept) = self.kept.take() else {
            return;
        };
        if let Some(Ended::Answered(_)) = kept.lease.ending.ended() {
            kept.answer.body = std::mem::take(&mut kept.body).freeze();
            kept.lease.keep(&kept.answer);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.lease.stake.fleet.room.give_back(self.taken);
    }
}

impl http_body::Body for Keeping {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.source).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(chunk) = frame.data_ref() {
                    self.add(chunk);
                }
            }
            Some(Err(_)) => self.kept = None,
            None => self.end(),
        }
        if self.source.is_end_stream() {
            self.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus_client::metrics::gauge::Gauge;
    use tokio::time::Instant;

    use super::*;
    use crate::body::full;
    use crate::chat::Surface;
    use crate::fleet::{Arriving, Fleet, Taken};
    use crate::health::Priority;
    use crate::once::{Asked, Identity};
    use crate::redis::Place;
    use crate::tasks::Tasks;

    /// Of a fleet whose Redis is not there: what it does here it does all the same.
    async fn lease(fleet: &Fleet, key: &str) -> Lease {
        let identity = Identity {
            caller: "caller".into(),
            key: Some(key.into()),
            surface: Surface::Chat,
            body: Bytes::new(),
            rules: "".into(),
            dedupe: None,
        };
        let now = Instant::now();
        let arriving = Arriving {
            asked: &Asked::default(),
            identity: &identity,
            executes: false,
            priority: Priority::Interactive,
            ending: Arc::default(),
            came: now,
        };
        match fleet.claim(arriving).unwrap().take(now).await {
            Taken::Mine(lease) => lease,
            Taken::Answered(..)
            | Taken::Failed(..)
            | Taken::Conflict
            | Taken::Crowded
            | Taken::Late => panic!("nobody else is there"),
        }
    }

    fn poll(body: &mut Body) -> usize {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match Pin::new(body).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap().len(),
            Poll::Ready(Some(Err(_)) | None) | Poll::Pending => 0,
        }
    }

    #[tokio::test]
    async fn what_goes_out_takes_no_more_than_its_room_and_gives_it_back() {
        let place = Place::of("redis://127.0.0.1:1").unwrap();
        let identity = crate::snapshot::Identity::default();
        let fleet = Fleet::start(place, &identity, 1, &Tasks::default(), Gauge::default());
        let taken = || fleet.inner.room.taken();
        let mut bodies = Vec::new();
        for number in 0..40 {
            let lease = lease(&fleet, &number.to_string()).await;
            let size = if number == 0 { LONGEST + 1 } else { LONGEST };
            // Behind its one chunk the body is over, but its call is not known to have ended well.
            let body = full(vec![b'x'; size]);
            let mut body = lease.over(Response::new(body)).into_body();
            assert_eq!(poll(&mut body), size, "kept or not");
            assert_eq!(taken(), 0, "it is over");
            bodies.push(body);
        }
        for number in 0..40 {
            let lease = lease(&fleet, &number.to_string()).await;
            let piece = Bytes::from(vec![b'x'; LONGEST]);
            let body = Unended(Some(piece)).boxed_unsync();
            let mut body = lease.over(Response::new(body)).into_body();
            assert_eq!(poll(&mut body), LONGEST, "kept or not");
            assert_eq!(taken(), (number + 1).min(32) << 20);
            bodies.push(body);
        }
        let held = || fleet.inner.held.len();
        assert_eq!(held(), 32, "claims of what is not kept are given up");
        drop(bodies);
        assert_eq!((taken(), held()), (0, 0));
    }

    /// One chunk, and then silence.
    struct Unended(Option<Bytes>);

    impl http_body::Body for Unended {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            match self.0.take() {
                Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
                None => Poll::Pending,
            }
        }
    }
}
