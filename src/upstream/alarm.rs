//! Waiting with a limit, on a machine that may stand still meanwhile.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// An alarm that rings so much later than it should tells that we stood still (a paused machine, no
/// share of the processor): what the provider said meanwhile may lie unread.
pub(crate) const STOOD_STILL: Duration = Duration::from_millis(100);

/// So long does it take to read what lies there, and more.
const GRACE: Duration = Duration::from_millis(50);

/// When something is given up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alarm(Instant);

/// It did not come in time.
#[derive(Debug)]
pub(super) struct Late;

impl Alarm {
    pub(super) fn at(end: Instant) -> Self {
        Self(end)
    }

    /// Waits for `work` until the end, and a little longer where we stood still meanwhile. Cancel-safe as
    /// `work` is.
    pub(super) async fn wait<F: Future>(
        &mut self,
        mut work: Pin<&mut F>,
    ) -> Result<F::Output, Late> {
        loop {
            if let Ok(done) = timeout_at(self.0, work.as_mut()).await {
                return Ok(done);
            }
            if self.has_rung() {
                return Err(Late);
            }
        }
    }

    /// Whether the end has come, also while there is always something ready. Where it came long ago, we
    /// stood still, and what is ready may be what came meanwhile: the end is a little later then.
    pub(super) fn has_rung(&mut self) -> bool {
        let now = Instant::now();
        let stood_still = now.saturating_duration_since(self.0) > STOOD_STILL;
        if stood_still {
            self.0 = now + GRACE;
        }
        now >= self.0
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_we_stand_still_is_taken() {
        let end = Instant::now() + Duration::from_secs(1);
        let mut alarm = Alarm::at(end);
        assert!(alarm.wait(pin!(pending::<()>())).await.is_err());
        assert_eq!(Instant::now(), end);
        // The end lies long ago when we look at it: as after a pause.
        let mut alarm = Alarm::at(end);
        tokio::time::advance(Duration::from_secs(5)).await;
        let said = tokio::time::sleep(GRACE / 2);
        assert!(alarm.wait(pin!(said)).await.is_ok());
        let never = alarm.wait(pin!(pending::<()>())).await;
        assert!(never.is_err(), "once");
    }
}
