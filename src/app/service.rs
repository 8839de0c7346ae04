//! What a service manager is told, where one has started us and listens (`NOTIFY_SOCKET`): that
//! applications can connect, that the event loop turns, that it is ending.
//!
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html> (read 2026-11). Nothing here
//! waits for it, and what cannot be told is no reason to stop.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use super::Addresses;

/// Before there is a configuration: a start that waits for its source is no failure.
pub(super) fn waiting() {
    tell(&[NotifyState::Status("waiting for a configuration")]);
}

/// Applications can connect.
pub(super) fn ready(at: Addresses) {
    let status = format!("serving on {}, admin on {}", at.listen, at.admin);
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// Told to end: what runs is finished first.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
}

/// As often as the manager wants to hear of it, or never: who runs on this event loop shows by it that
/// the loop turns.
pub(super) fn watchdog() -> Option<impl Future<Output = ()>> {
    // Half of it, so that one late turn is not taken for a hang.
    let pace = sd_notify::watchdog_enabled()? / 2;
    (pace > Duration::ZERO).then_some(async move {
        let mut turns = interval(pace);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            tell(&[NotifyState::Watchdog]);
        }
    })
}

fn tell(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
