//! Rate limits: who is passed over, who is waited for, and what is told.

use super::*;

#[test]
fn a_rate_limit_is_waited_out_only_when_there_is_nowhere_to_go() {
    let now = Instant::now();
    let two = targets(&["a/m", "b/m"]);
    let ran = run(&two, &health(), now, |id| {
        let wait = if id == "a/m" { 9.0 } else { 40.0 };
        ((0.0, Class::RateLimited), Some(wait))
    });
    assert_eq!(ran.tried, ["a/m", "b/m", "a/m", "a/m"], "each 9 s");
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
fn a_limit_that_was_told_is_waited_for_where_all_others_fail() {
    let (health, now) = (health(), Instant::now());
    let mut limited = true;
    let ran = run(&targets(&["a/m", "b/m"]), &health, now, |id| match id {
        "a/m" if std::mem::take(&mut limited) => ((0.0, Class::RateLimited), Some(2.0)),
        "a/m" => ((0.0, Class::Ok), None),
        _ => ((0.0, Class::ServerError), None),
    });
    assert_eq!(ran.tried, ["a/m", "b/m", "a/m"]);
    assert!(ran.verdict.is_none());
    assert!(ran.at >= now + secs(2.0) && ran.at < now + secs(3.0));
}

#[test]
fn a_limit_without_a_time_is_tried_again_after_chances_pauses() {
    let (health, now) = (health(), Instant::now());
    let one = targets(&["a/m"]);
    let ran = run(&one, &health, now, always(Class::RateLimited, None));
    assert_eq!(ran.tried, ["a/m"; 4]);
    assert!(ran.at > now && ran.at < now + secs(0.5 + 1.0 + 2.0 + 1.0));
    assert_eq!(ran.verdict.unwrap().retry_after(), None);
    // With somebody else to ask, nobody waits.
    let two = targets(&["b/m", "c/m"]);
    let ran = run(&two, &health, now, |id| match id {
        "b/m" => ((0.0, Class::RateLimited), None),
        _ => ((0.0, Class::Ok), None),
    });
    assert_eq!((ran.tried, ran.at), (vec!["b/m".into(), "c/m".into()], now));
}

#[test]
fn those_who_waited_for_a_limit_wait_for_the_budget_too() {
    let (health, start) = (health(), Instant::now());
    let plan = Plan::of(targets(&["a/m"]));
    let told = |schedule: &mut Schedule| {
        let Next::Try(step) = schedule.next(start, &health) else {
            panic!("it is well");
        };
        step.permit
    };
    let mut waiting: Vec<(Instant, Schedule)> = (0..25)
        .map(|_| (start, Schedule::new(&plan, ASK, deadline(start), 4, false)))
        .collect();
    let permits: Vec<_> = waiting.iter_mut().map(|(_, one)| told(one)).collect();
    for (permit, (_, schedule)) in permits.into_iter().zip(&mut waiting) {
        let limited = failure(Class::RateLimited, Some(2.0));
        let target = Arc::clone(permit.target());
        permit.failed(&limited, start);
        schedule.failed(limited, &target, false, start, &health);
    }
    let mut served = 0;
    while !waiting.is_empty() {
        waiting.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let (now, mut schedule) = waiting.pop().unwrap();
        match schedule.next(now, &health) {
            Next::Try(step) => {
                answer(step.permit, now);
                served += 1;
            }
            Next::Wait(until) => waiting.push((until, schedule)),
            Next::Over => {
                let verdict = schedule.verdict(now);
                assert!(verdict.retry_after().is_some(), "{verdict:?}");
            }
        }
    }
    assert_eq!(served, 25, "within the deadline there is room again");
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
