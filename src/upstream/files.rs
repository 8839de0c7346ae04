//! Files that say who we are or whom we trust: certificates, tokens, documents of credentials.
//!
//! They are read anew each time, as they are replaced; on a thread aside, as a mount that hangs must
//! not stop the requests.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

/// None of them comes near this.
const LARGEST: u64 = 1 << 20;

/// Why a file is of no use, and which it is. It holds nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread(pub(super) String);

impl Unread {
    /// `why` says which file it is.
    pub(crate) fn new(why: String) -> Self {
        Self(why)
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Does what may hang, on a thread aside.
///
/// # Errors
/// Its own; or the process ends.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Unread> + Send + 'static,
) -> Result<T, Unread> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|_| Err(Unread("the process ends".into())))
}

/// All of a file, of which `what` says what it is for. Blocks.
///
/// # Errors
/// It cannot be read, or is no such file.
pub(crate) fn read(what: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, Unread> {
    let unreadable = |error: io::Error| {
        let (path, why) = (path.display(), error.kind());
        Unread(format!("{what} {path} cannot be read: {why}"))
    };
    let found = fs::metadata(path).map_err(unreadable)?;
    if !found.is_file() || found.len() > LARGEST {
        return Err(Unread(format!("{what} {} is no such file", path.display())));
    }
    // Room for all at once: growing would leave copies behind that nobody zeroes.
    let room = usize::try_from(found.len()).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// The same of a file of text, aside.
///
/// # Errors
/// It cannot be read, or is no text.
pub(crate) async fn text(what: &'static str, path: &Path) -> Result<Zeroizing<String>, Unread> {
    let path = path.to_owned();
    aside(move || {
        let bytes = read(what, &path)?;
        let text = str::from_utf8(&bytes);
        let text = text.map_err(|_| Unread(format!("{what} {} is no text", path.display())))?;
        Ok(Zeroizing::new(text.to_owned()))
    })
    .await
}
