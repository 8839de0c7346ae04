//! The way to each provider, where it may be cut: for drills, in which a provider is gone for this
//! process alone and knows nothing of it.
//!
//! What is cut is our side of it: the connections that are open end as if the far side had died,
//! and the next ones are made to somebody else. `run` has no lines at all.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::Uri;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The lines to all providers, by their names. Clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Mutex<HashMap<Arc<str>, Line>>>);

/// The line to one provider. Clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Held by every connection that is made; cancelled when they are to end.
    held: CancellationToken,
    /// Who is connected to in the provider's place.
    detour: Option<Uri>,
}

/// A connection's end of its line.
#[derive(Debug)]
pub(super) struct Hold(Pin<Box<WaitForCancellationFutureOwned>>);

impl Lines {
    pub(super) fn of(&self, provider: &Arc<str>) -> Line {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.entry(Arc::clone(provider)).or_default().clone()
    }
}

impl Line {
    /// Ends every connection, and leads the next ones to `detour` by plain HTTP.
    pub(super) fn cut(&self, detour: Uri) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.detour = Some(detour);
        std::mem::take(&mut state.held).cancel();
    }

    /// For a connection that is about to be made: where to instead, and what will end it.
    pub(super) fn hold(&self) -> (Option<Uri>, Hold) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = state.held.clone().cancelled_owned();
        (state.detour.clone(), Hold(Box::pin(held)))
    }
}

impl Hold {
    /// Ready once the line is cut; until then whoever polls is woken by that.
    pub(super) fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_cut_ends_what_is_open_and_leads_the_next_elsewhere() {
        let lines = Lines::default();
        let mut cx = Context::from_waker(Waker::noop());
        let (detour, mut before) = lines.of(&"a".into()).hold();
        let (_, mut other) = lines.of(&"b".into()).hold();
        assert_eq!(detour, None);
        assert!(before.poll_cut(&mut cx).is_pending());
        let elsewhere = Uri::from_static("http://127.0.0.1:1/");
        lines.of(&"a".into()).cut(elsewhere.clone());
        let (detour, mut after) = lines.of(&"a".into()).hold();
        assert_eq!(detour, Some(elsewhere));
        assert!(before.poll_cut(&mut cx).is_ready());
        assert!(after.poll_cut(&mut cx).is_pending());
        assert!(other.poll_cut(&mut cx).is_pending());
    }
}
