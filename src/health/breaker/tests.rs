//! When a breaker opens, and who is let through meanwhile.

use super::*;
use crate::health::policy::Policy;

const POLICY: BreakerPolicy = Policy::DEFAULT.breaker;

fn at(start: Instant, seconds: f64) -> Instant {
    start + Duration::from_secs_f64(seconds)
}

/// Of the one request that began at the start, where there is one.
fn fail(breaker: &mut Breaker, now: Instant, probe: Option<Probe>, jitter: f64) -> bool {
    let began = breaker.probing;
    breaker.failed(now, probe, began.unwrap_or(now), &POLICY, jitter)
}

fn open(start: Instant) -> Breaker {
    let mut breaker = Breaker::default();
    assert!(!fail(&mut breaker, start, None, 0.0));
    assert!(fail(&mut breaker, start, None, 0.0));
    breaker
}

#[test]
fn a_hint_opens_it_and_is_not_passed_on() {
    let start = Instant::now();
    let mut breaker = Breaker::default();
    let until = at(start, 20.0);
    breaker.heed(start, until);
    assert_eq!(breaker.gate(start), Gate::Open { until });
    assert_eq!(breaker.found_out(), None);
    // A later hint does not lengthen it while it lasts, ...
    breaker.heed(at(start, 1.0), at(start, 50.0));
    assert_eq!(breaker.gate(at(start, 20.0)), Gate::Probe);
    // ... but does so before anybody has gone, and not when somebody has.
    breaker.heed(at(start, 21.0), at(start, 30.0));
    assert_eq!(
        breaker.gate(at(start, 29.0)),
        Gate::Open {
            until: at(start, 30.0)
        }
    );
    breaker.probe(at(start, 30.0));
    breaker.heed(at(start, 31.0), at(start, 90.0));
    // What that one finds is this process's own, and the first it knows.
    let began = at(start, 30.0);
    assert!(breaker.failed(at(start, 31.0), Some(Probe::HalfOpen), began, &POLICY, 0.0));
    assert_eq!(breaker.found_out(), Some(at(start, 36.0)));
    breaker.heed(at(start, 32.0), at(start, 90.0));
    assert_eq!(breaker.found_out(), Some(at(start, 36.0)));
    breaker.answered(Some(Probe::HalfOpen), began);
    assert_eq!(breaker.gate(at(start, 33.0)), Gate::Closed);
}

#[test]
fn failures_in_a_row_open_it() {
    let start = Instant::now();
    let mut breaker = Breaker::default();
    fail(&mut breaker, start, None, 0.0);
    breaker.answered(None, start);
    assert!(
        !fail(&mut breaker, at(start, 1.0), None, 0.0),
        "not in a row"
    );
    assert!(
        !fail(&mut breaker, at(start, 62.0), None, 0.0),
        "too long after the one before"
    );
    assert!(fail(&mut breaker, at(start, 122.0), None, 0.0));
    assert_eq!(
        breaker.gate(at(start, 123.0)),
        Gate::Open {
            until: at(start, 127.0)
        }
    );
}

#[test]
fn one_request_goes_when_the_cooldown_is_over() {
    let start = Instant::now();
    let mut breaker = open(start);
    assert_eq!(breaker.gate(at(start, 5.0)), Gate::Probe);
    breaker.probe(start);
    assert!(matches!(breaker.gate(at(start, 5.0)), Gate::Open { .. }));
    breaker.released(start);
    assert_eq!(breaker.gate(at(start, 5.0)), Gate::Probe, "given up");
    breaker.probe(start);
    assert!(breaker.answered(Some(Probe::HalfOpen), start));
    assert_eq!(breaker.gate(at(start, 5.0)), Gate::Closed);
}

