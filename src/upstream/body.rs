//! A request's body in pieces, most of them shared with the caller's own bytes.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::dialect::request::Pieces;

/// Pieces, written one after another; the whole length is known.
#[derive(Debug)]
pub(super) struct Outgoing {
    pieces: smallvec::IntoIter<[Bytes; 5]>,
    left: u64,
}

impl From<Pieces> for Outgoing {
    fn from(pieces: Pieces) -> Self {
        let left = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self {
            pieces: pieces.into_iter(),
            left,
        }
    }
}

impl Outgoing {
    /// What is still to be written: all of it, before it is sent.
    pub(super) fn pieces(&self) -> &[Bytes] {
        self.pieces.as_slice()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // A piece without bytes would be taken for the end of a chunked body.
        let piece = self.pieces.find(|piece| !piece.is_empty());
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
