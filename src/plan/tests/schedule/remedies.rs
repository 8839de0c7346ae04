//! What each way of failing leads to.

use super::*;

#[test]
fn every_class_has_its_remedy() {
    let next: &[&str] = &["a/m", "b/m"];
    let here: &[&str] = &["a/m", "a/m", "b/m", "b/m"];
    let never: &[&str] = &["a/m"];
    for (class, expected) in [
        (Class::Connect, here),
        (Class::Timeout, here),
        (Class::Reset, here),
        (Class::RateLimited, &["a/m", "b/m", "b/m", "b/m"]),
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
