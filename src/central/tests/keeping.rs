//! What is kept on disk, and what a start makes of it.

use super::*;

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
async fn a_copy_is_as_old_as_the_source_last_had_it() {
    let folder = Folder::with(&[("older", Some(1)), ("one", Some(2))]);
    let centre = Centre::with("one");
    for plan in [kept_in(&folder), watching_in(&folder)] {
        folder.grows_old();
        let sidecar = Sidecar::start(&centre, plan);
        sidecar.lives_by("one").await;
        sleep(SECOND).await;
        assert!(folder.age() < HOUR, "confirmed at the start");
        folder.grows_old();
        sleep(4 * MINUTE).await;
        assert!(folder.age() >= HOUR, "it is not written at each answer");
        sleep(2 * MINUTE).await;
        assert!(folder.age() < HOUR, "and confirmed later");
        // What the source has instead does not confirm it.
        folder.grows_old();
        centre.says("bad");
        sleep(20 * MINUTE).await;
        assert!(folder.age() >= HOUR);
        drop(sidecar);
        centre.fails(away());
        let sidecar = Sidecar::start(&centre, kept_in(&folder));
        sidecar.lives_by("one").await;
        sleep(SECOND).await;
        assert!(sidecar.detail().age_seconds >= HOUR.as_secs());
        assert_eq!(folder.kept(), ["one", "older"]);
        drop(sidecar);
        centre.says("one");
    }
}

#[tokio::test(start_paused = true)]
async fn while_another_process_writes_there_it_is_waited_for() {
    let folder = Folder::with(&[("old", None)]);
    let lock = std::fs::File::open(folder.0.join("central.copy.lock")).unwrap();
    lock.lock().unwrap();
    let centre = Centre::with("new");
    let sidecar = Sidecar::start(&centre, kept_in(&folder));
    sidecar.lives_by("new").await;
    sleep(SECOND).await;
    assert_eq!(folder.kept(), ["old"]);
    lock.unlock().unwrap();
    sleep(SECOND).await;
    assert_eq!(folder.kept(), ["new", "old"]);
    // Who holds it for ever keeps nobody from following.
    lock.lock().unwrap();
    centre.says("newest");
    sidecar.lives_by("newest").await;
    sleep(MINUTE).await;
    let failures = "pillion_config_copy_failures_total 1\n";
    assert!(sidecar.metrics.render().contains(failures));
    assert_eq!(folder.kept(), ["new", "old"]);
}
