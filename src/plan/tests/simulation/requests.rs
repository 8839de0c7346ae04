//! A request: how it arrives, asks what is next, and is over.

use super::*;

impl World {
    pub(super) fn arrive(&mut self, requests: usize) {
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        if self.rng.u8(..4) == 0 {
            self.rng.shuffle(&mut order);
        }
        order.truncate(self.rng.usize(1..=3));
        let targets = order.iter().map(|at| Arc::clone(&self.places[*at].target));
        let targets: Vec<_> = targets.collect();
        let once = self.rng.u8(..20) == 0;
        let kind = if self.rng.u8(..4) == 0 {
            Kind::Plain
        } else {
            Kind::Streamed
        };
        let hurried = self.rng.u8(..6) == 0;
        let patience = hurried.then(|| secs(0.3 + self.rng.f64() * 5.0));
        let deadline = deadline_of(self.now, kind, patience);
        let ask = Ask {
            kind,
            tokens: self.rng.u64(1..2000),
            hurry: deadline.hurry,
            ..ASK
        };
        let by = Selection {
            health: &self.health,
            ask,
            affinity: None,
            now: self.now,
            deadline: deadline.at,
        };
        let plan = make(&route(&targets), &by, &mut self.rng).unwrap();
        assert_eq!(plan.targets().len(), targets.len(), "nobody is lost");
        let schedule = Schedule::new(&plan, ask, deadline, MAX_ATTEMPTS, once);
        self.requests.push(Asking {
            schedule: Some(schedule),
            arrived: self.now,
            deadline: deadline.at,
            attempts: 0,
            running: Vec::new(),
            waiting: false,
            at_a_limit: false,
            tried: Vec::new(),
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
    pub(super) fn look(&mut self, request: usize) {
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

    pub(super) fn leave(&mut self, request: usize) {
        if !self.requests[request].over {
            self.finish(request);
        }
    }

    pub(super) fn give_up(&mut self, request: usize) {
        for one in std::mem::take(&mut self.requests[request].running) {
            let probes = &mut self.places[one.place].probes;
            probes.retain(|(probe, _)| *probe != one.id);
            drop(one.permit);
        }
    }

    pub(super) fn finish(&mut self, request: usize) {
        self.give_up(request);
        let asking = &mut self.requests[request];
        assert!(!asking.over, "a request ends once");
        assert!(self.now <= asking.deadline, "the deadline is kept");
        asking.over = true;
        asking.waiting = false;
        asking.schedule = None;
        self.ended += 1;
    }
}
