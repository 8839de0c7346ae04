//! Open breakers, their probes, and the last resort.

use super::*;
use crate::health::{Standing, Why};

#[test]
fn an_open_breaker_sends_everybody_to_the_backup() {
    let (health, now) = (health(), Instant::now());
    let two = targets(&["a/m", "b/m"]);
    let mut world = |id: &str| match id {
        "a/m" => ((0.0, Class::ServerError), None),
        _ => ((0.1, Class::Ok), None),
    };
    for _ in 0..2 {
        assert_eq!(run(&two, &health, now, &mut world).tried, ["a/m", "b/m"]);
    }
    for tenth in 0..39 {
        let now = now + secs(0.1) * tenth;
        assert_eq!(run(&two, &health, now, &mut world).tried, ["b/m"]);
    }
    let now = now + secs(5.0);
    assert_eq!(health.standing(&two[0], now), Ok(Standing::HalfOpen));
    assert_eq!(
        run(&two, &health, now, always(Class::Ok, None)).tried,
        ["a/m"]
    );
    assert_eq!(health.standing(&two[0], now), Ok(Standing::Well));
}

#[test]
fn a_target_that_breaks_off_what_it_begins_is_left_too() {
    let (health, now) = (health(), Instant::now());
    let target = target("a/m", None);
    let broken_off = |now| {
        let mut permit = health.admit(ASK, &target, now).unwrap();
        permit.first_token(now);
        permit.failed(&failure(Class::Reset, None), now);
    };
    broken_off(now);
    assert_eq!(health.standing(&target, now), Ok(Standing::Well));
    broken_off(now);
    assert!(health.standing(&target, now).is_err());

    // A probe that began well lets the others in, on trial: until an answer is whole, one that breaks
    // off is enough, and the target is left for longer.
    let now = now + secs(5.0);
    let mut probe = health.admit(ASK, &target, now).unwrap();
    probe.first_token(now);
    assert_eq!(health.standing(&target, now), Ok(Standing::Well));
    probe.failed(&failure(Class::Reset, None), now);
    let out = health.standing(&target, now + secs(7.9)).unwrap_err();
    assert!(
        out.until > Some(now + secs(7.9)),
        "ten seconds, less the jitter"
    );
    let now = now + secs(10.0);
    let mut probe = health.admit(ASK, &target, now).unwrap();
    probe.first_token(now);
    answer(probe, now);
    broken_off(now);
    assert_eq!(health.standing(&target, now), Ok(Standing::Well));
    broken_off(now);
    let out = health.standing(&target, now).unwrap_err();
    assert!(out.until <= Some(now + secs(5.0)), "as the first time");
}

#[test]
fn callers_in_a_hurry_leave_a_dead_target_too() {
    let (health, mut now) = (health(), Instant::now());
    let target = target("a/m", None);
    let hurried = Ask {
        hurry: Hurry {
            begin: true,
            go_on: true,
        },
        ..ASK
    };
    for _ in 0..20 {
        let mut permit = health.admit(hurried, &target, now).unwrap();
        now += secs(4.0);
        permit.first_token(now);
        answer(permit, now);
    }
    let silent = |now: &mut Instant| {
        let permit = health.admit(hurried, &target, *now).ok()?;
        *now += secs(1.0);
        permit.failed(&failure(Class::Timeout, None), *now);
        Some(())
    };
    let sent = (0..50).map_while(|_| silent(&mut now)).count();
    assert_eq!(sent, 10, "eight are excused, two are enough");
    now += secs(5.0);
    silent(&mut now).unwrap();
    let out = health.standing(&target, now).unwrap_err();
    assert!(
        out.until > Some(now + secs(6.0)),
        "a probe in a hurry is a probe"
    );
    // One that pauses for longer than such a caller waits has done nothing wrong.
    now += secs(11.0);
    for _ in 0..5 {
        let mut permit = health.admit(hurried, &target, now).unwrap();
        permit.first_token(now);
        permit.failed(&failure(Class::Timeout, None), now);
    }
    assert_eq!(health.standing(&target, now), Ok(Standing::Well));
}

