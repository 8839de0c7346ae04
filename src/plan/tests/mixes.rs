//! Providers that fail more often than not, in every way at once: what the breakers leave of the
//! answers that plain dice would give.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;
use crate::plan::Step;

/// In so many ways an attempt ends, by the share that each has of a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Whole,
    /// Slow, but whole.
    Drip,
    /// Broken off behind the first text.
    Cut,
    Timeout,
    Limited,
    Broken,
    Reset,
}

fn roll(rng: &mut fastrand::Rng) -> Fate {
    match rng.u32(..100) {
        ..10 => Fate::Timeout,
        10..30 => Fate::Limited,
        // Broken JSON, and what is empty.
        30..45 => Fate::Broken,
        45..50 => Fate::Reset,
        50..55 => Fate::Cut,
        55..57 => Fate::Drip,
        57.. => Fate::Whole,
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    whole: u32,
    /// Told in the middle of a stream.
    cut: u32,
    /// Told instead of an answer.
    refused: u32,
    attempts: u32,
}

impl Tally {
    fn share(self, of: u32) -> f64 {
        f64::from(of) * 100.0 / f64::from(self.whole + self.cut + self.refused)
    }
}

const MAX_ATTEMPTS: u32 = 6;

/// The same dice without anything that is remembered of a target: a timeout and a reset are tried
/// again at once, everything else at the next one.
fn oracle(requests: u32, rng: &mut fastrand::Rng) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..requests {
        let (mut attempts, mut target, mut retried) = (0, 0, false);
        loop {
            if attempts == MAX_ATTEMPTS || target == 6 {
                tally.refused += 1;
                break;
            }
            attempts += 1;
            match roll(rng) {
                Fate::Whole | Fate::Drip => {
                    tally.whole += 1;
                    break;
                }
                Fate::Cut => {
                    tally.cut += 1;
                    break;
                }
                Fate::Timeout | Fate::Reset if !retried => retried = true,
                Fate::Timeout | Fate::Reset | Fate::Limited | Fate::Broken => {
                    retried = false;
                    target += 1;
                }
            }
        }
        tally.attempts += attempts;
    }
    tally
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive,
    /// This request looks again what is to be done.
    Look(usize),
    /// Its attempt has come to the first token, ...
    First(usize, Fate),
    /// ... or to an end.
    End(usize, Fate),
}

struct Flow {
    schedule: Option<Schedule>,
    permit: Option<Permit>,
    waiting: bool,
}

struct Mix {
    rng: fastrand::Rng,
    now: Instant,
    health: Health,
    freed: tokio::sync::watch::Receiver<()>,
    targets: Vec<Arc<Target>>,
    flows: Vec<Flow>,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    count: u64,
    tally: Tally,
    /// Between two arrivals, on average.
    gap: f64,
    /// What an attempt has for its first token.
    first_token: f64,
}

/// Within 30 s, and so long for each attempt.
fn within(now: Instant, first_token: f64) -> Deadline {
    let timeouts = Timeouts {
        whole: secs(30.0),
        first_token: secs(first_token),
        answer: secs(18.0),
        idle: secs(15.0),
        stream: secs(600.0),
    };
    Deadline::new(now, &timeouts, Percent::try_new(40).unwrap(), true, None)
}

impl Mix {
    fn new(seed: u64, rate: f64, first_token: f64) -> Self {
        let health = Health::new(fastrand::Rng::with_seed(seed));
        Self {
            rng: fastrand::Rng::with_seed(seed),
            now: Instant::now(),
            freed: health.freed(),
            health,
            targets: targets(&["a/1", "b/1", "c/1", "a/2", "b/2", "c/2"]),
            flows: Vec::new(),
            events: BinaryHeap::new(),
            count: 0,
            tally: Tally::default(),
            gap: 1.0 / rate,
            first_token,
        }
    }

