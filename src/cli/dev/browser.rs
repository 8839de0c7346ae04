//! A page in the browser of whoever sits there, by the system's own opener.

use std::io;
use std::process::{Command, Stdio};
use std::thread;

/// What opens a URL as a click does.
const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

/// Opens it, or says why not. Nobody waits for it.
pub(super) fn open(url: &str) {
    let url = url.to_owned();
    let told = thread::Builder::new()
        .name("browser".into())
        .spawn(move || {
            if let Err(why) = opened(&url) {
                tracing::warn!("the page cannot be opened here ({why}): {url}");
            }
        });
    if let Err(error) = told {
        tracing::warn!(%error, "the page cannot be opened here");
    }
}

fn opened(url: &str) -> Result<(), String> {
    let mut opener = Command::new(OPENER);
    let opener = opener.arg(url).stdin(Stdio::null());
    let opener = opener.stdout(Stdio::null()).stderr(Stdio::null());
    match opener.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{OPENER} ended with {status}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("there is no {OPENER}"))
        }
        Err(error) => Err(format!("{OPENER}: {error}")),
    }
}
