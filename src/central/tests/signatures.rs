//! Whose documents are taken.

use std::time::SystemTime;

use super::*;

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
async fn a_signed_version_names_one_text() {
    let (one, by_one) = key(1);
    let signed = |text: &str| {
        let mut document = document(text);
        document.signature = Some(sign(&by_one, text.as_bytes()).into());
        document
    };
    let folder = Folder::new();
    let plan = || Plan {
        verify: vec![one.clone()],
        watches: true,
        ..kept_in(&folder)
    };
    let centre = Centre::with("");
    centre.has(signed("v1"));
    let sidecar = Sidecar::start(&centre, plan());
    sidecar.lives_by("v1").await;
    centre.has(signed("v1 other"));
    sleep(MINUTE).await;
    let refused = sidecar.detail().refused.unwrap();
    assert!(refused.contains("version 1 is live here with another text"));
    let counted = "pillion_config_refusals_total{reason=\"version\"} 1\n";
    assert!(sidecar.metrics.render().contains(counted));
    // A start is no way around it.
    drop(sidecar);
    let sidecar = Sidecar::start(&centre, plan());
    sidecar.lives_by("v1").await;
    sleep(MINUTE).await;
    assert_eq!(sidecar.cast.all(), ["v1"]);
    centre.has(signed("v2 other"));
    sidecar.lives_by("v2 other").await;
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
    folder
        .copies()
        .keep(&kept, None, SystemTime::now())
        .unwrap();
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
