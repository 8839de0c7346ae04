use super::*;
use crate::health::BreakerPolicy;
use crate::outcome::{Limit, Limits};
use crate::plan::pick::order;
use crate::price::{Price, Tariff};
use crate::snapshot::{Member, Place, Select};

fn place(weights: &[u32], select: Select) -> Place {
    let member = |(i, &weight)| Member {
        target: target(&format!("p{i}/m"), None),
        weight,
    };
    Place {
        members: weights.iter().enumerate().map(member).collect(),
        select,
    }
}

fn rng() -> fastrand::Rng {
    fastrand::Rng::with_seed(3)
}

/// How often each member came first.
fn firsts(place: &Place, selections: impl Iterator<Item = Option<u64>>) -> Vec<u32> {
    let (health, now) = (health(), Instant::now());
    let mut rng = rng();
    let mut firsts = vec![0; place.members.len()];
    for affinity in selections {
        let by = Selection {
            affinity,
            ..selection(&health, now)
        };
        let order = order(place, &by, &mut rng);
        assert_eq!(order.len(), place.members.len());
        let at = |member: &Member| Arc::ptr_eq(&member.target, order[0]);
        firsts[place.members.iter().position(at).unwrap()] += 1;
    }
    firsts
}

#[test]
fn weights_are_kept_and_nobody_is_lost() {
    let place = place(&[95, 5, 0], Select::Weighted);
    for firsts in [
        firsts(&place, (0..10_000).map(|_| None)),
        firsts(&place, (0..10_000).map(Some)),
    ] {
        assert!((9_400..9_600).contains(&firsts[0]), "{firsts:?}");
        assert_eq!(firsts[2], 0);
    }
}

#[test]
fn a_conversation_stays_with_its_target() {
    let before = place(&[50, 50], Select::Weighted);
    let after = place(&[60, 40], Select::Weighted);
    let (health, now) = (health(), Instant::now());
    let mut moved = [0; 2];
    for conversation in 0..1000 {
        let by = Selection {
            affinity: Some(conversation),
            ..selection(&health, now)
        };
        let first = |place: &Place, seed| {
            let order = order(place, &by, &mut fastrand::Rng::with_seed(seed));
            order[0].id.clone()
        };
        let was = first(&before, 1);
        assert_eq!(was, first(&before, 2));
        let is = first(&after, 1);
        if is != was {
            moved[usize::from(&*is == "p1/m")] += 1;
        }
    }
    assert_eq!(moved[1], 0, "nobody moves to the one whose share fell");
    assert!((60..140).contains(&moved[0]), "{moved:?}");
}

/// A target that has been taking so long, in seconds.
fn takes(health: &Health, target: &Arc<Target>, seconds: f64, samples: u32, mut now: Instant) {
    for _ in 0..samples {
        let began = now;
        now += secs(0.5);
        let mut permit = health.admit(ASK, target, began).unwrap();
        permit.first_token(began + secs(seconds));
        answer(permit, began + secs(seconds));
    }
}

#[test]
fn the_fastest_is_the_better_of_two_by_latency_and_load() {
    let place = place(&[1, 1, 1], Select::Fastest);
    let (health, now) = (health(), Instant::now());
    for (member, seconds) in place.members.iter().zip([0.2, 1.0, 3.0]) {
        takes(&health, &member.target, seconds, 10, now);
    }
    let now = now + secs(20.0);
    let mut rng = rng();
    let mut count = |health: &Health| {
        let mut firsts = [0; 3];
        for _ in 0..3000 {
            let order = order(&place, &selection(health, now), &mut rng);
            let at = |member: &Member| Arc::ptr_eq(&member.target, order[0]);
            firsts[place.members.iter().position(at).unwrap()] += 1;
        }
        firsts
    };
    let quiet = count(&health);
    assert!(quiet[0] > 1800 && quiet[1] > quiet[2], "{quiet:?}");
    let _busy: Vec<Permit> = (0..9)
        .map(|_| health.admit(ASK, &place.members[0].target, now).unwrap())
        .collect();
    let busy = count(&health);
    assert!(busy[1] > busy[0], "{busy:?}");
}

#[test]
fn the_cheapest_goes_first_and_the_unpriced_last() {
    let mut place = place(&[1, 1, 1], Select::Cheapest);
    for (member, price) in place.members.iter_mut().zip([
        None,
        Some(Price::new("USD", Tariff::flat(100, 400))),
        Some(Price::new("USD", Tariff::flat(50, 400))),
    ]) {
        Arc::get_mut(&mut member.target).unwrap().price = price;
    }
    let (health, now) = (health(), Instant::now());
    let ids: Vec<&str> = order(&place, &selection(&health, now), &mut rng())
        .into_iter()
        .map(|target| &*target.id)
        .collect();
    assert_eq!(ids, ["p2/m", "p1/m", "p0/m"]);
}

fn planned(targets: &[Arc<Target>], by: &Selection<'_>) -> Result<Vec<String>, GatewayError> {
    let plan = Plan::make(&route(targets), |_| Ok(()), by, &mut rng())?;
    let ids = plan.targets().iter().map(|target| target.id.to_string());
    Ok(ids.collect())
}

