//! Bodies: the one type that leaves the process, and reading a request's with limits.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

/// What any part of the process may fail with while a body is under way.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A response's body, erased once.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body that is whole already.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}