#[test]
fn the_cooldown_doubles_with_each_probe_that_fails() {
    let start = Instant::now();
    let mut breaker = open(start);
    let mut now = 5.0;
    for cooldown in [10.0, 20.0, 40.0, 60.0, 60.0] {
        breaker.probe(start);
        assert!(fail(
            &mut breaker,
            at(start, now),
            Some(Probe::HalfOpen),
            0.0
        ));
        let until = at(start, now + cooldown);
        assert_eq!(breaker.gate(at(start, now)), Gate::Open { until });
        now += cooldown;
    }
    breaker.probe(start);
    breaker.answered(Some(Probe::HalfOpen), start);
    fail(&mut breaker, at(start, now), None, 0.0);
    fail(&mut breaker, at(start, now), None, 1.0);
    let until = at(start, now + 4.0);
    assert_eq!(
        breaker.gate(at(start, now)),
        Gate::Open { until },
        "at first again, less the jitter"
    );
}

#[test]
fn what_was_on_its_way_when_it_opened_changes_nothing() {
    let start = Instant::now();
    let mut breaker = open(start);
    assert!(!breaker.answered(None, start));
    assert!(!fail(&mut breaker, at(start, 1.0), None, 0.0));
    let until = at(start, 5.0);
    assert_eq!(breaker.gate(at(start, 1.0)), Gate::Open { until });
}

#[test]
fn a_last_resort_goes_alone_and_more_seldom_while_it_fails() {
    let start = Instant::now();
    let mut breaker = open(start);
    let mut now = 1.0;
    for pause in [0.010, 0.020, 0.040, 0.080] {
        assert!(breaker.resort(at(start, now), None));
        assert!(!breaker.resort(at(start, now), None), "one at a time");
        assert!(!fail(
            &mut breaker,
            at(start, now),
            Some(Probe::LastResort),
            0.0
        ));
        assert!(!breaker.resort(at(start, now + pause * 0.9), None));
        now += pause * 1.01;
    }
    let until = at(start, 5.0);
    assert_eq!(
        breaker.gate(at(start, 1.0)),
        Gate::Open { until },
        "the cooldown is as it was"
    );
    assert!(breaker.resort(at(start, now), None));
    assert!(breaker.answered(Some(Probe::LastResort), start));
    assert_eq!(breaker.gate(at(start, now)), Gate::Closed);
    assert!(!breaker.resort(at(start, now), None), "nothing to force");
}

#[test]
fn a_silent_one_is_not_waited_for_and_its_end_changes_nothing() {
    let start = Instant::now();
    let mut breaker = open(start);
    let silence = Some(Duration::from_millis(500));
    let (first, second) = (at(start, 1.0), at(start, 1.5));
    assert!(breaker.resort(first, silence));
    assert_eq!(breaker.turn(silence), Some(second));
    assert_eq!(breaker.turn(None), None, "only its end would tell");
    assert!(!breaker.resort(at(start, 1.4), silence));
    assert!(breaker.resort(second, silence));
    let probe = Some(Probe::LastResort);
    assert!(!breaker.failed(at(start, 1.6), probe, first, &POLICY, 0.0));
    assert!(!breaker.resort(at(start, 1.9), silence), "the second goes");
    assert!(!breaker.failed(at(start, 1.9), probe, second, &POLICY, 0.0));
    // The silence counted like a failure.
    assert_eq!(breaker.turn(silence), Some(at(start, 1.92)));
    assert!(breaker.resort(at(start, 1.92), silence));
}

#[test]
fn a_probe_beside_a_last_resort_opens_it_for_longer_all_the_same() {
    let start = Instant::now();
    let mut breaker = open(start);
    breaker.probe(at(start, 5.0));
    let silence = Some(Duration::from_millis(500));
    assert!(breaker.resort(at(start, 6.0), silence));
    let probe = Some(Probe::HalfOpen);
    assert!(breaker.failed(at(start, 7.0), probe, at(start, 5.0), &POLICY, 0.0));
    let until = at(start, 17.0);
    assert_eq!(breaker.gate(at(start, 7.0)), Gate::Open { until });
    assert!(!breaker.resort(at(start, 7.0), None), "one is on its way");
    assert!(breaker.answered(Some(Probe::LastResort), start));
    assert_eq!(breaker.gate(at(start, 7.0)), Gate::Closed);
}
