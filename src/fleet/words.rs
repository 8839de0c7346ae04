//! What Redis is asked to do with a call's name: scripts, each of which it runs in one step, so that
//! nothing of another process comes between. Pure.

use std::time::Duration;

use bytes::Bytes;

use super::name::FAILED;

/// Takes a name, unless it is another's: `KEYS` the name and its window, `ARGV` the claim, its
/// milliseconds, those of the window, and what is joined ([`Joins`]).
const TAKE: &[u8] = b"local v = redis.call('GET', KEYS[1]) \
    if v and (ARGV[4] == 'f' or string.sub(v, 1, 1) ~= 'f' and \
    (ARGV[4] == 'c' or redis.call('EXISTS', KEYS[2]) == 1)) then return v end \
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) \
    if ARGV[3] ~= '0' then redis.call('SET', KEYS[2], '', 'PX', ARGV[3]) end \
    return 1";
// The script knows it by its letter.
const _: () = assert!(FAILED == b'f');
/// Puts `ARGV[2]` under a name that has this claim, or nothing, for `ARGV[3]` milliseconds.
const PUT: &[u8] = b"local v = redis.call('GET', KEYS[1]) \
    if v and v ~= ARGV[1] then return 0 end \
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1";
/// Gives a name back that has this claim.
const DROP: &[u8] =
    b"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";
/// Claims each name again that has its claim, or nothing: `ARGV` the milliseconds and then the claims.
const RENEW: &[u8] = b"for i, key in ipairs(KEYS) do \
      local v = redis.call('GET', key) \
      if not v or v == ARGV[i + 1] then redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1]) end \
    end return 1";

/// What one that comes for a name joins, if it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joins {
    /// A call or an answer whose window is open.
    Window,
    /// Any call or answer.
    Any,
    /// The same, and a failure: that is for those who have waited.
    Waited,
}

/// A script and what it is told.
pub(super) struct Words {
    script: &'static [u8],
    count: String,
    keys: Vec<String>,
    args: Vec<Bytes>,
}

impl Words {
    pub(super) fn take(
        [key, window]: [&str; 2],
        claim: &Bytes,
        life: Duration,
        open: Duration,
        joins: Joins,
    ) -> Self {
        let joins: &[u8] = match joins {
            Joins::Window => b"w",
            Joins::Any => b"c",
            Joins::Waited => b"f",
        };
        let args = vec![
            claim.clone(),
            millis(life),
            millis(open),
            Bytes::from_static(joins),
        ];
        Self::new(TAKE, vec![key.to_owned(), window.to_owned()], args)
    }

    pub(super) fn put(key: &str, claim: &Bytes, value: Bytes, life: Duration) -> Self {
        let args = vec![claim.clone(), value, millis(life)];
        Self::new(PUT, vec![key.to_owned()], args)
    }

    pub(super) fn drop(key: &str, claim: &Bytes) -> Self {
        Self::new(DROP, vec![key.to_owned()], vec![claim.clone()])
    }

    /// Of names and their claims.
    pub(super) fn renew<'a>(
        claims: impl Iterator<Item = (&'a str, &'a Bytes)>,
        life: Duration,
    ) -> Self {
        let mut args = vec![millis(life)];
        let mut keys = Vec::new();
        for (key, claim) in claims {
            keys.push(key.to_owned());
            args.push(claim.clone());
        }
        Self::new(RENEW, keys, args)
    }

    fn new(script: &'static [u8], keys: Vec<String>, args: Vec<Bytes>) -> Self {
        let count = keys.len().to_string();
        Self {
            script,
            count,
            keys,
            args,
        }
    }

    pub(super) fn each(&self) -> Vec<&[u8]> {
        let mut words: Vec<&[u8]> = vec![b"EVAL", self.script, self.count.as_bytes()];
        words.extend(self.keys.iter().map(String::as_bytes));
        words.extend(self.args.iter().map(|arg| &arg[..]));
        words
    }
}

fn millis(span: Duration) -> Bytes {
    span.as_millis().to_string().into()
}
