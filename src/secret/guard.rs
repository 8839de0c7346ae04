//! Keeps what is in memory from the other processes of the same user, and out of core files.
//!
//! <https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html> (read 2026-11): what is not
//! dumpable leaves no core, cannot be attached to, and its files in `/proc` are root's.

use std::io;

/// From here on, for this process.
///
/// # Errors
/// The system does not do it.
#[cfg(target_os = "linux")]
pub fn close_memory() -> io::Result<()> {
    nix::sys::prctl::set_dumpable(false).map_err(io::Error::from)
}

/// Other systems have nothing that is as simple.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn close_memory() -> io::Result<()> {
    Ok(())
}
