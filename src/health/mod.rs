//! What traffic has taught about each target: when to leave it, when to come back, what to expect.
//!
//! A [`Permit`] is one attempt's leave to go; how it ends is what is learned. Kept by the target's id
//! (`provider/model`) and the provider's name, so a reload changes nothing of it. In memory alone.
//! Never here: I/O, a clock of its own (`now` is an argument), or a decision where a request goes:
//! that is [`crate::plan`]'s.
//!
#![doc = include_str!("FLEET.md")]

mod breaker;
mod budget;
mod hints;
mod latency;
mod ledger;
mod load;
mod permit;
mod policy;
mod report;
mod vitals;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use self::breaker::Probe;
use self::vitals::{Account, Pass, Vitals, gate};
use crate::outcome::{Class, Limits};
use crate::snapshot::{Percent, Provider, Target};

pub use hints::Hint;
pub use load::{Capacity, Priority};
pub use permit::Permit;
pub use policy::{BreakerPolicy, Policy};
pub use report::{BreakerState, TargetReport, Times};
pub use vitals::{Kind, Out, Why};

/// Callers may name models that nobody configured: beyond so many targets, idle ones are forgotten.
const MOST: usize = 1024;

/// The health of all targets. Clones are one.
#[derive(Debug, Clone)]
pub struct Health {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when a target may be tried that could not be before.
    freed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    targets: HashMap<Arc<str>, Vitals>,
    accounts: HashMap<Arc<str>, Account>,
    /// For jitter.
    rng: fastrand::Rng,
}

/// What a target is to a request that may go there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Well,
    /// Its breaker lets one request through.
    HalfOpen,
}

/// What a request brings to every target that it may go to.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    pub kind: Kind,
    /// About how many tokens its prompt is. That much is reserved of a target's capacity when it goes
    /// there; what it took, its answer included, is put in the place of that when it is known.
    pub tokens: u64,
    pub priority: Priority,
    pub policy: Policy,
    pub hurry: Hurry,
}

/// Where the caller's own patience ends before the route's. That a target was too slow for it says
/// little of the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hurry {
    /// Until the first token of a stream, or the end of a plain answer.
    pub begin: bool,
    /// Between two events of a stream.
    pub go_on: bool,
}

