//! The models of one simulated provider, and what each has still to do.
//!
//! [`Part::turn`] decides what a request meets: the script first, then chance. The chance is a
//! generator with a fixed seed, one per model, so that a run repeats whatever the other models do.
//! Never here: the wire, a socket, a clock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;

use super::behaviour::{Behaviour, Fault, FaultClass};
use crate::snapshot::Percent;

/// The entry of `models` that stands for every other name.
const ANY_MODEL: &str = "*";

/// Any fixed number will do: runs must be alike, not secret.
const SEED: u64 = 0x5049_4c4c_494f_4e00;

/// One simulated provider at work.
pub(super) struct Stage {
    pub(super) provider: Arc<str>,
    parts: BTreeMap<String, Part>,
}

/// One model at work.
pub(super) struct Part {
    pub(super) behaviour: Behaviour,
    next: Mutex<Next>,
    requests: AtomicU64,
}

struct Next {
    script: std::vec::IntoIter<FaultClass>,
    rng: Rng,
}

impl Stage {
    pub(super) fn new(provider: Arc<str>, models: BTreeMap<String, Behaviour>) -> Self {
        let parts = models
            .into_iter()
            .map(|(model, behaviour)| (model, Part::new(behaviour, Rng::with_seed(SEED))))
            .collect();
        Self { provider, parts }
    }

    pub(super) fn part(&self, model: &str) -> Option<&Part> {
        self.parts.get(model).or_else(|| self.parts.get(ANY_MODEL))
    }

    /// The names that `/v1/models` lists.
    pub(super) fn models(&self) -> impl Iterator<Item = &str> {
        self.parts
            .keys()
            .map(String::as_str)
            .filter(|name| *name != ANY_MODEL)
    }
}

impl Part {
    fn new(mut behaviour: Behaviour, rng: Rng) -> Self {
        let script = std::mem::take(&mut behaviour.script).into_iter();
        Self {
            behaviour,
            next: Mutex::new(Next { script, rng }),
            requests: AtomicU64::new(0),
        }
    }

    /// Counts one request and says what it meets, with the wait to announce where one was given.
    pub(super) fn turn(&self) -> (FaultClass, Option<Duration>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        match next.script.next() {
            Some(class) => (class, None),
            None => by_chance(&self.behaviour.fail, next.rng.u16(..Percent::PARTS)),
        }
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// The fault whose part of the line below [`Percent::PARTS`] holds `draw`, or none.
fn by_chance(faults: &[Fault], draw: u16) -> (FaultClass, Option<Duration>) {
    let mut end = 0_u32;
    for fault in faults {
        end += u32::from(fault.share.parts());
        if u32::from(draw) < end {
            return (fault.class, fault.wait);
        }
    }
    (FaultClass::Ok, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(class: FaultClass, share: u8) -> Fault {
        Fault {
            class,
            share: Percent::try_new(share).unwrap(),
            wait: None,
        }
    }

    #[test]
    fn shares_lie_side_by_side() {
        let faults = [
            fault(FaultClass::RateLimited, 10),
            fault(FaultClass::Reset, 5),
        ];
        for (draw, class) in [
            (0, FaultClass::RateLimited),
            (999, FaultClass::RateLimited),
            (1000, FaultClass::Reset),
            (1499, FaultClass::Reset),
            (1500, FaultClass::Ok),
            (9999, FaultClass::Ok),
        ] {
            assert_eq!(by_chance(&faults, draw).0, class, "{draw}");
        }
    }

    #[test]
    fn a_script_is_played_once_and_then_chance_decides() {
        let part = Part::new(
            Behaviour {
                script: vec![FaultClass::Timeout, FaultClass::Ok],
                fail: vec![fault(FaultClass::Auth, 100)],
                ..Behaviour::default()
            },
            Rng::with_seed(1),
        );
        let met: Vec<_> = (0..4).map(|_| part.turn().0.name()).collect();
        assert_eq!(met, ["timeout", "ok", "auth", "auth"]);
        assert_eq!(part.requests(), 4);
    }

    #[test]
    fn a_run_repeats_and_keeps_to_its_share() {
        let run = || {
            let behaviour = Behaviour {
                fail: vec![fault(FaultClass::Reset, 20)],
                ..Behaviour::default()
            };
            let stage = Stage::new("p".into(), [("*".to_owned(), behaviour)].into());
            let part = stage.part("any").unwrap();
            (0..1000)
                .map(|_| part.turn().0 == FaultClass::Reset)
                .collect::<Vec<_>>()
        };
        let first = run();
        assert_eq!(first, run());
        let resets = first.iter().filter(|reset| **reset).count();
        assert!((150..250).contains(&resets), "{resets}");
    }
}
