//! An answer whose last bytes are held back until its record is on the disk.
//!
//! What comes before them flows as it did. Whether a piece is the last is known from the record: it is
//! finished with the answer's end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;

use crate::body::{Body, BoxError};
use crate::record::Receipt;

/// That the record is on the disk.
type Settled = Pin<Box<dyn Future<Output = ()> + Send>>;
/// What a body gives when it is polled.
type Piece = Option<Result<Frame<Bytes>, BoxError>>;

/// `response`, of which the end goes out once `receipt` is settled: all of it, when it is whole already.
pub async fn held(response: Response<Body>, receipt: Receipt) -> Response<Body> {
    if receipt.is_recorded() {
        receipt.settled().await;
        return response;
    }
    response.map(|inner| {
        Held {
            inner,
            receipt,
            kept: None,
        }
        .boxed_unsync()
    })
}

struct Held {
    inner: Body,
    receipt: Receipt,
    /// A piece that waits, and what it waits for.
    kept: Option<(Piece, Settled)>,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Piece> {
        if self.kept.is_none() {
            let piece = ready!(Pin::new(&mut self.inner).poll_frame(cx));
            if !self.receipt.is_recorded() {
                return Poll::Ready(piece);
            }
            let settled: Settled = Box::pin(self.receipt.clone().settled());
            self.kept = Some((piece, settled));
        }
        if let Some((_, settled)) = &mut self.kept {
            ready!(settled.as_mut().poll(cx));
        }
        Poll::Ready(self.kept.take().and_then(|(piece, _)| piece))
    }

    fn is_end_stream(&self) -> bool {
        self.kept.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.inner.size_hint();
        let kept = match &self.kept {
            Some((Some(Ok(frame)), _)) => frame.data_ref().map_or(0, Bytes::len) as u64,
            Some(_) | None => 0,
        };
        hint.exact().map_or_else(SizeHint::default, |exact| {
            SizeHint::with_exact(exact + kept)
        })
    }
}
