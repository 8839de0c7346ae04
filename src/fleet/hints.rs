//! Hints: what one process has paid to find out of a target, the others take over.
//!
//! An open circuit breaker, the time that a 429 named, an account that is empty: written down until it
//! ends, and read each second, beside the requests and never for one. A process writes only what it
//! has found out itself. What it reads it takes over once: how the target answers then is its own to
//! find out. No hint marks a key as refused, and none takes the last target of a route that is there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Inner;
use super::name::{digest, hex};
use crate::health::{Health, Hint};
use crate::redis::Reply;
use crate::snapshot::{Snapshot, Target};

/// No hint is taken over for longer.
const LONGEST: Duration = Duration::from_mins(1);
/// What ends within this is not worth writing down.
const SHORTEST: Duration = Duration::from_millis(100);

/// Of each key that is there: its place among `KEYS`, its value, and its milliseconds.
const READ: &[u8] = b"local all = {} \
    for i, key in ipairs(KEYS) do \
      local v = redis.call('GET', key) \
      if v then all[#all + 1] = i all[#all + 1] = v all[#all + 1] = redis.call('PTTL', key) end \
    end return all";

/// What this process has written and read.
pub(super) struct Hints {
    /// Its own, by which it knows what it wrote.
    writer: String,
    start: Instant,
    /// Until when, by name.
    written: HashMap<String, Instant>,
    /// The last value that was taken over, by name.
    heeded: HashMap<String, Bytes>,
}

/// A hint that somebody may have written.
struct Asked<'a> {
    name: String,
    target: &'a Arc<Target>,
    hint: Hint,
}

impl Hints {
    pub(super) fn new(writer: u128) -> Self {
        Self {
            writer: format!("{writer:032x}"),
            start: Instant::now(),
            written: HashMap::new(),
            heeded: HashMap::new(),
        }
    }

    /// Writes what is new here, and takes over what is new elsewhere.
    pub(super) async fn exchange(&mut self, inner: &Inner, snapshot: &Snapshot, health: &Health) {
        let mut asked = asked(&inner.realm, snapshot);
        asked.sort_by(|a, b| a.name.cmp(&b.name));
        self.write(inner, &asked, health);
        // An account is several targets', and one key.
        let mut names: Vec<&str> = asked.iter().map(|asked| &*asked.name).collect();
        names.dedup();
        if names.is_empty() {
            return;
        }
        let count = names.len().to_string();
        let mut words: Vec<&[u8]> = vec![b"EVAL", READ, count.as_bytes()];
        words.extend(names.iter().map(|name| name.as_bytes()));
        let Ok(Reply::List(found)) = inner.redis.ask(&words).await else {
            return;
        };
        let now = Instant::now();
        for found in found.chunks_exact(3) {
            let [
                Reply::Number(place),
                Reply::Text(value),
                Reply::Number(left),
            ] = found
            else {
                continue;
            };
            let place = usize::try_from(*place)
                .ok()
                .and_then(|place| place.checked_sub(1));
            let name = place.and_then(|place| names.get(place));
            if let (Some(name), Ok(left)) = (name, u64::try_from(*left)) {
                let until = now + Duration::from_millis(left).min(LONGEST);
                let its = asked.iter().filter(|asked| asked.name == **name);
                self.read(its, value, until, snapshot, health, now);
            }
        }
        self.heeded
            .retain(|name, _| names.binary_search(&&**name).is_ok());
    }

    fn write(&mut self, inner: &Inner, asked: &[Asked<'_>], health: &Health) {
        let now = Instant::now();
        self.written.retain(|_, until| *until > now);
        for Asked { name, target, hint } in asked {
            let Some(until) = health.found_out(target, *hint, now) else {
                continue;
            };
            let left = until.saturating_duration_since(now);
            if left < SHORTEST || self.written.get(name).is_some_and(|known| *known >= until) {
                continue;
            }
            self.written.insert(name.clone(), until);
            // Each finding is told from the one before it by its end.
            let end = until.saturating_duration_since(self.start).as_millis();
            let value = format!("{}:{end}", self.writer);
            let left = left.as_millis().to_string();
            inner.redis.tell(&[
                b"SET",
                name.as_bytes(),
                value.as_bytes(),
                b"PX",
                left.as_bytes(),
            ]);
        }
    }

    fn read<'a>(
        &mut self,
        its: impl Iterator<Item = &'a Asked<'a>>,
        value: &Bytes,
        until: Instant,
        snapshot: &Snapshot,
        health: &Health,
        now: Instant,
    ) {
        for Asked { name, target, hint } in its {
            let known = self.heeded.get(name) == Some(value);
            if known || value.starts_with(self.writer.as_bytes()) {
                return;
            }
            // Looked at again as long as it is there: others may come back.
            if is_spare(target, *hint, snapshot, health, now) {
                health.heed(target, *hint, until, now);
                self.heeded.insert(name.clone(), value.clone());
                tracing::info!(target_id = %target.id, hint = hint.name(), "another process has found a target out");
            }
        }
    }
}

/// Whether every route that `target` serves has another one that is there, and is not of the account
/// that the hint is about.
fn is_spare(
    target: &Target,
    hint: Hint,
    snapshot: &Snapshot,
    health: &Health,
    now: Instant,
) -> bool {
    let is_hit = |other: &Target| match hint {
        Hint::Quota => other.provider.name == target.provider.name,
        Hint::Breaker | Hint::RateLimited => other.id == target.id,
    };
    let mut routes = snapshot.routes.values();
    routes.all(|route| {
        let is_there = |other: &Arc<Target>| !is_hit(other) && health.standing(other, now).is_ok();
        !route.targets().any(|other| is_hit(other)) || route.targets().any(is_there)
    })
}

/// Every hint that would be of use here.
fn asked<'a>(realm: &str, snapshot: &'a Snapshot) -> Vec<Asked<'a>> {
    let targets = snapshot.routes.values().flat_map(|route| route.targets());
    let by_id: BTreeMap<&str, &Arc<Target>> = targets.map(|target| (&*target.id, target)).collect();
    let hints = by_id.into_values().flat_map(|target| {
        Hint::ALL.map(|hint| Asked {
            name: name(realm, target, hint),
            target,
            hint,
        })
    });
    hints.collect()
}

/// What a hint is known by: that of a place by where it is, that of an account also by whose it is.
fn name(realm: &str, target: &Target, hint: Hint) -> String {
    let provider = &*target.provider;
    let kind = format!("{:?}", provider.kind);
    let place = provider.base_url.to_string();
    let secret = provider
        .secret
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let account = [
        realm.as_bytes(),
        provider.name.as_bytes(),
        secret.as_bytes(),
    ];
    let place: [&[u8]; 3] = [hint.name().as_bytes(), kind.as_bytes(), place.as_bytes()];
    let model = target.model.as_bytes();
    let name = match hint {
        Hint::Breaker => digest(&[place[0], place[1], place[2], model]),
        Hint::RateLimited => digest(&[&place[..], &account[..], &[model]].concat()),
        Hint::Quota => digest(&[&place[..], &account[..]].concat()),
    };
    format!("pillion:hint:{}", hex(&name))
}
