//! What the proxy runs on: one immutable view of routes, targets, providers and keys.
//!
//! Made by [`crate::config`] from what the operator wrote, published whole, and held by each
//! request to its last byte. A value that exists is valid: a [`Route`] owns its targets, a
//! [`Target`] owns its provider, so no look-up on the request path can miss.
//! Never here: I/O, secrets (a [`Reference`] names one), or anything that changes with traffic.

mod base_url;
mod percent;
mod privacy;
mod residency;
mod route;
mod rule;
mod target;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::health::Priority;
use crate::limit::{Terms, Under};
use crate::price::Exchange;
use crate::privacy::Detectors;
use crate::secret::{Reference, StorePlaces};

pub use self::base_url::BaseUrl;
pub use self::percent::Percent;
pub use self::privacy::{Content, Privacy, Unscannable};
pub use self::residency::Residency;
pub use self::route::{Hedge, Member, OnBreak, OnUnsupported, Place, Route, Select, Timeouts};
pub use self::rule::{Condition, Fact, Hours, Rule, TAG, Wanted, short};
pub use self::target::{Abilities, Kind, Provider, Target};

/// One configuration, resolved.
#[derive(Debug)]
pub struct Snapshot {
    /// Identifies the operator's text: the first 12 hex digits of its SHA-256.
    pub version: Arc<str>,
    pub identity: Identity,
    /// Routes by their own name.
    pub routes: BTreeMap<Arc<str>, Arc<Route>>,
    /// Other model strings that mean a route (`accepts`).
    pub aliases: HashMap<Arc<str>, Arc<Route>>,
    pub providers: BTreeMap<Arc<str>, Arc<Provider>>,
    /// Where the secrets are that are in a store.
    pub secret_stores: StorePlaces,
    /// For so long a secret is used that cannot be read any more.
    pub secret_max_stale: Duration,
    pub callers: Callers,
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// `Host` names accepted beside the loopback ones: in lower case, IPv6 in its shortest form and
    /// without brackets.
    pub hosts: BTreeSet<String>,
    /// How many sidecars have this configuration, where that is known.
    pub instances: Option<NonZeroU32>,
    /// What the keys of a team may use together.
    pub teams: BTreeMap<Arc<str>, Arc<Terms>>,
    /// The currency that costs are told in, and what a dollar comes to in others.
    pub exchange: Exchange,
    /// What others than this machine show to be told of `/api`.
    pub admin_token: Option<Reference>,
    /// What finds personal data in requests.
    pub detectors: Arc<Detectors>,
}

impl Snapshot {
    /// One in which there is nothing but who may call.
    #[cfg(test)]
    pub(crate) fn of(callers: Callers) -> Self {
        Self {
            version: "".into(),
            identity: Identity::default(),
            routes: BTreeMap::new(),
            aliases: HashMap::new(),
            providers: BTreeMap::new(),
            secret_stores: StorePlaces::new(),
            secret_max_stale: Duration::from_hours(12),
            callers,
            body_limit: 0,
            hosts: BTreeSet::new(),
            instances: None,
            teams: BTreeMap::new(),
            exchange: Exchange::default(),
            admin_token: None,
            detectors: Arc::default(),
        }
    }

    /// The route that a `model` string means, by name or by alias.
    pub fn route(&self, model: &str) -> Option<&Arc<Route>> {
        self.routes.get(model).or_else(|| self.aliases.get(model))
    }

    /// Whose limits and budgets a request of `key` is under.
    pub fn under(&self, key: &Key, route: Option<&Route>) -> Under {
        let mut under = Under::new();
        under.extend(key.terms.clone());
        under.extend(route.and_then(|route| route.terms.clone()));
        if !self.teams.is_empty() {
            let team = key.team.as_ref().or(self.identity.team.as_ref());
            under.extend(team.and_then(|team| self.teams.get(team).cloned()));
        }
        under
    }
}

/// Where this instance runs; written into every record. Absent facts are null there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    pub team: Option<Arc<str>>,
    pub service: Option<Arc<str>>,
    pub environment: Option<Arc<str>>,
    pub instance: Option<Arc<str>>,
}

/// Who may call.
#[derive(Debug)]
pub enum Callers {
    /// Everyone who can connect (`allow_anonymous`), as this key.
    Anyone(Arc<Key>),
    /// The holders of these tokens, by the SHA-256 of the token. A key in rotation has two entries.
    Keys(HashMap<[u8; 32], Arc<Key>>),
}

/// An internal key: what one application may do.
#[derive(Debug)]
pub struct Key {
    pub id: Arc<str>,
    pub team: Option<Arc<str>>,
    pub service: Option<Arc<str>>,
    pub environment: Option<Arc<str>>,
    /// The routes it may use; `None` is all of them.
    pub routes: Option<BTreeSet<Arc<str>>>,
    /// Where a model string goes that no route bears.
    pub default_route: Option<Arc<Route>>,
    /// The provider that gets what no route takes.
    pub passthrough: Option<Arc<Provider>>,
    /// The first instant at which the key is no longer good.
    pub expires: Option<Timestamp>,
    pub priority: Priority,
    /// Where all that it sends must stay.
    pub residency: Option<Arc<str>>,
    /// What it may use.
    pub terms: Option<Arc<Terms>>,
}

impl Key {
    /// A key that may use everything, and is good for ever.
    pub fn named(id: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            team: None,
            service: None,
            environment: None,
            routes: None,
            default_route: None,
            passthrough: None,
            expires: None,
            priority: Priority::default(),
            residency: None,
            terms: None,
        }
    }

    /// What keeps it from being good at `now` in an instance of this identity, if anything does.
    pub fn refused(&self, identity: &Identity, now: Timestamp) -> Option<&'static str> {
        if self.expires.is_some_and(|expires| expires <= now) {
            return Some("expired");
        }
        match (&identity.environment, &self.environment) {
            (Some(ours), Some(its)) if ours != its => Some("of another environment"),
            _ => None,
        }
    }

    pub fn may_use(&self, route: &Route) -> bool {
        self.routes
            .as_ref()
            .is_none_or(|routes| routes.contains(&route.name))
    }
}
