//! A world on a clock of its own, in which everything goes wrong: the real schedule and the real health
//! are driven through a million requests, and after each step what must never happen is
//! looked for.

mod calls;
mod requests;
mod tries;
mod weather;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::*;

const REQUESTS: usize = 1_000_000;
const MAX_ATTEMPTS: u32 = 4;
const FLOOR: u64 = 10;

/// How a target behaves for a while.
#[derive(Debug, Clone, Copy)]
struct Weather {
    until: Instant,
    /// Of a hundred tries, so many fail, ...
    fails: u32,
    /// ... in this way, or in any.
    how: Option<Class>,
    /// What a 429 asks for.
    wait: Option<Duration>,
    /// An ordinary answer's first token, about.
    takes: Duration,
}

#[derive(Debug)]
struct Place {
    target: Arc<Target>,
    weather: Weather,
    /// It said that it takes nothing before then.
    not_before: Option<Instant>,
    /// The probes on their way: which attempts, and since when.
    probes: Vec<(u64, Instant)>,
    /// First tries and second ones, by the second.
    firsts: BTreeMap<u64, u64>,
    seconds: BTreeMap<u64, u64>,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts of a request that do not exclude one another"
)]
struct Asking {
    schedule: Option<Schedule>,
    arrived: Instant,
    deadline: Instant,
    attempts: u32,
    /// The attempts that run: one, or two in a race.
    running: Vec<Running>,
    waiting: bool,
    /// Whether it waits, or has waited, for a rate limit.
    at_a_limit: bool,
    tried: Vec<usize>,
    /// Whether its answer is a stream with tool calls, and which of those have gone out.
    calls: bool,
    released: Vec<String>,
    over: bool,
}

#[derive(Debug)]
struct Running {
    id: u64,
    place: usize,
    permit: Option<Permit>,
    end: Instant,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Event {
    Arrive,
    /// The caller of this request hangs up.
    Leave(usize),
    /// This attempt of this request ends.
    End(usize, u64),
    /// This request looks again what is to be done.
    Look(usize),
    /// The first attempt of this request has kept silent for long.
    Hedge(usize, u64),
}

struct World {
    rng: fastrand::Rng,
    start: Instant,
    now: Instant,
    health: Health,
    freed: tokio::sync::watch::Receiver<()>,
    places: Vec<Place>,
    requests: Vec<Asking>,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    count: u64,
    arrived: usize,
    ended: usize,
    answered: usize,
    hedges: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let start = Instant::now();
        let health = Health::new(fastrand::Rng::with_seed(seed));
        let places = [
            target("a/m", Some(8_000)),
            target("b/m", Some(32_000)),
            of_another_kind("c"),
        ]
        .into_iter()
        .map(|target| Place {
            target,
            weather: Weather {
                until: start,
                fails: 0,
                how: None,
                wait: None,
                takes: secs(0.3),
            },
            not_before: None,
            probes: Vec::new(),
            firsts: BTreeMap::new(),
            seconds: BTreeMap::new(),
        });
        Self {
            rng: fastrand::Rng::with_seed(seed),
            start,
            now: start,
            freed: health.freed(),
            health,
            places: places.collect(),
            requests: Vec::new(),
            events: BinaryHeap::new(),
            count: 0,
            arrived: 0,
            ended: 0,
            answered: 0,
            hedges: 0,
        }
    }

    fn run(&mut self, requests: usize) {
        self.at(self.now, Event::Arrive);
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            assert!(at >= self.now, "time goes on");
            self.now = at;
            match event {
                Event::Arrive => self.arrive(requests),
                Event::Leave(request) => self.leave(request),
                Event::End(request, attempt) => self.end(request, attempt),
                Event::Look(request) => self.look(request),
                Event::Hedge(request, attempt) => self.hedge(request, attempt),
            }
            self.tell_the_waiting();
        }
        assert_eq!(self.arrived, requests);
        assert_eq!(self.ended, requests, "each request ends, once");
        for place in &self.places {
            assert_eq!(self.health.in_flight(&place.target, self.now), 0);
            assert!(place.probes.is_empty());
            check_budget(place);
        }
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, event)));
    }

    fn tell_the_waiting(&mut self) {
        if !self.freed.has_changed().unwrap() {
            return;
        }
        self.freed.mark_unchanged();
        let from = self.requests.len().saturating_sub(5000);
        let waiting = (from..self.requests.len()).filter(|at| self.requests[*at].waiting);
        for request in waiting.collect::<Vec<_>>() {
            self.look(request);
        }
    }
}

/// In no ten seconds are there more second tries than a fifth of the first ones, or the floor.
fn check_budget(place: &Place) {
    let sum = |counts: &BTreeMap<u64, u64>, from: u64, to: u64| -> u64 {
        counts.range(from..=to).map(|(_, count)| count).sum()
    };
    for &second in place.seconds.keys() {
        let seconds = sum(&place.seconds, second.saturating_sub(9), second);
        // The target's clock cuts its seconds at other points.
        let firsts = sum(&place.firsts, second.saturating_sub(12), second);
        let most = (firsts / 5).max(FLOOR);
        assert!(
            seconds <= most,
            "{seconds} second tries beside {firsts} first ones"
        );
    }
}

#[test]
fn nothing_that_must_not_happen_does() {
    let rounds = REQUESTS / 20_000;
    let (mut answered, mut all, mut hedges) = (0, 0, 0);
    for seed in 0..rounds as u64 {
        let mut world = World::new(seed);
        world.run(20_000);
        answered += world.answered;
        all += world.arrived;
        hedges += world.hedges;
        for place in &world.places {
            let later = world.now + secs(86_400.0);
            let standing = world.health.standing(&place.target, later);
            assert!(standing.is_ok(), "nothing is left for ever: {standing:?}");
        }
    }
    eprintln!("{answered} of {all} answered, {hedges} hedges");
    assert!(answered * 2 > all, "{answered} of {all}");
    assert!(hedges > 0);
}
