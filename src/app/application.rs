//! The application that this process was told to start: it begins when it can be served, and this process
//! ends with it.

use std::fs::File;
use std::io;
use std::process::ExitStatus;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use tokio::process::{Child, Command};

/// What follows once applications can connect.
pub enum Next {
    /// Serve until a signal ends it.
    Serve,
    /// Serve for as long as this one runs, and end as it did.
    Beside(Application),
    /// There is nothing to serve for: end with this exit code.
    End(u8),
}

/// A process of ours. One that is dropped while it runs goes on without us.
#[derive(Debug)]
pub struct Application(Child);

impl Application {
    /// Starts it, in our group, with our standard streams.
    ///
    /// # Errors
    /// The system's: there is no such program, or it is none.
    pub fn start(command: std::process::Command) -> io::Result<Self> {
        Command::from(command).spawn().map(Self)
    }

    /// Waits for its end; the exit code as a shell tells it: 128 and the signal's number for one that a
    /// signal has ended. Cancel-safe.
    pub(super) async fn ended(&mut self) -> u8 {
        match self.0.wait().await {
            Ok(status) => code(status),
            Err(error) => {
                tracing::error!(%error, "what became of the application cannot be learned");
                1
            }
        }
    }

    /// Passes a signal on that was sent to us.
    pub(super) fn pass(&self, signal: Signal) {
        // What a key of the terminal has sent went to all of its foreground's processes, and so to this one.
        let is_key = matches!(signal, Signal::SIGINT | Signal::SIGQUIT);
        if is_key && is_in_foreground() {
            return;
        }
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        // It has no id once it has been waited for.
        let Some(id) = id else { return };
        if let Err(error) = kill(Pid::from_raw(id), signal) {
            tracing::warn!(%signal, %error, "the application could not be told");
        }
    }
}

fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = || u8::try_from(status.code()?).ok();
    status.signal().map(code_of).or_else(code).unwrap_or(1)
}

/// What a shell tells of one that a signal has ended.
pub(super) fn code_of(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(1)
}

/// Whether ours is the group of processes that the terminal's keys signal.
fn is_in_foreground() -> bool {
    let Ok(terminal) = File::open("/dev/tty") else {
        return false;
    };
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}
