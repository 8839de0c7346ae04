//! What the protocols of all stores have in common: bodies that are zeroed, files that a login needs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use zeroize::{Zeroize as _, Zeroizing};

use crate::secret::SecretError;
use crate::upstream::{Undone, Unread, file_text};

/// No answer that holds secrets comes near this.
pub(super) const LONGEST: usize = 1 << 20;
/// Each question. A reading that needs a login asks two or three.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

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

/// A file's text, which is not white space alone.
///
/// # Errors
/// It cannot be read, and which it is.
pub(super) async fn file(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let text = file_text("the file for its login", path).await;
    let text = text.map_err(|why| unread(&why))?;
    if text.trim().is_empty() {
        let path = path.display();
        return Err(away(&format!("the file for its login {path} is empty")));
    }
    Ok(text)
}

pub(super) fn away(why: &str) -> SecretError {
    SecretError::Away(why.into())
}

/// A file that it takes to ask is of no use.
pub(super) fn unread(why: &Unread) -> SecretError {
    away(&why.to_string())
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
