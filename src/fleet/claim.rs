//! Claims: of all who come with the same request, in whatever process, one runs the call.
//!
//! A claim is a value under the call's name that goes by itself unless it is renewed. What the call
//! comes to takes its place, for as long as others may want it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until};

use super::Inner;
use super::lease::{Lease, Lives, Stake};
use super::name::{Answer, Found, Name};
use super::words::{Joins, Words};
use crate::health::Priority;
use crate::limit::Seat;
use crate::once::{Asked, Identity, Kind, REPLAY};
use crate::outcome::Failure;
use crate::record::Ending;
use crate::redis::Reply;

/// A claim is good for so long. It is [renewed](super::held) when a third of that has passed, and
/// again each second until that has succeeded.
pub(super) const CLAIMED: Duration = Duration::from_secs(15);
/// How long an answer is there for those who bear its key, and for an SDK's next try.
const KEYED: Duration = Duration::from_mins(10);
const TRIED: Duration = Duration::from_secs(30);
/// Between two looks at a call that another process runs: at first, and at most.
const PAUSE: Duration = Duration::from_millis(15);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// So many looks in a row may fail before the call is run here all the same.
const LOST: u32 = 5;

/// A request that has come, and may be another process's call.
pub struct Arriving<'a> {
    pub asked: &'a Asked,
    pub identity: &'a Identity,
    /// Whether a provider is to do more than answer: then it must not be asked twice.
    pub executes: bool,
    pub priority: Priority,
    /// Of its call, if that is run here.
    pub ending: Arc<Ending>,
    pub came: Instant,
}

/// A request that is to find out whether another process runs its call.
pub struct Claim {
    fleet: Arc<Inner>,
    name: Name,
    value: Bytes,
    kind: Kind,
    /// Whether it looks before it runs. The first try of an SDK does not: its claim is for the next.
    looks: bool,
    executes: bool,
    priority: Priority,
    ending: Arc<Ending>,
    lives: Lives,
}

/// What has become of a claim.
pub enum Taken {
    /// The call is to be run here.
    Mine(Lease),
    /// Another process had this answer.
    Answered(Box<Answer>, &'static str),
    /// The other process's call, which this request has waited for and must not repeat, has failed.
    Failed(Box<Failure>, &'static str),
    /// The request's key is another request's.
    Conflict,
    /// Another process runs the call, and too many wait here for what others run.
    Crowded,
    /// The other process's call has taken too long for this request.
    Late,
}

impl Claim {
    /// `None` for a request that nothing could come a second time of.
    pub(super) fn new(fleet: Arc<Inner>, arriving: Arriving<'_>) -> Option<Self> {
        let Arriving {
            asked,
            identity,
            executes,
            priority,
            ending,
            came,
        } = arriving;
        let kind = match (&identity.key, asked.is_retry(), identity.dedupe) {
            (Some(_), _, _) => Kind::Key,
            (None, true, _) => Kind::Retry,
            (None, false, Some(_)) => Kind::Dedupe,
            (None, false, None) if asked.is_numbered() => Kind::Retry,
            (None, false, None) => return None,
        };
        let lives = Lives {
            behind: match &identity.key {
                Some(_) => KEYED,
                None if asked.is_numbered() => TRIED,
                None => Duration::ZERO,
            },
            window: identity.dedupe.map(|span| (came, span)),
        };
        let name = Name::of(&fleet.realm, identity);
        Some(Self {
            value: name.claim(fleet.token()),
            looks: identity.key.is_some() || identity.dedupe.is_some() || asked.is_retry(),
            fleet,
            name,
            kind,
            executes,
            priority,
            ending,
            lives,
        })
    }

    /// Takes the call, or waits until `deadline` for what it comes to elsewhere.
    pub async fn take(self, deadline: Instant) -> Taken {
        // From here on: whatever becomes of this, the claim does not outlive it.
        let stake = Stake {
            fleet: Arc::clone(&self.fleet),
            name: self.name.clone(),
            claim: self.value.clone(),
        };
        if !self.looks {
            self.fleet.redis.tell(&self.words(Joins::Window).each());
            return self.mine(stake, Some(Instant::now()));
        }
        // One in its window joins whatever is there; so does one that is a retry, or has a key.
        let mut joins = match self.kind {
            Kind::Key | Kind::Retry => Joins::Any,
            Kind::Dedupe => Joins::Window,
        };
        let (mut pause, mut lost) = (PAUSE, 0);
        // Held by one that waits.
        let mut place: Option<Seat> = None;
        loop {
            match self.fleet.redis.ask(&self.words(joins).each()).await {
                Ok(Reply::Text(found)) => match self.name.read(&found) {
                    // Of a look that came too late for us.
                    Found::Claim if found == self.value => {
                        return self.mine(stake, Some(Instant::now()));
                    }
                    Found::Claim => lost = 0,
                    Found::Answer(answer) => {
                        let waited = place.is_some();
                        let kind = if waited { self.kind.name() } else { REPLAY };
                        return Taken::Answered(Box::new(answer), kind);
                    }
                    Found::Failure(failure) => {
                        return Taken::Failed(Box::new(failure), self.kind.name());
                    }
                    Found::Other => return Taken::Conflict,
                    Found::Nothing => return self.mine(stake, Some(Instant::now())),
                },
                Ok(Reply::Nil | Reply::Number(_) | Reply::List(_) | Reply::Error(_)) => {
                    return self.mine(stake, Some(Instant::now()));
                }
                Err(_) => {
                    lost += 1;
                    // What must not be done twice is known to run elsewhere, or to have run.
                    if place.is_none() || lost >= LOST && !self.executes {
                        return self.mine(stake, None);
                    }
                }
            }
            if place.is_none() {
                place = self.fleet.waiters.free(self.priority);
                if place.is_none() {
                    return Taken::Crowded;
                }
            }
            joins = Joins::Waited;
            if Instant::now() + pause >= deadline {
                sleep_until(deadline).await;
                return Taken::Late;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn words(&self, joins: Joins) -> Words {
        let window = self.lives.window.map_or(Duration::ZERO, |(_, span)| span);
        let names = [&*self.name.key, &*self.name.window];
        Words::take(names, &self.value, CLAIMED, window, joins)
    }

    /// From here on it is renewed.
    fn mine(self, stake: Stake, claimed: Option<Instant>) -> Taken {
        let keyed = self.kind == Kind::Key;
        Taken::Mine(Lease::new(
            stake,
            self.lives,
            keyed,
            claimed,
            self.executes,
            self.ending,
        ))
    }
}
