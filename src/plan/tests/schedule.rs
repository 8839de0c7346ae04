use super::*;
use crate::health::Standing;

#[test]
fn every_class_has_its_remedy() {
    let next: &[&str] = &["a/m", "b/m"];
    let here: &[&str] = &["a/m", "a/m", "b/m", "b/m"];
    let never: &[&str] = &["a/m"];
    for (class, expected) in [
        (Class::Connect, here),
        (Class::Timeout, here),
        (Class::Reset, here),
        (Class::RateLimited, next),
        (Class::QuotaExhausted, next),
        (Class::Overloaded, next),
        (Class::ServerError, next),
        (Class::Broken, next),
        (Class::Auth, never),
        (Class::InvalidRequest, never),
        (Class::TargetMissing, next),
        (Class::ContextLength, never),
        (Class::Policy, never),
        (Class::Cancelled, never),
    ] {
        let ran = run(
            &targets(&["a/m", "b/m"]),
            &health(),
            Instant::now(),
            always(class, None),
        );
        assert_eq!(ran.tried, expected, "{class:?}");
        let Some(GatewayError::Unanswered(failure)) = ran.verdict else {
            panic!("{class:?}: {:?}", ran.verdict)
        };
        assert_eq!(failure.class, class);
    }
}

#[test]
fn a_refused_key_is_tried_again_only_when_it_is_new() {
    let (health, now) = (health(), Instant::now());
    let plan = Plan::of(targets(&["a/m", "b/m"]));
    let mut schedule = Schedule::new(&plan, ASK, deadline(now), 4, false);
    let mut tried = Vec::new();
    while let Next::Try(step) = schedule.next(now, &health) {
        tried.push(step.target.id.to_string());
        let failure = failure(Class::Auth, None);
        step.permit.failed(&failure, now);
        schedule.failed(failure, &step.target, true, now, &health);
    }
    assert_eq!(tried, ["a/m", "a/m"]);
}

#[test]
fn a_key_that_was_replaced_beneath_many_costs_none_of_them() {
    let (health, now) = (health(), Instant::now());
    let plan = Plan::of(targets(&["a/m"]));
    let begin = |once| {
        let mut schedule = Schedule::new(&plan, ASK, deadline(now), 4, once);
        let Next::Try(step) = schedule.next(now, &health) else {
            panic!()
        };
        (schedule, step)
    };
    // What is sent once at most has not begun with a key that is refused.
    let running: Vec<_> = (0..100).map(|number| begin(number % 2 == 0)).collect();
    for (mut schedule, step) in running {
        let failure = failure(Class::Auth, None);
        drop(step.permit);
        schedule.failed(failure, &step.target, true, now, &health);
        let Next::Try(again) = schedule.next(now, &health) else {
            panic!("it is not tried with the new key")
        };
        answer(again.permit, now);
    }
}

#[test]
fn what_is_too_long_goes_only_to_a_larger_context() {
    let three = [
        target("a/m", Some(8_000)),
        target("b/m", Some(8_000)),
        target("c/m", Some(32_000)),
    ];
    let ran = run(
        &three,
        &health(),
        Instant::now(),
        always(Class::ContextLength, None),
    );
    assert_eq!(ran.tried, ["a/m", "c/m"]);
}

#[test]
fn a_rate_limit_is_waited_out_only_when_there_is_nowhere_to_go() {
    let now = Instant::now();
    let two = targets(&["a/m", "b/m"]);
    let mut waits = [9.0, 40.0].into_iter();
    let ran = run(&two, &health(), now, |_| {
        ((0.0, Class::RateLimited), waits.next())
    });
    assert_eq!(
        ran.tried,
        ["a/m", "b/m"],
        "9 s are over, then nothing is left"
    );
    let one = targets(&["a/m"]);
    let ran = run(&one, &health(), now, always(Class::RateLimited, Some(1.0)));
    assert_eq!(ran.tried, ["a/m"; 4], "bounded by the attempts");
    let health = health();
    let ran = run(&one, &health, now, always(Class::RateLimited, Some(31.0)));
    assert_eq!(ran.tried, ["a/m"], "the wait is longer than the deadline");
    let ran = run(&one, &health, now + secs(11.0), always(Class::Ok, None));
    assert_eq!(ran.tried, ["a/m"]);
    assert!(ran.verdict.is_none());
    assert!(ran.at >= now + secs(31.0), "not before its time");
}

