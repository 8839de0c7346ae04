//! A document looked at byte by byte: its length, its signature, its digest.
//!
//! Whatever takes a while for a large one is done on a thread aside: requests are served on this one.

use std::sync::Arc;

use tokio::task::{JoinError, spawn_blocking};

use super::digest::Digest;
use super::following::Reason;
use super::signature::verify;
use crate::source::{Document, LARGEST, PublicKey};

/// So many bytes are hashed in the time that a request may be kept waiting.
const AT_ONCE: usize = 128 << 10;

/// One that somebody has signed whom we trust, where that is asked for.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) document: Document,
    pub(super) digest: Digest,
}

/// What only another document can cure.
#[derive(Debug, Clone)]
pub(super) struct Flaw {
    pub(super) reason: Reason,
    pub(super) why: String,
}

/// # Errors
/// It is too long, or nobody of `keys` has signed it.
pub(super) async fn examine(document: Document, keys: &Arc<[PublicKey]>) -> Result<Sealed, Flaw> {
    let length = document.text.len();
    if length > LARGEST {
        return Err(Flaw {
            reason: Reason::Unusable,
            why: "it is larger than 4 MiB".to_owned(),
        });
    }
    let keys = Arc::clone(keys);
    let looked = aside(length, move || {
        let signature = document.signature.as_deref();
        verify(&keys, &document.text, signature).map_err(|unsigned| Flaw {
            reason: Reason::Signature,
            why: unsigned.to_string(),
        })?;
        let digest = Digest::of(&document.text);
        Ok(Sealed { document, digest })
    });
    looked.await.unwrap_or_else(|error| {
        Err(Flaw {
            reason: Reason::Unusable,
            why: format!("it could not be read: {error}"),
        })
    })
}

/// What `work` makes of so many bytes.
async fn aside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    if bytes <= AT_ONCE {
        return Ok(work());
    }
    spawn_blocking(work).await
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn what_is_large_is_looked_at_on_another_thread() {
        let here = thread::current().id();
        for (bytes, is_here) in [
            (0, true),
            (AT_ONCE, true),
            (AT_ONCE + 1, false),
            (LARGEST, false),
        ] {
            let worked = aside(bytes, || thread::current().id()).await;
            assert_eq!(worked.unwrap() == here, is_here, "{bytes}");
        }
    }
}
