//! What is wrong with a document, and what is told of it.

use super::*;

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
async fn what_is_there_again_is_taken_within_an_interval_however_long_there_was_nothing() {
    let centre = Centre::with("good");
    let sidecar = Sidecar::start(&centre, Plan::default());
    sidecar.lives_by("good").await;
    for (number, error) in [
        SourceError::Unusable("too long".into()),
        SourceError::Missing,
        SourceError::Refused("it answers 403".into()),
    ]
    .into_iter()
    .cycle()
    .take(9)
    .enumerate()
    {
        centre.fails(error);
        sleep(10 * MINUTE).await;
        let text = ["v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9"][number];
        centre.says(text);
        let mended = Instant::now();
        let took = sidecar.lives_by(text).await - mended;
        assert!(took < REFRESH.mul_f64(1.2) + SECOND, "{took:?}");
    }
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
