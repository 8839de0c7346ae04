//! A world on a clock of its own, in which everything goes wrong: the real schedule and the real health
//! are driven through a million requests, and after each step what must never happen is
//! looked for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::*;
use crate::dialect::openai::{Decoder, Shape, Wanted};
use crate::plan::Step;
use crate::snapshot::Hedge;

const REQUESTS: usize = 1_000_000;
const MAX_ATTEMPTS: u32 = 4;
const FLOOR: u64 = 10;
/// A probe that has told nothing for so long is not waited for.
const SILENCE: Duration = Policy::DEFAULT.slow_floor;

/// The ways in which a try fails.
const ANY: [Class; 12] = [
    Class::Connect,
    Class::Timeout,
    Class::Reset,
    Class::RateLimited,
    Class::Overloaded,
    Class::ServerError,
    Class::Broken,
    Class::QuotaExhausted,
    Class::Auth,
    Class::InvalidRequest,
    Class::ContextLength,
    Class::Policy,
];

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
    last: Option<usize>,
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

    fn arrive(&mut self, requests: usize) {
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        if self.rng.u8(..4) == 0 {
            self.rng.shuffle(&mut order);
        }
        order.truncate(self.rng.usize(1..=3));
        let plan = Plan::of(
            order
                .iter()
                .map(|at| Arc::clone(&self.places[*at].target))
                .collect(),
        );
        let once = self.rng.u8(..20) == 0;
        let deadline = deadline(self.now);
        let schedule = Schedule::new(&plan, ASK, deadline, MAX_ATTEMPTS, once);
        self.requests.push(Asking {
            schedule: Some(schedule),
            arrived: self.now,
            deadline: deadline.at,
            attempts: 0,
            running: Vec::new(),
            waiting: false,
            at_a_limit: false,
            last: None,
            calls: self.rng.u8(..20) == 0,
            released: Vec::new(),
            over: false,
        });
        self.arrived += 1;
        let request = self.requests.len() - 1;
        if self.rng.u8(..30) == 0 {
            let after = secs(self.rng.f64() * 5.0);
            self.at(self.now + after, Event::Leave(request));
        }
        self.look(request);
        if self.arrived < requests {
            // From a request in ten seconds to a hundred in one, in spells of a minute.
            let minute = (self.now - self.start).as_secs() / 60;
            let rates = [0.1, 5.0, 30.0, 100.0];
            let rate = rates[usize::try_from((minute * 7) % 4).unwrap()];
            let gap = -(1.0 - self.rng.f64()).ln() / rate;
            self.at(self.now + secs(gap), Event::Arrive);
        }
    }

    /// Asks the schedule, as the loop does.
    fn look(&mut self, request: usize) {
        let asking = &mut self.requests[request];
        if asking.over || !asking.running.is_empty() {
            return;
        }
        asking.waiting = false;
        let Some(schedule) = &mut asking.schedule else {
            return;
        };
        match schedule.next(self.now, &self.health) {
            Next::Try(step) => self.begin(request, step),
            Next::Wait(until) => {
                assert!(until > self.now, "a wait has a length");
                asking.at_a_limit |= until > asking.arrived + secs(0.05);
                asking.waiting = true;
                self.at(until, Event::Look(request));
            }
            Next::Over => {
                let schedule = asking.schedule.take();
                let verdict = schedule.map(|schedule| schedule.verdict(self.now));
                let nobody = matches!(verdict, Some(GatewayError::NoEligibleTarget { .. }));
                assert!(
                    !nobody
                        || asking.attempts > 0
                        || asking.at_a_limit
                        || self.now <= asking.arrived + secs(0.05),
                    "who cannot be served is told soon"
                );
                self.finish(request);
            }
        }
    }

    fn begin(&mut self, request: usize, step: Step) {
        let find = |place: &Place| Arc::ptr_eq(&place.target, &step.target);
        let at = self.places.iter().position(find).unwrap();
        let asking = &mut self.requests[request];
        asking.attempts += 1;
        assert!(asking.attempts <= MAX_ATTEMPTS);
        assert!(
            self.now < asking.deadline,
            "nothing starts after the deadline"
        );
        assert!(step.end <= asking.deadline, "nothing is to run past it");
        let place = &mut self.places[at];
        assert!(
            place.not_before.is_none_or(|until| self.now >= until),
            "nobody comes before the time that was named"
        );
        self.count += 1;
        let id = self.count;
        if step.permit.is_probe() {
            let silent = |(_, since): &(u64, Instant)| self.now - *since >= SILENCE;
            assert!(place.probes.iter().all(silent), "one probe at a time");
            place.probes.push((id, self.now));
        }
        let second = (self.now - self.start).as_secs();
        let is_second = asking.last == Some(at) || !asking.running.is_empty();
        let counts = if is_second {
            &mut place.seconds
        } else {
            &mut place.firsts
        };
        *counts.entry(second).or_default() += 1;
        asking.last = Some(at);
        let (takes, _) = self.fate(at);
        let end = step.end;
        let ends = (self.now + takes).min(end);
        self.requests[request].running.push(Running {
            id,
            place: at,
            permit: Some(step.permit),
            end,
        });
        self.at(ends, Event::End(request, id));
        if self.requests[request].running.len() == 1 {
            let asking = &self.requests[request];
            let schedule = asking.schedule.as_ref().unwrap();
            let target = &self.places[at].target;
            let after = schedule.hedge_after(Some(Hedge::ON), target, &self.health);
            if let Some(after) = after {
                self.at(self.now + after, Event::Hedge(request, id));
            }
        }
    }

    fn hedge(&mut self, request: usize, first: u64) {
        let asking = &mut self.requests[request];
        let silent = matches!(&*asking.running, [one] if one.id == first);
        if asking.over || !silent {
            return;
        }
        let Some(schedule) = &mut asking.schedule else {
            return;
        };
        if let Some(step) = schedule.hedge(Hedge::ON, self.now, &self.health) {
            self.hedges += 1;
            self.begin(request, step);
        }
    }

    fn end(&mut self, request: usize, attempt: u64) {
        let asking = &mut self.requests[request];
        let Some(at) = asking.running.iter().position(|one| one.id == attempt) else {
            return;
        };
        let mut one = asking.running.remove(at);
        let permit = one.permit.take().unwrap();
        let (_, class) = if self.now >= one.end {
            (secs(0.0), Class::Timeout)
        } else {
            self.fate(one.place)
        };
        let place = &mut self.places[one.place];
        place.probes.retain(|(probe, _)| *probe != attempt);
        if self.requests[request].calls && matches!(class, Class::Ok | Class::Reset) {
            self.calls(request, permit, class);
            return;
        }
        let place = &mut self.places[one.place];
        if class == Class::Ok {
            let mut permit = permit;
            permit.first_token(self.now);
            answer(permit, self.now);
            self.answered += 1;
            self.finish(request);
            return;
        }
        let wait = place.weather.wait.filter(|_| class == Class::RateLimited);
        let failure = Failure {
            wait,
            status: (class == Class::RateLimited).then_some(http::StatusCode::TOO_MANY_REQUESTS),
            ..Failure::new(class, "")
        };
        if let Some(wait) = wait {
            place.not_before = place.not_before.max(Some(self.now + wait));
        }
        let target = Arc::clone(permit.target());
        permit.failed(&failure, self.now);
        let asking = &mut self.requests[request];
        let Some(schedule) = &mut asking.schedule else {
            return;
        };
        if asking.running.is_empty() {
            schedule.failed(failure, &target, false, self.now, &self.health);
            self.look(request);
        } else if !schedule.lost(&failure, &target, self.now) {
            // The other one is given up, and there is no further one.
            self.give_up(request);
            let asking = &mut self.requests[request];
            if let Some(schedule) = &mut asking.schedule {
                schedule.failed(failure, &target, false, self.now, &self.health);
            }
            self.look(request);
        }
    }

    /// An answer with tool calls, whole or cut somewhere, through the real decoder. Behind its commit
    /// point nothing is tried again, so no call can go out twice.
    fn calls(&mut self, request: usize, mut permit: Permit, class: Class) {
        let stream = stream_with_calls();
        let cut = if class == Class::Ok {
            stream.len()
        } else {
            self.rng.usize(..stream.len())
        };
        let mut decoder = Decoder::new(Wanted {
            shape: Shape::Chat,
            choices: 1,
            model: None,
            usage: false,
            moderation: false,
            seed: 1,
        });
        let mut out = Vec::new();
        let mut end = Ok(());
        for chunk in stream[..cut].chunks(self.rng.usize(1..200)) {
            end = end.and_then(|()| decoder.feed(chunk));
            if decoder.released() {
                out.extend(decoder.output());
            }
        }
        let end = end.and_then(|()| decoder.end());
        let out = String::from_utf8(out).unwrap();
        let asking = &mut self.requests[request];
        for name in NAMES {
            if out.contains(&format!("\"name\":\"{name}\"")) {
                assert!(!asking.released.iter().any(|before| before == name));
                asking.released.push(name.to_owned());
            }
        }
        let named = NAMES
            .iter()
            .filter(|name| out.contains(&format!("call_{name}")));
        let parts = out.matches(r#""arguments":"\"}""#).count();
        assert_eq!(parts, named.count(), "a call leaves whole or not at all");
        if decoder.released() || end.is_ok() {
            // It is the caller's now, whole or broken.
            permit.first_token(self.now);
            match &end {
                Ok(()) => answer(permit, self.now),
                Err(failure) => permit.failed(failure, self.now),
            }
            self.answered += usize::from(end.is_ok());
            self.finish(request);
            return;
        }
        let failure = end.unwrap_err();
        let target = Arc::clone(permit.target());
        permit.failed(&failure, self.now);
        let asking = &mut self.requests[request];
        if let Some(schedule) = &mut asking.schedule
            && asking.running.is_empty()
        {
            schedule.failed(failure, &target, false, self.now, &self.health);
            self.look(request);
        }
    }

    fn leave(&mut self, request: usize) {
        if !self.requests[request].over {
            self.finish(request);
        }
    }

    fn give_up(&mut self, request: usize) {
        for one in std::mem::take(&mut self.requests[request].running) {
            let probes = &mut self.places[one.place].probes;
            probes.retain(|(probe, _)| *probe != one.id);
            drop(one.permit);
        }
    }

    fn finish(&mut self, request: usize) {
        self.give_up(request);
        let asking = &mut self.requests[request];
        assert!(!asking.over, "a request ends once");
        assert!(self.now <= asking.deadline, "the deadline is kept");
        asking.over = true;
        asking.waiting = false;
        asking.schedule = None;
        self.ended += 1;
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

    /// What becomes of a try at a place: after how long, and how it ends.
    fn fate(&mut self, at: usize) -> (Duration, Class) {
        self.change_weather(at);
        let Weather {
            fails, how, takes, ..
        } = self.places[at].weather;
        let noise = 0.5 + self.rng.f64();
        if self.rng.u32(..100) >= fails {
            return (takes.mul_f64(noise), Class::Ok);
        }
        let class = how.unwrap_or_else(|| ANY[self.rng.usize(..ANY.len())]);
        let takes = match class {
            Class::Timeout => secs(60.0),
            Class::Connect => secs(0.001),
            _ => secs(0.05 * noise),
        };
        (takes, class)
    }

    fn change_weather(&mut self, at: usize) {
        if self.now < self.places[at].weather.until {
            return;
        }
        let rng = &mut self.rng;
        let fails = [0, 0, 0, 2, 30, 50, 100][rng.usize(..7)];
        let hows = [
            None,
            Some(Class::Timeout),
            Some(Class::Connect),
            Some(Class::RateLimited),
            Some(Class::ServerError),
        ];
        self.places[at].weather = Weather {
            until: self.now + secs(rng.f64() * 120.0),
            fails,
            how: hows[rng.usize(..hows.len())],
            wait: [None, Some(secs(0.5)), Some(secs(20.0))][rng.usize(..3)],
            takes: secs([0.2, 0.4, 1.5, 6.0][rng.usize(..4)]),
        };
    }
}

const NAMES: [&str; 3] = ["weather", "clock", "stock"];

/// Three calls, each in four fragments.
fn stream_with_calls() -> Vec<u8> {
    let frame = |delta: &str, finish: &str| {
        format!(
            r#"data: {{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
        ) + "\n\n"
    };
    let mut stream = frame(r#"{"role":"assistant","content":null}"#, "null");
    for (index, name) in NAMES.iter().enumerate() {
        stream += &frame(
            &format!(
                r#"{{"tool_calls":[{{"index":{index},"id":"call_{name}","type":"function","function":{{"name":"{name}","arguments":""}}}}]}}"#
            ),
            "null",
        );
        for part in [r#"{\"of\":"#, r#"\"a thing"#, r#"\"}"#] {
            stream += &frame(
                &format!(
                    r#"{{"tool_calls":[{{"index":{index},"function":{{"arguments":"{part}"}}}}]}}"#
                ),
                "null",
            );
        }
    }
    stream += &frame("{}", "\"tool_calls\"");
    (stream + "data: [DONE]\n\n").into_bytes()
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