#[test]
fn a_target_at_its_limit_is_passed_over_until_its_time() {
    let (health, now) = (health(), Instant::now());
    let two = targets(&["a/m", "b/m"]);
    let ran = run(&two, &health, now, |id| match id {
        "a/m" => ((0.0, Class::RateLimited), Some(20.0)),
        _ => ((0.1, Class::Ok), None),
    });
    assert_eq!(ran.tried, ["a/m", "b/m"]);
    for (after, expected) in [(1.0, "b/m"), (19.9, "b/m"), (20.1, "a/m")] {
        let ran = run(&two, &health, now + secs(after), always(Class::Ok, None));
        assert_eq!(ran.tried, [expected], "after {after} s");
    }
}

#[test]
fn everybody_at_a_limit_is_one_answer_with_the_least_wait() {
    let (health, now) = (health(), Instant::now());
    let two = targets(&["a/m", "b/m"]);
    let mut waits = [90.0, 40.0].into_iter();
    run(&two, &health, now, |_| {
        ((0.0, Class::RateLimited), waits.next())
    });
    let ran = run(&two, &health, now + secs(5.0), always(Class::Ok, None));
    assert!(ran.tried.is_empty());
    let verdict = ran.verdict.unwrap();
    assert_eq!(verdict.retry_after(), Some(secs(35.0)));
    assert!(verdict.should_retry());
}

#[test]
fn the_verdict_says_more_than_a_rate_limit_where_it_can() {
    let ends = [(Class::ServerError, None), (Class::RateLimited, Some(90.0))];
    let mut ends = ends.into_iter();
    let ran = run(&targets(&["a/m", "b/m"]), &health(), Instant::now(), |_| {
        let (class, wait) = ends.next().unwrap();
        ((0.0, class), wait)
    });
    assert_eq!(ran.verdict.unwrap().wire().2, "upstream_failed");
}

#[test]
fn nothing_starts_after_the_deadline() {
    let (health, now) = (health(), Instant::now());
    let plan = Plan::of(targets(&["a/m"]));
    let mut schedule = Schedule::new(&plan, ASK, deadline(now), 4, false);
    let late = now + secs(30.0);
    assert!(matches!(schedule.next(late, &health), Next::Over));
    assert_eq!(schedule.verdict(late), GatewayError::DeadlineExceeded);
}

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

    // A probe has told enough with its first token. What follows counts anew.
    let now = now + secs(5.0);
    broken_off(now);
    assert_eq!(health.standing(&target, now), Ok(Standing::Well));
    broken_off(now);
    assert!(health.standing(&target, now).is_err());
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
fn a_marked_account_is_answered_for_by_another_of_its_kind_alone() {
    let (health, now) = (health(), Instant::now());
    let marked = target("a/m", None);
    let same_kind = target("b/m", None);
    let other_kind = of_another_kind("c");
    let ran = run(
        &[Arc::clone(&marked)],
        &health,
        now,
        always(Class::Auth, None),
    );
    assert_eq!(ran.tried, ["a/m"]);
    let both = [
        Arc::clone(&marked),
        Arc::clone(&other_kind),
        Arc::clone(&same_kind),
    ];
    let ran = run(&both, &health, now + secs(1.0), always(Class::Ok, None));
    assert_eq!(ran.tried, ["b/m"]);
    let ran = run(
        &[Arc::clone(&marked), Arc::clone(&other_kind)],
        &health,
        now + secs(1.0),
        always(Class::Ok, None),
    );
    assert!(ran.tried.is_empty());
    assert_eq!(
        ran.verdict.unwrap().wire().2,
        "upstream_authentication_error"
    );
    // One request in ten seconds asks whether it is still refused.
    let ran = run(&both, &health, now + secs(10.0), |id| match id {
        "a/m" => ((0.0, Class::Auth), None),
        _ => ((0.0, Class::Ok), None),
    });
    assert_eq!(ran.tried, ["a/m", "b/m"]);
    let ran = run(&both, &health, now + secs(10.1), always(Class::Ok, None));
    assert_eq!(ran.tried, ["b/m"]);
    health.key_changed(&marked.provider);
    let ran = run(&both, &health, now + secs(10.2), always(Class::Ok, None));
    assert_eq!(ran.tried, ["a/m"]);
}

#[test]
fn an_unknown_model_is_out_until_it_is_configured_anew() {
    let (health, now) = (health(), Instant::now());
    let two = targets(&["a/m", "b/m"]);
    let mut world = |id: &str| match id {
        "a/m" => ((0.0, Class::TargetMissing), None),
        _ => ((0.0, Class::Ok), None),
    };
    assert_eq!(run(&two, &health, now, &mut world).tried, ["a/m", "b/m"]);
    let later = now + secs(3600.0);
    assert_eq!(run(&two, &health, later, &mut world).tried, ["b/m"]);
    let again = targets(&["a/m", "b/m"]);
    assert_eq!(
        run(&again, &health, later, always(Class::Ok, None)).tried,
        ["a/m"]
    );
}

