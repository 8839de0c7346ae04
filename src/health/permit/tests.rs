//! What a target and its account let through.

use super::super::Hurry;
use super::super::load::Capacity;
use super::super::tests::{ask, health, target};
use super::*;

#[test]
fn what_an_attempt_was_thought_to_take_is_settled_when_it_ends() {
    type End = Box<dyn Fn(Permit, Instant)>;
    let used = |prompt, completion| Usage {
        prompt,
        completion,
        ..Usage::default()
    };
    let answered = |usage| move |permit: Permit, now| permit.answered(usage, Duration::ZERO, now);
    let failed = |class| move |permit: Permit, now| permit.failed(&Failure::new(class, ""), now);
    let ends: [(&str, End, u64); 8] = [
        ("less", Box::new(answered(used(Some(100), Some(50)))), 850),
        ("more", Box::new(answered(used(Some(700), Some(100)))), 200),
        ("unknown", Box::new(answered(used(None, None))), 500),
        ("unreached", Box::new(failed(Class::Connect)), 1000),
        ("limited", Box::new(failed(Class::RateLimited)), 1000),
        ("refused", Box::new(failed(Class::InvalidRequest)), 1000),
        ("late", Box::new(failed(Class::Timeout)), 500),
        ("given up", Box::new(|permit, _| drop(permit)), 500),
    ];
    for (name, end, left) in ends {
        let (health, mut target, now) = (health(), target(), Instant::now());
        let provider = &mut Arc::get_mut(&mut target).unwrap().provider;
        Arc::get_mut(provider).unwrap().capacity = Capacity {
            tpm: Some(1000),
            ..Capacity::default()
        };
        let of = |tokens| Ask {
            tokens,
            ..ask(Kind::Plain)
        };
        let permit = health.admit(of(500), &target, now).unwrap();
        assert!(health.is_full(&of(501), &target, now));
        let later = now + Duration::from_secs(20);
        end(permit, later);
        assert!(!health.is_full(&of(left), &target, later), "{name}");
        let more = health.is_full(&of(left + 1), &target, later);
        assert_eq!(more, left < 1000, "{name}");
        let minute = now + Duration::from_secs(80);
        assert!(!health.is_full(&of(1000), &target, minute), "{name}");
    }
}

#[test]
fn the_pace_is_what_lies_between_the_first_token_and_the_end() {
    let (health, target, mut now) = (health(), target(), Instant::now());
    for _ in 0..3 {
        let mut permit = health.admit(ask(Kind::Streamed), &target, now).unwrap();
        now += Duration::from_millis(200);
        permit.first_token(now);
        permit.first_token(now + Duration::from_millis(300));
        now += Duration::from_millis(500);
        let usage = Usage {
            completion: Some(26),
            ..Usage::default()
        };
        permit.answered(usage, Duration::ZERO, now);
    }
    let report = health.report(&target, now);
    assert_eq!(report.pace.expected, Some(Duration::from_millis(20)));
}

#[test]
fn the_pace_knows_neither_the_callers_pauses_nor_reasoning_nor_a_few_tokens() {
    let (health, target, now) = (health(), target(), Instant::now());
    let usage = |completion, reasoning| Usage {
        completion: Some(completion),
        reasoning,
        ..Usage::default()
    };
    let pace = |usage, held| {
        for _ in 0..3 {
            let mut permit = health.admit(ask(Kind::Streamed), &target, now).unwrap();
            permit.first_token(now);
            permit.answered(usage, held, now + Duration::from_secs(2));
        }
        health.report(&target, now).pace.expected
    };
    assert_eq!(pace(usage(51, Some(30)), Duration::ZERO), None);
    assert_eq!(pace(usage(8, None), Duration::ZERO), None);
    let held = Duration::from_secs(1);
    assert_eq!(pace(usage(51, Some(0)), held), Some(held / 50));
}

#[test]
fn a_caller_in_a_hurry_says_nothing_of_a_target_that_usually_takes_longer() {
    for (hurried, after, opens) in [(true, 300, false), (true, 700, true), (false, 300, true)] {
        let (health, target, mut now) = (health(), target(), Instant::now());
        let ask = Ask {
            hurry: Hurry {
                begin: hurried,
                go_on: false,
            },
            ..ask(Kind::Streamed)
        };
        for _ in 0..5 {
            let mut permit = health.admit(ask, &target, now).unwrap();
            now += Duration::from_millis(500);
            permit.first_token(now);
            permit.answered(Usage::default(), Duration::ZERO, now);
        }
        for _ in 0..2 {
            let permit = health.admit(ask, &target, now).unwrap();
            now += Duration::from_millis(after);
            permit.failed(&Failure::new(Class::Timeout, ""), now);
        }
        let out = health.standing(&target, now).is_err();
        assert_eq!(out, opens, "{hurried} {after}");
        let report = health.report(&target, now);
        assert_eq!(
            (report.in_flight, report.last_failure.is_some()),
            (0, opens)
        );
    }
}

#[test]
fn an_attempt_given_up_early_does_not_make_a_slow_target_quick() {
    for kind in [Kind::Streamed, Kind::Plain] {
        let (health, target, mut now) = (health(), target(), Instant::now());
        let mut ask = ask(kind);
        ask.policy.breaker.failures = 100;
        let mut run = |seconds, timed_out| {
            let mut permit = health.admit(ask, &target, now).unwrap();
            now += Duration::from_secs(seconds);
            if timed_out {
                permit.failed(&Failure::new(Class::Timeout, ""), now);
            } else {
                if kind == Kind::Streamed {
                    permit.first_token(now);
                }
                permit.answered(Usage::default(), Duration::ZERO, now);
            }
            (
                health.is_slow(&target, kind, now),
                health.expected(&target, kind, now).unwrap(),
            )
        };
        for _ in 0..12 {
            run(1, false);
        }
        // Those that lasted longer than is usual do show a rise.
        while !run(20, true).0 {
            run(20, false);
        }
        let (_, expected) = run(20, false);
        for _ in 0..2 {
            assert_eq!(run(1, true), (true, expected), "{kind:?}");
        }
        run(1, false);
        assert!(!run(1, false).0, "{kind:?}: whole answers do");
    }
}
