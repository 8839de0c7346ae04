//! How the process lives and ends: signals, lame duck, drain.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::Options;
use super::application::Next;
use super::reload::Reloader;
use crate::admin::Status;
use crate::config::Process;
use crate::fleet::Fleet;
use crate::limit::{Folder, Quotas};
use crate::listen::Phase;
use crate::once::Calls;
use crate::record::Records;
use crate::tasks::Tasks;

/// How often the files that may change are looked at. Polling needs no watch that a mount could
/// break, and is quicker than the kubelet.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// What was cut has this long to tell its caller.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// The signals that mean something to us.
#[derive(Debug)]
pub(super) struct Signals {
    caught: Vec<(Signal, unix::Signal)>,
    hangup: Hangup,
}

/// What a SIGHUP says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hangup {
    /// To a service, by custom: look at the files again.
    Reload,
    /// To what somebody has started by hand: the terminal is gone.
    End,
}

impl Signals {
    /// Those of a service. From here on a signal is ours to answer: before anything slow begins, since it may
    /// come early.
    pub(super) fn of_service() -> io::Result<Self> {
        let signals = [Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT];
        Self::catch(Hangup::Reload, &signals)
    }

    /// Those of a process with these options.
    pub(super) fn new(options: &Options) -> io::Result<Self> {
        if !options.beside && !options.by_hand {
            return Self::of_service();
        }
        let mut signals = vec![Signal::SIGTERM, Signal::SIGINT];
        // Where it is ignored, as under `nohup`, it stays so, for the application too.
        if !is_ignored(Signal::SIGHUP) {
            signals.push(Signal::SIGHUP);
        }
        if options.beside {
            // They would end us and leave the application.
            signals.extend([Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2]);
        }
        Self::catch(Hangup::End, &signals)
    }

    fn catch(hangup: Hangup, signals: &[Signal]) -> io::Result<Self> {
        let caught = signals.iter().map(|it| {
            let kind = SignalKind::from_raw(*it as i32);
            signal(kind).map(|stream| (*it, stream))
        });
        Ok(Self {
            caught: caught.collect::<io::Result<_>>()?,
            hangup,
        })
    }

    /// The next that comes. Cancel-safe.
    async fn next(&mut self) -> Signal {
        poll_fn(|cx| {
            for (signal, stream) in &mut self.caught {
                if stream.poll_recv(cx).is_ready() {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        })
        .await
    }

    fn is_reload(&self, signal: Signal) -> bool {
        signal == Signal::SIGHUP && self.hangup == Hangup::Reload
    }

    /// Waits for `first`. Who is told to reload asks for it `again`.
    ///
    /// # Errors
    /// By what we were told to end before it has come.
    pub(super) async fn until_first<T>(
        &mut self,
        mut first: oneshot::Receiver<T>,
        again: &Notify,
    ) -> Result<T, Signal> {
        loop {
            let signal = tokio::select! {
                // Where nobody is left who would tell, it is over, too.
                first = &mut first => return first.map_err(|_| Signal::SIGTERM),
                signal = self.next() => signal,
            };
            if !self.is_reload(signal) {
                return Err(signal);
            }
            again.notify_one();
        }
    }

    /// Told to end, whichever way.
    pub(super) async fn end(&mut self) {
        loop {
            let signal = self.next().await;
            let is_for_others = matches!(signal, Signal::SIGUSR1 | Signal::SIGUSR2);
            if !is_for_others && !self.is_reload(signal) {
                return;
            }
        }
    }
}

/// Whether whoever has started us wants this signal to be ignored, as far as the system tells.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    ignored.is_some_and(|bits| bits >> (signal as i32 - 1) & 1 == 1)
}

/// Serves: looks at the files and listens to signals until one says that it is over. Beside an application
/// signals are for that, and its end is ours. Returns the exit code.
pub(super) async fn until_told_to_end(
    signals: &mut Signals,
    reloader: &Arc<Reloader>,
    records: &Records,
    next: Next,
) -> u8 {
    let mut application = match next {
        Next::Serve => None,
        Next::Beside(application) => Some(application),
        Next::End(code) => return code,
    };
    let mut next_look = Instant::now() + LOOK;
    let mut looking = aside(reloader, Reloader::look);
    loop {
        let ended = async {
            match &mut application {
                Some(application) => application.ended().await,
                None => std::future::pending().await,
            }
        };
        let told = tokio::select! {
            code = ended => return code,
            signal = signals.next() => signal,
            () = sleep_until(next_look) => {
                if looking.is_finished() {
                    looking = aside(reloader, Reloader::look);
                }
                next_look = Instant::now() + LOOK;
                continue;
            }
        };
        match &application {
            Some(application) => application.pass(told),
            None if signals.is_reload(told) => {
                records.reopen();
                if reloader.asks_first() {
                    aside(reloader, Reloader::reload);
                }
            }
            None => return 0,
        }
    }
}

/// Does `work` on a thread of its own: a file on a mount that hangs must not stop the requests.
pub(super) fn aside(
    reloader: &Arc<Reloader>,
    work: impl FnOnce(&Reloader) + Send + 'static,
) -> JoinHandle<()> {
    let reloader = Arc::clone(reloader);
    tokio::task::spawn_blocking(move || work(&reloader))
}

/// The way out.
#[derive(Clone, Copy)]
pub(super) struct Drain<'a> {
    pub(super) process: &'a Process,
    /// Whether those who could ask us have ended.
    pub(super) is_alone: bool,
    pub(super) status: &'a Status,
    pub(super) phase: &'a watch::Sender<Phase>,
    pub(super) connections: &'a Tasks,
    pub(super) calls: &'a Calls,
    pub(super) cut: &'a CancellationToken,
}