impl Health {
    pub fn new(rng: fastrand::Rng) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    targets: HashMap::new(),
                    accounts: HashMap::new(),
                    rng,
                }),
                freed: watch::Sender::new(()),
            }),
        }
    }

    /// Whether a request could go to `target` now, and whether as the one that finds out if it is well.
    ///
    /// # Errors
    /// Why it could not, and until when.
    pub fn standing(&self, target: &Arc<Target>, now: Instant) -> Result<Standing, Out> {
        let mut state = self.lock();
        let (vitals, account) = state.of(target, now);
        gate(target, vitals, account, now).map(|pass| match pass {
            Pass::Ordinary => Standing::Well,
            Pass::Probe(_) => Standing::HalfOpen,
        })
    }

    /// Somewhere between nothing and `most`.
    pub fn jitter(&self, most: Duration) -> Duration {
        most.mul_f64(self.lock().rng.f64())
    }

    /// Lets a request go to `target` for the first time; the only one, where its breaker is half-open.
    ///
    /// # Errors
    /// Why it may not, and until when.
    pub fn admit(&self, ask: Ask, target: &Arc<Target>, now: Instant) -> Result<Permit, Out> {
        let mut state = self.lock();
        let (vitals, account) = state.of(target, now);
        let pass = gate(target, vitals, account, now)?;
        if let Pass::Probe(_) = pass {
            vitals.breaker.probe(now);
        }
        vitals.retries.receive(now);
        Ok(self.permit(ask, target, pass, vitals, account, now))
    }

    /// Lets a request go to `target` again, after a failure of `class`, if the retry budget allows it.
    /// One whose key was refused goes with another key: of the target that asks no more than a first
    /// try, and each request does so once, so that a revoked key costs none of those under way.
    pub fn retry(
        &self,
        ask: Ask,
        target: &Arc<Target>,
        class: Class,
        now: Instant,
    ) -> Option<Permit> {
        let mut state = self.lock();
        let (vitals, account) = state.of(target, now);
        if class == Class::Auth {
            // It goes with another key: it was the old one that was refused.
            account.marked = None;
        }
        let Ok(pass @ Pass::Ordinary) = gate(target, vitals, account, now) else {
            return None;
        };
        let within = match class {
            Class::Auth => {
                vitals.retries.receive(now);
                true
            }
            Class::Timeout => vitals.retries.spend(2, now),
            Class::Ok
            | Class::Connect
            | Class::Reset
            | Class::RateLimited
            | Class::QuotaExhausted
            | Class::Overloaded
            | Class::ServerError
            | Class::Broken
            | Class::InvalidRequest
            | Class::TargetMissing
            | Class::ContextLength
            | Class::Policy
            | Class::Cancelled => vitals.retries.spend(1, now),
        };
        within.then(|| self.permit(ask, target, pass, vitals, account, now))
    }

    /// Lets a request go to `target` though its breaker is open, since it has nowhere else to go: one
    /// at a time, and beside one that has been silent for longer than counts as slow.
    pub fn resort(&self, ask: Ask, target: &Arc<Target>, now: Instant) -> Option<Permit> {
        let mut state = self.lock();
        let (vitals, account) = state.of(target, now);
        let closed = gate(target, vitals, account, now).err()?;
        if closed.why != Why::Breaker || !vitals.breaker.resort(now, vitals.silence(&ask)) {
            return None;
        }
        vitals.retries.receive(now);
        let pass = Pass::Probe(Probe::LastResort);
        Some(self.permit(ask, target, pass, vitals, account, now))
    }

    /// When the breaker of `target` may let the next request through, if that is a matter of time.
    pub fn turn(&self, ask: &Ask, target: &Arc<Target>, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        let (vitals, _) = state.of(target, now);
        vitals.breaker.turn(vitals.silence(ask))
    }

    /// What `target` is expected to take: until the first token of a stream, or to the end of a plain
    /// answer. `None` while nothing is known.
    pub fn expected(&self, target: &Arc<Target>, kind: Kind, now: Instant) -> Option<Duration> {
        self.lock().of(target, now).0.track(kind).expected()
    }

    /// What an answer of `target` is expected to take as its reader feels it: a plain one whole, of a
    /// streamed one the first tokens. `None` while nothing is known.
    pub fn felt(&self, target: &Arc<Target>, kind: Kind, now: Instant) -> Option<Duration> {
        self.lock().of(target, now).0.felt(kind)
    }

    /// What all but one in twenty take, from a history that is long enough to say so.
    pub fn p95(&self, target: &Arc<Target>, kind: Kind) -> Option<Duration> {
        let state = self.lock();
        let vitals = state.targets.get(&target.id)?;
        vitals.track(kind).p95()
    }

    /// Lets a request go to `backup` while it runs at `silent`, too. That is within the retry budget of
    /// `backup`, and of all tokens sent to `silent` it may be this share.
    pub fn hedge(
        &self,
        ask: Ask,
        silent: &Arc<Target>,
        backup: &Arc<Target>,
        spend: Percent,
        now: Instant,
    ) -> Option<Permit> {
        let mut state = self.lock();
        if !state.of(silent, now).0.ledger.affords(spend, now) {
            return None;
        }
        let (vitals, account) = state.of(backup, now);
        if gate(backup, vitals, account, now) != Ok(Pass::Ordinary) || !vitals.retries.spend(1, now)
        {
            return None;
        }
        let permit = self.permit(ask, backup, Pass::Ordinary, vitals, account, now);
        state.of(silent, now).0.ledger.spend(ask.tokens, now);
        Some(permit)
    }

    /// Whether `target` has been taking much longer than it usually does: until it begins, or from
    /// token to token.
    pub fn is_slow(&self, target: &Arc<Target>, kind: Kind, now: Instant) -> bool {
        self.lock().of(target, now).0.is_slow(kind)
    }

    /// Whether this request should be the one that measures a slow target. If so, it is taken to be.
    pub fn measure(&self, target: &Arc<Target>, now: Instant) -> bool {
        self.lock().of(target, now).0.measure(now)
    }

    /// Requests on their way to `target`.
    pub fn in_flight(&self, target: &Arc<Target>, now: Instant) -> u64 {
        self.lock().of(target, now).0.in_flight
    }

    /// Whether one more request would be too much for `target`, as far as can be known before.
    pub fn is_full(&self, ask: &Ask, target: &Arc<Target>, now: Instant) -> bool {
        let mut state = self.lock();
        let (vitals, account) = state.of(target, now);
        let capacity = target.provider.capacity;
        account
            .load
            .is_full(capacity, ask.tokens, ask.priority, now)
            || vitals.announced.is_full(ask.tokens, now)
    }

    /// Takes what an answer of `target` says is left of its rate limits.
    pub fn hear(&self, target: &Arc<Target>, limits: &Limits, now: Instant) {
        if *limits != Limits::default() {
            self.lock().of(target, now).0.announced.hear(limits, now);
        }
    }

    /// The key of `provider` is another one now: what was refused was the one before.
    pub fn key_changed(&self, provider: &Provider) {
        if let Some(account) = self.lock().accounts.get_mut(&provider.name) {
            account.marked = None;
        }
        self.tell_freed();
    }

    /// Told each time that a target may be tried which could not be before.
    pub fn freed(&self) -> watch::Receiver<()> {
        self.shared.freed.subscribe()
    }

    fn tell_freed(&self) {
        self.shared.freed.send_replace(());
    }

    fn permit(
        &self,
        ask: Ask,
        target: &Arc<Target>,
        pass: Pass,
        vitals: &mut Vitals,
        account: &mut Account,
        now: Instant,
    ) -> Permit {
        vitals.in_flight += 1;
        vitals.ledger.send(ask.tokens, now);
        vitals.announced.begin(ask.tokens);
        account
            .load
            .begin(target.provider.capacity, ask.tokens, now);
        if let Some(marked) = &mut account.marked {
            marked.asked(now);
        }
        let doubtful = account.marked.is_some();
        Permit::new(self.clone(), ask, Arc::clone(target), pass, now).doubtful(doubtful)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(&mut self, target: &Target, now: Instant) -> (&mut Vitals, &mut Account) {
        if self.targets.len() >= MOST && !self.targets.contains_key(&target.id) {
            self.targets.retain(|_, vitals| vitals.in_flight > 0);
        }
        let vitals = self.targets.entry(Arc::clone(&target.id));
        let account = self.accounts.entry(Arc::clone(&target.provider.name));
        (
            vitals.or_insert_with(|| Vitals::new(now)),
            account.or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    //! What the tests of its parts have in common.

    use super::*;
    use crate::snapshot::{self, BaseUrl};

    pub(super) fn health() -> Health {
        Health::new(fastrand::Rng::with_seed(1))
    }

    pub(super) fn target() -> Arc<Target> {
        let provider = Provider {
            name: "a".into(),
            kind: snapshot::Kind::OpenAiCompatible,
            base_url: BaseUrl::try_new("http://127.0.0.1:1/v1").unwrap(),
            secret: None,
            ca: None,
            headers: http::HeaderMap::new(),
            responses: true,
            capacity: Capacity::default(),
            residency: Vec::new(),
        };
        Arc::new(Target::new("a/m", Arc::new(provider), "m"))
    }

    pub(super) fn ask(kind: Kind) -> Ask {
        Ask {
            kind,
            tokens: 1,
            priority: Priority::Interactive,
            policy: Policy::DEFAULT,
            hurry: Hurry::default(),
        }
    }
}
