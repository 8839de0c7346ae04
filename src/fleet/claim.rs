//! Claims: of all who come with the same request, in whatever process, one runs the call.
//!
//! A claim is a value under the call's name that goes by itself unless it is renewed. What the call
//! comes to takes its place, for as long as others may want it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until};

use super::name::{Answer, Found, Name};
use super::redis::Redis;
use super::{Inner, lock};
use crate::once::{Asked, Identity, Kind};
use crate::redis::Reply;

/// A claim is good for so long, and renewed well before.
const CLAIMED: Duration = Duration::from_secs(15);
pub(super) const RENEWED: Duration = Duration::from_secs(5);
/// How long an answer is there for those who bear its key, and for an SDK's next try.
const KEYED: Duration = Duration::from_mins(10);
const TRIED: Duration = Duration::from_secs(30);
/// Between two looks at a call that another process runs: at first, and at most.
const PAUSE: Duration = Duration::from_millis(15);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// So many looks in a row may fail before the call is run here all the same.
const LOST: u32 = 5;

/// Takes a name, unless it is another's: `KEYS` the name and its window, `ARGV` the claim, its
/// milliseconds, those of the window, and whether one that is beyond its window is joined, too.
const TAKE: &[u8] = b"local v = redis.call('GET', KEYS[1]) \
    if v and (ARGV[4] == '1' or redis.call('EXISTS', KEYS[2]) == 1) then return v end \
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) \
    if ARGV[3] ~= '0' then redis.call('SET', KEYS[2], '', 'PX', ARGV[3]) end \
    return 1";
/// Puts `ARGV[2]` under a name that has this claim, or nothing, for `ARGV[3]` milliseconds.
const PUT: &[u8] = b"local v = redis.call('GET', KEYS[1]) \
    if v and v ~= ARGV[1] then return 0 end \
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1";
/// Gives a name back that has this claim.
const DROP: &[u8] =
    b"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// A request that is to find out whether another process runs its call.
pub struct Claim {
    fleet: Arc<Inner>,
    name: Name,
    value: Bytes,
    kind: Kind,
    /// Whether it looks before it runs. The first try of an SDK does not: its claim is for the next.
    looks: bool,
    lives: Lives,
}

/// How long an answer is of use.
#[derive(Debug, Clone, Copy)]
struct Lives {
    /// Since the call has ended.
    behind: Duration,
    /// Since its request came.
    window: Option<(Instant, Duration)>,
}

/// What has become of a claim.
pub enum Taken {
    /// The call is to be run here.
    Mine(Lease),
    /// Another process had this answer.
    Answered(Box<Answer>, &'static str),
    /// The request's key is another request's.
    Conflict,
    /// The other process's call has taken too long for this request.
    Late,
}

/// A call that runs here, for the whole fleet. Dropped, it came to nothing that is kept.
pub struct Lease {
    pub(super) fleet: Arc<Inner>,
    name: Name,
    value: Bytes,
    number: u64,
    lives: Lives,
}

/// The metric's label of a request that was answered by what had ended.
const REPLAY: &str = "replay";

impl Claim {
    /// `None` for a request that nothing could come a second time of.
    pub(super) fn new(
        fleet: Arc<Inner>,
        asked: &Asked,
        identity: &Identity,
        now: Instant,
    ) -> Option<Self> {
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
            window: identity.dedupe.map(|span| (now, span)),
        };
        let name = Name::of(&fleet.realm, identity);
        Some(Self {
            value: name.claim(fleet.token()),
            looks: identity.key.is_some() || identity.dedupe.is_some() || asked.is_retry(),
            fleet,
            name,
            kind,
            lives,
        })
    }