    fn run(mut self, requests: usize) -> Tally {
        self.after(0.0, Event::Arrive);
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            self.now = at;
            match event {
                Event::Arrive => self.arrive(requests),
                Event::Look(flow) => self.look(flow),
                Event::First(flow, fate) => self.first(flow, fate),
                Event::End(flow, fate) => self.end(flow, fate),
            }
            self.tell_the_waiting();
        }
        self.tally
    }

    fn after(&mut self, seconds: f64, event: Event) {
        self.at(self.now + secs(seconds), event);
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, event)));
    }

    fn arrive(&mut self, requests: usize) {
        let plan = Plan::of(self.targets.clone());
        let schedule = Schedule::new(
            &plan,
            ASK,
            within(self.now, self.first_token),
            MAX_ATTEMPTS,
            false,
        );
        self.flows.push(Flow {
            schedule: Some(schedule),
            permit: None,
            waiting: false,
        });
        let flow = self.flows.len();
        if flow < requests {
            let gap = -(1.0 - self.rng.f64()).ln() * self.gap;
            self.after(gap, Event::Arrive);
        }
        self.look(flow - 1);
    }

    fn look(&mut self, at: usize) {
        let flow = &mut self.flows[at];
        let Some(schedule) = flow.schedule.as_mut().filter(|_| flow.permit.is_none()) else {
            return;
        };
        flow.waiting = false;
        match schedule.next(self.now, &self.health) {
            Next::Try(step) => self.begin(at, step),
            Next::Wait(until) => {
                flow.waiting = true;
                self.at(until, Event::Look(at));
            }
            Next::Over => {
                flow.schedule = None;
                self.tally.refused += 1;
            }
        }
    }

    fn begin(&mut self, at: usize, step: Step) {
        self.tally.attempts += 1;
        self.flows[at].permit = Some(step.permit);
        let fate = roll(&mut self.rng);
        let few = 0.002 + 0.008 * self.rng.f64();
        match fate {
            Fate::Whole | Fate::Drip | Fate::Cut => self.after(few, Event::First(at, fate)),
            Fate::Timeout => self.at(step.end, Event::End(at, fate)),
            Fate::Limited | Fate::Broken | Fate::Reset => self.after(few, Event::End(at, fate)),
        }
    }

    fn first(&mut self, at: usize, fate: Fate) {
        let flow = &mut self.flows[at];
        if let Some(permit) = &mut flow.permit {
            permit.first_token(self.now);
        }
        let more = if fate == Fate::Drip { 0.4 } else { 0.005 };
        self.after(more, Event::End(at, fate));
    }

    fn end(&mut self, at: usize, fate: Fate) {
        let flow = &mut self.flows[at];
        let permit = flow.permit.take().unwrap();
        let class = match fate {
            Fate::Whole | Fate::Drip => {
                answer(permit, self.now);
                flow.schedule = None;
                self.tally.whole += 1;
                return;
            }
            Fate::Cut | Fate::Reset => Class::Reset,
            Fate::Timeout => Class::Timeout,
            Fate::Limited => Class::RateLimited,
            Fate::Broken => Class::Broken,
        };
        let failure = failure(class, None);
        let target = Arc::clone(permit.target());
        permit.failed(&failure, self.now);
        if fate == Fate::Cut {
            flow.schedule = None;
            self.tally.cut += 1;
            return;
        }
        if let Some(schedule) = &mut flow.schedule {
            schedule.failed(failure, &target, false, self.now, &self.health);
        }
        self.look(at);
    }

    fn tell_the_waiting(&mut self) {
        if !self.freed.has_changed().unwrap() {
            return;
        }
        self.freed.mark_unchanged();
        let from = self.flows.len().saturating_sub(2000);
        for at in from..self.flows.len() {
            if self.flows[at].waiting {
                self.look(at);
            }
        }
    }
}

#[test]
fn where_everything_fails_as_much_is_answered_as_dice_would_give() {
    let dice = oracle(200_000, &mut fastrand::Rng::with_seed(1));
    show("dice", dice);
    // Seconds to a first token, requests a second, and how many of a hundred the breakers may cost.
    for (first_token, rate, most) in [
        (0.15, 5.0, 1.0),
        (0.15, 200.0, 1.0),
        (3.0, 5.0, 1.0),
        (3.0, 50.0, 1.5),
        (3.0, 200.0, 6.0),
    ] {
        let tally = Mix::new(1, rate, first_token).run(20_000);
        show(
            &format!("{rate} a second, timeouts of {first_token} s"),
            tally,
        );
        let (whole, of_dice) = (tally.share(tally.whole), dice.share(dice.whole));
        assert!(whole > of_dice - most, "{whole} beside {of_dice} %");
    }
}

fn show(what: &str, tally: Tally) {
    eprintln!(
        "{what}: {:.1} % whole, {:.1} % cut, {:.2} % refused, {:.2} attempts",
        tally.share(tally.whole),
        tally.share(tally.cut),
        tally.share(tally.refused),
        tally.share(tally.attempts) / 100.0
    );
}
