//! What the proxy runs on: one immutable view of routes, targets, providers and keys.
//!
//! Made by [`crate::config`] from what the operator wrote, published whole, and held by each
//! request to its last byte. A value that exists is valid: a [`Route`] owns its targets, a
//! [`Target`] owns its provider, so no look-up on the request path can miss.
//! Never here: I/O, secrets (a [`Reference`] names one), or anything that changes with traffic.

mod base_url;
mod privacy;
mod residency;
mod rule;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;

use crate::chat::Surface;
use crate::dialect::Dialect;
use crate::facts::{Extras, Facts, Families, list_price};
use crate::health::{self, Capacity, Priority};
use crate::limit::{Terms, Under};
use crate::price::{Exchange, Price};
use crate::privacy::Detectors;
use crate::secret::{Reference, StorePlaces};

pub use self::base_url::BaseUrl;
pub use self::privacy::{Content, Privacy, Unscannable};
pub use self::residency::Residency;
pub use self::rule::{Condition, Fact, Hours, Rule, TAG, Wanted, short};

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

/// What an application names in `model`.
#[derive(Debug)]
pub struct Route {
    pub name: Arc<str>,
    /// The fallback order: at least one place, by construction.
    pub places: Vec<Place>,
    /// The first that fits a request decides what comes before these places, or instead of them.
    pub rules: Vec<Rule>,
    /// Where its requests must stay.
    pub residency: Option<Arc<str>>,
    pub privacy: Privacy,
    /// What its records hold of a request and its answer.
    pub content: Content,
    pub timeouts: Timeouts,
    /// The share of what is left of the deadline that an attempt leaves to the next target.
    pub reserve: Percent,
    /// Attempts per request, retries and fallbacks together; at least 1.
    pub max_attempts: u32,
    /// Whether the caller sees the upstream's model name instead of the string it sent.
    pub expose_model: bool,
    /// Whether a connection to every target is kept open, so that a switch pays no handshake.
    pub warm: bool,
    pub unsupported: OnUnsupported,
    /// When its targets are left, and when they are slow.
    pub health: health::Policy,
    pub hedge: Option<Hedge>,
    /// Identical requests of one key within so long are one.
    pub dedupe: Option<Duration>,
    pub on_break: OnBreak,
    /// What all may use of it together.
    pub terms: Option<Arc<Terms>>,
}

/// A second target is asked while the first one keeps silent for longer than it does but once in
/// twenty times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hedge {
    /// The tokens sent for nothing may be this share of all that are sent.
    pub spend: Percent,
}

impl Hedge {
    /// `hedge: on`.
    pub const ON: Self = Self { spend: Percent(5) };
}

/// What becomes of an answer that breaks off when some of it has gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBreak {
    /// The caller is told.
    Error,
    /// Another target is asked to go on, where the answer is plain text.
    Continue,
}

/// What becomes of a field that a target of another dialect cannot be told, and without which the
/// answer is an answer all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnsupported {
    Drop,
    Reject,
}

impl Route {
    /// A route that nobody configured: to one target, with the limits of the `interactive` profile.
    pub fn to(target: impl Into<Arc<Target>>) -> Self {
        Self {
            name: "-".into(),
            places: vec![Place {
                members: vec![Member {
                    target: target.into(),
                    weight: 1,
                }],
                select: Select::Weighted,
            }],
            rules: Vec::new(),
            residency: None,
            privacy: Privacy::default(),
            content: Content::Nothing,
            timeouts: Timeouts::INTERACTIVE,
            reserve: Percent(40),
            max_attempts: 4,
            expose_model: false,
            warm: false,
            unsupported: OnUnsupported::Drop,
            health: health::Policy::DEFAULT,
            hedge: None,
            dedupe: None,
            on_break: OnBreak::Error,
            terms: None,
        }
    }

    /// Every target once, its own in the order written and then those of its rules.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        let rules = self.rules.iter().flat_map(|rule| &rule.places);
        let members = self.places.iter().chain(rules).flat_map(|it| &it.members);
        let mut targets: Vec<&Arc<Target>> = Vec::new();
        for Member { target, .. } in members {
            if !targets.iter().any(|known| known.id == target.id) {
                targets.push(target);
            }
        }
        targets.into_iter()
    }
}

/// One place in the fallback order: a single target, or a group that shares the place.
#[derive(Debug)]
pub struct Place {
    /// At least one; the weights are not all zero.
    pub members: Vec<Member>,
    pub select: Select,
}

/// Which member of a place is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// By weight; the same one for all of a conversation.
    Weighted,
    /// The one that is expected to answer first.
    Fastest,
    /// The one with the lowest price.
    Cheapest,
}

impl Select {
    /// As the operator writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Fastest => "fastest",
            Self::Cheapest => "cheapest",
        }
    }
}

#[derive(Debug)]
pub struct Member {
    pub target: Arc<Target>,
    pub weight: u32,
}

/// How long a request may take. All of them are positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A plain answer whole; a stream until its commit point.
    pub whole: Duration,
    /// A streamed attempt until its first meaningful event.
    pub first_token: Duration,
    /// A plain attempt until its whole answer.
    pub answer: Duration,
    /// Between two events of a stream.
    pub idle: Duration,
    /// A stream from its commit point to its end.
    pub stream: Duration,
}

impl Timeouts {
    /// Those of the profile that holds where none is named.
    pub const INTERACTIVE: Self = Self {
        whole: Duration::from_secs(30),
        first_token: Duration::from_millis(2500),
        answer: Duration::from_secs(18),
        idle: Duration::from_secs(15),
        stream: Duration::from_mins(10),
    };
}

/// A whole number of hundredths, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(u8);

impl Percent {
    pub const ZERO: Self = Self(0);

