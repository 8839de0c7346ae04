//! When a source is asked, and what an outage changes.

use super::*;

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
