//! What is tried next, and in which order, on a clock of its own.

mod fleet;
mod mixes;
mod order;
mod rules;
mod schedule;
mod sieve;
mod simulation;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Deadline, Next, Plan, Schedule, Selection, Sieve};
use crate::chat::Look;
use crate::error::GatewayError;
use crate::health::{Ask, Capacity, Health, Hurry, Kind, Permit, Policy, Priority};
use crate::outcome::{Class, Failure};
use crate::snapshot::{self, BaseUrl, Percent, Provider, Residency, Target, Timeouts};

fn target(id: &str, context: Option<u64>) -> Arc<Target> {
    let (provider, model) = id.split_once('/').unwrap();
    let provider = Provider {
        name: provider.into(),
        kind: snapshot::Kind::OpenAiCompatible,
        base_url: BaseUrl::try_new("http://127.0.0.1:1/v1").unwrap(),
        secret: None,
        ca: None,
        headers: http::HeaderMap::new(),
        responses: true,
        capacity: Capacity::default(),
        residency: Vec::new(),
    };
    Arc::new(Target {
        context,
        ..Target::new(id, Arc::new(provider), model)
    })
}

/// A target of a provider of its own, whose kind is another than that of [`target`]'s.
fn of_another_kind(name: &str) -> Arc<Target> {
    let provider = Provider {
        name: name.into(),
        kind: snapshot::Kind::Anthropic,
        base_url: BaseUrl::try_new("http://127.0.0.1:1/v1").unwrap(),
        secret: None,
        ca: None,
        headers: http::HeaderMap::new(),
        responses: false,
        capacity: Capacity::default(),
        residency: Vec::new(),
    };
    Arc::new(Target::new(format!("{name}/m"), Arc::new(provider), "m"))
}

fn targets(ids: &[&str]) -> Vec<Arc<Target>> {
    ids.iter().map(|id| target(id, None)).collect()
}

const ASK: Ask = Ask {
    kind: Kind::Streamed,
    tokens: 100,
    priority: Priority::Interactive,
    policy: Policy::DEFAULT,
    hurry: Hurry {
        begin: false,
        go_on: false,
    },
};

fn health() -> Health {
    Health::new(fastrand::Rng::with_seed(1))
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Within 30 s, 3 s for each attempt.
fn deadline(now: Instant) -> Deadline {
    deadline_of(now, Kind::Streamed, None)
}

fn deadline_of(now: Instant, kind: Kind, patience: Option<Duration>) -> Deadline {
    let timeouts = Timeouts {
        whole: secs(30.0),
        first_token: secs(3.0),
        answer: secs(18.0),
        idle: secs(15.0),
        stream: secs(600.0),
    };
    let reserve = Percent::try_new(40).unwrap();
    Deadline::new(now, &timeouts, reserve, kind == Kind::Streamed, patience)
}

fn failure(class: Class, wait: Option<f64>) -> Failure {
    Failure {
        wait: wait.map(secs),
        ..Failure::new(class, "")
    }
}

/// How an attempt ends: after how long, and with which class.
type End = (f64, Class);

/// One request from its start: the targets that it tries while `world` says how each try ends, and
/// what it is told; `None` once one has answered.
struct Ran {
    tried: Vec<String>,
    verdict: Option<GatewayError>,
    /// When it was over.
    at: Instant,
}

fn run(
    targets: &[Arc<Target>],
    health: &Health,
    now: Instant,
    world: impl FnMut(&str) -> (End, Option<f64>),
) -> Ran {
    let plan = Plan::of(targets.to_vec());
    let schedule = Schedule::new(&plan, ASK, deadline(now), 4, false);
    drive(schedule, health, now, world)
}

fn drive(
    mut schedule: Schedule,
    health: &Health,
    mut now: Instant,
    mut world: impl FnMut(&str) -> (End, Option<f64>),
) -> Ran {
    let mut tried = Vec::new();
    loop {
        match schedule.next(now, health) {
            Next::Over => {
                return Ran {
                    tried,
                    verdict: Some(schedule.verdict(now)),
                    at: now,
                };
            }
            Next::Wait(until) => now = until,
            Next::Try(step) => {
                tried.push(step.target.id.to_string());
                let ((took, class), wait) = world(&step.target.id);
                let ends = now + secs(took);
                now = ends.min(step.end);
                let class = if ends > step.end {
                    Class::Timeout
                } else {
                    class
                };
                if class == Class::Ok {
                    answer(step.permit, now);
                    return Ran {
                        tried,
                        verdict: None,
                        at: now,
                    };
                }
                let failure = failure(class, wait);
                step.permit.failed(&failure, now);
                schedule.failed(failure, &step.target, false, now, health);
            }
        }
    }
}

fn answer(permit: Permit, now: Instant) {
    permit.answered(crate::chat::Usage::default(), Duration::ZERO, now);
}

/// Every try ends so, at once.
fn always(class: Class, wait: Option<f64>) -> impl FnMut(&str) -> (End, Option<f64>) {
    move |_| ((0.0, class), wait)
}

fn selection(health: &Health, now: Instant) -> Selection<'_> {
    Selection {
        health,
        ask: ASK,
        affinity: None,
        now,
        deadline: now + secs(30.0),
    }
}

fn route(targets: &[Arc<Target>]) -> snapshot::Route {
    let places = targets.iter().map(|target| snapshot::Place {
        members: vec![snapshot::Member {
            target: Arc::clone(target),
            weight: 1,
        }],
        select: snapshot::Select::Weighted,
    });
    snapshot::Route {
        places: places.collect(),
        ..snapshot::Route::to(Arc::clone(&targets[0]))
    }
}

/// The plan of a request of which nothing is asked, and nothing demanded.
fn make(
    route: &snapshot::Route,
    by: &Selection<'_>,
    rng: &mut fastrand::Rng,
) -> Result<Plan, GatewayError> {
    let sieve = Sieve {
        look: &Look::unread(b""),
        residency: &Residency::default(),
        budget: None,
        usable: &|_| Ok(()),
    };
    Plan::make(route, None, &sieve, by, rng)
}
