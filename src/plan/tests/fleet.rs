//! Many sidecars with few requests each, and a provider that dies: what finding that out costs, each
//! for itself and with the breakers of the others as hints. The table of `health/FLEET.md` is made here.

use std::fmt::Write as _;

use super::*;
use crate::health::BreakerPolicy;

const SIDECARS: usize = 100;
/// Between two requests of one sidecar, on average.
const GAP: f64 = 60.0;
/// For so long the provider is gone, and then as long it is well again.
const OUTAGE: f64 = 600.0;
/// What the provider and its backup usually take.
const USUAL: f64 = 0.5;
/// After so long all sidecars know that a breaker of one has opened.
const TOLD: f64 = 1.0;
/// Of a hundred requests a provider that is well fails so many.
const NOISE: u32 = 2;
const RUNS: usize = 5;

/// How a provider is gone.
#[derive(Debug, Clone, Copy)]
enum Gone {
    /// Requests run into the limit of an attempt, which are 3 s.
    Silent,
    /// A server error, soon.
    Erring,
}

/// One sidecar: what it knows, and how many of the hints it has heard.
struct Sidecar {
    health: Health,
    heard: usize,
    free: Instant,
}

#[derive(Debug, Default, Clone, Copy)]
struct Cost {
    /// Attempts at a provider that is gone.
    sent: usize,
    /// What requests took longer for that.
    wasted: f64,
    /// Requests that went elsewhere while the provider was well.
    away: usize,
    requests: usize,
}

struct Fleet {
    start: Instant,
    rng: fastrand::Rng,
    ask: Ask,
    targets: Vec<Arc<Target>>,
    sidecars: Vec<Sidecar>,
    /// When it is known to all that a breaker has opened, if that is told at all.
    hints: Option<Vec<(Instant, usize)>>,
}

impl Fleet {
    fn new(seed: u64, breaker: BreakerPolicy, hints: bool) -> Self {
        let start = Instant::now();
        let policy = Policy {
            breaker,
            ..Policy::DEFAULT
        };
        let sidecar = |seed| Sidecar {
            health: Health::new(fastrand::Rng::with_seed(seed)),
            heard: 0,
            free: start,
        };
        Self {
            start,
            rng: fastrand::Rng::with_seed(seed),
            ask: Ask { policy, ..ASK },
            targets: targets(&["primary/m", "backup/m"]),
            sidecars: (0..SIDECARS as u64).map(sidecar).collect(),
            hints: hints.then(Vec::new),
        }
    }

    /// All requests of so many seconds, in their order.
    fn requests(&mut self, seconds: f64) -> Vec<(f64, usize)> {
        let mut all = Vec::new();
        for sidecar in 0..SIDECARS {
            let mut at = 0.0;
            loop {
                at += -(1.0 - self.rng.f64()).ln() * GAP;
                if at > seconds {
                    break;
                }
                all.push((at, sidecar));
            }
        }
        all.sort_by(|one, other| one.0.total_cmp(&other.0));
        all
    }

    /// The provider is gone from the start and comes back; where it is not `gone` at all, it fails now
    /// and then.
    fn run(mut self, gone: Option<Gone>) -> Cost {
        let mut cost = Cost::default();
        let back = self.start + secs(OUTAGE);
        for (at, sidecar) in self.requests(OUTAGE * 2.0) {
            let at = (self.start + secs(at)).max(self.sidecars[sidecar].free);
            self.hear(sidecar, at);
            let failing = gone.filter(|_| at < back);
            let (ran, sent) = self.request(sidecar, at, failing);
            cost.requests += 1;
            let took = (ran.at - at).as_secs_f64();
            if failing.is_some() {
                cost.sent += sent;
                cost.wasted += took - USUAL;
            } else if ran.tried[0] != "primary/m" {
                cost.away += 1;
            }
        }
        cost
    }

    /// One request, and how many of its attempts failed at the provider.
    fn request(&mut self, sidecar: usize, at: Instant, gone: Option<Gone>) -> (Ran, usize) {
        let one = &mut self.sidecars[sidecar];
        let plan = Plan::of(self.targets.clone());
        let schedule = Schedule::new(&plan, self.ask, deadline(at), 4, false);
        let (rng, mut sent) = (&mut self.rng, 0);
        let ran = drive(schedule, &one.health, at, |target| {
            let fails = match gone {
                _ if target != "primary/m" => None,
                Some(gone) => Some(gone),
                None => (rng.u32(..100) < NOISE).then_some(Gone::Erring),
            };
            sent += usize::from(fails.is_some());
            let end = match fails {
                None => (USUAL, Class::Ok),
                Some(Gone::Silent) => (60.0, Class::Timeout),
                Some(Gone::Erring) => (0.1, Class::ServerError),
            };
            (end, None)
        });
        assert!(ran.verdict.is_none(), "the backup is there");
        one.free = ran.at;
        if sent > 0
            && one.health.standing(&self.targets[0], ran.at).is_err()
            && let Some(hints) = &mut self.hints
        {
            hints.push((ran.at + secs(TOLD), sidecar));
        }
        (ran, sent)
    }

