//! Versions, and whose turn it is.

use super::*;

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
        assert!(why.contains("version 2 is for 50%"), "{why}");
    }
    assert!(fleet.iter().all(|one| one.detail().refused.is_none()));
    // Who has it keeps it when the share is made smaller, and has no more right to another text.
    for text in ["v2 0%", "v2 other 0%"] {
        centre.says(text);
        sleep(SECOND).await;
        assert_eq!((live("v2 50%"), live(text)), (first, 0));
    }
    centre.says("v2 other 50%");
    sleep(SECOND).await;
    assert_eq!(live("v2 other 50%"), first, "the same ones");
    centre.says("v2 100%");
    sleep(SECOND).await;
    assert_eq!(live("v2 100%"), names.len());
}

#[tokio::test(start_paused = true)]
async fn a_step_back_is_taken_over_what_it_names_and_over_nothing_later() {
    let centre = Centre::with("v7");
    let sidecar = Sidecar::start(&centre, watching());
    sidecar.lives_by("v7").await;
    centre.says("v5 rollback6");
    sleep(MINUTE).await;
    let refused = sidecar.detail().refused.unwrap();
    assert!(refused.contains("version 5 is behind 7"), "{refused}");
    centre.says("v5 rollback7");
    sidecar.lives_by("v5 rollback7").await;
    centre.says("v8");
    sidecar.lives_by("v8").await;
    // Played back once more.
    centre.says("v5 rollback7");
    sleep(MINUTE).await;
    assert_eq!(sidecar.cast.all(), ["v7", "v5 rollback7", "v8"]);
    let refused = sidecar.detail().refused.unwrap();
    assert!(refused.contains("version 5 is behind 8"), "{refused}");
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
    assert_eq!(with.detail().early, None);
    assert_eq!(without.cast.all(), ["v2 0%"]);
    let early = "version 2 is for 0% of the instances as yet, and this is none of them";
    assert_eq!(without.detail().early.as_deref(), Some(early));
    assert_eq!(without.detail().waits, None);
    assert_eq!(has_it.cast.all(), ["v2 0%"]);
    assert_eq!(has_it.detail().from, Some(Origin::Source));
    // Once its turn has come, it is as all the others.
    centre.says("v2 100%");
    without.lives_by("v2 100%").await;
    sleep(SECOND).await;
    assert_eq!(without.detail().early, None);
}

#[tokio::test(start_paused = true)]
async fn who_took_it_early_says_so_after_a_restart_too() {
    let centre = Centre::with("v2 0%");
    let folder = Folder::new();
    let first = Sidecar::start(&centre, kept_in(&folder));
    first.lives_by("v2 0%").await;
    sleep(SECOND).await;
    drop(first);
    centre.fails(SourceError::Missing);
    let second = Sidecar::start(&centre, kept_in(&folder));
    second.lives_by("v2 0%").await;
    sleep(SECOND).await;
    assert!(second.detail().early.is_some());
    centre.says("v2 0%");
    sleep(MINUTE).await;
    let detail = second.detail();
    assert_eq!(detail.from, Some(Origin::Source));
    assert!(detail.early.is_some());
}