#[test]
fn a_slow_target_is_left_for_a_faster_one_alone() {
    let start = Instant::now();
    for (backup, expected) in [
        (Some(1.0), ["b/m", "a/m"]),
        (None, ["b/m", "a/m"]),
        (Some(9.0), ["a/m", "b/m"]),
    ] {
        let health = health();
        let two = targets(&["a/m", "b/m"]);
        takes(&health, &two[0], 0.5, 20, start);
        if let Some(seconds) = backup {
            takes(&health, &two[1], seconds, 20, start);
        }
        let mut now = start + secs(60.0);
        let by = |now| selection(&health, now);
        assert_eq!(planned(&two, &by(now)).unwrap(), ["a/m", "b/m"]);
        takes(&health, &two[0], 6.0, 8, now);
        now += secs(60.0);
        if expected[0] == "b/m" {
            // One request in five seconds measures it.
            assert_eq!(planned(&two, &by(now)).unwrap(), ["a/m", "b/m"]);
        }
        for tenth in 1..40 {
            let now = now + secs(0.1) * tenth;
            assert_eq!(planned(&two, &by(now)).unwrap(), expected, "{backup:?}");
        }
    }
}

/// Streams of 41 tokens that begin after half a second, with so many seconds from token to token.
fn speaks(health: &Health, target: &Arc<Target>, pace: f64, samples: u32, now: Instant) {
    let usage = crate::chat::Usage {
        completion: Some(41),
        ..Default::default()
    };
    for _ in 0..samples {
        let mut permit = health.admit(ASK, target, now).unwrap();
        permit.first_token(now + secs(0.5));
        let end = now + secs(0.5) + secs(pace) * 40;
        permit.answered(usage, Duration::ZERO, end);
    }
}

#[test]
fn a_target_that_begins_in_time_and_then_drags_is_slow() {
    let start = Instant::now();
    // From token to token, the first target of late, the second one always.
    for (late, backup, left) in [(0.1, 0.03, true), (0.1, 0.2, false), (0.05, 0.01, false)] {
        let health = health();
        let two = targets(&["a/m", "b/m"]);
        speaks(&health, &two[0], 0.02, 20, start);
        speaks(&health, &two[1], backup, 20, start);
        let now = start + secs(60.0);
        speaks(&health, &two[0], late, 8, now);
        let now = now + secs(60.0);
        let _measures = planned(&two, &selection(&health, now)).unwrap();
        let order = planned(&two, &selection(&health, now + secs(1.0))).unwrap();
        assert_eq!(order[0] == "b/m", left, "{late} {backup}");
        let plain = Selection {
            ask: Ask {
                kind: Kind::Plain,
                ..ASK
            },
            ..selection(&health, now + secs(2.0))
        };
        assert_eq!(planned(&two, &plain).unwrap()[0], "a/m");
        speaks(&health, &two[0], 0.02, 2, now + secs(3.0));
        let order = planned(&two, &selection(&health, now + secs(4.0))).unwrap();
        assert_eq!(order[0], "a/m", "two quick ones end it");
    }
}

#[test]
fn overflow_goes_to_the_next_target_before_there_is_a_429() {
    let (health, now) = (health(), Instant::now());
    let mut two = targets(&["a/m", "b/m"]);
    let first = Arc::get_mut(&mut two[0]).unwrap();
    Arc::get_mut(&mut first.provider).unwrap().capacity = Capacity {
        concurrency: Some(2),
        ..Capacity::default()
    };
    let by = selection(&health, now);
    assert_eq!(planned(&two, &by).unwrap(), ["a/m", "b/m"]);
    let _running = [(); 2].map(|()| health.admit(ASK, &two[0], now).unwrap());
    assert_eq!(planned(&two, &by).unwrap(), ["b/m", "a/m"]);
    let limits = Limits {
        requests: Some(Limit {
            limit: Some(60),
            remaining: 0,
            reset: secs(60.0),
        }),
        tokens: None,
    };
    health.hear(&two[1], &limits, now);
    assert_eq!(
        planned(&two, &by).unwrap(),
        ["a/m", "b/m"],
        "everybody is full: as the route says"
    );
}

#[test]
fn batch_takes_what_interactive_leaves() {
    let (health, now) = (health(), Instant::now());
    let mut one = targets(&["a/m"]);
    let target = Arc::get_mut(&mut one[0]).unwrap();
    Arc::get_mut(&mut target.provider).unwrap().capacity = Capacity {
        concurrency: Some(10),
        ..Capacity::default()
    };
    let by = |priority| Selection {
        ask: Ask { priority, ..ASK },
        ..selection(&health, now)
    };
    let mut running = Vec::new();
    for _ in 0..8 {
        assert!(planned(&one, &by(Priority::Batch)).is_ok());
        running.push(health.admit(ASK, &one[0], now).unwrap());
    }
    assert_eq!(
        planned(&one, &by(Priority::Batch)),
        Err(GatewayError::Overloaded)
    );
    assert!(planned(&one, &by(Priority::Interactive)).is_ok());
    running.clear();
    assert!(planned(&one, &by(Priority::Batch)).is_ok());
}

#[test]
fn the_breaker_is_the_routes_own() {
    let (health, now) = (health(), Instant::now());
    let target = target("a/m", None);
    let patient = Ask {
        policy: Policy {
            breaker: BreakerPolicy {
                failures: 3,
                ..Policy::DEFAULT.breaker
            },
            ..Policy::DEFAULT
        },
        ..ASK
    };
    for _ in 0..2 {
        let permit = health.admit(patient, &target, now).unwrap();
        permit.failed(&failure(Class::Broken, None), now);
    }
    assert!(health.standing(&target, now).is_ok());
}