impl Drain<'_> {
    /// Not ready at once; accepts for the lame duck's time; finishes what runs; at the limit, or at
    /// a second signal, what is left gets its error and its record. Returns until when there is time for
    /// the rest.
    pub(super) async fn run(self, signals: &mut Signals) -> Instant {
        tracing::info!("told to end: draining");
        self.status.draining();
        let limit = Instant::now() + self.process.drain;
        let finished = async {
            if self.is_alone {
                self.calls.desert();
            } else {
                sleep(self.process.lame_duck).await;
            }
            self.phase.send_replace(Phase::Draining);
            self.connections.idle().await;
        };
        tokio::select! {
            () = finished => return limit,
            () = sleep_until(limit) => tracing::warn!("requests still run at the drain limit: cutting them"),
            () = signals.end() => tracing::warn!("told to end again: cutting what still runs"),
        }
        let until = Instant::now();
        self.phase.send_replace(Phase::Draining);
        self.cut.cancel();
        if timeout(LAST_WORDS, self.connections.idle()).await.is_err() {
            // A caller that does not read cannot be told. Its request is dropped while it can still
            // be recorded.
            self.phase.send_replace(Phase::Over);
            let _ = timeout(LAST_WORDS, self.connections.idle()).await;
        }
        until
    }
}

/// The heads of what was written are told. A centre that is away is not waited for.
pub(super) async fn last_report(reporting: &Tasks) {
    if timeout(LAST_WORDS, reporting.idle()).await.is_err() {
        tracing::warn!("the centre could not be told of the end");
    }
}

/// What was spent is told to the fleet, until then or until we are told to end again, and written down.
pub(super) async fn tell_spent(
    fleet: Option<&Fleet>,
    quotas: Quotas,
    ledger: Option<Folder>,
    until: Instant,
    signals: &mut Signals,
) {
    if let Some(fleet) = fleet {
        tokio::select! {
            () = fleet.settle(until) => {}
            () = signals.end() => tracing::warn!("told to end again: what is not told is written down"),
        }
    }
    if let Some(ledger) = ledger {
        write_down(quotas, ledger).await;
    }
}

/// Writes down what was spent. A disk that hangs cannot keep the process.
async fn write_down(quotas: Quotas, ledger: Folder) {
    let writing = tokio::task::spawn_blocking(move || quotas.write_down(&ledger));
    if timeout(LAST_WORDS, writing).await.is_err() {
        tracing::error!("what was spent could not be written down before the end");
    }
}

/// Writes every record down. A sink that hangs cannot keep the process.
pub(super) async fn close(records: Records) {
    let closing = tokio::task::spawn_blocking(move || records.close());
    if timeout(LAST_WORDS, closing).await.is_err() {
        tracing::error!("some audit records could not be written before the end");
    }
}