#[test]
fn an_empty_account_is_left_for_long() {
    let (health, now) = (health(), Instant::now());
    let two = [target("a/m", None), target("b/m", None)];
    run(&two, &health, now, always(Class::QuotaExhausted, None));
    let ran = run(&two, &health, now + secs(500.0), always(Class::Ok, None));
    assert!(ran.tried.is_empty());
    assert_eq!(ran.verdict.unwrap().wire().2, "upstream_quota_exhausted");
    let ran = run(&two, &health, now + secs(700.0), always(Class::Ok, None));
    assert_eq!(ran.tried, ["a/m"]);
}

#[test]
fn second_tries_are_bounded_by_the_budget_and_first_ones_are_not() {
    let (health, now) = (health(), Instant::now());
    let mut tries = [0_u32; 2];
    let mut requests = 0;
    for hundredth in 0..2000 {
        let now = now + secs(0.01) * hundredth;
        let mut turn = 0_u32;
        requests += 1;
        run(&targets(&["a/m", "b/m"]), &health, now, |id| {
            tries[usize::from(id == "b/m")] += 1;
            turn += 1;
            // Every other try fails, so that no breaker opens.
            let class = if turn % 2 == 1 {
                Class::Reset
            } else {
                Class::Ok
            };
            ((0.0, class), None)
        });
    }
    let firsts = requests;
    let seconds = tries[0] - firsts;
    assert!(seconds * 5 <= firsts + 50, "{seconds} of {firsts}");
    assert!(tries[1] > firsts / 2, "the others went on: {}", tries[1]);
}