    /// Takes what others have found out as if its own requests had: a closed breaker opens, and a
    /// half-open one has had its probe.
    fn hear(&mut self, sidecar: usize, now: Instant) {
        let Some(hints) = &self.hints else {
            return;
        };
        let one = &mut self.sidecars[sidecar];
        while let Some((known, of)) = hints.get(one.heard).filter(|(known, _)| *known <= now) {
            one.heard += 1;
            if *of == sidecar {
                continue;
            }
            for _ in 0..self.ask.policy.breaker.failures {
                let Ok(permit) = one.health.admit(self.ask, &self.targets[0], *known) else {
                    break;
                };
                permit.failed(&failure(Class::ServerError, None), *known);
            }
        }
    }
}

/// The mean of some runs: where in a cooldown the provider comes back is chance.
fn mean(breaker: BreakerPolicy, hints: bool, gone: Option<Gone>) -> Cost {
    let mut sum = Cost::default();
    for seed in 0..RUNS as u64 {
        let one = Fleet::new(seed, breaker, hints).run(gone);
        sum.sent += one.sent;
        sum.wasted += one.wasted;
        sum.away += one.away;
        sum.requests += one.requests;
    }
    Cost {
        sent: sum.sent / RUNS,
        #[expect(clippy::cast_precision_loss, reason = "a few")]
        wasted: sum.wasted / RUNS as f64,
        away: sum.away / RUNS,
        requests: sum.requests / RUNS,
    }
}

fn breaker(failures: u32, window: f64, cooldown: f64, longest: f64) -> BreakerPolicy {
    BreakerPolicy {
        failures,
        window: secs(window),
        cooldown: secs(cooldown),
        longest: secs(longest),
    }
}

/// The default first; failures, the window, and the cooldown from and to, in seconds.
const POLICIES: [(u32, f64, f64, f64); 9] = [
    (2, 60.0, 5.0, 60.0),
    (1, 60.0, 5.0, 60.0),
    (3, 60.0, 5.0, 60.0),
    (5, 60.0, 5.0, 60.0),
    (2, 300.0, 5.0, 60.0),
    (1, 60.0, 30.0, 300.0),
    (2, 60.0, 30.0, 300.0),
    (3, 60.0, 30.0, 300.0),
    (2, 60.0, 60.0, 600.0),
];

/// What one policy costs: silent, erring, and never gone.
type Costs = [Cost; 3];

fn costs() -> Vec<[Costs; 2]> {
    let policies = POLICIES.iter();
    let each = policies.map(|(failures, window, cooldown, longest)| {
        let policy = breaker(*failures, *window, *cooldown, *longest);
        [false, true].map(|hints| {
            let gone = [Some(Gone::Silent), Some(Gone::Erring), None];
            gone.map(|gone| mean(policy, hints, gone))
        })
    });
    each.collect()
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn left_for_nothing(cost: Cost) -> f64 {
    cost.away as f64 * 100.0 / cost.requests as f64
}

fn table(costs: &[[Costs; 2]]) -> String {
    let mut table = String::from(
        "| failures, window, cooldown | hints | silent: sent | wasted | elsewhere after | erring: sent | wasted | false alarms |\n\
         |---|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for ((failures, window, cooldown, longest), both) in POLICIES.iter().zip(costs) {
        for (hints, [silent, erring, never]) in ["no", "yes"].iter().zip(both) {
            let _ = writeln!(
                table,
                "| {failures}, {window} s, {cooldown}..{longest} s | {hints} | {} | {:.0} s | {} | {} | {:.0} s | {:.1} % |",
                silent.sent,
                silent.wasted,
                silent.away,
                erring.sent,
                erring.wasted,
                left_for_nothing(*never),
            );
        }
    }
    table
}

#[test]
fn what_an_outage_costs_a_fleet_is_as_the_page_says() {
    let costs = costs();
    let table = table(&costs);
    let [alone, told] = costs[0];
    assert_eq!(
        POLICIES[0],
        (2, 60.0, 5.0, 60.0),
        "what is measured first is the default"
    );
    let default = breaker(2, 60.0, 5.0, 60.0);
    assert_eq!(default, Policy::DEFAULT.breaker);
    // What the page concludes.
    for gone in [0, 1] {
        assert!(told[gone].sent * 5 < alone[gone].sent, "hints spare most");
        assert!(
            alone[gone].sent < costs[2][0][gone].sent,
            "a third failure costs"
        );
    }
    assert!(
        left_for_nothing(told[2]) < 1.0,
        "two failures are not chance"
    );
    assert!(left_for_nothing(costs[1][1][2]) > 10.0, "one is");
    let longer = costs[6][1][0];
    assert!(longer.away > told[0].away * 2, "a long cooldown stays away");

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/health/FLEET.md");
    let page = std::fs::read_to_string(path).unwrap();
    let begin = page.find("| failures").unwrap();
    let end = page.rfind("|\n").unwrap() + "|\n".len();
    let anew = [&page[..begin], &table, &page[end..]].concat();
    if std::env::var_os("PILLION_WRITE_PAGES").is_some() {
        std::fs::write(path, &anew).unwrap();
    } else {
        assert_eq!(
            page, anew,
            "write it anew with PILLION_WRITE_PAGES=1 cargo test what_an_outage_costs_a_fleet"
        );
    }
}
