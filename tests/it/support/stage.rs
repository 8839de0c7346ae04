//! One gateway before a provider of every kind, whose parts are cast anew for each scene.

use std::sync::{Arc, Mutex};

use super::kind::KINDS;
use super::wire::{Fault, Script, Wire};
use super::{Config, Gateway, Kind, Record, Reply, Surface, Upstream};

/// What a provider does when it is asked.
#[derive(Clone)]
pub(crate) enum Act {
    Says(Script),
    Fails(Fault),
    /// In the dialect and the way that it is asked in: whether for a stream.
    Does(Arc<dyn Fn(Wire, bool) -> Reply + Send + Sync>),
}

impl Act {
    pub(crate) fn does(act: impl Fn(Wire, bool) -> Reply + Send + Sync + 'static) -> Self {
        Self::Does(Arc::new(act))
    }

    fn reply(&self, wire: Wire, streamed: bool) -> Reply {
        match self {
            Self::Says(script) => wire.reply(streamed, script),
            Self::Fails(fault) => fault.reply(wire, streamed),
            Self::Does(act) => act(wire, streamed),
        }
    }
}

/// Providers in the order of [`KINDS`]. The route [`alone`] leads to one of them, the route
/// [`pair`] to one and then to another.
pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    upstreams: Vec<Upstream>,
    cast: Arc<Mutex<Vec<Act>>>,
}

fn at(kind: Kind) -> usize {
    KINDS.iter().position(|known| *known == kind).unwrap()
}

/// The route to one kind.
pub(crate) fn alone(kind: Kind) -> String {
    format!("k{}", at(kind))
}

/// The route to one kind, and then to another.
pub(crate) fn pair(first: Kind, second: Kind) -> String {
    format!("k{}-k{}", at(first), at(second))
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with("", "").await
    }

    /// With lines at the top level of the configuration, and more keys of every route.
    pub(crate) async fn with(root: &str, more: &str) -> Self {
        let cast = Arc::new(Mutex::new(vec![
            Act::Says(Script::text(&["?"]));
            KINDS.len()
        ]));
        let mut upstreams = Vec::new();
        let mut config = Config::new().root(root);
        for (number, kind) in KINDS.iter().enumerate() {
            let playing = Arc::clone(&cast);
            let upstream = Upstream::choosing(move |seen| {
                let act = playing.lock().unwrap()[number].clone();
                act.reply(Wire::of(seen), Wire::streamed(seen))
            })
            .await;
            let name = alone(*kind);
            let target = kind.target(&name);
            config = config
                .kind_alone(&name, *kind, &upstream)
                .route(&name, &format!("{{ targets: [\"{target}\"]{more} }}"));
            for other in KINDS.iter().filter(|other| *other != kind) {
                let backup = other.target(&alone(*other));
                config = config.route(
                    &pair(*kind, *other),
                    &format!("{{ targets: [\"{target}\", \"{backup}\"]{more} }}"),
                );
            }
            upstreams.push(upstream);
        }
        Self {
            gateway: Gateway::start(config).await,
            upstreams,
            cast,
        }
    }

    pub(crate) fn cast(&self, kind: Kind, act: Act) {
        self.cast.lock().unwrap()[at(kind)] = act;
    }

    pub(crate) fn upstream(&self, kind: Kind) -> &Upstream {
        &self.upstreams[at(kind)]
    }

    /// A request by this surface with this body, its answer and its record.
    pub(crate) async fn ask(&self, surface: Surface, body: &str) -> (super::Answer, Record) {
        let answer = self.gateway.post(surface.path(), &[], body).await;
        let record = self.gateway.audit(answer.id()).await;
        (answer, record)
    }
}
