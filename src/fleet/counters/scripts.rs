//! What Redis is asked to do with limits and budgets: scripts, each of which it runs in one step.
//!
//! They run alike on Redis 5 and later and on Valkey; not on a cluster, as they touch keys of many
//! names. Redis's clock is the only one. Lua's numbers are floats: what is money is added by `HINCRBY`,
//! which is exact, and only compared as a float; it takes no `-0`. Pure.

use std::fmt::Write as _;
use std::sync::LazyLock;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// A script, and the name by which Redis remembers it.
pub(super) struct Script {
    pub(super) text: &'static str,
    pub(super) name: LazyLock<String>,
}

impl Script {
    const fn new(text: &'static str, name: fn() -> String) -> Self {
        Self {
            text,
            name: LazyLock::new(name),
        }
    }
}

fn name(text: &str) -> String {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    let mut name = String::new();
    for byte in digest.as_ref() {
        // Writing to a string does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Takes over all items, or over none: `KEYS` the epoch, the leases, this lease, then each item's;
/// `ARGV` the epoch, the lease's id and its milliseconds, then of each item its kind and three more:
/// a rate's microseconds, those of a full bucket; a count's most; a budget's limit, amount, milliseconds.
///
/// Returns whether all was taken (-1 for another epoch), then of each item its verdict (1 refused, 2
/// refused for what is held) and two more: a rate's microseconds that are taken, and to wait; a count;
/// a budget's spent and held.
pub(super) static TAKE: Script = Script::new(TAKE_TEXT, || name(TAKE_TEXT));
const TAKE_TEXT: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {-1} end \
local t = redis.call('TIME') \
local now = t[1] * 1000000 + t[2] \
local ms = math.floor(now / 1000) \
local out, full, fits = {1}, {}, true \
for i = 4, #KEYS do \
  local a = 4 * (i - 3) \
  local kind, x, y = ARGV[a], tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]) \
  local verdict, one, two = 0, 0, 0 \
  if kind == 'r' then \
    full[i] = math.max(tonumber(redis.call('GET', KEYS[i]) or '0'), now) \
    local wait = full[i] + math.min(x, y) - now - y \
    if wait > 0 then verdict = 1 two = math.ceil(wait) end \
    one = full[i] - now \
  elseif kind == 'c' then \
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', ms) \
    one = redis.call('ZCARD', KEYS[i]) \
    if one >= x then verdict = 1 end \
  else \
    local was = redis.call('HMGET', KEYS[i], 'spent', 'held', 'kept', 'until') \
    one, two = was[1] or '0', was[2] or '0' \
    local held = tonumber(two) \
    if was[4] and ms < tonumber(was[4]) then held = held + math.max(0, tonumber(was[3])) end \
    if y > 0 and tonumber(one) + y > x then verdict = 1 \
    elseif y > 0 and tonumber(one) + held + y > x then verdict = 2 end \
  end \
  if verdict ~= 0 then fits = false end \
  out[#out + 1] = verdict out[#out + 1] = one out[#out + 1] = two \
end \
if not fits then out[1] = 0 return out end \
local lease = false \
for i = 4, #KEYS do \
  local a = 4 * (i - 3) \
  local kind, x, y = ARGV[a], ARGV[a + 1], ARGV[a + 2] \
  local at = 3 * (i - 4) + 3 \
  if kind == 'r' then \
    local taken = full[i] - now + tonumber(x) \
    redis.call('SET', KEYS[i], string.format('%.0f', now + taken), 'PX', math.max(1, math.ceil(taken / 1000))) \
    out[at] = taken \
  elseif kind == 'c' then \
    redis.call('ZADD', KEYS[i], ms + ARGV[3], ARGV[2]) \
    redis.call('PEXPIRE', KEYS[i], ARGV[3]) \
    out[at] = out[at] + 1 \
  else \
    redis.call('HINCRBY', KEYS[i], 'held', y) \
    redis.call('PEXPIRE', KEYS[i], ARGV[a + 3]) \
    redis.call('HSET', KEYS[3], KEYS[i], y) \
    out[at + 1] = redis.call('HGET', KEYS[i], 'held') \
    lease = true \
  end \
end \
if lease then \
  redis.call('PEXPIRE', KEYS[3], 86400000) \
  redis.call('ZADD', KEYS[2], ms + ARGV[3], ARGV[2]) \
end \
return out";

