//! The loop on a clock of its own: no socket is involved.

mod stage;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use self::stage::{Centre, Folder, Plan, REFRESH, Sidecar, away, document};
use super::signature::tests::{key, sign};
use super::*;
use crate::source::SourceError;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

fn kept_in(folder: &Folder) -> Plan {
    Plan {
        folder: Some(folder.0.clone()),
        ..Plan::default()
    }
}

fn watching() -> Plan {
    Plan {
        watches: true,
        ..Plan::default()
    }
}

#[tokio::test(start_paused = true)]
async fn the_source_comes_first_and_what_it_has_is_kept() {
    let folder = Folder::with(&[("old", None)]);
    let centre = Centre::with("new");
    let start = Instant::now();
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    assert!(sidecar.lives_by("new").await - start < SECOND);
    sleep(SECOND).await;
    assert_eq!(sidecar.cast.all(), ["new"]);
    assert_eq!(folder.kept(), ["new", "old"]);
    assert_eq!(sidecar.detail().from, Some(Origin::Source));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_silent_is_waited_for_five_seconds_then_the_last_good_one_serves() {
    let folder = Folder::with(&[("older", None), ("v4 old", Some(4))]);
    let centre = Centre::silent();
    let start = Instant::now();
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    let took = sidecar.lives_by("v4 old").await - start;
    assert!((5 * SECOND..6 * SECOND).contains(&took), "{took:?}");
    sleep(SECOND).await;
    let detail = sidecar.detail();
    assert_eq!((detail.from, detail.version), (Some(Origin::Copy), Some(4)));
    assert!(detail.away.unwrap().contains("has not answered in 5 s"));
    assert_eq!(sidecar.cast.all(), ["v4 old"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_outage_is_not_waited_for() {
    for error in [
        SourceError::Missing,
        SourceError::Refused("401".into()),
        SourceError::Unusable("too long".into()),
    ] {
        let folder = Folder::with(&[("old", None)]);
        let centre = Centre::failing(error.clone());
        let start = Instant::now();
        let sidecar = Sidecar::start(&centre, kept_in(&folder));
        assert!(sidecar.lives_by("old").await - start < SECOND, "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_source_and_copy_it_goes_on_trying_and_says_why() {
    let centre = Centre::failing(away());
    let sidecar = Sidecar::start(&centre, Plan::default());
    sleep(60 * MINUTE).await;
    assert!(sidecar.is_running());
    assert_eq!(sidecar.cast.all(), [""; 0]);
    let detail = sidecar.detail();
    assert_eq!(detail.from, None);
    assert_eq!(detail.age_seconds, 3600);
    assert_eq!(detail.away.as_deref(), Some("cannot be reached: refused"));
    centre.says("first");
    let back = Instant::now();
    assert!(sidecar.lives_by("first").await - back <= MINUTE);
    sleep(SECOND).await;
    let detail = sidecar.detail();
    assert_eq!((detail.away, detail.from), (None, Some(Origin::Source)));
}

#[tokio::test(start_paused = true)]
async fn a_start_in_an_outage_ends_in_the_newest_document_once_the_source_is_back() {
    let folder = Folder::with(&[("old", None)]);
    let centre = Centre::failing(away());
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    sidecar.lives_by("old").await;
    sleep(10 * MINUTE).await;
    assert!(sidecar.detail().age_seconds >= 600);
    centre.says("new");
    sidecar.lives_by("new").await;
    sleep(SECOND).await;
    assert_eq!(sidecar.cast.all(), ["old", "new"]);
    assert_eq!(folder.kept(), ["new", "old"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_live_within_a_second_where_the_source_watches_and_an_interval_where_not() {
    for (plan, limit) in [
        (watching(), SECOND),
        (Plan::default(), REFRESH.mul_f64(1.2) + SECOND),
    ] {
        let centre = Centre::with("0");
        let sidecar = Sidecar::start(&centre, plan);
        sidecar.lives_by("0").await;
        for number in 1..20 {
            sleep(Duration::from_secs_f64(7.3 * f64::from(number))).await;
            let text = number.to_string();
            centre.says(&text);
            let changed = Instant::now();
            assert!(sidecar.lives_by(&text).await - changed <= limit);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn equal_content_is_no_change() {
    let centre = Centre::with("one");
    let sidecar = Sidecar::start(&centre, watching());
    sidecar.lives_by("one").await;
    for signature in ["a", "b", "c"] {
        let mut same = document("one");
        same.signature = Some(signature.into());
        centre.has(same);
        sleep(SECOND).await;
    }
    assert_eq!(sidecar.cast.all(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_that_meet_a_returning_source_ask_once_an_interval() {
    let centre = Centre::with("one");
    let plan = |number| Plan {
        number,
        watches: number % 2 == 0,
        ..Plan::default()
    };
    let fleet: Vec<_> = (0..1000)
        .map(|number| Sidecar::start(&centre, plan(number)))
        .collect();
    sleep(MINUTE).await;
    centre.fails(away());
    sleep(20 * MINUTE).await;
    // A minute of the outage: each asks a few times, spread over all of it.
    let outage = Instant::now() - MINUTE;
    let asked: Vec<_> = (0..1000).map(|number| centre.asked_by(number)).collect();
    let during = asked.iter().flatten().filter(|at| **at >= outage).count();
    assert!((1000..4000).contains(&during), "{during} in a minute");
    centre.says("two");
    let back = Instant::now();
    sleep(MINUTE + SECOND).await;
    let mut seconds = [0; 60];
    for (number, sidecar) in fleet.iter().enumerate() {
        let after: Vec<_> = centre.asked_by(number);
        let after: Vec<_> = after.into_iter().filter(|at| *at >= back).collect();
        let (text, since) = sidecar.cast.last().unwrap();
        assert_eq!(text, "two", "{number}");
        assert!(since - back <= MINUTE);
        let second = (after[0] - back).as_secs().min(59);
        seconds[usize::try_from(second).unwrap()] += 1;
        if number % 2 == 1 {
            let apart = after.windows(2).map(|two| two[1] - two[0]);
            assert!(
                apart
                    .min()
                    .is_none_or(|least| least >= REFRESH.mul_f64(0.8))
            );
        } else {
            // What got the document watches from then on: it asks once, and waits.
            assert!(after.len() <= 4, "{number}: {after:?}");
        }
    }
    assert!(seconds.iter().all(|asked| *asked <= 45), "{seconds:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_names_a_time_is_left_alone_until_then() {
    let centre = Centre::with("one");
    let sidecar = Sidecar::start(&centre, Plan::default());
    sidecar.lives_by("one").await;
    centre.fails(SourceError::Away {
        why: "503".into(),
        again: Some(5 * MINUTE),
    });
    sleep(60 * MINUTE).await;
    let asked = centre.asked_by(0);
    let apart = asked.windows(2).skip(2).map(|two| two[1] - two[0]);
    assert!(apart.min().unwrap() >= 5 * MINUTE);
    assert!(asked.len() >= 10);
    centre.fails(away());
    sleep(10 * MINUTE).await;
    centre.says("two");
    sidecar.lives_by("two").await;
}

#[tokio::test(start_paused = true)]
async fn a_poisoned_document_changes_nothing_and_is_counted_once() {
    let folder = Folder::new();
    let centre = Centre::with("good");
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    sidecar.lives_by("good").await;
    centre.says("bad");
    sleep(5 * MINUTE).await;
    let detail = sidecar.detail();
    let told = "https://centre.example/pillion.yaml:1:1: it is bad";
    assert_eq!(detail.refused.as_deref(), Some(told));
    assert_eq!(detail.from, Some(Origin::Source));
    let counted = "pillion_config_refusals_total{reason=\"invalid\"} 1\n";
    assert!(sidecar.metrics.render().contains(counted));
    assert_eq!(folder.kept(), ["good"]);
    // Whoever has cured it on our side says so.
    sidecar.cast.tolerate();
    sidecar.again.notify_one();
    sleep(SECOND).await;
    assert_eq!(sidecar.cast.all(), ["good", "bad"]);
    assert_eq!(sidecar.detail().refused, None);
    assert_eq!(folder.kept(), ["bad", "good"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_again_when_what_was_unusable_is_gone() {
    let centre = Centre::with("good");
    let sidecar = Sidecar::start(&centre, watching());
    sidecar.lives_by("good").await;
    centre.says("bad");
    sleep(MINUTE).await;
    centre.fails(SourceError::Unusable("too long".into()));
    sleep(MINUTE).await;
    assert!(sidecar.detail().refused.unwrap().contains("too long"));
    centre.says("bad");
    sleep(2 * MINUTE).await;
    assert!(sidecar.detail().refused.unwrap().ends_with("it is bad"));
    assert_eq!(sidecar.cast.all(), ["good"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_copy_says_of_itself_keeps_nothing_newer_back() {
    let folder = Folder::with(&[("v8 old", Some(999))]);
    let centre = Centre::with("v9 new");
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    sidecar.lives_by("v9 new").await;
    sleep(SECOND).await;
    assert_eq!(sidecar.cast.all(), ["v8 old", "v9 new"]);
    let detail = sidecar.detail();
    assert_eq!((detail.refused, detail.version), (None, Some(9)));
}

#[tokio::test(start_paused = true)]
async fn back_to_what_is_live_the_refusal_is_over() {
    let centre = Centre::with("good");
    let sidecar = Sidecar::start(&centre, watching());
    sidecar.lives_by("good").await;
    for wrong in [
        Ok("bad"),
        Err(SourceError::Unusable("it is too long".into())),
    ] {
        match wrong {
            Ok(text) => centre.says(text),
            Err(error) => centre.fails(error),
        }
        sleep(SECOND).await;
        assert!(sidecar.detail().refused.is_some());
        centre.says("good");
        sleep(2 * MINUTE).await;
        assert_eq!(sidecar.detail().refused, None);
    }
    assert_eq!(sidecar.cast.all(), ["good"]);
}

#[tokio::test(start_paused = true)]
async fn a_poisoned_document_at_a_start_leaves_the_last_good_one() {
    let folder = Folder::with(&[("good", None)]);
    let centre = Centre::with("bad");
    let start = Instant::now();
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    assert!(sidecar.lives_by("good").await - start < SECOND);
    sleep(SECOND).await;
    let detail = sidecar.detail();
    assert_eq!(detail.from, Some(Origin::Copy));
    assert!(detail.refused.unwrap().ends_with("it is bad"));
}

#[tokio::test(start_paused = true)]
async fn what_is_poisoned_alone_is_offered_again_until_it_is_cured() {
    let centre = Centre::with("bad");
    let sidecar = Sidecar::start(&centre, Plan::default());
    sleep(MINUTE).await;
    assert_eq!(sidecar.cast.all(), [""; 0]);
    sidecar.cast.tolerate();
    let cured = Instant::now();
    assert!(sidecar.lives_by("bad").await - cured < REFRESH.mul_f64(1.2) + SECOND);
}

#[tokio::test(start_paused = true)]
async fn versions_go_forward_also_over_a_restart() {
    let folder = Folder::new();
    let centre = Centre::with("v7");
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    sidecar.lives_by("v7").await;
    centre.says("v6 old");
    sleep(MINUTE).await;
    assert_eq!(sidecar.cast.all(), ["v7"]);
    let refused = sidecar.detail().refused.unwrap();
    assert!(refused.contains("version 6 is behind 7"), "{refused}");
    drop(sidecar);
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    sidecar.lives_by("v7").await;
    sleep(MINUTE).await;
    assert_eq!(sidecar.cast.all(), ["v7"]);
    assert_eq!(sidecar.detail().from, Some(Origin::Copy));
    centre.says("v6 rollback");
    sidecar.lives_by("v6 rollback").await;
    centre.says("v6 other");
    sidecar.lives_by("v6 other").await;
}

#[tokio::test(start_paused = true)]
async fn a_new_version_goes_to_its_share_first() {
    let names: &[&'static str] = &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let plan = |instance| Plan {
        instance,
        ..watching()
    };
    let centre = Centre::with("v1");
    let fleet: Vec<_> = names
        .iter()
        .map(|name| Sidecar::start(&centre, plan(*name)))
        .collect();
    sleep(SECOND).await;
    let live = |text: &str| {
        let has = fleet
            .iter()
            .filter(|one| one.cast.last().unwrap().0 == text);
        has.count()
    };
    assert_eq!(live("v1"), names.len());
    centre.says("v2 50%");
    sleep(SECOND).await;
    let first = live("v2 50%");
    assert!((2..=10).contains(&first), "{first}");
    assert_eq!(live("v1"), names.len() - first);
    let waits = fleet.iter().filter_map(|one| one.detail().waits);
    assert_eq!(waits.clone().count(), names.len() - first);
    for why in waits {
        assert!(why.contains("version 2 is for 50 %"), "{why}");
    }
    assert!(fleet.iter().all(|one| one.detail().refused.is_none()));
    // Who has it keeps it, also when the share is made smaller.
    centre.says("v2 0%");
    sleep(SECOND).await;
    assert_eq!(live("v2 0%"), first);
    centre.says("v2 100%");
    sleep(SECOND).await;
    assert_eq!(live("v2 100%"), names.len());
}

#[tokio::test(start_paused = true)]
async fn who_starts_fresh_outside_of_the_share_takes_what_it_had_if_it_had_any() {
    let centre = Centre::with("v2 0%");
    let folder = Folder::with(&[("v1", Some(1))]);
    let with = Sidecar::start(&centre, kept_in(&folder));
    let without = Sidecar::start(&centre, Plan::default());
    let has_it = Folder::with(&[("v1", Some(1)), ("v2 0%", Some(2))]);
    let has_it = Sidecar::start(&centre, kept_in(&has_it));
    sleep(SECOND).await;
    assert_eq!(with.cast.all(), ["v1"]);
    assert!(with.detail().waits.unwrap().contains("version 2"));
    assert_eq!(without.cast.all(), ["v2 0%"]);
    assert_eq!(has_it.cast.all(), ["v2 0%"]);
    assert_eq!(has_it.detail().from, Some(Origin::Source));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_copy_falls_back_to_the_one_before() {
    let folder = Folder::with(&[("older", Some(1)), ("old", Some(2))]);
    let newest = folder.0.join("central.copy");
    let whole = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &whole[..whole.len() - 1]).unwrap();
    let centre = Centre::failing(SourceError::Missing);
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    sidecar.lives_by("older").await;
    // One that is whole and does not do is no better.
    let folder = Folder::with(&[("older", Some(1)), ("bad", Some(2))]);
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    sidecar.lives_by("older").await;
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cannot_be_written_keeps_nobody_from_following() {
    let folder = Folder::new();
    std::fs::write(&folder.0, "a file in its place").unwrap();
    let centre = Centre::with("one");
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    sidecar.lives_by("one").await;
    centre.says("two");
    sidecar.lives_by("two").await;
    sleep(SECOND).await;
    let failures = "pillion_config_copy_failures_total 2\n";
    assert!(sidecar.metrics.render().contains(failures));
    std::fs::remove_file(&folder.0).unwrap();
}

#[tokio::test(start_paused = true)]
async fn only_what_one_of_ours_has_signed_is_taken_from_the_source_or_from_disk() {
    let (one, by_one) = key(1);
    let (two, by_two) = key(2);
    let signed = |text: &str, pair| {
        let mut document = document(text);
        document.signature = Some(sign(pair, text.as_bytes()).into());
        document
    };
    let folder = Folder::new();
    let plan = |verify: &[_]| Plan {
        verify: verify.to_vec(),
        watches: true,
        ..kept_in(&folder)
    };
    let centre = Centre::with("unsigned");
    let sidecar = Sidecar::start(&centre, plan(std::slice::from_ref(&one)));
    sleep(10 * SECOND).await;
    assert_eq!(sidecar.cast.all(), [""; 0]);
    assert!(sidecar.detail().refused.unwrap().contains("no signature"));
    centre.has(signed("first", &by_one));
    sidecar.lives_by("first").await;
    centre.has(signed("second", &by_two));
    sleep(10 * SECOND).await;
    assert!(sidecar.detail().refused.unwrap().contains("is of no key"));
    assert_eq!(sidecar.cast.all(), ["first"]);
    let counted = "pillion_config_refusals_total{reason=\"signature\"} 2\n";
    assert!(sidecar.metrics.render().contains(counted));
    drop(sidecar);
    // Rotated: both are ours, then the new one alone, of which the copy must be by then.
    let sidecar = Sidecar::start(&centre, plan(&[one, two.clone()]));
    sidecar.lives_by("second").await;
    centre.has(signed("first", &by_one));
    sidecar.lives_by("first").await;
    centre.has(signed("first", &by_two));
    sleep(SECOND).await;
    drop(sidecar);
    centre.fails(SourceError::Missing);
    let sidecar = Sidecar::start(&centre, plan(&[two]));
    sidecar.lives_by("first").await;
    let (three, _) = key(3);
    let sidecar = Sidecar::start(&centre, plan(&[three]));
    sleep(MINUTE).await;
    assert_eq!(sidecar.cast.all(), [""; 0], "nobody we trust has signed it");
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_seen_before_its_signature_is_no_refusal() {
    let (one, by_one) = key(1);
    let signed = |text: &str, of: &str| {
        let mut document = document(text);
        document.signature = Some(sign(&by_one, of.as_bytes()).into());
        document
    };
    let centre = Centre::with("");
    centre.has(signed("first", "first"));
    let plan = Plan {
        verify: vec![one],
        ..watching()
    };
    let sidecar = Sidecar::start(&centre, plan);
    sidecar.lives_by("first").await;
    centre.has(signed("second", "first"));
    sleep(SECOND / 2).await;
    centre.has(signed("second", "second"));
    timeout(SECOND, sidecar.lives_by("second")).await.unwrap();
    assert!(!sidecar.metrics.render().contains("reason=\"signature\""));
}

#[tokio::test(start_paused = true)]
async fn a_signature_that_does_not_come_makes_a_start_no_longer() {
    let (one, by_one) = key(1);
    let folder = Folder::new();
    let mut kept = document("old");
    kept.signature = Some(sign(&by_one, b"old").into());
    folder.copies().keep(&kept, None).unwrap();
    let centre = Centre::with("unsigned");
    let start = Instant::now();
    let plan = Plan {
        verify: vec![one],
        ..kept_in(&folder)
    };
    let sidecar = Sidecar::start(&centre, plan);
    sleep(SECOND / 2).await;
    centre.falls_silent();
    let took = sidecar.lives_by("old").await - start;
    assert!((5 * SECOND..6 * SECOND).contains(&took), "{took:?}");
}
