//! A try: how it begins, alone or in a race, and how it ends.

use super::*;
use crate::plan::Step;
use crate::snapshot::Hedge;

/// A probe that has told nothing for so long is not waited for.
const SILENCE: Duration = Policy::DEFAULT.slow_floor;

impl World {
    pub(super) fn begin(&mut self, request: usize, step: Step) {
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
        let is_second = asking.tried.contains(&at) || !asking.running.is_empty();
        let counts = if is_second {
            &mut place.seconds
        } else {
            &mut place.firsts
        };
        *counts.entry(second).or_default() += 1;
        asking.tried.push(at);
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

    pub(super) fn hedge(&mut self, request: usize, first: u64) {
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

    pub(super) fn end(&mut self, request: usize, attempt: u64) {
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
}
