//! One gateway before a provider of every kind, whose parts are cast anew for each scene.

use std::sync::atomic::{AtomicUsize, Ordering};
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

/// Providers in the order of [`KINDS`]. The route [`alone`] leads to one of them, the route [`pair`]
/// to one and then to another. A stage of several *takes* has these again for each of them, under
/// other names: what one take teaches of a provider's health is not known in the next.
pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    upstreams: Vec<Upstream>,
    cast: Arc<Mutex<Vec<Act>>>,
    takes: usize,
    take: AtomicUsize,
}

fn at(kind: Kind) -> usize {
    KINDS.iter().position(|known| *known == kind).unwrap()
}

/// The route to one kind, in the first take.
pub(crate) fn alone(kind: Kind) -> String {
    alone_in(0, kind)
}

/// The route to one kind, and then to another, in the first take.
pub(crate) fn pair(first: Kind, second: Kind) -> String {
    pair_in(0, first, second)
}

fn alone_in(take: usize, kind: Kind) -> String {
    match take {
        0 => format!("k{}", at(kind)),
        _ => format!("t{take}-k{}", at(kind)),
    }
}

fn pair_in(take: usize, first: Kind, second: Kind) -> String {
    format!("{}-k{}", alone_in(take, first), at(second))
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with("", "").await
    }

    /// With lines at the top level of the configuration, and more keys of every route.
    pub(crate) async fn with(root: &str, more: &str) -> Self {
        Self::build(1, &KINDS, &KINDS, Config::new().root(root), more).await
    }

    /// Of so many takes beside the first, with the routes that begin with one of `firsts`, alone or before one of
    /// `backups`, and more keys of every route.
    pub(crate) async fn of_takes(
        takes: usize,
        firsts: &[Kind],
        backups: &[Kind],
        more: &str,
    ) -> Self {
        Self::build(takes + 1, firsts, backups, Config::new(), more).await
    }

    async fn build(
        takes: usize,
        firsts: &[Kind],
        backups: &[Kind],
        mut config: Config,
        more: &str,
    ) -> Self {
        let cast = Arc::new(Mutex::new(vec![
            Act::Says(Script::text(&["?"]));
            KINDS.len()
        ]));
        let mut upstreams = Vec::new();
        for number in 0..KINDS.len() {
            let playing = Arc::clone(&cast);
            let upstream = Upstream::choosing(move |seen| {
                let act = playing.lock().unwrap()[number].clone();
                act.reply(Wire::of(seen), Wire::streamed(seen))
            });
            upstreams.push(upstream.await);
        }
        for take in 0..takes {
            let target = |kind: Kind| kind.target(&alone_in(take, kind));
            let plays = |kind: &Kind| firsts.contains(kind) || backups.contains(kind);
            for kind in KINDS.into_iter().filter(plays) {
                config = config.kind_alone(&alone_in(take, kind), kind, &upstreams[at(kind)]);
            }
            for first in firsts {
                let name = alone_in(take, *first);
                let to = target(*first);
                config = config.route(&name, &format!("{{ targets: [\"{to}\"]{more} }}"));
                for second in backups.iter().filter(|second| *second != first) {
                    let name = pair_in(take, *first, *second);
                    let both = format!("\"{to}\", \"{}\"", target(*second));
                    config = config.route(&name, &format!("{{ targets: [{both}]{more} }}"));
                }
            }
        }
        Self {
            gateway: Gateway::start(config).await,
            upstreams,
            cast,
            takes,
            take: AtomicUsize::new(0),
        }
    }

    /// From here on [`Stage::alone`] and [`Stage::pair`] name the routes of the next take.
    pub(crate) fn next_take(&self) {
        let next = self.take.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(next < self.takes, "a stage of {} takes", self.takes);
    }

    /// The route to one kind, in this take.
    pub(crate) fn alone(&self, kind: Kind) -> String {
        alone_in(self.take.load(Ordering::Relaxed), kind)
    }

    /// The route to one kind, and then to another, in this take.
    pub(crate) fn pair(&self, first: Kind, second: Kind) -> String {
        pair_in(self.take.load(Ordering::Relaxed), first, second)
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