#[test]
fn what_cannot_end_in_time_is_not_begun_where_another_may() {
    let (health, start) = (health(), Instant::now());
    let two = targets(&["a/m", "b/m"]);
    // The first takes 25 s, as a rule.
    let mut now = start;
    for _ in 0..20 {
        let mut permit = health.admit(ASK, &two[0], now).unwrap();
        now += secs(25.0);
        permit.first_token(now);
        answer(permit, now);
    }
    let plan = Plan::of(two.clone());
    let mut schedule = Schedule::new(&plan, ASK, deadline(now - secs(10.0)), 4, false);
    let Next::Try(step) = schedule.next(now, &health) else {
        panic!()
    };
    assert_eq!(&*step.target.id, "b/m", "20 s are left");
    let plan = Plan::of(two[..1].to_vec());
    let mut schedule = Schedule::new(&plan, ASK, deadline(now - secs(10.0)), 4, false);
    assert!(
        matches!(schedule.next(now, &health), Next::Try(_)),
        "the last one is always tried"
    );
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

fn open(health: &Health, target: &Arc<Target>, now: Instant) {
    for _ in 0..2 {
        let permit = health.admit(ASK, target, now).unwrap();
        permit.failed(&failure(Class::ServerError, None), now);
    }
}

fn limit(health: &Health, target: &Arc<Target>, seconds: f64, now: Instant) {
    let permit = health.admit(ASK, target, now).unwrap();
    permit.failed(&failure(Class::RateLimited, Some(seconds)), now);
}

#[test]
fn whoever_finds_the_key_still_refused_is_served_by_another_account() {
    let (health, now) = (health(), Instant::now());
    let both = targets(&["a/m", "b/m"]);
    let mut world = |id: &str| match id {
        "a/m" => ((0.0, Class::Auth), None),
        _ => ((0.1, Class::Ok), None),
    };
    assert!(run(&both, &health, now, &mut world).verdict.is_some());
    // One request a minute: each is the one that asks again.
    for minute in 1..5 {
        let ran = run(&both, &health, now + secs(60.0) * minute, &mut world);
        assert_eq!(ran.tried, ["a/m", "b/m"]);
        assert!(ran.verdict.is_none());
    }
    let other = [Arc::clone(&both[0]), of_another_kind("c")];
    let ran = run(&other, &health, now + secs(600.0), &mut world);
    assert_eq!(ran.tried, ["a/m"], "but never by another kind");
}

#[test]
fn a_long_limit_is_not_waited_out_where_a_shorter_way_exists() {
    let (health, now) = (health(), Instant::now());
    let both = targets(&["a/m", "b/m"]);
    limit(&health, &both[0], 2.0, now);
    let ran = run(&both, &health, now, |id| match id {
        "a/m" => ((0.1, Class::Ok), None),
        _ => ((0.0, Class::RateLimited), Some(20.0)),
    });
    assert_eq!(ran.tried, ["b/m", "a/m"]);
    assert!(ran.at < now + secs(3.0));
    // A breaker that is half-open before is a way, too.
    let both = targets(&["c/m", "d/m"]);
    open(&health, &both[0], now);
    let ran = run(&both, &health, now, |id| match id {
        "c/m" => ((0.1, Class::Ok), None),
        _ => ((0.0, Class::RateLimited), Some(20.0)),
    });
    assert!(ran.verdict.is_none() && ran.at < now + secs(6.0));
}

#[test]
fn who_may_not_follow_is_not_waited_for() {
    let (health, now) = (health(), Instant::now());
    let other = of_another_kind("b");
    let refused = health.admit(ASK, &other, now).unwrap();
    refused.failed(&failure(Class::Auth, None), now);
    let limited = target("a/m", None);
    limit(&health, &limited, 9.0, now);
    let opened = target("c/m", None);
    open(&health, &opened, now);
    for first in [limited, opened] {
        let targets = [first, Arc::clone(&other)];
        let ran = run(&targets, &health, now + secs(1.0), always(Class::Ok, None));
        assert!(ran.tried.is_empty(), "{:?}", ran.tried);
        assert_eq!(
            ran.verdict.unwrap().wire().2,
            "upstream_authentication_error"
        );
        assert_eq!(ran.at, now + secs(1.0), "at once");
    }
}

#[test]
fn what_is_too_long_does_not_wait_for_a_smaller_context() {
    let (health, now) = (health(), Instant::now());
    let both = [target("a/m", Some(4_000)), target("b/m", Some(8_000))];
    limit(&health, &both[0], 9.0, now);
    let ran = run(&both, &health, now, always(Class::ContextLength, None));
    assert_eq!(ran.tried, ["b/m"]);
    assert_eq!(ran.at, now);
}

#[test]
fn a_broken_backup_does_not_end_the_wait_for_a_limit() {
    let (health, now) = (health(), Instant::now());
    let both = targets(&["a/m", "b/m"]);
    limit(&health, &both[0], 4.0, now);
    open(&health, &both[1], now);
    let _probe = health.resort(ASK, &both[1], now).unwrap();
    let ran = run(&both, &health, now, always(Class::Ok, None));
    assert!(ran.verdict.is_none(), "{:?}", ran.verdict);
}

#[test]
fn the_wait_that_is_told_is_the_one_that_was_named_last() {
    let (health, now) = (health(), Instant::now());
    let mut waits = [2.0, 50.0].into_iter();
    let ran = run(&targets(&["a/m"]), &health, now, |_| {
        ((0.0, Class::RateLimited), waits.next())
    });
    assert_eq!(ran.tried, ["a/m", "a/m"]);
    let wait = ran.verdict.unwrap().retry_after().unwrap();
    assert!(wait > secs(49.0), "{wait:?}");
}

#[test]
fn of_two_that_run_the_second_never_ends_the_first() {
    for (which, class, goes_on) in [
        (1, Class::Auth, true),
        (1, Class::InvalidRequest, true),
        (1, Class::ContextLength, true),
        (0, Class::Auth, false),
        (0, Class::Policy, false),
        (0, Class::ContextLength, true),
        (0, Class::Reset, true),
    ] {
        let (health, now) = (health(), Instant::now());
        let both = [target("a/m", Some(4_000)), target("b/m", Some(8_000))];
        for _ in 0..20 {
            answer(health.admit(ASK, &both[0], now).unwrap(), now);
        }
        let mut schedule = Schedule::new(&Plan::of(both.to_vec()), ASK, deadline(now), 4, false);
        let Next::Try(first) = schedule.next(now, &health) else {
            panic!()
        };
        let second = schedule.hedge(snapshot::Hedge::ON, now, &health).unwrap();
        let failure = failure(class, None);
        let lost = [&first.target, &second.target][which];
        assert_eq!(
            schedule.lost(&failure, lost, now),
            goes_on,
            "{class:?} of {which}"
        );
    }
}

#[test]
fn after_a_race_the_one_that_failed_last_is_tried_again() {
    let (health, now) = (health(), Instant::now());
    let both = targets(&["a/m", "b/m"]);
    for _ in 0..20 {
        answer(health.admit(ASK, &both[0], now).unwrap(), now);
    }
    let mut schedule = Schedule::new(&Plan::of(both.clone()), ASK, deadline(now), 4, false);
    let Next::Try(first) = schedule.next(now, &health) else {
        panic!()
    };
    let second = schedule.hedge(snapshot::Hedge::ON, now, &health).unwrap();
    let broken = failure(Class::ServerError, None);
    second.permit.failed(&broken, now);
    assert!(schedule.lost(&broken, &second.target, now));
    let reset = failure(Class::Reset, None);
    first.permit.failed(&reset, now);
    schedule.failed(reset, &first.target, false, now, &health);
    let Next::Try(again) = schedule.next(now, &health) else {
        panic!()
    };
    assert_eq!(&*again.target.id, "a/m");
}