    pub fn try_new(hundredths: u8) -> Option<Self> {
        (hundredths <= 100).then_some(Self(hundredths))
    }

    pub fn hundredths(self) -> u8 {
        self.0
    }

    /// This share of `span`.
    pub fn of(self, span: Duration) -> Duration {
        span * u32::from(self.0) / 100
    }
}

/// Provider and upstream model: one place that a request may be sent.
#[derive(Debug)]
pub struct Target {
    /// `provider/model`, as written in routes, records and metrics.
    pub id: Arc<str>,
    pub provider: Arc<Provider>,
    /// The model's name at the provider.
    pub model: Arc<str>,
    /// The context length in tokens, where the operator declared it.
    pub context: Option<u64>,
    /// Whether `stream_options.include_usage` may be added to a request that did not ask for it.
    pub stream_usage: bool,
    /// What is known of its model's family.
    pub facts: Arc<Facts>,
    pub can: Abilities,
    /// What its tokens cost, where that is known.
    pub price: Option<Price>,
}

/// What the operator says of a target, for or against what is known of its model's family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    pub tools: Option<bool>,
    pub images: Option<bool>,
    pub json_schema: Option<bool>,
}

impl Target {
    /// A target of which nothing is known but what comes with Pillion.
    pub fn new(
        id: impl Into<Arc<str>>,
        provider: Arc<Provider>,
        model: impl Into<Arc<str>>,
    ) -> Self {
        let model = model.into();
        Self {
            id: id.into(),
            provider,
            facts: Families::built_in().of(&model),
            model,
            context: None,
            stream_usage: true,
            can: Abilities::default(),
            price: None,
        }
    }

    /// With the price of the lists that come with Pillion, where they have one.
    #[must_use]
    pub fn listed(self, exchange: &Exchange) -> Self {
        Self {
            price: self.provider.list_price(&self.model, exchange),
            ..self
        }
    }

    /// What a request of `surface` is written in for this target; `None` where its provider has
    /// nothing like it.
    pub fn dialect(&self, surface: Surface) -> Option<Dialect> {
        let provider = &*self.provider;
        let is_claude = self.facts.extras == Extras::Claude;
        match (&provider.kind, surface) {
            (_, Surface::Models | Surface::Passthrough) => None,
            (
                Kind::OpenAi
                | Kind::OpenAiCompatible
                | Kind::AzureV1
                | Kind::AzureDeployments { .. },
                surface,
            ) => match surface {
                Surface::Responses if provider.responses => Some(Dialect::Responses),
                // It has no count of tokens: they are estimated.
                Surface::CountTokens => None,
                _ => Some(Dialect::OpenAi),
            },
            (_, Surface::Completions) | (Kind::Anthropic, Surface::Embeddings) => None,
            (Kind::Anthropic, _) => Some(Dialect::Anthropic),
            (Kind::Vertex { .. }, surface) if is_claude && surface != Surface::Embeddings => {
                Some(Dialect::AnthropicInCloud)
            }
            (Kind::Gemini | Kind::Vertex { .. }, _) => Some(Dialect::Gemini),
            // Converse takes thinking apart; a caller that speaks Claude's own dialect is spared that.
            (Kind::Bedrock { .. }, Surface::Messages) if is_claude => {
                Some(Dialect::AnthropicInCloud)
            }
            (Kind::Bedrock { .. }, _) => Some(Dialect::Converse),
        }
    }
}

/// One upstream account.
#[derive(Debug)]
pub struct Provider {
    pub name: Arc<str>,
    pub kind: Kind,
    pub base_url: BaseUrl,
    /// Where its key is; some servers inside need none.
    pub secret: Option<Reference>,
    /// A PEM file of authorities trusted for this provider beside the system's.
    pub ca: Option<PathBuf>,
    /// Sent with each request that does not have them already. None of them is a credential.
    pub headers: HeaderMap,
    /// Whether it serves `/responses` itself.
    pub responses: bool,
    /// What the account takes, as declared.
    pub capacity: Capacity,
    /// Where it is, in the operator's words.
    pub residency: Vec<Arc<str>>,
}

impl Provider {
    /// What `model` costs here by the lists that come with Pillion. `None` also where the list is in another
    /// currency than the operator's and there is no rate.
    pub fn list_price(&self, model: &str, exchange: &Exchange) -> Option<Price> {
        let at = |location: &str| format!("vertex:{location}");
        let (place, kind) = match &self.kind {
            Kind::OpenAi => (None, "openai"),
            Kind::OpenAiCompatible => (None, self.base_url.host()),
            Kind::AzureV1 | Kind::AzureDeployments { .. } => (None, "azure"),
            Kind::Anthropic => (None, "anthropic"),
            Kind::Gemini => (None, "gemini"),
            Kind::Vertex { location, .. } => (Some(at(location)), "vertex"),
            Kind::Bedrock { .. } => (None, "bedrock"),
        };
        let places = place.as_deref().into_iter().chain([kind]);
        Price::listed(list_price(places, model)?, exchange)
    }
}

/// How a provider is addressed and what it speaks: the first four speak one dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    OpenAi,
    OpenAiCompatible,
    /// Azure's v1 form: `{base}/openai/v1/…`, no `api-version`.
    AzureV1,
    /// Azure's classic form: `{base}/openai/deployments/{model}/…?api-version=…`.
    AzureDeployments {
        api_version: Arc<str>,
    },
    /// Anthropic's own API. Its `anthropic-version` is among the provider's headers.
    Anthropic,
    /// The Gemini API with a key of AI Studio.
    Gemini,
    Vertex {
        project: Arc<str>,
        location: Arc<str>,
    },
    Bedrock {
        /// Where requests are signed for, whatever the URL says.
        region: Arc<str>,
    },
}