#[test]
fn what_was_on_its_way_brings_no_account_back() {
    for (class, why) in [
        (Class::Auth, Why::Auth),
        (Class::QuotaExhausted, Why::Quota),
    ] {
        let (health, now) = (health(), Instant::now());
        let target = target("a/m", None);
        let mut before = health.admit(ASK, &target, now).unwrap();
        let refused = health.admit(ASK, &target, now).unwrap();
        let later = now + secs(1.0);
        refused.failed(&failure(class, None), later);
        before.first_token(later);
        answer(before, later);
        let out = health.standing(&target, later).unwrap_err();
        assert_eq!(out.why, why);
    }
}

#[test]
fn a_half_open_breaker_has_one_probe() {
    let (health, now) = (health(), Instant::now());
    let two = targets(&["a/m", "b/m"]);
    for _ in 0..2 {
        health
            .admit(ASK, &two[0], now)
            .unwrap()
            .failed(&failure(Class::Overloaded, None), now);
    }
    let now = now + secs(5.0);
    let mut schedules: Vec<Schedule> = (0..100)
        .map(|_| Schedule::new(&Plan::of(two.clone()), ASK, deadline(now), 4, false))
        .collect();
    let steps = schedules
        .iter_mut()
        .map(|schedule| schedule.next(now, &health));
    let steps: Vec<Next> = steps.collect();
    let to_first = steps
        .iter()
        .filter(|next| matches!(next, Next::Try(step) if &*step.target.id == "a/m"));
    assert_eq!(to_first.count(), 1);
    let probe = steps.into_iter().next();
    drop(probe);
    assert_eq!(
        health.standing(&two[0], now),
        Ok(Standing::HalfOpen),
        "given up: another one may go"
    );
}

#[test]
fn with_every_breaker_open_one_probes_and_the_rest_are_told_soon() {
    let (health, now) = (health(), Instant::now());
    let two = targets(&["a/m", "b/m"]);
    for target in &two {
        for _ in 0..2 {
            let permit = health.admit(ASK, target, now).unwrap();
            permit.failed(&failure(Class::ServerError, None), now);
        }
    }
    let plan = Plan::of(two.clone());
    let new = || Schedule::new(&plan, ASK, deadline(now), 4, false);
    let (mut first, mut second, mut third) = (new(), new(), new());
    let probes = [first.next(now, &health), second.next(now, &health)];
    assert!(probes.iter().all(|next| matches!(next, Next::Try(_))));
    let Next::Wait(until) = third.next(now, &health) else {
        panic!("there is no third probe")
    };
    assert!(until <= now + secs(0.05));
    assert!(matches!(third.next(until, &health), Next::Over));
    let verdict = third.verdict(until);
    assert_eq!(verdict.wire().2, "no_eligible_target");
    assert!(verdict.retry_after().unwrap() <= secs(5.0));
    assert!(!verdict.should_retry());

    // A probe that comes back lets those in who wait.
    let mut fourth = new();
    assert!(matches!(fourth.next(now, &health), Next::Wait(_)));
    let [Next::Try(probe), _] = probes else {
        panic!()
    };
    answer(probe.permit, now);
    let Next::Try(step) = fourth.next(now, &health) else {
        panic!("the breaker has closed")
    };
    assert!(!step.permit.is_probe());
}

#[test]
fn who_waits_for_a_last_resort_looks_again_when_its_turn_may_have_come() {
    let (health, now) = (health(), Instant::now());
    let all = targets(&["a/m"]);
    for _ in 0..2 {
        run(&all, &health, now, always(Class::ServerError, None));
    }
    let plan = Plan::of(all);
    let waits = || {
        let mut schedule = Schedule::new(&plan, ASK, deadline(now), 4, false);
        schedule.next(now, &health)
    };
    let Next::Try(probe) = waits() else {
        panic!("one goes");
    };
    let Next::Wait(until) = waits() else {
        panic!("the others wait");
    };
    assert_eq!(until, now + secs(0.05), "only its end would tell");
    probe.permit.failed(&failure(Class::ServerError, None), now);
    let Next::Wait(until) = waits() else {
        panic!("there is a pause");
    };
    assert!(until <= now + secs(0.01), "which nobody tells the end of");
    let mut schedule = Schedule::new(&plan, ASK, deadline(now), 4, false);
    assert!(matches!(schedule.next(until, &health), Next::Try(_)));
}