/// Puts right what a request took: `KEYS` the epoch, the leases, this lease, the mark that it is
/// done, then each item's; `ARGV` the epoch, the lease's id, the mark's milliseconds (0 for none), then of
/// each item its kind and three more: a rate's microseconds, more or less; a budget's cost, limit (0 where that
/// is not known), milliseconds. A lease that has lapsed was charged as a whole; the difference comes back.
///
/// Returns 1, or 0 when it was done before, or -1 for another epoch; then of each budget what is spent, what
/// is held, and 1 for who is the first to find four fifths of it spent.
pub(super) static SETTLE: Script = Script::new(SETTLE_TEXT, || name(SETTLE_TEXT));
const SETTLE_TEXT: &str = "\
local function less(n) return n == '0' and n or '-' .. n end \
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {-1} end \
local marks = ARGV[3] ~= '0' \
if marks and redis.call('EXISTS', KEYS[4]) == 1 then return {0} end \
local t = redis.call('TIME') \
local now = t[1] * 1000000 + t[2] \
local out = {1} \
local lapsed = redis.call('HGET', KEYS[3], '!') \
redis.call('ZREM', KEYS[2], ARGV[2]) \
for i = 5, #KEYS do \
  local a = 4 * (i - 4) \
  local kind, x = ARGV[a], ARGV[a + 1] \
  if kind == 'r' then \
    local full = redis.call('GET', KEYS[i]) \
    full = math.max(tonumber(full or '0'), now) + tonumber(x) \
    if full > now then \
      redis.call('SET', KEYS[i], string.format('%.0f', full), 'PX', math.max(1, math.ceil((full - now) / 1000))) \
    else redis.call('DEL', KEYS[i]) end \
  elseif kind == 'c' then redis.call('ZREM', KEYS[i], ARGV[2]) \
  else \
    local amount = redis.call('HGET', KEYS[3], KEYS[i]) \
    if amount then redis.call('HINCRBY', KEYS[i], lapsed and 'spent' or 'held', less(amount)) end \
    redis.call('HINCRBY', KEYS[i], 'spent', x) \
    redis.call('PEXPIRE', KEYS[i], ARGV[a + 3]) \
    local was = redis.call('HMGET', KEYS[i], 'spent', 'held') \
    local limit, first = tonumber(ARGV[a + 2]), 0 \
    if limit > 0 and tonumber(was[1]) * 5 >= limit * 4 then first = redis.call('HSETNX', KEYS[i], 'warned', '1') end \
    out[#out + 1] = was[1] or '0' out[#out + 1] = was[2] or '0' out[#out + 1] = first \
  end \
end \
redis.call('DEL', KEYS[3]) \
if marks then redis.call('SET', KEYS[4], '', 'PX', ARGV[3]) end \
return out";

/// Begins an epoch, or joins the one that is: `KEYS` the epoch, then budgets; `ARGV` the name of a new
/// one, the one that we were in, for how many milliseconds shares are kept, then of each budget what is known to
/// be spent, its milliseconds, what a process may have let out meanwhile, and that of all.
///
/// Within an epoch what is known is what Redis had, so the higher one holds: it may have come back as it was
/// some time ago. What is known from an earlier epoch was lost with it: the highest that anybody knows (`base`)
/// is added, once, to what has been spent since; and what the others may have let out is `kept` until each has
/// told that ([`JOIN`]). Returns the epoch.
pub(super) static SEED: Script = Script::new(SEED_TEXT, || name(SEED_TEXT));
const SEED_TEXT: &str = "\
local function less(n) return n == '0' and n or '-' .. n end \
redis.call('SET', KEYS[1], ARGV[1], 'NX') \
local epoch = redis.call('GET', KEYS[1]) \
local t = redis.call('TIME') \
local ms = t[1] * 1000 + math.floor(t[2] / 1000) \
for i = 2, #KEYS do \
  local a = 4 * i - 4 \
  local known = ARGV[a] \
  if epoch == ARGV[2] then \
    local spent = redis.call('HGET', KEYS[i], 'spent') or '0' \
    if tonumber(known) > tonumber(spent) then redis.call('HSET', KEYS[i], 'spent', known) end \
  else \
    local base = redis.call('HGET', KEYS[i], 'base') \
    if not base then \
      base = '0' \
      redis.call('HSET', KEYS[i], 'base', '0') \
      if ARGV[2] ~= '' then \
        redis.call('HSET', KEYS[i], 'each', ARGV[a + 2]) \
        redis.call('HSET', KEYS[i], 'kept', ARGV[a + 3]) \
        redis.call('HSET', KEYS[i], 'until', string.format('%.0f', ms + ARGV[3])) \
      end \
    end \
    if tonumber(known) > tonumber(base) then \
      redis.call('HINCRBY', KEYS[i], 'spent', known) \
      redis.call('HINCRBY', KEYS[i], 'spent', less(base)) \
      redis.call('HSET', KEYS[i], 'base', known) \
    end \
  end \
  redis.call('PEXPIRE', KEYS[i], ARGV[a + 1]) \
end \
return epoch";

