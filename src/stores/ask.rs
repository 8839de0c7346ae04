//! What the protocols of all stores have in common: bodies that are zeroed, files that a login needs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use zeroize::{Zeroize as _, Zeroizing};

use crate::secret::SecretError;
use crate::upstream::Undone;

/// No answer that holds secrets comes near this.
pub(super) const LONGEST: usize = 1 << 20;
/// Each question. A reading that needs a login asks two or three.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// A token or an id has some hundred bytes.
const LONGEST_FILE: u64 = 64 << 10;

/// An answer's body, zeroed when dropped where nobody else has a part of it.
pub(super) struct Wiped(Option<BytesMut>, Bytes);

impl Wiped {
    pub(super) fn new(body: Bytes) -> Self {
        match body.try_into_mut() {
            Ok(own) => Self(Some(own), Bytes::new()),
            Err(shared) => Self(None, shared),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or(&self.1)
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        if let Some(own) = &mut self.0 {
            own.as_mut().zeroize();
        }
    }
}

/// A body to be sent, zeroed once it is on its way.
pub(super) fn body(text: Zeroizing<Vec<u8>>) -> Bytes {
    Bytes::from_owner(text)
}

/// A file's text without the white space around it, read aside: a mount that hangs must not stop the
/// requests.
///
/// # Errors
/// It cannot be read, and which it is.
pub(super) async fn file(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let own = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let found = std::fs::metadata(&own).ok()?;
        if !found.is_file() || found.len() > LONGEST_FILE {
            return None;
        }
        let text = Zeroizing::new(std::fs::read_to_string(&own).ok()?);
        let bare = Zeroizing::new(text.trim().to_owned());
        (!bare.is_empty()).then_some(bare)
    });
    let text = read.await.ok().flatten();
    text.ok_or_else(|| {
        away(&format!(
            "the file {} for its login cannot be read",
            path.display()
        ))
    })
}

pub(super) fn away(why: &str) -> SecretError {
    SecretError::Away(why.into())
}

pub(super) fn undone(undone: &Undone) -> SecretError {
    away(&format!("the store {undone}"))
}

/// A status that is no success: whether the store is at fault, or has refused us.
pub(super) fn refusal(status: StatusCode, word: Option<&str>) -> SecretError {
    let word = word.map_or_else(String::new, |word| format!(" {word}"));
    let why: Arc<str> = format!("the store answered {}{word}", status.as_u16()).into();
    let passes = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::TOO_MANY_REQUESTS
    );
    // Vault says with 472 and 473 that it stands by.
    if status.is_client_error() && !passes && !matches!(status.as_u16(), 472 | 473) {
        SecretError::Refused(why)
    } else {
        SecretError::Away(why)
    }
}