    /// Takes the call, or waits until `deadline` for what it comes to elsewhere.
    pub async fn take(self, deadline: Instant) -> Taken {
        // From here on: whatever becomes of this, the claim does not outlive it.
        let lease = self.lease();
        if !self.looks {
            self.fleet.redis.tell(&self.words(false).each());
            return Taken::Mine(lease);
        }
        // One in its window joins whatever is there; so does one that is a retry, or has a key.
        let mut joins = self.kind != Kind::Dedupe;
        let (mut pause, mut lost, mut waited) = (PAUSE, 0, false);
        loop {
            match self.fleet.redis.ask(&self.words(joins).each()).await {
                Ok(Reply::Text(found)) => match self.name.read(&found) {
                    // Of a look that came too late for us.
                    Found::Claim if found == self.value => return Taken::Mine(lease),
                    Found::Claim => lost = 0,
                    Found::Answer(answer) => {
                        let kind = if waited { self.kind.name() } else { REPLAY };
                        return Taken::Answered(Box::new(answer), kind);
                    }
                    Found::Other => return Taken::Conflict,
                    Found::Nothing => return Taken::Mine(lease),
                },
                Ok(Reply::Nil | Reply::Number(_) | Reply::List(_) | Reply::Error(_)) => {
                    return Taken::Mine(lease);
                }
                Err(_) => {
                    lost += 1;
                    if !waited || lost >= LOST {
                        return Taken::Mine(lease);
                    }
                }
            }
            (joins, waited) = (true, true);
            if Instant::now() + pause >= deadline {
                sleep_until(deadline).await;
                return Taken::Late;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn words(&self, joins: bool) -> Words {
        let window = self.lives.window.map_or(Duration::ZERO, |(_, span)| span);
        Words {
            script: TAKE,
            keys: vec![self.name.key.clone(), self.name.window.clone()],
            args: vec![
                self.value.clone(),
                millis(CLAIMED),
                millis(window),
                Bytes::from_static(if joins { b"1" } else { b"0" }),
            ],
        }
    }

    fn lease(&self) -> Lease {
        Lease {
            fleet: Arc::clone(&self.fleet),
            number: self.fleet.hold(&self.name, &self.value),
            name: self.name.clone(),
            value: self.value.clone(),
            lives: self.lives,
        }
    }
}

impl Lease {
    /// The call has come to this.
    pub(super) fn keep(&self, answer: &Answer) {
        let now = Instant::now();
        let window = self
            .lives
            .window
            .map(|(came, span)| (came + span).saturating_duration_since(now));
        let life = self.lives.behind.max(window.unwrap_or_default());
        if life.is_zero() {
            return;
        }
        let value = self
            .fleet
            .nonce()
            .and_then(|nonce| self.name.answer(answer, nonce));
        if let Some(value) = value {
            put(&self.fleet.redis, &self.name.key, &self.value, value, life);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.fleet.held).remove(&self.number);
        // An answer that has been put there is no claim, and stays.
        let words = Words {
            script: DROP,
            keys: vec![self.name.key.clone()],
            args: vec![self.value.clone()],
        };
        self.fleet.redis.tell(&words.each());
    }
}

/// A claim that is held goes on.
pub(super) fn renew(redis: &Redis, key: &str, value: &Bytes) {
    put(redis, key, value, value.clone(), CLAIMED);
}

fn put(redis: &Redis, key: &str, claim: &Bytes, value: Bytes, life: Duration) {
    let words = Words {
        script: PUT,
        keys: vec![key.to_owned()],
        args: vec![claim.clone(), value, millis(life)],
    };
    redis.tell(&words.each());
}

/// A script and what it is told.
struct Words {
    script: &'static [u8],
    keys: Vec<String>,
    args: Vec<Bytes>,
}

impl Words {
    fn each(&self) -> Vec<&[u8]> {
        const COUNTS: [&[u8]; 3] = [b"0", b"1", b"2"];
        let count = COUNTS[self.keys.len().min(2)];
        let mut words: Vec<&[u8]> = vec![b"EVAL", self.script, count];
        words.extend(self.keys.iter().map(String::as_bytes));
        words.extend(self.args.iter().map(|arg| &arg[..]));
        words
    }
}

fn millis(span: Duration) -> Bytes {
    span.as_millis().to_string().into()
}
