//! What bounds the tries: time, the budget, and a race of two.

use super::*;

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

#[test]
fn what_is_expected_too_late_is_passed_over_only_for_what_is_not_and_comes_last() {
    for (backup, backup_is_well, expected) in [
        (Some(9.0), true, vec!["a/m"]),
        (Some(1.0), true, vec!["b/m"]),
        (None, true, vec!["b/m"]),
        (Some(1.0), false, vec!["b/m", "a/m"]),
    ] {
        let (health, start) = (health(), Instant::now());
        let both = targets(&["a/m", "b/m"]);
        let usually = |target: &Arc<Target>, seconds| {
            for _ in 0..20 {
                let mut permit = health.admit(ASK, target, start).unwrap();
                permit.first_token(start + secs(seconds));
                answer(permit, start + secs(seconds));
            }
        };
        usually(&both[0], 4.0);
        if let Some(seconds) = backup {
            usually(&both[1], seconds);
        }
        let now = start + secs(30.0);
        let mut hurried = deadline(now);
        hurried.at = now + secs(2.0);
        let schedule = Schedule::new(&Plan::of(both), ASK, hurried, 4, false);
        let ran = drive(schedule, &health, now, |id| match id {
            "b/m" if !backup_is_well => ((0.1, Class::ServerError), None),
            _ => ((0.2, Class::Ok), None),
        });
        assert_eq!(ran.tried, expected, "{backup:?} {backup_is_well}");
        assert!(ran.verdict.is_none());
    }
}