/// What this process has let out is told, so nothing is kept for it any more: `KEYS` the epoch, then
/// budgets, `ARGV` the epoch.
pub(super) static JOIN: Script = Script::new(JOIN_TEXT, || name(JOIN_TEXT));
const JOIN_TEXT: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end \
for i = 2, #KEYS do \
  local each = redis.call('HGET', KEYS[i], 'each') \
  if each and each ~= '0' then redis.call('HINCRBY', KEYS[i], 'kept', '-' .. each) end \
end \
return 1";

/// Renews leases, and takes again what of them was lost: `KEYS` the epoch and the leases; `ARGV` the
/// epoch, a lease's milliseconds, then of each its id, its key, its mark's, how many items, and of each
/// item its kind, its key, its amount and its milliseconds.
pub(super) static RENEW: Script = Script::new(RENEW_TEXT, || name(RENEW_TEXT));
const RENEW_TEXT: &str = "\
local function less(n) return n == '0' and n or '-' .. n end \
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end \
local t = redis.call('TIME') \
local ends = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[2] \
local i = 3 \
while i <= #ARGV do \
  local id, lease, mark, n = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]) \
  i = i + 4 \
  local over = redis.call('EXISTS', mark) == 1 \
  local there = redis.call('EXISTS', lease) == 1 \
  local lapsed = there and redis.call('HDEL', lease, '!') == 1 \
  local money = false \
  for _ = 1, n do \
    local kind, key, amount = ARGV[i], ARGV[i + 1], ARGV[i + 2] \
    if kind == 'c' then \
      redis.call('ZADD', key, ends, id) \
      redis.call('PEXPIRE', key, ARGV[2]) \
    elseif not over then \
      money = true \
      if not there or lapsed then \
        redis.call('HINCRBY', key, 'held', amount) \
        if lapsed then redis.call('HINCRBY', key, 'spent', less(amount)) end \
        redis.call('PEXPIRE', key, ARGV[i + 3]) \
        redis.call('HSET', lease, key, amount) \
      end \
    end \
    i = i + 4 \
  end \
  if money then \
    redis.call('PEXPIRE', lease, 86400000) \
    redis.call('ZADD', KEYS[2], ends, id) \
  end \
end \
return 1";

/// Charges what leases hold that have lapsed, a hundred at most: `KEYS` the leases, `ARGV` what their
/// keys begin with. Returns how many they were.
pub(super) static SWEEP: Script = Script::new(SWEEP_TEXT, || name(SWEEP_TEXT));
const SWEEP_TEXT: &str = "\
local function less(n) return n == '0' and n or '-' .. n end \
local t = redis.call('TIME') \
local ms = t[1] * 1000 + math.floor(t[2] / 1000) \
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms, 'LIMIT', 0, 100) \
for _, id in ipairs(ids) do \
  local lease = ARGV[1] .. id \
  local held = redis.call('HGETALL', lease) \
  for i = 1, #held, 2 do \
    if redis.call('EXISTS', held[i]) == 1 then \
      redis.call('HINCRBY', held[i], 'held', less(held[i + 1])) \
      redis.call('HINCRBY', held[i], 'spent', held[i + 1]) \
    end \
  end \
  if #held > 0 then \
    redis.call('HSET', lease, '!', '1') \
    redis.call('PEXPIRE', lease, 3600000) \
  end \
  redis.call('ZREM', KEYS[1], id) \
end \
return #ids";

/// Says that this process is there: `KEYS` the epoch and the instances, then budgets; `ARGV` our own
/// name and after how many milliseconds one is gone. Returns the epoch, how many there are, and of
/// each budget what is spent and what is held.
pub(super) static HELLO: Script = Script::new(HELLO_TEXT, || name(HELLO_TEXT));
const HELLO_TEXT: &str = "\
local t = redis.call('TIME') \
local ms = t[1] * 1000 + math.floor(t[2] / 1000) \
redis.call('ZADD', KEYS[2], ms, ARGV[1]) \
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ms - ARGV[2]) \
redis.call('PEXPIRE', KEYS[2], ARGV[2]) \
local out = {redis.call('GET', KEYS[1]) or '', redis.call('ZCARD', KEYS[2])} \
for i = 3, #KEYS do \
  local was = redis.call('HMGET', KEYS[i], 'spent', 'held') \
  out[#out + 1] = was[1] or '0' out[#out + 1] = was[2] or '0' \
end \
return out";
